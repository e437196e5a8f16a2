/* cmd-verify.c - `ablate verify`: attempts run once more, and their bits compared. */
#define _GNU_SOURCE
#include "harness/attest/statement.h"
#include "harness/cli/cmd.h"
#include "harness/record/differing.h"
#include "harness/record/query.h"
#include "harness/commands/plan_open.h"
#include "harness/record/record_find.h"
#include "harness/commands/run_command.h"
#include "harness/run/repeat.h"
#include "harness/run/run_plan.h"
#include "harness/record/store.h"
#include "harness/commands/study_open.h"
#include "harness/cli/device_option.h"
#include "harness/cli/threads_option.h"
#include "harness/run/verify.h"

#include "model/base/io.h"
#include "model/base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "sample",
	  .kind = OPT_STRING,
	  .arg = "P%",
	  .help = "that share of all finished cells, or of GRID's: at least one, always the same ones" },
	{ .name = "with",
	  .kind = OPT_STRING,
	  .arg = "ATTEMPT",
	  .help = "compare with this attempt instead of running again" },
	{ .name = "attest", .kind = OPT_FLAG, .help = "sign what is found with your key (`ablate key`), for the record" },
	THREADS_OPTION("instead of the number that each life of the attempt had"),
	{ .name = "device",
	  .kind = OPT_STRING,
	  .arg = "D",
	  .help = "cpu, cuda or cuda:N, or auto: that of the attempt (default auto)" },
	PLAN_OPTIONS,
	{ 0 },
};

struct target {
	char cell[65], attempt[64];
};
struct targets {
	struct target *v;
	int n, cap;
};

static int share(double *out, const char *text, struct err *e)
{
	char *end;
	*out = strtod(text, &end) / 100;
	if (end == text || strcmp(end, "%") != 0 || !(*out > 0 && *out <= 1))
		return err_code(e, EXIT_USAGE, "--sample %s: give a share above 0%% and up to 100%%, such as 5%%", text);
	return 0;
}

static bool is_of(const struct plan *p, const char *arm, int64_t seed)
{
	for (int i = 0; p && i < p->n_cells; i++)
		if (p->cells[i].seed == seed && strcmp(p->arms[p->cells[i].arm].hash, arm) == 0)
			return true;
	return !p;
}

/* Cells (of the grid, where one is given) in the order of their hashes, which is as good as random and never
 * changes. */
static int sample_targets(struct targets *t, struct db *db, const struct plan *p, double part, struct err *e)
{
	struct db_rows rows;
	struct done_row r;
	if (query_done_cells(&rows, db, e))
		return -1;
	while (query_done_cell_next(&r, &rows)) {
		struct target one;
		if (!is_of(p, r.arm, r.seed))
			continue;
		(void)snprintf(one.cell, sizeof one.cell, "%s", r.cell);
		(void)snprintf(one.attempt, sizeof one.attempt, "%s", r.attempt);
		VEC_PUSH(t->v, t->n, t->cap) = one;
	}
	t->n = (int)ceil(part * t->n);
	return db_done(&rows, e);
}

static int sample(struct targets *t, const struct cli *c, struct db *db, const char *part_text, struct err *e)
{
	SCOPED(opened) struct opened grid = { 0 };
	double part;
	if (c->n_args > 1)
		return err_code(e, EXIT_USAGE, "--sample takes one grid, or none for every finished cell");
	if (share(&part, part_text, e) || (c->n_args && study_open(&grid, c, c->args[0], e)))
		return -1;
	return sample_targets(t, db, grid.plan, part, e);
}

static int find_targets(struct targets *t, const struct cli *c, struct db *db, struct err *e)
{
	const char *share_of = cli_string(c, "sample", NULL);
	if (share_of)
		return sample(t, c, db, share_of, e);
	if (!c->n_args)
		return err_code(e, EXIT_USAGE, "give attempts or cells, or --sample P%% for a share of them");
	for (int i = 0; i < c->n_args; i++) {
		struct record r;
		struct target one;
		bool done;
		if (record_find(&r, db, c->args[i], e) || query_attempt_is_done(&done, db, r.attempt, e))
			return -1;
		if (!done)
			return err_code(e, EXIT_USAGE, "%s: not a finished attempt; only what is done can be verified", c->args[i]);
		memcpy(one.cell, r.cell, sizeof one.cell);
		memcpy(one.attempt, r.attempt, sizeof one.attempt);
		VEC_PUSH(t->v, t->n, t->cap) = one;
	}
	return 0;
}

