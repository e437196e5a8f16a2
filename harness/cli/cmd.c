/* cmd.c - finding commands in their table, and the parser of command lines. See cmd.h. */
#include "harness/cli/cmd.h"

#include "model/base/env.h"
#include "model/base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct opt cmd_global_options[] = {
	{ .name = "help", .letter = 'h', .kind = OPT_FLAG, .help = "show help and exit" },
	{ .name = "version", .kind = OPT_FLAG, .help = "show versions and exit" },
	{ .name = "quiet", .letter = 'q', .kind = OPT_FLAG, .help = "print nothing but warnings and errors" },
	{ .name = "verbose", .letter = 'v', .kind = OPT_FLAG, .help = "print more; twice: even more" },
	{ .name = "json", .kind = OPT_FLAG, .help = "result (or error) as one JSON object on stdout" },
	{ .name = "color",
	  .kind = OPT_STRING,
	  .arg = "auto|always|never",
	  .help = "colours; auto: on terminals, honouring NO_COLOR" },
	{ .name = "log",
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "also append the messages of stderr to FILE, with times" },
	{ .name = "db",
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "result database (default: $ABLATE_DB, else ablate.db)" },
	{ 0 },
};

struct cli_value {
	const struct opt *opt;
	const char *text; /* as given */
	int64_t i;
	double d;
};

/* The first shown row of its group? */
static bool group_begins(const struct cmds *all, int row)
{
	for (int i = 0; i < row; i++)
		if (!all->rows[i].cmd->hidden && strcmp(all->rows[i].group, all->rows[row].group) == 0)
			return false;
	return !all->rows[row].cmd->hidden;
}

void cmds_each(const struct cmds *all, void *ctx, void (*group)(void *ctx, const char *name),
               void (*command)(void *ctx, const struct cmd *cmd))
{
	const struct cmd_row *r = all->rows;
	for (int i = 0; i < all->n; i++) {
		if (!group_begins(all, i))
			continue;
		group(ctx, r[i].group);
		for (int k = i; k < all->n; k++)
			if (!r[k].cmd->hidden && strcmp(r[k].group, r[i].group) == 0)
				command(ctx, r[k].cmd);
	}
}

const struct cmd *cmds_find(const struct cmds *all, const char *name)
{
	for (int i = 0; i < all->n; i++)
		if (strcmp(all->rows[i].cmd->name, name) == 0)
			return all->rows[i].cmd;
	return NULL;
}

bool cmd_next_word(struct cmd_word *out, const char **at)
{
	const char *s = *at ? *at + strspn(*at, " ") : "";
	size_t n = strcspn(s, " ");
	if (!n)
		return false;
	*at = s + n;
	*out = (struct cmd_word){ .optional = s[0] == '[' };
	if (n > 3 && memcmp(s + n - 3, "...", 3) == 0) {
		out->repeated = true;
		n -= 3;
	}
	if (out->optional) {
		if (s[n - 1] != ']')
			BUG("argument '%.*s': a [ without its ]", (int)n, s);
		s++;
		n -= 2;
	}
	REQUIRE(n < sizeof out->text);
	memcpy(out->text, s, n);
	out->choice = strchr(out->text, '|') && strspn(out->text, "abcdefghijklmnopqrstuvwxyz0123456789-|") == n;
	return true;
}

bool cmd_choice_has(const char *choices, const char *word)
{
	size_t n = strlen(word);
	for (const char *s = choices;; s++) {
		size_t len = strcspn(s, "|");
		if (n && len == n && memcmp(s, word, n) == 0)
			return true;
		s += len;
		if (!*s)
			return false;
	}
}

static const struct opt *find_option(const struct opt *table, const char *name, size_t n)
{
	for (; table && table->name; table++)
		if (strlen(table->name) == n && memcmp(table->name, name, n) == 0)
			return table;
	return NULL;
}

static const struct opt *find_letter(const struct opt *table, char letter)
{
	for (; table && table->name; table++)
		if (table->letter && table->letter == letter)
			return table;
	return NULL;
}

static const struct opt *option_of(const struct cli *c, const char *name)
{
	const struct opt *o = c->cmd ? find_option(c->cmd->options, name, strlen(name)) : NULL;
	return o ? o : find_option(cmd_global_options, name, strlen(name));
}

static const struct opt *option_for_value(const struct cli *c, const char *name, enum opt_kind kind)
{
	const struct opt *o = option_of(c, name);
	if (!o || o->kind != kind)
		BUG("command %s has no option --%s of kind %d", c->cmd ? c->cmd->name : "(none)", name, (int)kind);
	return o;
}

static const struct cli_value *last_value(const struct cli *c, const struct opt *o)
{
	for (int i = c->n_values - 1; i >= 0; i--)
		if (c->values[i].opt == o)
			return &c->values[i];
	return NULL;
}

