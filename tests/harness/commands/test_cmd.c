/* test_cmd.c - the parser of command lines, the texts that are made from the tables, and JSON output. */
#include "harness/commands/commands.h"
#include "harness/text/json_out.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Parses the words after "ablate"; the command is one of the real ones. */
static int parse(struct cli *c, struct err *e, char **words)
{
	int argc = 0;
	while (words[argc])
		argc++;
	*e = ERR_INIT;
	return cli_parse(c, &commands, argc, words, e);
}
#define PARSE(c, e, ...) parse(c, e, (char *[]){ (char[]){ "ablate" }, __VA_ARGS__, NULL })

/* A command that prints JSON without a table of its keys ends in BUG(); one that prints none is named here, so that
 * nobody forgets the table of a new one. */
Test(cmd, every_command_documents_its_json)
{
	static const char *const none[] = { "worker", "slurm-task", "bench-cell", "completion", "man", "help" };
	for (int i = 0; i < commands.n; i++) {
		const struct cmd *cmd = commands.rows[i].cmd;
		bool prints = true;
		for (size_t k = 0; k < sizeof none / sizeof *none; k++)
			prints = prints && strcmp(cmd->name, none[k]) != 0;
		cr_assert_eq(cmd->json != NULL, prints, "%s: .json, the keys of what it prints with --json", cmd->name);
		if (!cmd->json)
			continue;
		json_t *schema = json_keys_schema(cmd->json); /* a row that breaks the rules is BUG() */
		cr_assert_gt(json_array_size(json_object_get(schema, "anyOf")), 1, "%s", cmd->name);
		json_decref(schema);
		for (const struct json_form *f = cmd->json; f->keys; f++)
			cr_assert(*f->when || f == cmd->json, "%s: when is which form printed?", cmd->name);
	}
}

Test(cmd, every_row_is_complete_and_unique)
{
	int n = commands.n;
	const struct cmd_row *r = commands.rows;
	cr_assert(n >= 3);
	for (int i = 0; i < n; i++) {
		const struct cmd *cmd = r[i].cmd;
		cr_assert(cmd->name && cmd->summary && *cmd->summary && cmd->run, "row %d", i);
		cr_assert(cmd->summary[strlen(cmd->summary) - 1] != '.', "%s", cmd->name);
		cr_assert(cmds_find(&commands, cmd->name) == cmd, "%s stands twice", cmd->name);
		const char *at = cmd->args;
		struct cmd_word word;
		while (cmd_next_word(&word, &at))
			cr_assert(*word.text, "%s", cmd->name);
		for (const struct opt *o = cmd->options; o && o->name; o++) {
			cr_assert(o->help && *o->help, "%s --%s", cmd->name, o->name);
			cr_assert((o->kind == OPT_FLAG) == (o->arg == NULL), "%s --%s: flags alone have no arg", cmd->name,
			          o->name);
			for (const struct opt *g = cmd_global_options; g->name; g++) {
				cr_assert(strcmp(g->name, o->name) != 0, "%s --%s hides a global option", cmd->name, o->name);
				cr_assert(!o->letter || g->letter != o->letter, "%s -%c hides a global option", cmd->name, o->letter);
			}
			for (const struct opt *p = cmd->options; p != o; p++)
				cr_assert(strcmp(p->name, o->name) != 0 && (!o->letter || p->letter != o->letter), "%s --%s twice",
				          cmd->name, o->name);
		}
	}
}

Test(cmd, global_options_are_accepted_before_and_after_the_command)
{
	struct cli c;
	struct err e;
	cr_assert(PARSE(&c, &e, "--db", "a.db", "version", "-qv", "--json", "--color=never") == 0, "%s", e.msg);
	cr_assert_str_eq(c.cmd->name, "version");
	cr_assert(c.json && c.quiet && c.verbose == 1);
	cr_assert_str_eq(c.db, "a.db");
	cr_assert_str_eq(cli_string(&c, "color", "auto"), "never");
	cr_assert(!cli_given(&c, "log"));
	cli_release(&c);
}