/* Runs the cell once more; `repetition` is the new attempt. Where that cannot be, *missing (heap) says why. */
static int repeat(char repetition[64], char **missing, const struct cli *c, const struct target *t, const char *runs,
                  struct err *e)
{
	SCOPED(db) struct db *db = NULL;
	SCOPED(lives) struct lives lives = { 0 };
	struct run_set set;
	struct run_options o = { .db = c->db, .what = "ablate verify", .jobs = 1 };
	const char *device = cli_string(c, "device", "auto");
	if (db_open(&db, c->db, DB_READ, e) || lives_read(&lives, db, t->attempt, e) ||
	    run_set_of_attempt(&set, db, runs, t->cell, t->attempt, e))
		return -1;
	device_warn(c, "auto");
	SCOPED(free) char *title = xstrfmt("verify %.8s", t->attempt);
	struct run_display *d = run_display_new(c, title, &o);
	int rc = repeat_lives(repetition, missing, &lives, &set, &o, threads_of(c, 0),
	                      strcmp(device, "auto") == 0 ? NULL : device, e);
	run_display_free(d, true);
	run_set_release(&set);
	return rc;
}

enum outcome { PASSED, FAILED, INCONCLUSIVE };
static const char *const outcomes[] = { [PASSED] = "pass", [FAILED] = "fail", [INCONCLUSIVE] = "inconclusive" };

/* "pass 12345678 = 9abcdef0: 127 values bit-identical", and what is to be known beside that. */
static void print_outcome(const struct target *t, const char *other, const struct verify_result *r, enum outcome was)
{
	printf("%s %.8s = %.8s: %lld value%s %s%s", was == FAILED ? "FAIL" : outcomes[was], t->attempt, other,
	       (long long)r->n, str_plural(r->n), r->equal ? "bit-identical" : "compared, first difference: ", r->first);
	if (r->lives > 1)
		printf(", in %d lives", r->lives);
	if (*r->unlike)
		printf(" (environments: %s)", r->unlike);
	else if (*r->env)
		printf(" (environment differs in %s)", r->env);
	(void)putchar('\n');
}

static enum outcome tell(const struct cli *c, json_t *list, const struct target *t, const char *other,
                         const struct verify_result *r)
{
	enum outcome was = r->equal ? PASSED : r->inconclusive ? INCONCLUSIVE : FAILED;
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:s, s:i, s:s}", "attempt", t->attempt, "repetition",
	                      other, "cell", t->cell, "result", outcomes[was], "equal", (int)r->equal, "compared",
	                      (json_int_t)r->n, "max_ulp", (json_int_t)r->max_ulp, "environment_differs", r->env, "lives",
	                      r->lives, "unlike", r->unlike);
	if (r->first_step >= 0)
		(void)json_object_set_new(o, "first_diff_step", json_integer(r->first_step));
	if (*r->first)
		(void)json_object_set_new(o, "first_diff", json_string(r->first));
	(void)json_array_append_new(list, o);
	if (!c->json)
		print_outcome(t, other, r, was);
	(void)fflush(stdout);
	return was;
}

/* --- other attempts of the same cell --- */

static void print_other(const char *attempt, const struct differing *d, const struct verify_result *r)
{
	bool speaks = strcmp(d->speaks, attempt) == 0;
	printf("  %.8s of the same cell is done, too, with other bits: %s", speaks ? d->other : d->speaks, r->first);
	if (*r->unlike)
		printf(" (environments: %s)", r->unlike);
	else
		printf(" (no difference between their environments is known)");
	printf("; %.8s speaks for %s\n", d->speaks, d->for_scores ? "scores that others lack" : "the cell");
}

/* What merge found, explained as a repetition is: by the first step that differs, and what is different by then. It
 * changes no outcome, as it is the attempt that is verified. */