int cli_flag(const struct cli *c, const char *name)
{
	const struct opt *o = option_for_value(c, name, OPT_FLAG);
	int count = 0;
	for (int i = 0; i < c->n_values; i++)
		count += c->values[i].opt == o;
	return count;
}

bool cli_given(const struct cli *c, const char *name)
{
	const struct opt *o = option_of(c, name);
	if (!o)
		BUG("command %s has no option --%s", c->cmd ? c->cmd->name : "(none)", name);
	return last_value(c, o);
}

int64_t cli_int(const struct cli *c, const char *name, int64_t fallback)
{
	const struct cli_value *v = last_value(c, option_for_value(c, name, OPT_INT));
	return v ? v->i : fallback;
}

double cli_double(const struct cli *c, const char *name, double fallback)
{
	const struct cli_value *v = last_value(c, option_for_value(c, name, OPT_DOUBLE));
	return v ? v->d : fallback;
}

const char *cli_string(const struct cli *c, const char *name, const char *fallback)
{
	const struct cli_value *v = last_value(c, option_for_value(c, name, OPT_STRING));
	return v ? v->text : fallback;
}

const char **cli_strings(const struct cli *c, const char *name, int *n)
{
	const struct opt *o = option_for_value(c, name, OPT_STRINGS);
	const char **out = NULL;
	int cap = 0;
	*n = 0;
	for (int i = 0; i < c->n_values; i++)
		if (c->values[i].opt == o)
			VEC_PUSH(out, *n, cap) = c->values[i].text;
	return out;
}

/* "--jobs N: 'x' is not a whole number" */
static int bad_value(struct err *e, const struct opt *o, const char *text, const char *why)
{
	return err_code(e, EXIT_USAGE, "--%s %s: '%s' %s", o->name, o->arg, text, why);
}

static int check_range(const struct opt *o, const char *text, double x, struct err *e)
{
	char lo[32], hi[32];
	if ((o->min == 0 && o->max == 0) || (x >= o->min && x <= o->max))
		return 0;
	return err_code(e, EXIT_USAGE, "--%s %s: %s is not within %s..%s", o->name, o->arg, text, str_double(lo, o->min),
	                str_double(hi, o->max));
}

static int take_value(struct cli *c, const struct opt *o, const char *text, struct err *e)
{
	struct cli_value v = { .opt = o, .text = text };
	struct cmd_word word;
	const char *at = o->arg;
	char *end = NULL;
	errno = 0;
	switch (o->kind) {
	case OPT_FLAG: break;
	case OPT_INT:
		v.i = strtoll(text, &end, 10);
		if (!*text || *end || (errno && o->min == 0 && o->max == 0)) /* one too long for a number is beyond any range */
			return bad_value(e, o, text, "is not a whole number");
		if (check_range(o, text, (double)v.i, e))
			return -1;
		break;
	case OPT_DOUBLE:
		v.d = strtod(text, &end);
		if (!*text || *end || !isfinite(v.d))
			return bad_value(e, o, text, "is not a number");
		if (check_range(o, text, v.d, e))
			return -1;
		break;
	case OPT_STRING:
	case OPT_STRINGS:
		if (cmd_next_word(&word, &at) && word.choice && !cmd_choice_has(word.text, text))
			return bad_value(e, o, text, "is not one of these");
		break;
	}
	VEC_PUSH(c->values, c->n_values, c->cap_values) = v;
	c->json = c->json || (o->kind == OPT_FLAG && strcmp(o->name, "json") == 0);
	return 0;
}

static int unknown_option(const struct cli *c, const char *name, size_t n, struct err *e)
{
	const char *names[128];
	size_t k = 0;
	struct arena arena = { 0 };
	SCOPED(str) struct str near = { 0 };
	SCOPED(free) char *wrong = xstrfmt("--%.*s", (int)n, name);
	for (const struct opt *o = c->cmd ? c->cmd->options : NULL; o && o->name && k < 128; o++)
		names[k++] = arena_strfmt(&arena, "--%s", o->name);
	for (const struct opt *o = cmd_global_options; o->name && k < 128; o++)
		names[k++] = arena_strfmt(&arena, "--%s", o->name);
	str_suggest(&near, wrong, names, k);
	arena_release(&arena);
	return err_code(e, EXIT_USAGE, "unknown option %s%s (see 'ablate %s%s--help')", wrong, str_text(&near),
	                c->cmd ? c->cmd->name : "", c->cmd ? " " : "");
}

static int take_long(struct cli *c, const char *body, char **next, int *used, struct err *e)
{
	size_t n = strcspn(body, "=");
	const struct opt *o = c->cmd ? find_option(c->cmd->options, body, n) : NULL;
	o = o ? o : find_option(cmd_global_options, body, n);
	if (!o)
		return unknown_option(c, body, n, e);
	if (o->kind == OPT_FLAG) {
		if (body[n])
			return err_code(e, EXIT_USAGE, "--%s takes no value", o->name);
		return take_value(c, o, NULL, e);
	}
	if (body[n])
		return take_value(c, o, body + n + 1, e);
	if (!*next)
		return err_code(e, EXIT_USAGE, "--%s: %s is missing", o->name, o->arg);
	*used = 1;
	return take_value(c, o, *next, e);
}

