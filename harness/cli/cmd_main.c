/* cmd_main.c - from main() to an exit code: running a parsed command, and reporting to people and scripts what
 * happened. */
#include "harness/cli/cmd.h"

#include "harness/cli/cmd_signals.h"
#include "harness/text/escape.h"
#include "harness/record/host.h"
#include "harness/text/json_out.h"
#include "harness/cli/threads.h"
#include "model/base/mem.h"
#include "model/base/progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void tell(const struct cli *c, bool on_stderr, const char *prefix, const char *fmt, va_list ap)
{
	char text[2048], now[HOST_TIME];
	SCOPED(str) struct str shown = { 0 };
	(void)vsnprintf(text, sizeof text, fmt, ap);
	escape_lines(&shown, text);
	if (on_stderr)
		(void)fprintf(stderr, "%s%s\n", prefix, str_text(&shown));
	if (c->log) {
		(void)fprintf(c->log, "%s %s%s\n", host_now(now), prefix, str_text(&shown));
		(void)fflush(c->log);
	}
}

void cli_say(const struct cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	tell(c, !c->quiet, "", fmt, ap);
	va_end(ap);
}

void cli_say_line(const void *cli, const char *line)
{
	cli_say(cli, "%s", line);
}

void cli_verbose(const struct cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	tell(c, c->verbose > 0, "", fmt, ap);
	va_end(ap);
}

void cli_warn(const struct cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	tell(c, true, "ablate: warning: ", fmt, ap);
	va_end(ap);
}

void cli_warn_lines(const struct cli *c, const char *lines)
{
	while (*lines) {
		size_t n = strcspn(lines, "\n");
		cli_warn(c, "%.*s", (int)n, lines);
		lines += n + (lines[n] == '\n');
	}
}

static void tell_error(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void tell_error(const struct cli *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	tell(c, true, color_on(STDERR_FILENO) ? "\033[31mablate:\033[0m " : "ablate: ", fmt, ap);
	va_end(ap);
}

/* Takes the reference. */
static void print_object(json_t *object)
{
	SCOPED(str) struct str s = { 0 };
	json_t *whole = json_object();
	(void)json_object_set_new(whole, "schema", json_integer(1));
	(void)json_object_update(whole, object);
	json_out(&s, whole, 2);
	json_decref(whole);
	json_decref(object);
	str_addc(&s, '\n');
	(void)fwrite(s.data, 1, s.len, stdout);
}

int cli_print_json(const struct cli *c, json_t *object)
{
	if (c->cmd && !c->cmd->json)
		BUG("ablate %s prints JSON whose keys its struct cmd does not document", c->cmd->name);
	print_object(object);
	return EXIT_OK;
}

int cli_fail(const struct cli *c, const struct err *e)
{
	int code = err_exit_code(e);
	SCOPED(str) struct str line = { 0 };
	escape_plain(&line, e->msg); /* a name in it may have several lines */
	(void)fflush(stdout);
	tell_error(c, "%s", str_text(&line));
	if (c->json) {
		json_t *error = json_object(), *object = json_object();
		(void)json_object_set_new(error, "code", json_integer(code));
		(void)json_object_set_new(error, "message", json_out_text(e->msg));
		(void)json_object_set_new(object, "error", error);
		print_object(object);
	}
	return code;
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
	struct err e = ERR_INIT;
	char text[900];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)err_code(&e, EXIT_USAGE, "%s (see 'ablate %s --help')", text, c->cmd->name);
	return cli_fail(c, &e);
}

static int open_log(struct cli *c, struct err *e)
{
	const char *path = cli_string(c, "log", NULL), *color = cli_string(c, "color", "auto");
	color_set(*color == 'n' ? COLOR_NEVER : strcmp(color, "always") == 0 ? COLOR_ALWAYS : COLOR_AUTO);
	if (!path)
		return 0;
	c->log = fopen(path, "ae"); /* also through a link or into a pipe: the name is the user's, not ours */
	if (!c->log)
		return err_code(e, EXIT_USAGE, "--log %s: cannot open: %s", path, strerror(errno));
	return 0;
}

static int show(const struct cli *c)
{
	SCOPED(str) struct str s = { 0 };
	if (c->help) {
		cmd_help(&s, c->all, c->cmd);
	} else if (c->json) {
		return cli_print_json(c, cmd_version_json());
	} else {
		SCOPED(free) char *text = cmd_version_text();
		str_addf(&s, "%s\n", text);
	}
	(void)fwrite(s.data, 1, s.len, stdout);
	return EXIT_OK;
}

int cli_main(const struct cmds *all, int argc, char **argv)
{
	struct cli c;
	struct err e = ERR_INIT;
	int code;
	cmd_signals_begin();
	if (cli_parse(&c, all, argc, argv, &e) || open_log(&c, &e))
		code = cli_fail(&c, &e);
	else if (c.help || c.version)
		code = show(&c);
	else {
		threads_settle();
		code = c.cmd->run(&c);
	}
	bool written = fflush(stdout) == 0 && !ferror(stdout);
	if (!written && cmd_reader_left(STDOUT_FILENO)) {
		code = code ? code : EXIT_NO_READER;
	} else if (!written) {
		(void)err_code(&e, EXIT_INCOMPLETE, "cannot write the result to stdout: %s", strerror(errno));
		c.json = false;
		code = code ? code : cli_fail(&c, &e);
	}
	cli_release(&c);
	return code;
}