static int tell_others(const struct cli *c, json_t *result, struct db *db, const struct target *t, struct err *e)
{
	SCOPED(differing) struct differing_list l = { 0 };
	if (differing_of_cell(&l, db, t->cell, e))
		return -1;
	json_t *others = json_array();
	int rc = 0;
	for (int i = 0; i < l.n && !rc; i++) {
		const struct differing *d = &l.v[i];
		bool speaks = strcmp(d->speaks, t->attempt) == 0;
		const char *other = speaks ? d->other : d->speaks;
		struct verify_result r;
		if (!speaks && strcmp(d->other, t->attempt) != 0)
			continue;
		if ((rc = verify_compare(&r, db, t->attempt, other, e)))
			continue;
		(void)json_array_append_new(others, json_pack("{s:s, s:s, s:s, s:s, s:b}", "attempt", other, "speaks",
		                                              d->speaks, "first_diff", r.first, "unlike", r.unlike, "explained",
		                                              (int)r.inconclusive));
		if (!c->json)
			print_other(t->attempt, d, &r);
	}
	(void)json_object_set_new(result, "others", others);
	(void)fflush(stdout);
	return rc;
}

/* --attest: the statement of this machine's owner beside that of the attempt's. */
static int attest(const struct cli *c, struct store *s, const struct target *t, const char *other,
                  const struct verify_result *r, struct err *e)
{
	SCOPED(signing_key) struct signing_key *k = NULL;
	const struct statement_repeat said = {
		.a = t->attempt, .b = other, .first_diff = r->first, .compared = r->n, .equal = r->equal
	};
	return cli_flag(c, "attest") && (signing_key_find(&k, e) || statement_verify(s, k, &said, e)) ? -1 : 0;
}

/* Asked before anything is run. */
static int has_key(const struct cli *c, struct err *e)
{
	SCOPED(signing_key) struct signing_key *k = NULL;
	if (!cli_flag(c, "attest"))
		return 0;
	if (signing_key_find(&k, e))
		return -1;
	return k ? 0 : err_code(e, EXIT_USAGE, "--attest: no signing key: `ablate key new` makes one");
}

/* Nothing was run, so nothing was compared. */
static enum outcome tell_missing(const struct cli *c, json_t *list, const struct target *t, const char *missing)
{
	(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:s}", "attempt", t->attempt, "cell", t->cell,
	                                            "result", outcomes[INCONCLUSIVE], "compared", 0, "unlike", missing));
	if (!c->json)
		printf("%s %.8s: not repeated: %s\n", outcomes[INCONCLUSIVE], t->attempt, missing);
	(void)fflush(stdout);
	return INCONCLUSIVE;
}

static json_t *last_of(json_t *list)
{
	return json_array_get(list, json_array_size(list) - 1);
}

static int verify_one(enum outcome *was, const struct cli *c, json_t *list, const struct target *t, struct err *e)
{
	char other[64] = "";
	struct verify_result r;
	const char *with = cli_string(c, "with", NULL);
	SCOPED(free) char *runs = xstrfmt("%s-runs", c->db), *missing = NULL;
	SCOPED(store) struct store s = STORE_INIT;
	if ((!with && repeat(other, &missing, c, t, runs, e)) || store_open(&s, c->db, STORE_WRITE, "ablate verify", e))
		return -1;
	if (missing) {
		*was = tell_missing(c, list, t, missing);
		return tell_others(c, last_of(list), s.db, t, e);
	}
	if (with) {
		struct record found;
		if (record_find(&found, s.db, with, e))
			return -1;
		if (strcmp(found.cell, t->cell) != 0)
			return err_code(e, EXIT_USAGE, "%s is an attempt at another cell", with);
		memcpy(other, found.attempt, sizeof other);
	}
	if (verify_compare(&r, s.db, t->attempt, other, e) || verify_record(&s, &r, t->attempt, other, e))
		return -1;
	if (!r.inconclusive && attest(c, &s, t, other, &r, e))
		return -1;
	*was = tell(c, list, t, other, &r);
	return with ? 0 : tell_others(c, last_of(list), s.db, t, e);
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct targets t = { 0 };
	struct db *db;
	if (has_key(c, &e) || db_open(&db, c->db, DB_READ, &e))
		return cli_fail(c, &e);
	int rc = find_targets(&t, c, db, &e), count[] = { 0, 0, 0 };
	db_close(db);
	json_t *list = json_array();
	for (int i = 0; i < t.n && !rc; i++) {
		enum outcome was = FAILED;
		if (!(rc = verify_one(&was, c, list, &t.v[i], &e)))
			count[was]++;
	}
	if (!rc && !t.n)
		rc = err_code(&e, EXIT_USAGE, "%s: no finished cell to verify", c->db);
	free(t.v);
	if (rc) {
		json_decref(list);
		return cli_fail(c, &e);
	}
	if (c->json)
		(void)cli_print_json(c, json_pack("{s:i, s:i, s:i, s:o}", "passed", count[PASSED], "failed", count[FAILED],
		                                  "inconclusive", count[INCONCLUSIVE], "attempts", list));
	else {
		printf("%d passed, %d failed, %d inconclusive\n", count[PASSED], count[FAILED], count[INCONCLUSIVE]);
		json_decref(list);
	}
	return count[FAILED] ? EXIT_NOT_EQUAL : count[INCONCLUSIVE] ? EXIT_INCONCLUSIVE : EXIT_OK;
}