/* -qv, -j4, -j 4 */
static int take_letters(struct cli *c, const char *letters, char **next, int *used, struct err *e)
{
	for (; *letters; letters++) {
		const struct opt *o = c->cmd ? find_letter(c->cmd->options, *letters) : NULL;
		o = o ? o : find_letter(cmd_global_options, *letters);
		if (!o)
			return err_code(
				e, EXIT_USAGE,
				"unknown option -%c (see 'ablate %s%s--help'; '--' before an argument that begins with '-')", *letters,
				c->cmd ? c->cmd->name : "", c->cmd ? " " : "");
		if (o->kind == OPT_FLAG) {
			if (take_value(c, o, NULL, e))
				return -1;
			continue;
		}
		if (letters[1])
			return take_value(c, o, letters + 1, e);
		if (!*next)
			return err_code(e, EXIT_USAGE, "-%c: %s is missing", *letters, o->arg);
		*used = 1;
		return take_value(c, o, *next, e);
	}
	return 0;
}

static int unknown_command(const struct cmds *all, const char *name, struct err *e)
{
	const char *names[128];
	size_t k = 0;
	SCOPED(str) struct str near = { 0 };
	for (int i = 0; i < all->n && k < 128; i++)
		if (!all->rows[i].cmd->hidden)
			names[k++] = all->rows[i].cmd->name;
	str_suggest(&near, name, names, k);
	return err_code(e, EXIT_USAGE, "unknown command '%s'%s (see 'ablate --help')", name, str_text(&near));
}

static int check_args(const struct cli *c, struct err *e)
{
	struct cmd_word word;
	const char *at = c->cmd->args;
	int i = 0;
	while (cmd_next_word(&word, &at)) {
		if (i == c->n_args) {
			if (!word.optional)
				return err_code(e, EXIT_USAGE, "%s: %s is missing (usage: ablate %s %s)", c->cmd->name, word.text,
				                c->cmd->name, c->cmd->args);
			break;
		}
		do {
			if (word.choice && !cmd_choice_has(word.text, c->args[i]))
				return err_code(e, EXIT_USAGE, "%s: '%s' is not one of %s", c->cmd->name, c->args[i], word.text);
			i++;
		} while (word.repeated && i < c->n_args);
	}
	if (i < c->n_args)
		return err_code(e, EXIT_USAGE, "%s: one argument too many: '%s' (usage: ablate %s %s)", c->cmd->name,
		                c->args[i], c->cmd->name, c->cmd->args ? c->cmd->args : "");
	return 0;
}

static int parse_words(struct cli *c, char **argv, struct err *e)
{
	bool options = true;
	for (int i = 1; argv[i]; i++) {
		int used = 0;
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && strncmp(argv[i], "--", 2) == 0) {
			if (take_long(c, argv[i] + 2, argv + i + 1, &used, e))
				return -1;
		} else if (options && argv[i][0] == '-' && argv[i][1]) {
			if (take_letters(c, argv[i] + 1, argv + i + 1, &used, e))
				return -1;
		} else if (!c->cmd) {
			c->cmd = cmds_find(c->all, argv[i]);
			if (!c->cmd)
				return unknown_command(c->all, argv[i], e);
		} else {
			c->args[c->n_args++] = argv[i];
		}
		i += used;
	}
	return 0;
}

/* An error is reported as JSON even when --json comes after the argument at fault. */
static bool json_asked(char **argv)
{
	for (int i = 1; argv[i] && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

int cli_parse(struct cli *c, const struct cmds *all, int argc, char **argv, struct err *e)
{
	const char *db = env_get(ENV_ABLATE_DB);
	*c = (struct cli){ .all = all,
		               .args = xcalloc((size_t)argc + 1, sizeof *c->args),
		               .db = db && *db ? db : "ablate.db" };
	if (parse_words(c, argv, e)) {
		c->json = json_asked(argv);
		return -1;
	}
	c->quiet = cli_flag(c, "quiet");
	c->verbose = cli_flag(c, "verbose");
	c->help = cli_flag(c, "help");
	c->version = cli_flag(c, "version");
	c->db = cli_string(c, "db", c->db);
	if (!*c->db)
		return err_code(e, EXIT_USAGE, "--db: the name is empty");
	if (*c->db == ':')
		return err_code(e, EXIT_USAGE, "--db '%s' is no file; records are kept in one, and in the folder beside it",
		                c->db);
	if (c->help || c->version)
		return 0;
	if (!c->cmd)
		return err_code(e, EXIT_USAGE, "no command given (see 'ablate --help')");
	return check_args(c, e);
}

void cli_release(struct cli *c)
{
	free(c->args);
	free(c->values);
	if (c->log)
		(void)fclose(c->log);
	*c = (struct cli){ 0 };
}
