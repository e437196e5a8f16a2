/* cmd-status.c - `ablate status`: what is done, running, failed and missing, and how that is known. */
#define _GNU_SOURCE
#include "harness/cli/cmd.h"
#include "harness/slurm/engine_slurm.h"
#include "harness/text/json_out.h"
#include "harness/commands/plan_open.h"
#include "harness/record/store.h"

#include "model/base/io.h"
#include "model/base/progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct opt options[] = {
	{ .name = "watch", .letter = 'w', .kind = OPT_FLAG, .help = "show it again every two seconds until nothing runs" },
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

struct view { struct store *s; json_t *grids, *running; int64_t n_running, n_missing; };

static int read_grids(struct view *v, const char *only, struct err *e)
{
	struct db_rows rows;
	json_t *grid = NULL;
	if (db_query(&rows, v->s->db, e, "SELECT g.hash, g.name, g.created, x.state, count(x.cell) FROM grid g LEFT JOIN "
	             "(SELECT DISTINCT grid, cell, state FROM v_cell_status) x ON x.grid = g.hash WHERE ?1 IS NULL OR g.name = ?1 OR "
	             "substr(g.hash, 1, length(?1)) = ?1 GROUP BY g.hash, x.state ORDER BY g.created, g.hash, x.state", "s", only))
		return -1;
	while (db_next(&rows)) {
		if (!grid || strcmp(json_string_value(json_object_get(grid, "grid")), db_text(&rows, 0)) != 0) {
			grid = json_pack("{s:s, s:s, s:s, s:i, s:{}}", "grid", db_text(&rows, 0), "name", db_text(&rows, 1), "created", db_text(&rows, 2),
			                 "cells", 0, "states");
			(void)json_array_append_new(v->grids, grid);
		}
		const char *state = db_text(&rows, 3);
		int64_t n = db_int(&rows, 4), all = json_integer_value(json_object_get(grid, "cells"));
		(void)json_object_set_new(grid, "cells", json_integer(all + n));
		if (state)
			(void)json_object_set_new(json_object_get(grid, "states"), state, json_integer(n));
		v->n_missing += state && record_state_of(state) != RECORD_DONE ? n : 0;
	}
	return db_done(&rows, e);
}

static int read_running(struct view *v, struct err *e)
{
	static const char *const words[] = { [ATTEMPT_ALIVE] = "alive", [ATTEMPT_GONE] = "gone", [ATTEMPT_UNKNOWN] = "unknown" };
	struct db_rows rows;
	if (db_query(&rows, v->s->db, e, "SELECT a.id, a.cell, a.host, a.boot_id, a.pid, a.heartbeat, a.heartbeat_boot_s, coalesce(a.step, 0), "
	             "coalesce((SELECT min(label) FROM grid_cell WHERE cell = a.cell), ''), c.seed, "
	             "coalesce(json_extract(r.config, '$.\"train.steps\"'), 0), a.purpose "
	             "FROM attempt a JOIN cell c ON c.hash = a.cell JOIN arm r ON r.hash = c.arm WHERE a.state = 'running' ORDER BY a.started, a.id", ""))
		return -1;
	while (db_next(&rows)) {
		char why[256];
		enum liveness l = store_liveness(why, v->s, db_text(&rows, 1), db_text(&rows, 0), db_text(&rows, 2), db_text(&rows, 3), db_int(&rows, 4),
		                                 db_text(&rows, 5), db_real(&rows, 6));
		v->n_running += l != ATTEMPT_GONE;
		(void)json_array_append_new(v->running, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s}", "attempt", db_text(&rows, 0), "cell",
		                            db_text(&rows, 1), "label", db_text(&rows, 8), "seed", (json_int_t)db_int(&rows, 9), "step",
		                            (json_int_t)db_int(&rows, 7), "steps", (json_int_t)db_int(&rows, 10), "life", words[l], "evidence", why, "purpose",
		                            db_text(&rows, 11)));
	}
	return db_done(&rows, e);
}

static int print_cells(struct view *v, const char *only, struct err *e)
{
	struct db_rows rows;
	if (db_query(&rows, v->s->db, e, "SELECT x.label, x.seed, x.state, x.attempts, x.cell, coalesce(x.attempt, ''), coalesce(x.reason, ''), x.chain "
	             "FROM v_cell_status x JOIN grid g ON g.hash = x.grid WHERE ?1 IS NULL OR g.name = ?1 OR substr(g.hash, 1, length(?1)) = ?1 "
	             "ORDER BY g.created, g.hash, x.ordinal, x.chain, x.seed", "s", only))
		return -1;
	while (db_next(&rows))
		printf("  %-9s %.12s %.8s  %s%s%s seed %lld%s%s\n", db_text(&rows, 2), db_text(&rows, 4), db_text(&rows, 5)[0] ? db_text(&rows, 5) : "-",
		       db_text(&rows, 7), *db_text(&rows, 7) ? "/" : "", db_text(&rows, 0), (long long)db_int(&rows, 1), *db_text(&rows, 6) ? ": " : "",
		       db_text(&rows, 6));
	return db_done(&rows, e);
}