static const struct json_key json_keys[] = {
	JSON_KEY("passed", "integer", "attempts whose repetition has the same bits"),
	JSON_KEY("failed", "integer", "attempts whose repetition has others"),
	JSON_KEY("inconclusive", "integer", "attempts that could not be judged"),
	JSON_KEY("attempts", "object[]", "what was verified"),
	JSON_KEY("attempts[].attempt", "string", "the attempt"),
	JSON_KEY("attempts[].repetition", "string", "the attempt that repeats it", .absent = "where nothing could be run"),
	JSON_KEY("attempts[].cell", "string", "the cell, by its hash"),
	JSON_KEY("attempts[].result", "string", "pass, fail or inconclusive"),
	JSON_KEY("attempts[].equal", "boolean", "every bit is equal", .absent = "where nothing could be run"),
	JSON_KEY("attempts[].compared", "integer", "values that were compared"),
	JSON_KEY("attempts[].max_ulp", "integer", "largest difference, in units in the last place",
	         .absent = "where nothing could be run"),
	JSON_KEY("attempts[].environment_differs", "string", "facts in which the environments differ; empty for none",
	         .absent = "where nothing could be run"),
	JSON_KEY("attempts[].lives", "integer", "lives that the attempt is made of",
	         .absent = "where nothing could be run"),
	JSON_KEY("attempts[].unlike", "string",
	         "what differs that can change bits, or why nothing could be run; empty for nothing"),
	JSON_KEY("attempts[].first_diff_step", "integer", "the first training step that differs",
	         .absent = "where none does"),
	JSON_KEY("attempts[].first_diff", "string", "the first value that differs", .absent = "where none does"),
	JSON_KEY("attempts[].others", "object[]", "other done attempts of the cell with other bits",
	         .absent = "with --with"),
	JSON_KEY("attempts[].others[].attempt", "string", "the other attempt"),
	JSON_KEY("attempts[].others[].speaks", "string", "the one of the two whose results are used"),
	JSON_KEY("attempts[].others[].first_diff", "string", "the first value that differs"),
	JSON_KEY("attempts[].others[].unlike", "string",
	         "what differs between their environments; empty where nothing is known to"),
	JSON_KEY("attempts[].others[].explained", "boolean", "that can be why they differ"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_verify = {
	.name = "verify",
	.args = "[ATTEMPT|CELL|GRID]...",
	.summary = "run finished attempts again and compare every bit",
	.help =
		"Compares curves, checkpoints and scores with a repetition that starts from nothing, names the first step that "
		"differs, and files the result in table verify. The repetition is never used for its cell. An attempt that "
		"went on from the checkpoint of another is repeated life by life, each with its own threads, processes, "
		"micro-batch and device, up to the step at which the next one took over.\n\n"
		"Exit code 6 when anything differs (FAIL). Where it differs and so does what can change bits (another build, "
		"library, processor or device than the life's; of a score, the number of threads, too), or where the life's "
		"device is not here, that is named, and the result is inconclusive: exit code 4, unless something else failed. "
		"If interrupted, it compares nothing; every repetition starts from the beginning.\n\n"
		"Where the cell has another done attempt with other bits, as when the records of two machines were merged, "
		"that is shown below the result: the first step at which the two differ, and what differs between their "
		"environments, life by life. It changes neither result nor exit code: the other attempt is verified by its "
		"own id.\n\n"
		"--sample 5% takes that share of the finished cells, with a grid (a file, or the name of one that was run) of "
		"its cells; --with compares two existing attempts; --attest signs the result, so that an attempt has the word "
		"of a second machine (`ablate attest`).",
	.options = options,
	.json = json,
	.run = run,
};
