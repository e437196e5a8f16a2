/* cmd-status.c - `ablate status`: what is done, running, failed and missing, and how that is known. */
#define _GNU_SOURCE
#include "harness/cli/cmd.h"
#include "harness/batch/engine_batch.h"
#include "harness/slurm/engine_slurm.h"
#include "harness/text/json_out.h"
#include "harness/commands/plan_open.h"
#include "harness/record/fingerprint.h"
#include "harness/record/query_build.h"
#include "harness/record/store.h"
#include "harness/record/query_grid.h"
#include "harness/record/query.h"

#include "model/base/io.h"
#include "model/base/progress.h"
#include "model/base/str.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct opt options[] = {
	{ .name = "watch", .letter = 'w', .kind = OPT_FLAG, .help = "repeat every two seconds until nothing is running" },
	{ .name = "cells", .kind = OPT_FLAG, .help = "one line per cell" },
	PLAN_OPTIONS,
	{ 0 },
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

struct view {
	struct store *s;
	json_t *grids, *running;
	int64_t n_running;
};

static int read_grids(struct view *v, const char *only, struct err *e)
{
	struct db_rows rows;
	struct grid_state_row r;
	json_t *grid = NULL;
	if (query_grid_states(&rows, v->s->db, only, e))
		return -1;
	while (query_grid_state_next(&r, &rows)) {
		if (!grid || strcmp(json_string_value(json_object_get(grid, "grid")), r.grid) != 0) {
			grid = json_pack("{s:s, s:s, s:s, s:i, s:{}}", "grid", r.grid, "name", r.name, "created", r.created,
			                 "cells", 0, "states");
			(void)json_array_append_new(v->grids, grid);
		}
		int64_t all = json_integer_value(json_object_get(grid, "cells"));
		(void)json_object_set_new(grid, "cells", json_integer(all + r.n));
		if (r.n)
			(void)json_object_set_new(json_object_get(grid, "states"), record_state_name(r.state), json_integer(r.n));
	}
	return db_done(&rows, e);
}

/* Of each grid: cells that are done with results of another build. */
static int count_builds(struct view *v, struct err *e)
{
	size_t i;
	json_t *grid;
	SCOPED(builds) struct builds *builds = NULL;
	if (builds_read(&builds, v->s->db, e) || builds_read_cells(builds, v->s->db, e))
		return -1;
	json_array_foreach(v->grids, i, grid)
	{
		struct db_rows rows;
		const char *cell;
		int64_t n = 0;
		if (query_cells_of_grid(&rows, v->s->db, json_string_value(json_object_get(grid, "grid")), e))
			return -1;
		while (query_text_next(&cell, &rows))
			n += builds_stale(builds, cell) != NULL;
		if (db_done(&rows, e))
			return -1;
		(void)json_object_set_new(grid, "of_another_build", json_integer(n));
	}
	return 0;
}

static int read_running(struct view *v, struct err *e)
{
	static const char *const words[] = {
		[ATTEMPT_ALIVE] = "alive", [ATTEMPT_GONE] = "gone", [ATTEMPT_UNKNOWN] = "unknown"
	};
	struct db_rows rows;
	struct running_row r;
	if (query_running(&rows, v->s->db, e))
		return -1;
	while (query_running_next(&r, &rows)) {
		char why[256];
		enum liveness l = store_liveness(why, v->s, r.cell, r.attempt, r.host, r.boot_id, r.pid, r.heartbeat,
		                                 r.heartbeat_boot_s);
		v->n_running += l != ATTEMPT_GONE;
		(void)json_array_append_new(
			v->running, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s}", "attempt", r.attempt, "cell", r.cell,
		                          "label", r.label, "seed", (json_int_t)r.seed, "step", (json_int_t)r.step, "steps",
		                          (json_int_t)r.steps, "life", words[l], "evidence", why, "purpose", r.purpose));
	}
	return db_done(&rows, e);
}