static void print_text(const struct view *v)
{
	size_t i;
	json_t *g, *n, *r;
	const char *state;
	json_array_foreach(v->grids, i, g) {
		printf("%s (%.12s): %lld cells", json_string_value(json_object_get(g, "name")), json_string_value(json_object_get(g, "grid")),
		       (long long)json_integer_value(json_object_get(g, "cells")));
		json_object_foreach(json_object_get(g, "states"), state, n)
			printf(", %lld %s", (long long)json_integer_value(n), state);
		printf("\n");
	}
	json_array_foreach(v->running, i, r)
		printf("  %.8s %s seed %lld: step %lld of %lld; %s: %s\n", json_string_value(json_object_get(r, "attempt")),
		       json_string_value(json_object_get(r, "label")), (long long)json_integer_value(json_object_get(r, "seed")),
		       (long long)json_integer_value(json_object_get(r, "step")), (long long)json_integer_value(json_object_get(r, "steps")),
		       json_string_value(json_object_get(r, "life")), json_string_value(json_object_get(r, "evidence")));
}

static void print_slurm(const json_t *list)
{
	size_t i;
	json_t *o;
	json_array_foreach(list, i, o) {
		const char *error = json_string_value(json_object_get(o, "error")), *reason = json_string_value(json_object_get(o, "reason"));
		printf("slurm %s (%.12s): %lld cells, %lld done in shards, ", json_string_value(json_object_get(o, "array")),
		       json_string_value(json_object_get(o, "plan")), (long long)json_integer_value(json_object_get(o, "cells")),
		       (long long)json_integer_value(json_object_get(o, "done")));
		if (error)
			printf("queue unknown: %s\n", error);
		else
			printf("%lld running, %lld pending%s%s; merge %s\n", (long long)json_integer_value(json_object_get(o, "running")),
			       (long long)json_integer_value(json_object_get(o, "pending")), reason && *reason ? ": " : "", reason ? reason : "",
			       json_string_value(json_object_get(o, "merge")));
	}
}

/* Shows once. *running: attempts that live. */
static int show(struct cli *c, const char *only, int64_t *running, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	if (store_open(&s, c->db, STORE_READ, "ablate status", e))
		return -1;
	struct view v = { .s = &s, .grids = json_array(), .running = json_array() };
	int rc = read_grids(&v, only, e) || read_running(&v, e) ? -1 : 0;
	if (!rc && only && json_array_size(v.grids) == 0)
		rc = err_code(e, EXIT_USAGE, "%s: no grid '%s' in it", c->db, c->args[0]);
	json_t *holder = rc ? NULL : store_lock_holder(s.runs);
	json_t *slurm = rc ? NULL : slurm_status(c->db);
	*running = v.n_running + (holder != NULL) + (int64_t)json_array_size(slurm);
	if (!rc && c->json) {
		json_t *o = json_pack("{s:o, s:O, s:O}", "db", json_out_text(c->db), "grids", v.grids, "running", v.running);
		(void)json_object_set(o, "runner", holder ? holder : json_null());
		(void)json_object_set(o, "slurm", slurm);
		(void)cli_print_json(c, o);
	} else if (!rc) {
		print_text(&v);
		if (holder)
			printf("%s, pid %lld on %s since %s\n", json_string_value(json_object_get(holder, "what")),
			       (long long)json_integer_value(json_object_get(holder, "pid")), json_string_value(json_object_get(holder, "host")),
			       json_string_value(json_object_get(holder, "since")));
		print_slurm(slurm);
		if (json_array_size(v.grids) == 0)
			printf("%s: no grid was run\n", c->db);
		if (cli_flag(c, "cells"))
			rc = print_cells(&v, only, e);
	}
	json_decref(holder);
	json_decref(slurm);
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
	.help = "GRID is a grid file, or the name or the beginning of the hash of a grid that was run; --set and --only belong to a file, as they were "
	        "given to `ablate run`.\n"
	        "States come from evidence: an attempt is alive while its process holds its journal, gone when the process ended or the machine was "
	        "booted again; on another machine its heartbeat must be older than two minutes. A dead one is recorded as lost by the next "
	        "`ablate run`, which continues from its checkpoint.",
	.options = options,
	.run = run,
};
