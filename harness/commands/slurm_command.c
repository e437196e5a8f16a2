/* slurm_command.c - `ablate run --engine slurm`: the missing cells of a plan go to the cluster; their results come
 * back. */
#define _GNU_SOURCE
#include "harness/slurm/engine_slurm.h"
#include "harness/commands/run_command.h"
#include "harness/record/query_grid.h"
#include "harness/run/runner_private.h"
#include "harness/text/json_out.h"

#include "model/base/progress.h"
#include "model/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_S = 3, NAMED_MAX = 20 };

static int collect(struct cli *c, const char *plan_hash, struct slurm_collected *out, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	if (store_open(&s, c->db, STORE_WRITE, "ablate slurm-merge", e))
		return -1;
	int rc = slurm_collect(out, &s, plan_hash, e);
	for (int i = 0; i < s.n_left; i++)
		cli_warn(c, "%s", s.left[i]);
	for (int i = 0; i < s.differing.n; i++) {
		SCOPED(str) struct str text = { 0 };
		differing_text(&text, &s.differing.v[i]);
		cli_warn(c, "%s", text.data);
	}
	if (s.differing.all > s.differing.n)
		cli_warn(c, "and %lld more cell%s with two results (`ablate merge --check --db %s` names all)",
		         (long long)(s.differing.all - s.differing.n), str_plural(s.differing.all - s.differing.n), c->db);
	out->left_out = s.n_left;
	return rc;
}

/* Cells without a done attempt with all their scores; blocked ones are counted separately. */
static int find_missing(struct cli *c, const struct run_plan *run, int **index, int *n, int *blocked, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	int cap = 0;
	*index = NULL;
	*n = *blocked = 0;
	if (store_open(&s, c->db, STORE_READ, "ablate run", e))
		return -1;
	for (int i = 0; i < run->n_cells; i++) {
		bool done;
		if (cell_is_done(&done, &s, run, &run->cells[i], e)) {
			free(*index);
			*index = NULL;
			return -1;
		}
		if (!done && run->cells[i].blocked)
			++*blocked;
		else if (!done)
			VEC_PUSH(*index, *n, cap) = i;
	}
	return 0;
}

/* Less those that diverged: they would do so again. */
static int drop_diverged(struct cli *c, const struct run_plan *run, int *index, int *n, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	int kept = 0;
	if (store_open(&s, c->db, STORE_READ, "ablate run", e))
		return -1;
	for (int i = 0; i < *n; i++) {
		enum record_state state;
		if (query_cell_state(&state, s.db, run->cells[index[i]].cell, e))
			return -1;
		if (state != RECORD_DIVERGED)
			index[kept++] = index[i];
	}
	*n = kept;
	return 0;
}

/* A task is a training: the first cell of the plan that has it names it, whichever of its cells are missing. index:
 * ascending, before and after. */
static int trainings_of(const struct plan *p, int *index, int n)
{
	SCOPED(free) bool *wanted = xcalloc((size_t)p->n_cells + 1, sizeof *wanted);
	int tasks = 0;
	for (int i = 0; i < n; i++)
		wanted[p->trainings[p->cells[index[i]].training].first] = true;
	for (int i = 0; i < p->n_cells; i++)
		if (wanted[i])
			index[tasks++] = i;
	return tasks;
}

/* What the record says of one missing cell. */
struct missing {
	const struct run_cell *cell;
	enum record_state state;
	char reason[256]; /* "": no task of it left a record */
};

static int find_reasons(struct missing *v, int n, const struct cli *c, const char *plan_hash, struct err *e)
{
	SCOPED(db) struct db *db = NULL;
	struct db_rows rows;
	struct status_row r;
	if (n == 0)
		return 0;
	if (db_open(&db, c->db, DB_READ, e) || query_status(&rows, db, plan_hash, e))
		return -1;
	while (query_status_next(&r, &rows))
		for (int i = 0; i < n; i++)
			if (strcmp(v[i].cell->cell, r.cell) == 0) {
				v[i].state = r.state;
				(void)snprintf(v[i].reason, sizeof v[i].reason, "%s", r.reason);
			}
	return db_done(&rows, e);
}

static json_t *names_of(const struct run_plan *run, const int *index, int n, const struct missing *why, int n_why)
{
	json_t *list = json_array();
	for (int i = 0; i < n; i++) {
		const struct run_cell *cell = &run->cells[index[i]];
		json_t *o = json_pack("{s:s, s:s, s:I}", "cell", cell->cell, "label", cell->label, "seed",
		                      (json_int_t)cell->seed);
		if (i < n_why) {
			(void)json_object_set_new(o, "state", json_string(record_state_name(why[i].state)));
			(void)json_object_set_new(o, "reason", json_out_text(*why[i].reason ? why[i].reason : NULL));
		}
		(void)json_array_append_new(list, o);
	}
	return list;
}

