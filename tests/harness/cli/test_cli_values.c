/* test_cli_values.c - values of options, of a program whose table is here: what is a number, what is within a range,
 * and where a database's name and the wish for JSON come from. */
#include "harness/cli/cmd.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>
#include <string.h>

static int nothing(struct cli *c)
{
	(void)c;
	return EXIT_OK;
}

static const struct opt options[] = {
	{ .name = "any", .kind = OPT_INT, .arg = "N", .help = "any whole number" },
	{ .name = "few", .letter = 'f', .kind = OPT_INT, .arg = "N", .min = 1, .max = 8, .help = "1 to 8" },
	{ .name = "real", .kind = OPT_DOUBLE, .arg = "X", .help = "any real number" },
	{ .name = "share", .kind = OPT_DOUBLE, .arg = "X", .min = 0, .max = 0.5, .help = "0 to 0.5" },
	{ 0 },
};
static const struct cmd command = { .name = "c", .args = "[X]...", .summary = "s", .options = options, .run = nothing };
static const struct cmd_row rows[] = { { &command, "Commands" } };
static const struct cmds commands = { rows, 1 };

static int parse(struct cli *c, struct err *e, char **words)
{
	int argc = 0;
	while (words[argc])
		argc++;
	*e = ERR_INIT;
	return cli_parse(c, &commands, argc, words, e);
}
#define PARSE(c, e, ...) parse(c, e, (char *[]){ (char[]){ "ablate" }, (char[]){ "c" }, __VA_ARGS__, NULL })

/* "--seed 010" was never 8, and a seed cut to 64 bits is another seed. */
Test(cli_values, numbers_are_decimal_and_whole)
{
	static const struct {
		const char *text;
		int64_t value;
	} good[] = { { "010", 10 },
		         { "-3", -3 },
		         { "+7", 7 },
		         { "9223372036854775807", INT64_MAX },
		         { "-9223372036854775808", INT64_MIN } };
	static const char *const bad[] = {
		"", "0x10", "5x", "5 ", "1.5", "1e3", "9223372036854775808", "-9223372036854775809", "99999999999999999999"
	};
	struct cli c;
	struct err e;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		SCOPED(free) char *word = xstrfmt("--any=%s", good[i].text);
		cr_assert_eq(PARSE(&c, &e, word), 0, "%s: %s", word, e.msg);
		cr_expect_eq(cli_int(&c, "any", 0), good[i].value, "%s", word);
		cli_release(&c);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		SCOPED(free) char *word = xstrfmt("--any=%s", bad[i]);
		cr_expect_eq(PARSE(&c, &e, word), -1, "%s was taken", word);
		cr_expect(e.code == EXIT_USAGE && strstr(e.msg, "is not a whole number"), "%s", e.msg);
		cli_release(&c);
	}
}

Test(cli_values, reals_are_finite_numbers)
{
	static const char *const bad[] = { "", "nan", "inf", "-inf", "1e999", "0.5x", "half" };
	struct cli c;
	struct err e;
	cr_assert_eq(PARSE(&c, &e, (char[]){ "--real" }, (char[]){ "-2.5e-3" }), 0);
	cr_expect_eq(cli_double(&c, "real", 0), -2.5e-3);
	cli_release(&c);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		SCOPED(free) char *word = xstrfmt("--real=%s", bad[i]);
		cr_expect_eq(PARSE(&c, &e, word), -1, "%s was taken", word);
		cr_expect(strstr(e.msg, "is not a number"), "%s", e.msg);
		cli_release(&c);
	}
}

/* Both ends belong to a range. */
Test(cli_values, a_range_holds_its_ends)
{
	static const struct {
		const char *word;
		bool good;
	} cases[] = {
		{ "--few=1", true },     { "--few=8", true },   { "--few=0", false },      { "--few=9", false },
		{ "--share=0.5", true }, { "--share=0", true }, { "--share=-0.1", false }, { "--share=0.51", false }
	};
	struct cli c;
	struct err e;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(free) char *word = xstrdup(cases[i].word);
		cr_expect_eq(PARSE(&c, &e, word), cases[i].good ? 0 : -1, "%s: %s", word, e.msg);
		cr_expect(cases[i].good || strstr(e.msg, "is not within"), "%s", e.msg);
		cli_release(&c);
	}
	cr_assert_eq(PARSE(&c, &e, (char[]){ "-f3" }), 0);
	cr_expect_eq(cli_int(&c, "few", 0), 3);
	cli_release(&c);
}

/* A database without a name would be a hidden file of its folder's. */
Test(cli_values, a_database_has_a_name)
{
	struct cli c;
	struct err e;
	cr_assert_eq(setenv("ABLATE_DB", "", 1), 0);
	cr_assert_eq(PARSE(&c, &e, (char[]){ "x" }), 0);
	cr_expect_str_eq(c.db, "ablate.db", "an empty variable is none");
	cli_release(&c);
	cr_assert_eq(PARSE(&c, &e, (char[]){ "--db=" }), -1);
	cr_expect(strstr(e.msg, "--db: the name is empty"), "%s", e.msg);
	cli_release(&c);
}

/* A script that asks for JSON gets it for an error, too, wherever it asks; an argument behind "--" asks for nothing. */
Test(cli_values, an_error_is_json_wherever_that_is_asked_for)
{
	struct cli c;
	struct err e;
	cr_assert_eq(PARSE(&c, &e, (char[]){ "--few=9" }, (char[]){ "--json" }), -1);
	cr_expect(c.json);
	cli_release(&c);
	cr_assert_eq(PARSE(&c, &e, (char[]){ "--few=9" }, (char[]){ "--" }, (char[]){ "--json" }), -1);
	cr_expect_not(c.json);
	cli_release(&c);
	cr_assert_eq(PARSE(&c, &e, (char[]){ "--" }, (char[]){ "--json" }), 0);
	cr_expect_not(c.json);
	cli_release(&c);
}

/* Names in messages are foreign: what acts on a terminal is shown, whoever says it. */
Test(cli_messages, nothing_that_is_said_acts_on_a_terminal, .init = cr_redirect_stderr)
{
	struct cli quiet = { .quiet = true }, c = { 0 };
	cli_say(&c, "writes %s", "red\x1b[31m.db");
	cli_say(&quiet, "not said");
	cli_warn(&quiet, "%s", "two\nlines\x08");
	(void)fflush(stderr);
	cr_assert_stderr_eq_str("writes red\\x1b[31m.db\nablate: warning: two\nlines\\x08\n");
}
