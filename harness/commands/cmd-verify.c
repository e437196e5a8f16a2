/* cmd-verify.c - `ablate verify`: attempts run once more, and their bits compared. */
#define _GNU_SOURCE
#include "harness/attest/statement.h"
#include "harness/cli/cmd.h"
#include "harness/run/engine_device.h"
#include "harness/record/host.h"
#include "harness/record/query.h"
#include "harness/commands/plan_open.h"
#include "harness/record/record_find.h"
#include "harness/commands/run_command.h"
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
	THREADS_OPTION("instead of the number that the attempt had"),
	{ .name = "device", .kind = OPT_STRING, .arg = "D", .help = "auto, cpu, cuda or cuda:N (default auto)" },
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

/* Runs the cell once more; `repetition` is the new attempt. */
static int repeat(char repetition[64], const struct cli *c, const struct target *t, const char *runs, struct err *e)
{
	SCOPED(db) struct db *db = NULL;
	struct run_set set;
	struct run_options o = { .db = c->db, .what = "ablate verify", .jobs = 1 };
	enum record_state state;
	struct engine_devices devices;
	int threads = 0, ranks = 1;
	if (db_open(&db, c->db, DB_READ, e) || run_set_of_attempt(&set, &threads, &ranks, db, runs, t->cell, t->attempt, e))
		return -1;
	if (engine_devices(&devices, cli_string(c, "device", "auto"), ranks, e)) {
		run_set_release(&set);
		return -1;
	}
	o.devices = &devices;
	o.threads = threads_of(c, threads);
	if (o.threads > host_cpus()) /* fewer might give other bits */
		cli_say(c, "%.8s had %d threads and is repeated with as many, although this process may use %d", t->attempt,
		        o.threads, host_cpus());
	device_warn(c, "auto");
	o.ranks = ranks;
	SCOPED(free) char *title = xstrfmt("verify %.8s", t->attempt);
	struct run_display *d = run_display_new(c, title, &o);
	int rc = runner_repeat(repetition, &state, &set.run, &o, e);
	run_display_free(d, true);
	run_set_release(&set);
	return rc;
}

static void tell(const struct cli *c, json_t *list, const struct target *t, const char *other,
                 const struct verify_result *r)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:s}", "attempt", t->attempt, "repetition", other, "cell",
	                      t->cell, "equal", (int)r->equal, "compared", (json_int_t)r->n, "max_ulp",
	                      (json_int_t)r->max_ulp, "environment_differs", r->env);
	if (r->first_step >= 0)
		(void)json_object_set_new(o, "first_diff_step", json_integer(r->first_step));
	if (*r->first)
		(void)json_object_set_new(o, "first_diff", json_string(r->first));
	(void)json_array_append_new(list, o);
	if (c->json)
		return;
	printf("%s %.8s = %.8s: %lld value%s %s%s%s%s%s%s\n", r->equal ? "pass" : "FAIL", t->attempt, other,
	       (long long)r->n, str_plural(r->n), r->equal ? "bit-identical" : "compared, first difference: ", r->first,
	       *r->env ? " (environment differs in " : "", r->env, *r->env ? ")" : "", "");
	(void)fflush(stdout);
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

/* One target: 0 equal, 1 different, -1 with e. */
static int verify_one(const struct cli *c, json_t *list, const struct target *t, struct err *e)
{
	char other[64] = "";
	struct verify_result r;
	const char *with = cli_string(c, "with", NULL);
	SCOPED(free) char *runs = xstrfmt("%s-runs", c->db);
	if (!with && repeat(other, c, t, runs, e))
		return -1;
	SCOPED(store) struct store s = STORE_INIT;
	if (store_open(&s, c->db, STORE_WRITE, "ablate verify", e))
		return -1;
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
	if (attest(c, &s, t, other, &r, e))
		return -1;
	tell(c, list, t, other, &r);
	return r.equal ? 0 : 1;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct targets t = { 0 };
	struct db *db;
	if (has_key(c, &e) || db_open(&db, c->db, DB_READ, &e))
		return cli_fail(c, &e);
	int rc = find_targets(&t, c, db, &e), passed = 0, failed = 0;
	db_close(db);
	json_t *list = json_array();
	for (int i = 0; i < t.n && rc >= 0; i++)
		if ((rc = verify_one(c, list, &t.v[i], &e)) >= 0) {
			passed += rc == 0;
			failed += rc == 1;
		}
	free(t.v);
	if (rc < 0 || passed + failed == 0) {
		json_decref(list);
		if (rc >= 0)
			(void)err_code(&e, EXIT_USAGE, "%s: no finished cell to verify", c->db);
		return cli_fail(c, &e);
	}
	if (c->json)
		(void)cli_print_json(c, json_pack("{s:i, s:i, s:i, s:o}", "passed", passed, "failed", failed, "inconclusive", 0,
		                                  "attempts", list));
	else {
		printf("%d passed, %d failed, 0 inconclusive\n", passed, failed);
		json_decref(list);
	}
	return failed ? EXIT_NOT_EQUAL : EXIT_OK;
}

const struct cmd cmd_verify = {
	.name = "verify",
	.args = "[ATTEMPT|CELL|GRID]...",
	.summary = "run finished attempts again and compare every bit",
	.help =
		"Compares curves, checkpoints and scores with a repetition that starts from nothing, names the first step that "
		"differs, and files the result in table verify. The repetition is never used for its cell. Exit code 6 when "
		"anything differs. If interrupted, it compares nothing; every repetition starts from the beginning.\n\n"
		"--sample 5% takes that share of the finished cells, with a grid (a file, or the name of one that was run) of "
		"its cells; --with compares two existing attempts; --attest signs the result, so that an attempt has the word "
		"of a second machine (`ablate attest`).",
	.options = options,
	.run = run,
};