/* The state after the jobs: names what is missing, and what is known of it. */
static int report_end(struct cli *c, const struct run_plan *run, const struct slurm_collected *got, struct err *e)
{
	SCOPED(free) int *index = NULL;
	int n, blocked;
	struct missing why[NAMED_MAX] = { 0 };
	if (find_missing(c, run, &index, &n, &blocked, e))
		return cli_fail(c, e);
	int named = n < NAMED_MAX ? n : NAMED_MAX;
	for (int i = 0; i < named; i++)
		why[i] = (struct missing){ .cell = &run->cells[index[i]], .state = RECORD_PENDING };
	if (find_reasons(why, named, c, run->hash, e))
		return cli_fail(c, e);
	cli_say(c, "%d cell%s: %d done, %d missing, %d blocked; %lld new row%s from %d shard%s", run->n_cells,
	        str_plural(run->n_cells), run->n_cells - n - blocked, n, blocked, (long long)got->rows,
	        str_plural(got->rows), got->shards, str_plural(got->shards));
	for (int i = 0; i < named; i++)
		cli_say(c, "missing: %s seed %lld (%.12s): %s", why[i].cell->label, (long long)why[i].cell->seed,
		        why[i].cell->cell,
		        *why[i].reason ? why[i].reason
		                       : "no task of it left a record; what it printed is in the folder log of its jobs");
	int code = n + blocked ? EXIT_INCOMPLETE : got->left_out ? EXIT_RECORD : EXIT_OK;
	if (c->json)
		(void)cli_print_json(c,
		                     json_pack("{s:s, s:i, s:i, s:i, s:o, s:i, s:i, s:i, s:I, s:i}", "db", c->db, "cells",
		                               run->n_cells, "done", run->n_cells - n - blocked, "blocked", blocked, "missing",
		                               names_of(run, index, n, why, named), "shards", got->shards, "busy", got->busy,
		                               "left_out", got->left_out, "rows", (json_int_t)got->rows, "exit_code", code));
	return code;
}

static int wait_for_jobs(struct cli *c, const struct plan *p, struct err *e)
{
	struct slurm_count q, before = { .running = -1 };
	char reason[64];
	for (int silent = 0;;) {
		struct err why = ERR_INIT;
		if (slurm_follow(&q, reason, c->db, p, &why)) {
			/* a controller that is being restarted answers again */
			if (++silent > 20) {
				*e = why;
				return -1;
			}
		} else {
			silent = 0;
			if (q.running + q.pending == 0)
				return 0;
			if (q.running != before.running || q.pending != before.pending)
				cli_say(c, "slurm: %d running, %d pending%s%s", q.running, q.pending, q.pending && *reason ? ": " : "",
				        q.pending ? reason : "");
			before = q;
		}
		(void)sleep(LOOK_S);
	}
}

int slurm_finish(struct cli *c, const struct run_plan *run)
{
	char id[SLURM_ID];
	struct err e = ERR_INIT, ignored = ERR_INIT;
	struct slurm_collected got;
	SCOPED(slurm_queue) struct slurm_queue q = { 0 };
	bool over = slurm_id_known(id, c->db) && !slurm_queue_read(&q, id, &ignored) &&
	            !slurm_queue_count(&q, run->hash).tasks;
	if (collect(c, run->hash, &got, &e))
		return cli_fail(c, &e);
	if (over)
		slurm_forget(c->db, run->hash);
	return report_end(c, run, &got, &e);
}

static void tell_submitted(const struct cli *c, const struct slurm_jobs *jobs, int cells)
{
	if (!jobs->arrays) {
		cli_say(c,
		        "jobs of this plan are already in the queue; nothing was submitted (`ablate status --watch --db %s` "
		        "follows them)",
		        c->db);
		return;
	}
	cli_say(c,
	        "submitted %d cell%s in %d task%s as job %s, merge as job %s; `ablate status --watch --db %s` follows them",
	        cells, str_plural(cells), jobs->tasks, str_plural(jobs->tasks), jobs->arrays, jobs->merge, c->db);
	cli_say(c, "a task that is stopped before it is done %s", slurm_way_text(jobs->way));
	if (jobs->waiting)
		cli_say(c, "%d more training%s in the queue already", jobs->waiting, jobs->waiting == 1 ? " is" : "s are");
	if (jobs->refused)
		cli_warn(c, "%d task%s not accepted: %s; run the same command again when there is room", jobs->n_refused,
		         jobs->n_refused == 1 ? " was" : "s were", jobs->refused);
}

static void print_submitted(const struct cli *c, const struct plan *p, const struct slurm_jobs *jobs, int blocked)
{
	json_t *o = json_pack("{s:s, s:s, s:i, s:i, s:i, s:b, s:s?, s:s?, s:i, s:i, s:s?}", "db", c->db, "plan", p->hash,
	                      "cells", p->n_cells, "tasks", jobs->tasks, "blocked", blocked, "already", (int)!jobs->arrays,
	                      "array", jobs->arrays, "merge", jobs->merge, "waiting", jobs->waiting, "refused",
	                      jobs->n_refused, "requeue", jobs->arrays ? slurm_way_name(jobs->way) : NULL);
	(void)cli_print_json(c, o);
}

int slurm_command(struct cli *c, struct plan *p, const struct run_set *set, struct run_options *o,
                  const struct slurm_options *ask)
{
	struct err e = ERR_INIT;
	struct run_result r;
	struct slurm_collected got;
	struct slurm_jobs jobs = { 0 };
	const struct run_plan *run = &set->run;
	SCOPED(free) int *index = NULL;
	int n, blocked;
	o->record_only = true;
	if (runner_run(&r, run, o, &e) || collect(c, p->hash, &got, &e) || find_missing(c, run, &index, &n, &blocked, &e) ||
	    (!ask->again && drop_diverged(c, run, index, &n, &e)))
		return cli_fail(c, &e);
	run_tell_stale(c, &r);
	if (n == 0)
		return report_end(c, run, &got, &e);
	int cells = n;
	if (slurm_submit(&jobs, p, index, trainings_of(p, index, n), ask, &e))
		return cli_fail(c, &e);
	tell_submitted(c, &jobs, cells);
	int code = jobs.refused ? EXIT_INCOMPLETE : EXIT_OK;
	if (cli_flag(c, "wait"))
		code = wait_for_jobs(c, p, &e) ? cli_fail(c, &e) : slurm_finish(c, run);
	else if (c->json)
		print_submitted(c, p, &jobs, blocked);
	slurm_jobs_release(&jobs);
	return code;
}