static int print_cells(struct view *v, const char *only, struct err *e)
{
	struct db_rows rows;
	struct status_row r;
	if (query_status(&rows, v->s->db, only, e))
		return -1;
	while (query_status_next(&r, &rows))
		printf("  %-9s %.12s %.8s  %s%s%s seed %lld%s%s\n", record_state_name(r.state), r.cell,
		       *r.attempt ? r.attempt : "-", r.chain, *r.chain ? "/" : "", r.label, (long long)r.seed,
		       *r.reason ? ": " : "", r.reason);
	return db_done(&rows, e);
}

static void print_text(const struct view *v)
{
	size_t i;
	json_t *g, *n, *r;
	const char *state;
	json_array_foreach(v->grids, i, g)
	{
		printf("%s (%.12s): %lld cell%s", json_string_value(json_object_get(g, "name")),
		       json_string_value(json_object_get(g, "grid")),
		       (long long)json_integer_value(json_object_get(g, "cells")),
		       str_plural(json_integer_value(json_object_get(g, "cells"))));
		json_object_foreach(json_object_get(g, "states"), state, n)
			printf(", %lld %s", (long long)json_integer_value(n), state);
		int64_t others = json_integer_value(json_object_get(g, "of_another_build"));
		if (others)
			printf("; %lld made by another build (`ablate run --rebuild stale`)", (long long)others);
		printf("\n");
	}
	json_array_foreach(v->running, i, r) printf(
		"  %.8s %s seed %lld: step %lld of %lld; %s: %s\n", json_string_value(json_object_get(r, "attempt")),
		json_string_value(json_object_get(r, "label")), (long long)json_integer_value(json_object_get(r, "seed")),
		(long long)json_integer_value(json_object_get(r, "step")),
		(long long)json_integer_value(json_object_get(r, "steps")), json_string_value(json_object_get(r, "life")),
		json_string_value(json_object_get(r, "evidence")));
}

static void print_slurm(const json_t *list)
{
	size_t i;
	json_t *o;
	json_array_foreach(list, i, o)
	{
		const char *error = json_string_value(json_object_get(o, "error")),
				   *reason = json_string_value(json_object_get(o, "reason"));
		printf("slurm %s (%.12s): %lld task%s, ", json_string_value(json_object_get(o, "array")),
		       json_string_value(json_object_get(o, "plan")),
		       (long long)json_integer_value(json_object_get(o, "cells")),
		       str_plural(json_integer_value(json_object_get(o, "cells"))));
		if (json_is_integer(json_object_get(o, "done")))
			printf("%lld shard%s with a finished cell, ", (long long)json_integer_value(json_object_get(o, "done")),
			       str_plural(json_integer_value(json_object_get(o, "done"))));
		if (error)
			printf("queue unknown: %s\n", error);
		else
			printf("%lld running, %lld pending%s%s; merge %s\n",
			       (long long)json_integer_value(json_object_get(o, "running")),
			       (long long)json_integer_value(json_object_get(o, "pending")), reason && *reason ? ": " : "",
			       reason ? reason : "", json_string_value(json_object_get(o, "merge")));
	}
}

/* Those of --engine command. */
static void print_tasks(const struct cli *c, const json_t *list)
{
	size_t i;
	json_t *o;
	json_array_foreach(list, i, o)
	{
		const char *error = json_string_value(json_object_get(o, "error")),
				   *reason = json_string_value(json_object_get(o, "reason"));
		long long running = (long long)json_integer_value(json_object_get(o, "running")),
				  pending = (long long)json_integer_value(json_object_get(o, "pending")),
				  over = (long long)json_integer_value(json_object_get(o, "over"));
		printf("tasks of %.12s: ", json_string_value(json_object_get(o, "plan")));
		if (error) {
			printf("unknown: %s\n", error);
			continue;
		}
		printf("%lld running, %lld pending, %lld over%s%s", running, pending, over, reason ? ": " : "",
		       reason ? reason : "");
		if (over)
			printf(" (`ablate resume --engine command --db %s` takes the results in)", c->db);
		printf("\n");
	}
}

