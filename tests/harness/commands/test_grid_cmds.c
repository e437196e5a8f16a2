/* test_grid_cmds.c - plan, config, explain and diff-paper as a person or a script calls them, and what a database
 * changes about a plan. */
#include "harness/commands/commands.h"
#include "harness/commands/plan_open.h"
#include "tests/common/study_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Runs a command with its standard output in a file. */
static int ablate(char **words)
{
	int argc = 0, saved = dup(1), out = open(TMP("stdout"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	while (words[argc])
		argc++;
	cr_assert(saved >= 0 && out >= 0);
	(void)fflush(stdout);
	(void)dup2(out, 1);
	int rc = cli_main(&commands, argc, words);
	(void)fflush(stdout);
	(void)dup2(saved, 1);
	(void)close(saved);
	(void)close(out);
	return rc;
}
#define ABLATE(...) ablate((char *[]){ (char[]){ "ablate" }, __VA_ARGS__, NULL })

/* What the last command printed. */
static char *printed(void)
{
	struct str s = { 0 };
	OK(io_read(&s, TMP("stdout"), 1 << 24, e));
	return str_detach(&s);
}

static json_t *printed_json(void)
{
	SCOPED(free) char *text = printed();
	json_error_t at;
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &at);
	cr_assert(j, "%s in %s", at.text, text);
	return j;
}

static size_t count(const json_t *j, const char *key)
{
	return json_array_size(json_object_get(j, key));
}

#define FOUR FIXTURES "/grids/ict-four.toml"
#define GATE FIXTURES "/grids/ci-gate.toml"

Test(grid_cmds, plan_as_json)
{
	cr_assert_eq(ABLATE("plan", FOUR, "--json", "--db", "none.db"), EXIT_OK);
	json_t *j = printed_json();
	cr_assert_eq(count(j, "arms"), 11);
	cr_assert_eq(count(j, "cells"), 33);
	cr_assert_eq(count(j, "rows"), 15);
	json_decref(j);
}

Test(grid_cmds, plan_for_a_person)
{
	cr_assert_eq(ABLATE("plan", GATE, "--db", "none.db"), EXIT_OK);
	SCOPED(free) char *text = printed();
	cr_assert(strstr(text, "2 rows, 2 arms, 10 cells: 0 cached, 10 pending, 0 blocked"), "%s", text);
}

Test(grid_cmds, a_grid_error_is_exit_2_and_json_if_asked)
{
	cr_assert_eq(ABLATE("plan", GATE, "--json", "--set", "loss.knd=l1"), EXIT_USAGE);
	json_t *j = printed_json();
	const json_t *error = json_object_get(j, "error");
	cr_assert_eq(json_integer_value(json_object_get(error, "code")), 2);
	json_decref(j);
}

Test(grid_cmds, a_missing_file_is_exit_2)
{
	cr_assert_eq(ABLATE("plan", "no-such.toml"), EXIT_USAGE);
}

Test(grid_cmds, a_frozen_plan_is_taken_for_its_grid)
{
	char *file = (char *)TMP("x.plan.json");
	cr_assert_eq(ABLATE("plan", GATE, "--json", "--db", "none.db", "--only", "l2", "--freeze", file), EXIT_OK);
	json_t *a = printed_json();
	cr_assert_eq(ABLATE("plan", file, "--json", "--db", "none.db"), EXIT_OK);
	json_t *b = printed_json();
	cr_assert_eq(count(a, "cells"), 5);
	cr_assert(json_equal(json_object_get(a, "cells"), json_object_get(b, "cells")));
	cr_assert_eq(ABLATE("plan", file, "--set", "train.steps=3"), EXIT_USAGE);
	json_decref(a);
	json_decref(b);
}

Test(grid_cmds, config_prints_what_can_be_pasted_below_base)
{
	cr_assert_eq(ABLATE("config", "ict-cifar10-tiny", "--set", "optim.lr=0.5"), EXIT_OK);
	SCOPED(free) char *text = printed();
	SCOPED(free) char *toml = xstrfmt("schema = 1\ngrid = { name = \"g\", seeds = { train = [1] } }\n[base]\n%s", text);
	struct grid_source source = { .path = "printed", .text = toml, .n = strlen(toml) };
	struct grid *g;
	SCOPED(plan) struct plan *p = NULL;
	OK(grid_parse(&g, &source, 1, e));
	OK(plan_expand(&p, g, NULL, e));
	cr_assert_eq(ABLATE("config", "ict-cifar10-tiny", "--set", "optim.lr=0.5", "--json"), EXIT_OK);
	json_t *j = printed_json(), *arm = json_array_get(json_object_get(j, "arms"), 0);
	cr_assert_str_eq(json_string_value(json_object_get(arm, "arm")), p->arms[0].hash);
	cr_assert_eq(json_real_value(json_object_get(json_object_get(arm, "config"), "optim.lr")), 0.5);
	json_decref(j);
}

Test(grid_cmds, explain_says_what_a_setting_is_and_where_it_was_set)
{
	cr_assert_eq(ABLATE("explain", "disc.s1", FOUR, "--json"), EXIT_OK);
	json_t *j = printed_json(), *set = json_object_get(j, "set");
	cr_assert_str_eq(json_string_value(json_object_get(j, "default")), "1280");
	cr_assert_eq(json_array_size(set), 1);
	cr_assert_eq(json_integer_value(json_object_get(json_array_get(set, 0), "line")), 16);
	cr_assert_str_eq(json_string_value(json_object_get(json_array_get(set, 0), "in")), "variant doubling");
	json_decref(j);
	cr_assert_eq(ABLATE("explain", "sample.clip"), EXIT_OK);
	SCOPED(free) char *one = printed();
	cr_assert(strstr(one, "stage    sample"), "what needs no other training says so: %s", one);
	cr_assert_eq(ABLATE("explain", "loss"), EXIT_OK);
	SCOPED(free) char *text = printed();
	cr_assert(strstr(text, "loss.reduce") && !strstr(text, "noise."), "%s", text);
	cr_assert_eq(ABLATE("explain", "loss.knd"), EXIT_USAGE);
}

Test(grid_cmds, diff_paper_lists_each_deviation)
{
	cr_assert_eq(ABLATE("diff-paper", "ict-cifar10-small", "--set", "noise.std=1", "--json"), EXIT_OK);
	json_t *j = printed_json(), *arm = json_array_get(json_object_get(j, "arms"), 0);
	cr_assert_str_eq(json_string_value(json_object_get(arm, "preset")), "ict-cifar10");
	bool found = false;
	size_t i;
	json_t *d;
	json_array_foreach(json_object_get(arm, "deviations"), i, d)
	{
		const char *key = json_string_value(json_object_get(d, "key"));
		found |= !strcmp(key, "noise.std") && !strcmp(json_string_value(json_object_get(d, "paper")), "2");
	}
	cr_assert(found && i == 6);
	json_decref(j);
}

#define OWN_SETTINGS \
	"[base]\ndata.name = \"fashion-mnist\"\n" \
	"net = { kind = \"ddpmpp\", channels = 48, mult = [1], blocks = 1, attn = [7], patch = 4 }\n" \
	"train = { steps = 1600, batch = 24 }\noptim.lr = 0.004\nema.decay = 0.99\n"

/* A study in settings of its own, as the quickstart is, said "no preset" and left the reader to find out how far from
 * the paper it is. */
Test(grid_cmds, diff_paper_compares_a_grid_with_the_preset_that_it_is_like)
{
	static const char head[] = "schema = 1\n[grid]\nname = \"own\"\nseeds = { train = [1] }\n";
	const char *file = TMP("own.toml");
	SCOPED(free) char *like = xstrfmt("%slike = \"ict-cifar10\"\n%s", head, OWN_SETTINGS);
	OK(io_write_atomic(file, like, strlen(like), e));
	cr_assert_eq(ABLATE("diff-paper", (char *)file, "--json"), EXIT_OK);
	json_t *j = printed_json(), *arm = json_array_get(json_object_get(j, "arms"), 0), *d;
	cr_assert_str_eq(json_string_value(json_object_get(arm, "preset")), "ict-cifar10");
	static const char *const want[][3] = { { "train.batch", "24", "1024" },
		                                   { "train.steps", "1600", "400000" },
		                                   { "optim.lr", "0.004", "0.0001" },
		                                   { "data.name", "\"fashion-mnist\"", "\"cifar10\"" },
		                                   { "net.channels", "48", "128" } };
	size_t i, found = 0;
	json_array_foreach(json_object_get(arm, "deviations"), i, d)
	{
		for (size_t k = 0; k < 5; k++)
			found += !strcmp(json_string_value(json_object_get(d, "key")), want[k][0]) &&
			         !strcmp(json_string_value(json_object_get(d, "ours")), want[k][1]) &&
			         !strcmp(json_string_value(json_object_get(d, "paper")), want[k][2]) &&
			         *json_string_value(json_object_get(d, "source"));
	}
	cr_assert_eq(found, 5);
	json_decref(j);
	/* a row that has a preset is compared with its own */
	cr_assert_eq(ABLATE("diff-paper", (char *)file, "--set", "preset=ct-cifar10", "--json"), EXIT_OK);
	j = printed_json(), arm = json_array_get(json_object_get(j, "arms"), 0);
	cr_assert_str_eq(json_string_value(json_object_get(arm, "preset")), "ct-cifar10");
	json_decref(j);
	SCOPED(free) char *unlike = xstrfmt("%s%s", head, OWN_SETTINGS);
	OK(io_write_atomic(file, unlike, strlen(unlike), e));
	cr_assert_eq(ABLATE("diff-paper", (char *)file), EXIT_OK);
	SCOPED(free) char *text = printed();
	cr_assert(strstr(text, "no paper to compare with; like = \"PRESET\" in [grid] names one"), "%s", text);
	cr_assert_eq(ABLATE("diff-paper", (char *)file, "--set", "grid.like=ict-cifar10"), EXIT_OK);
	SCOPED(free) char *set = printed();
	cr_assert(strstr(set, "differ from ict-cifar10"), "%s", set);
	cr_assert_eq(ABLATE("diff-paper", (char *)file, "--set", "grid.like=ict-cifar11"), EXIT_USAGE);
}

/* ---- with a database -------------------------------------------------------------------------------------------- */

static struct plan *opened(const char *db)
{
	struct cli c;
	struct plan *p = NULL;
	char *file = (char *)TMP("four.toml");
	OK(io_write_atomic(file, fixture_grid, strlen(fixture_grid), e));
	char *words[] = {
		(char[]){ "ablate" }, (char[]){ "plan" }, file, (char[]){ "--set" }, (char[]){ "preset=ict-shapes8-ci" },
		(char[]){ "--db" },   (char *)db,         NULL
	};
	OK(cli_parse(&c, &commands, 7, words, e));
	OK(plan_open(&p, &c, c.args[0], e));
	cli_release(&c);
	return p;
}

Test(grid_cmds, finished_cells_are_cached_and_teach_the_time_of_others)
{
	const char *path = TMP("states.db");
	SCOPED(plan) struct plan *before = opened(path);
	for (int i = 0; i < before->n_cells; i++)
		cr_assert_eq(before->cells[i].state, CELL_PENDING);
	cr_assert_eq(strlen(before->arms[0].dataset), SHA256_HEX - 1);
	struct db *db = fixture_db("states.db", before, fixture_default, 0);
	db_close(db);
	SCOPED(plan) struct plan *after = opened(path);
	for (int i = 0; i < after->n_cells; i++) {
		const struct plan_cell *c = &after->cells[i];
		bool done = !strcmp(fixture_default(c->arm, c->seed).state, "done");
		cr_assert_eq(c->state, done ? CELL_CACHED : CELL_PENDING, "cell %d", i);
		cr_assert(done || c->seconds == (c->arm == 2 ? 600 : 0), "cell %d: %g s", i, c->seconds);
	}
}

/* A score that the grid asks for and the attempt does not have: the cell is not finished. */
Test(grid_cmds, a_done_attempt_without_every_score_is_pending)
{
	const char *path = TMP("scores.db");
	SCOPED(plan) struct plan *before = opened(path);
	struct db *db = fixture_db("scores.db", before, fixture_default, 0);
	OK(db_script(
		db, e,
		"DROP TRIGGER IF EXISTS metric_no_delete; DELETE FROM metric WHERE name = 'precision' AND attempt LIKE "
		"'00000000%'"));
	db_close(db);
	SCOPED(plan) struct plan *after = opened(path);
	cr_assert_eq(after->cells[0].state, CELL_PENDING);
	cr_assert_eq(after->cells[1].state, CELL_CACHED);
}