Test(cmd, the_last_value_counts_and_dashes_end_options)
{
	struct cli c;
	struct err e;
	cr_assert(PARSE(&c, &e, "help", "--db=a", "--db", "b", "--", "--version") == 0);
	cr_assert_str_eq(c.db, "b");
	cr_assert_eq(c.n_args, 1);
	cr_assert_str_eq(c.args[0], "--version");
	cr_assert_null(c.args[1]);
	cli_release(&c);
	cr_assert(PARSE(&c, &e, "help", "-") == 0, "a lone dash is an argument");
	cli_release(&c);
}

Test(cmd, the_database_comes_from_the_environment_unless_given)
{
	struct cli c;
	struct err e;
	cr_assert(setenv("ABLATE_DB", "env.db", 1) == 0);
	cr_assert(PARSE(&c, &e, "version") == 0);
	cr_assert_str_eq(c.db, "env.db");
	cli_release(&c);
	cr_assert(unsetenv("ABLATE_DB") == 0);
	cr_assert(PARSE(&c, &e, "version") == 0);
	cr_assert_str_eq(c.db, "ablate.db");
	cli_release(&c);
}

static const struct {
	const char *words[4], *wanted;
} wrong[] = {
	{ { "versoin" }, "did you mean version" },
	{ { "version", "--jsn" }, "did you mean --json" },
	{ { "version", "-Z" }, "unknown option -Z" },
	{ { "version", "--json=1" }, "takes no value" },
	{ { "version", "--db" }, "FILE is missing" },
	{ { "version", "--color", "blue" }, "'blue' is not one of these" },
	{ { "version", "extra" }, "too many" },
	{ { "completion" }, "bash|zsh|fish|words is missing" },
	{ { "completion", "tcsh" }, "'tcsh' is not one of" },
	{ { NULL }, "no command" },
};

Test(cmd, what_is_wrong_is_a_usage_error_that_names_it)
{
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct cli c;
		struct err e = ERR_INIT;
		char *argv[6] = { (char[]){ "ablate" } };
		int argc = 1;
		for (; argc < 5 && wrong[i].words[argc - 1]; argc++)
			argv[argc] = xstrdup(wrong[i].words[argc - 1]);
		cr_assert(cli_parse(&c, &commands, argc, argv, &e) == -1, "case %zu", i);
		cr_assert_eq(e.code, EXIT_USAGE);
		cr_assert(strstr(e.msg, wrong[i].wanted), "case %zu: %s", i, e.msg);
		cli_release(&c);
		while (--argc)
			free(argv[argc]);
	}
}

Test(cmd, help_does_not_need_the_arguments)
{
	struct cli c;
	struct err e;
	cr_assert(PARSE(&c, &e, "completion", "--help") == 0);
	cr_assert(c.help);
	cli_release(&c);
	cr_assert(PARSE(&c, &e, "--help") == 0);
	cr_assert(c.help && !c.cmd);
	cli_release(&c);
}

Test(cmd, help_lists_every_command_and_option_within_80_columns)
{
	int n = commands.n;
	const struct cmd_row *r = commands.rows;
	SCOPED(str) struct str all = { 0 };
	cmd_help(&all, &commands, NULL);
	for (int i = 0; i < n; i++) {
		SCOPED(str) struct str one = { 0 };
		SCOPED(free) char *row = xstrfmt("\n  %s ", r[i].cmd->name);
		cr_assert(r[i].cmd->hidden || strstr(all.data, row), "%s is not listed", r[i].cmd->name);
		cmd_help(&one, &commands, r[i].cmd);
		for (const struct opt *o = r[i].cmd->options; o && o->name; o++) {
			SCOPED(free) char *name = xstrfmt("--%s", o->name);
			cr_assert(strstr(one.data, name), "%s: no %s", r[i].cmd->name, name);
		}
		str_add(&all, one.data);
	}
	for (const char *line = all.data; *line; line += strcspn(line, "\n") + 1)
		cr_assert(strcspn(line, "\n") < 100, "long line: %.*s", (int)strcspn(line, "\n"), line);
}

