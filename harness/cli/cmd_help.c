/* cmd_help.c - help texts and versions, made from the tables. See cmd.h. */
#include "harness/cli/cmd.h"

#include "harness/record/db.h"
#include "harness/text/escape.h"
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/data/image_tiff.h"
#include "model/data/image_webp.h"
#include "harness/record/provenance.h"

#include <stdlib.h>
#include <string.h>

#define WIDTH  79
#define COLUMN 26 /* where the second column begins */

static const struct {
	int code;
	const char *meaning;
} exits[] = {
	{ EXIT_OK, "all that was asked for is done and passed" },
	{ EXIT_INCOMPLETE,
	  "some cells failed, are missing or blocked; the disk is too small; any failure without a code of its own" },
	{ EXIT_USAGE, "usage or grid error, also 0 cells or 0 gates; nothing was run" },
	{ EXIT_GATE, "a gate failed" },
	{ EXIT_INCONCLUSIVE, "a gate cannot tell, and on_inconclusive = \"fail\"" },
	{ EXIT_RECORD, "database, provenance or protocol problem: not comparable, newer schema, conflict in a merge" },
	{ EXIT_NOT_EQUAL, "verify: not bit-identical" },
	{ EXIT_BUDGET, "budget used up, or a task of Slurm was asked to stop: state is saved, run again (RequeueExit=75)" },
	{ EXIT_INTERRUPTED, "interrupted by Ctrl-C; state is saved (a second one, a second later, aborts)" },
	{ EXIT_NO_READER, "all is done, but the reader of stdout left before its end (`| head`)" },
	{ EXIT_TERMINATED, "asked to stop by TERM, a closed terminal or `ablate cancel`; state is saved" },
};

void cmd_each_exit(void *ctx, void (*row)(void *ctx, const char *code, const char *meaning))
{
	for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
		SCOPED(free) char *code = xstrfmt("%d", exits[i].code);
		row(ctx, code, exits[i].meaning);
	}
}

static void spaces(struct str *dst, int n)
{
	for (; n > 0; n--)
		str_addc(dst, ' ');
}

static void wrap_line(struct str *dst, const char *text, size_t n, int column, int indent, int width)
{
	bool first = true;
	for (const char *end = text + n; text < end;) {
		size_t len = 0;
		while (text + len < end && text[len] != ' ')
			len++;
		SCOPED(free) char *word = xstrndup(text, len);
		int w = (int)escape_width(word);
		if (!first && column + 1 + w > width) {
			str_addc(dst, '\n');
			spaces(dst, indent);
			column = indent;
		} else if (!first) {
			str_addc(dst, ' ');
			column++;
		}
		str_add(dst, word);
		column += w;
		first = false;
		for (text += len; text < end && *text == ' '; text++)
			;
	}
}

void cmd_wrap(struct str *dst, const char *text, int column, int indent, int width)
{
	for (;; text++) {
		size_t n = strcspn(text, "\n");
		if (*text == ' ')
			str_addn(dst, text, n);
		else
			wrap_line(dst, text, n, column, indent, width);
		str_addc(dst, '\n');
		text += n;
		if (!*text || !text[1])
			return;
		column = indent;
		if (text[1] != '\n')
			spaces(dst, indent);
	}
}

static void two_columns(struct str *dst, const char *left, const char *right)
{
	int w = (int)escape_width(left) + 2;
	str_addf(dst, "  %s", left);
	if (w + 2 > COLUMN) {
		str_addc(dst, '\n');
		w = 0;
	}
	spaces(dst, COLUMN - w);
	cmd_wrap(dst, right, COLUMN, COLUMN, WIDTH);
}

static void options(struct str *dst, const char *title, const struct opt *o)
{
	if (!o || !o->name)
		return;
	str_addf(dst, "\n%s\n", title);
	for (; o->name; o++) {
		char letter[5] = "    ";
		if (o->letter)
			(void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
		SCOPED(free) char *left = xstrfmt("%s--%s%s%s", letter, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		SCOPED(free) char *right = xstrfmt("%s%s", o->help, o->kind == OPT_STRINGS ? " (may be repeated)" : "");
		two_columns(dst, left, right);
	}
}

static void help_group(void *ctx, const char *name)
{
	str_addf(ctx, "\n%s:\n", name);
}

static void help_command(void *ctx, const struct cmd *cmd)
{
	two_columns(ctx, cmd->name, cmd->summary);
}

static void help_exit(void *ctx, const char *code, const char *meaning)
{
	two_columns(ctx, code, meaning);
}

static void program_help(struct str *dst, const struct cmds *all)
{
	str_add(dst, "usage: ablate COMMAND [ARGUMENTS] [OPTIONS]\n\n");
	cmd_wrap(
		dst,
		"Runs grids of consistency-model trainings, scores them, keeps every number with its provenance, and judges "
		"builds by statistical gates.",
		0, 0, WIDTH);
	cmds_each(all, dst, help_group, help_command);
	options(dst, "Options of every command:", cmd_global_options);
	str_add(dst, "\nExit codes:\n");
	cmd_each_exit(dst, help_exit);
	str_add(dst, "\n'ablate COMMAND --help' says more about one command, 'ablate man' prints the manual.\n");
}

void cmd_help(struct str *dst, const struct cmds *all, const struct cmd *cmd)
{
	if (!cmd) {
		program_help(dst, all);
		return;
	}
	const char *args = cmd->args ? cmd->args : "";
	const char *gap = strlen(args) > WIDTH - strlen("usage: ablate NAME [OPTIONS]") ? "\n  " : *args ? " " : "";
	str_addf(dst, "usage: ablate %s%s%s%s\n\n", cmd->name, gap, args, cmd->options ? " [OPTIONS]" : "");
	SCOPED(free) char *summary = xstrdup(cmd->summary);
	if (*summary >= 'a' && *summary <= 'z')
		*summary = (char)(*summary - 'a' + 'A');
	SCOPED(free) char *sentence = xstrfmt("%s.", summary);
	cmd_wrap(dst, sentence, 0, 0, WIDTH);
	if (cmd->help && *cmd->help) {
		str_addc(dst, '\n');
		cmd_wrap(dst, cmd->help, 0, 0, WIDTH);
	}
	options(dst, "Options:", cmd->options);
	options(dst, "Options of every command:", cmd_global_options);
}

char *cmd_version_text(void)
{
	return xstrfmt("ablate %s (numerics %d, database schema %d)", ABLATE_VERSION, NUMERICS_VERSION,
	               db_schema()->version);
}

json_t *cmd_version_json(void)
{
	json_t *o = json_object();
	(void)json_object_set_new(o, "program", json_string("ablate"));
	(void)json_object_set_new(o, "version", json_string(ABLATE_VERSION));
	(void)json_object_set_new(o, "numerics", json_integer(NUMERICS_VERSION));
	(void)json_object_set_new(o, "database_schema", json_integer(db_schema()->version));
	(void)json_object_set_new(o, "reads_webp", json_boolean(image_webp_built()));
	(void)json_object_set_new(o, "reads_tiff", json_boolean(image_tiff_built()));
	(void)json_object_update_new(o, provenance_facts());
	return o;
}