/* How many entries have tasks that are in the queue, or may be. */
static int64_t still_queued(const json_t *list)
{
	size_t i;
	json_t *o;
	int64_t n = 0;
	json_array_foreach(list, i, o) n += json_object_get(o, "error") != NULL ||
	                                    json_integer_value(json_object_get(o, "running")) > 0 ||
	                                    json_integer_value(json_object_get(o, "pending")) > 0;
	return n;
}

/* Shows once. *running: attempts that are alive. */
static int show(struct cli *c, const char *only, int64_t *running, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	if (store_open(&s, c->db, STORE_READ, "ablate status", e))
		return -1;
	struct view v = { .s = &s, .grids = json_array(), .running = json_array() };
	int rc = read_grids(&v, only, e) || count_builds(&v, e) || read_running(&v, e) ? -1 : 0;
	if (!rc && only && json_array_size(v.grids) == 0)
		rc = err_code(e, EXIT_USAGE, "%s: no grid '%s' in it", c->db, c->args[0]);
	json_t *holder = rc ? NULL : store_lock_holder(s.runs);
	json_t *slurm = rc ? NULL : slurm_status(c->db);
	json_t *tasks = rc ? NULL : batch_status(c->db);
	*running = v.n_running + (holder != NULL) + (int64_t)json_array_size(slurm) + still_queued(tasks);
	if (!rc && c->json) {
		json_t *o = json_pack("{s:o, s:O, s:O}", "db", json_out_text(c->db), "grids", v.grids, "running", v.running);
		(void)json_object_set(o, "runner", holder ? holder : json_null());
		(void)json_object_set(o, "slurm", slurm);
		(void)json_object_set(o, "command", tasks);
		(void)cli_print_json(c, o);
	} else if (!rc) {
		print_text(&v);
		if (holder)
			printf("%s, pid %lld on %s since %s\n", json_string_value(json_object_get(holder, "what")),
			       (long long)json_integer_value(json_object_get(holder, "pid")),
			       json_string_value(json_object_get(holder, "host")),
			       json_string_value(json_object_get(holder, "since")));
		print_slurm(slurm);
		print_tasks(c, tasks);
		if (json_array_size(v.grids) == 0)
			printf("%s: no grid was run\n", c->db);
		if (cli_flag(c, "cells"))
			rc = print_cells(&v, only, e);
	}
	json_decref(holder);
	json_decref(slurm);
	json_decref(tasks);
	json_decref(v.grids);
	json_decref(v.running);
	return rc;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	int64_t running;
	SCOPED(plan) struct plan *plan = NULL;
	const char *only = c->n_args ? c->args[0] : NULL;
	bool is_file = only && (strcmp(only, "-") == 0 || strstr(only, ".toml"));
	if (is_file && plan_open(&plan, c, only, &e))
		return cli_fail(c, &e);
	struct sigaction action = { .sa_handler = on_interrupt };
	(void)sigemptyset(&action.sa_mask);
	if (cli_flag(c, "watch"))
		(void)sigaction(SIGINT, &action, NULL);
	for (;;) {
		if (cli_flag(c, "watch") && isatty(STDOUT_FILENO))
			printf("\033[H\033[J");
		if (show(c, plan ? plan->hash : only, &running, &e))
			return cli_fail(c, &e);
		if (fflush(stdout) || !cli_flag(c, "watch") || !running || interrupted)
			return EXIT_OK;
		(void)sleep(2);
	}
}

const struct cmd cmd_status = {
	.name = "status",
	.args = "[GRID]",
	.summary = "show what is done, running, failed and missing",
	.help =
		"GRID is a grid file, or the name or the first digits of the hash of a grid that was run; a file takes the "
		"same --set and --only that were given to `ablate run`.\n"
		"States come from evidence: an attempt is alive while its process holds its journal, gone when the process "
		"ended or the machine was rebooted; on another machine its heartbeat must be older than two minutes. A dead "
		"one is recorded as lost by the next `ablate run`, which continues from its checkpoint.",
	.options = options,
	.run = run,
};