Test(cmd, words_of_usage_lines)
{
	struct cmd_word w;
	const char *at = "GRID.toml [NAME]... a|b-c SRC...";
	cr_assert(cmd_next_word(&w, &at) && strcmp(w.text, "GRID.toml") == 0 && !w.optional && !w.repeated && !w.choice);
	cr_assert(cmd_next_word(&w, &at) && strcmp(w.text, "NAME") == 0 && w.optional && w.repeated && !w.choice);
	cr_assert(cmd_next_word(&w, &at) && w.choice && cmd_choice_has(w.text, "b-c") && !cmd_choice_has(w.text, "b"));
	cr_assert(cmd_next_word(&w, &at) && w.repeated && !w.optional);
	cr_assert(!cmd_next_word(&w, &at));
}

Test(cmd, wrapping_keeps_paragraphs_and_indented_lines)
{
	SCOPED(str) struct str s = { 0 };
	cmd_wrap(&s, "one two three\n\n    kept   as it is\nfour", 0, 2, 9);
	cr_assert_str_eq(s.data, "one two\n  three\n\n      kept   as it is\n  four\n");
}

Test(json_out, reals_are_shortest_and_read_back)
{
	static const struct {
		double x;
		const char *text;
	} cases[] = {
		{ 0.1, "0.1" },   { 1, "1.0" },        { 1e-7, "1e-07" },
		{ -0.0, "-0.0" }, { 1e300, "1e+300" }, { 2.0 / 3, "0.6666666666666666" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(str) struct str s = { 0 };
		json_t *v = json_out_real(cases[i].x), *back;
		json_out(&s, v, 0);
		cr_assert_str_eq(s.data, cases[i].text);
		back = json_loads(s.data, JSON_DECODE_ANY, NULL);
		cr_assert(json_is_real(back) && json_real_value(back) == cases[i].x);
		json_decref(back);
		json_decref(v);
	}
	json_t *nan = json_out_real(NAN);
	cr_assert(json_is_null(nan));
	json_decref(nan);
}

Test(json_out, structure_order_and_foreign_bytes)
{
	SCOPED(str) struct str s = { 0 };
	json_t *o = json_object(), *a = json_array(), *back;
	(void)json_object_set_new(o, "z", json_integer(-3));
	(void)json_object_set_new(o, "a", a);
	(void)json_array_append_new(a, json_out_text("q\"\xff\xc0\x80\xed\xa0\x80 \xc3\xa9\n"));
	(void)json_array_append_new(a, json_out_text(NULL));
	(void)json_array_append_new(a, json_true());
	(void)json_object_set_new(o, "e", json_object());
	json_out(&s, o, 0);
	cr_assert(strncmp(s.data, "{\"z\":-3,\"a\":[\"q", 15) == 0, "%s", s.data);
	back = json_loads(s.data, 0, NULL);
	cr_assert(json_equal(o, back), "%s", s.data);
	cr_assert(strstr(s.data, "\xEF\xBF\xBD") && strstr(s.data, "\xc3\xa9"));
	json_decref(back);
	json_decref(o);
}

Test(cmd, threads_are_within_a_range_whatever_is_given)
{
	static const char *const bad[] = {
		"0", "-1", "4097", "999999999", "99999999999999999999", "-99999999999999999999"
	};
	struct cli c;
	struct err e;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		SCOPED(free) char *text = xstrdup(bad[i]), *want = xstrfmt("--threads N: %s is not within 1..4096", bad[i]);
		cr_assert(PARSE(&c, &e, "run", "g.toml", "--threads", text) != 0, "%s", text);
		cr_assert_str_eq(e.msg, want);
		cli_release(&c);
	}
}

/* threads_restart restarts these with a bounded wait: one that is forgotten spins. */
Test(cmd, what_takes_threads_or_scores_is_known_to_compute)
{
	static const char *const names[] = { "bench", "bench-steps", "classifier", "features", "fid",
		                                 "is",    "kid",         "lpips",      "memory",   "metrics",
		                                 "pr",    "prdc",        "sample",     "sigma",    "worker" };
	int n = commands.n, n_computing = 0;
	const struct cmd_row *r = commands.rows;
	for (int i = 0; i < n; i++)
		n_computing += r[i].cmd->computes;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		cr_assert(cmds_find(&commands, names[i])->computes, "%s", names[i]);
	cr_assert_eq(n_computing, sizeof names / sizeof *names);
}
