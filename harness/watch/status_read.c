/* status_read.c - see status_read.h. */
#include "harness/watch/status_read.h"

#include "harness/batch/engine_batch.h"
#include "harness/record/fingerprint.h"
#include "harness/record/query.h"
#include "harness/record/query_build.h"
#include "harness/record/query_grid.h"
#include "harness/record/store.h"
#include "harness/slurm/engine_slurm.h"
#include "harness/text/json_out.h"

#include <string.h>

static int read_grids(struct status *st, struct db *db, const char *only, struct err *e)
{
	struct db_rows rows;
	struct grid_state_row r;
	json_t *grid = NULL;
	if (query_grid_states(&rows, db, only, e))
		return -1;
	while (query_grid_state_next(&r, &rows)) {
		if (!grid || strcmp(json_string_value(json_object_get(grid, "grid")), r.grid) != 0) {
			grid = json_pack("{s:s, s:s, s:s, s:i, s:{}}", "grid", r.grid, "name", r.name, "created", r.created,
			                 "cells", 0, "states");
			(void)json_array_append_new(st->grids, grid);
		}
		int64_t all = json_integer_value(json_object_get(grid, "cells"));
		(void)json_object_set_new(grid, "cells", json_integer(all + r.n));
		if (r.n)
			(void)json_object_set_new(json_object_get(grid, "states"), record_state_name(r.state), json_integer(r.n));
	}
	return db_done(&rows, e);
}

/* Of each grid: cells that are done with results of another build. */
static int count_builds(struct status *st, struct db *db, struct err *e)
{
	size_t i;
	json_t *grid;
	SCOPED(builds) struct builds *builds = NULL;
	if (builds_read(&builds, db, e) || builds_read_cells(builds, db, e))
		return -1;
	json_array_foreach(st->grids, i, grid)
	{
		struct db_rows rows;
		const char *cell;
		int64_t n = 0;
		if (query_cells_of_grid(&rows, db, json_string_value(json_object_get(grid, "grid")), e))
			return -1;
		while (query_text_next(&cell, &rows))
			n += builds_stale(builds, cell) != NULL;
		if (db_done(&rows, e))
			return -1;
		(void)json_object_set_new(grid, "of_another_build", json_integer(n));
	}
	return 0;
}

static int read_running(struct status *st, const struct store *s, struct err *e)
{
	static const char *const words[] = {
		[ATTEMPT_ALIVE] = "alive", [ATTEMPT_GONE] = "gone", [ATTEMPT_UNKNOWN] = "unknown"
	};
	struct db_rows rows;
	struct running_row r;
	if (query_running(&rows, s->db, e))
		return -1;
	while (query_running_next(&r, &rows)) {
		char why[256];
		enum liveness l = store_liveness(why, s, r.cell, r.attempt, r.host, r.boot_id, r.pid, r.heartbeat,
		                                 r.heartbeat_boot_s);
		st->alive += l != ATTEMPT_GONE;
		(void)json_array_append_new(st->running,
		                            json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s}", "attempt", r.attempt,
		                                      "cell", r.cell, "label", r.label, "seed", (json_int_t)r.seed, "step",
		                                      (json_int_t)r.step, "steps", (json_int_t)r.steps, "life", words[l],
		                                      "evidence", why, "purpose", r.purpose));
	}
	return db_done(&rows, e);
}

int status_read(struct status *out, const struct store *s, const char *only, struct err *e)
{
	*out = (struct status){ .grids = json_array(), .running = json_array() };
	int rc = read_grids(out, s->db, only, e) || count_builds(out, s->db, e) || read_running(out, s, e) ? -1 : 0;
	if (rc) {
		status_release(out);
		return -1;
	}
	out->runner = store_lock_holder(s->runs);
	return 0;
}

void status_ask_queues(struct status *st, const char *db)
{
	json_decref(st->slurm);
	json_decref(st->command);
	st->slurm = slurm_status(db);
	st->command = batch_status(db);
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

bool status_is_busy(const struct status *st)
{
	return st->alive || st->runner || json_array_size(st->slurm) || still_queued(st->command);
}

const struct json_key status_keys[] = {
	JSON_KEY("db", "string", "the database"),
	JSON_KEY("grids", "object[]", "the grids that were run"),
	JSON_KEY("grids[].grid", "string", "the plan's hash"),
	JSON_KEY("grids[].name", "string", "its name"),
	JSON_KEY("grids[].created", "string", "when it was first run: UTC, ISO 8601"),
	JSON_KEY("grids[].cells", "integer", "its cells"),
	JSON_KEY("grids[].states", "object", "how many are in which state; states that none is in are left out"),
	JSON_KEY(
		"grids[].states.*", "integer",
		"cells that are pending, running, done, stopped, blocked, failed, diverged, timeout, killed, lost or unknown"),
	JSON_KEY("grids[].of_another_build", "integer", "cells that are done with results of another build"),
	JSON_KEY("running", "object[]", "attempts that are recorded as running"),
	JSON_KEY("running[].attempt", "string", "its id"),
	JSON_KEY("running[].cell", "string", "the cell, by its hash"),
	JSON_KEY("running[].label", "string", "what the cell is called"),
	JSON_KEY("running[].seed", "integer", "its training seed"),
	JSON_KEY("running[].step", "integer", "training steps done"),
	JSON_KEY("running[].steps", "integer", "training steps in all"),
	JSON_KEY("running[].life", "string", "alive, gone or unknown"),
	JSON_KEY("running[].evidence", "string", "how that is known"),
	JSON_KEY("running[].purpose", "string", "run, or verify"),
	JSON_KEY("runner", "object?", "who runs on the database; null where nobody does", .of = lock_keys),
	JSON_KEY("slurm", "object[]", "submissions to Slurm that are in its queue", .unseen = "Slurm (tests/e2e/slurm.sh)",
	         .of = slurm_status_keys),
	JSON_KEY("command", "object[]", "plans with tasks of --engine command", .of = batch_status_keys),
	{ 0 },
};

json_t *status_json(const struct status *st, const char *db)
{
	json_t *o = json_pack("{s:o, s:O, s:O}", "db", json_out_text(db), "grids", st->grids, "running", st->running);
	(void)json_object_set(o, "runner", st->runner ? st->runner : json_null());
	(void)json_object_set(o, "slurm", st->slurm);
	(void)json_object_set(o, "command", st->command);
	return o;
}

void status_runner_line(struct str *out, const struct status *st)
{
	const json_t *r = st->runner;
	if (r)
		str_addf(out, "%s, pid %lld on %s since %s\n", json_string_value(json_object_get(r, "what")),
		         (long long)json_integer_value(json_object_get(r, "pid")),
		         json_string_value(json_object_get(r, "host")), json_string_value(json_object_get(r, "since")));
}

static void slurm_lines(struct str *out, const json_t *list)
{
	size_t i;
	json_t *o;
	json_array_foreach(list, i, o)
	{
		const char *error = json_string_value(json_object_get(o, "error")),
				   *reason = json_string_value(json_object_get(o, "reason"));
		long long cells = (long long)json_integer_value(json_object_get(o, "cells")),
				  done = (long long)json_integer_value(json_object_get(o, "done"));
		str_addf(out, "slurm %s (%.12s): %lld task%s, ", json_string_value(json_object_get(o, "array")),
		         json_string_value(json_object_get(o, "plan")), cells, str_plural(cells));
		if (json_is_integer(json_object_get(o, "done")))
			str_addf(out, "%lld shard%s with a finished cell, ", done, str_plural(done));
		if (error)
			str_addf(out, "queue unknown: %s\n", error);
		else
			str_addf(out, "%lld running, %lld pending%s%s; merge %s\n",
			         (long long)json_integer_value(json_object_get(o, "running")),
			         (long long)json_integer_value(json_object_get(o, "pending")), reason && *reason ? ": " : "",
			         reason ? reason : "", json_string_value(json_object_get(o, "merge")));
	}
}

/* Those of --engine command. */
static void task_lines(struct str *out, const json_t *list, const char *db)
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
		str_addf(out, "tasks of %.12s: ", json_string_value(json_object_get(o, "plan")));
		if (error) {
			str_addf(out, "unknown: %s\n", error);
			continue;
		}
		str_addf(out, "%lld running, %lld pending, %lld over%s%s", running, pending, over, reason ? ": " : "",
		         reason ? reason : "");
		if (over)
			str_addf(out, " (`ablate resume --engine command --db %s` takes the results in)", db);
		str_addc(out, '\n');
	}
}

void status_queue_lines(struct str *out, const struct status *st, const char *db)
{
	slurm_lines(out, st->slurm);
	task_lines(out, st->command, db);
}

void status_release(struct status *st)
{
	json_decref(st->grids);
	json_decref(st->running);
	json_decref(st->runner);
	json_decref(st->slurm);
	json_decref(st->command);
	*st = (struct status){ 0 };
}

void scoped_status(struct status *st)
{
	status_release(st);
}
