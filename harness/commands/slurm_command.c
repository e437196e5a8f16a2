/* slurm_command.c - `ablate run --engine slurm`: the missing cells of a plan go to the cluster; their results come
 * back. */
#define _GNU_SOURCE
#include "harness/slurm/engine_slurm.h"
#include "harness/commands/run_command.h"
#include "harness/run/runner_private.h"

#include "model/base/progress.h"
#include "model/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_S 3

static int collect(struct cli *c, const char *plan_hash, struct slurm_collected *out, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	if (store_open(&s, c->db, STORE_WRITE, "ablate slurm-merge", e))
		return -1;
	int rc = slurm_collect(out, &s, plan_hash, e);
	for (int i = 0; i < s.n_left; i++)
		cli_warn(c, "%s", s.left[i]);
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

static json_t *names_of(const struct run_plan *run, const int *index, int n)
{
	json_t *list = json_array();
	for (int i = 0; i < n; i++) {
		const struct run_cell *cell = &run->cells[index[i]];
		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "cell", cell->cell, "label", cell->label, "seed",
		                                            (json_int_t)cell->seed));
	}
	return list;
}

/* The state after the jobs: names what is missing. */
static int report_end(struct cli *c, const struct run_plan *run, const struct slurm_collected *got, struct err *e)
{
	int *index, n, blocked;
	if (find_missing(c, run, &index, &n, &blocked, e))
		return cli_fail(c, e);
	cli_say(c, "%d cell%s: %d done, %d missing, %d blocked; %lld new row%s from %d shard%s", run->n_cells,
	        str_plural(run->n_cells), run->n_cells - n - blocked, n, blocked, (long long)got->rows,
	        str_plural(got->rows), got->shards, str_plural(got->shards));
	for (int i = 0; i < n && i < 20; i++)
		cli_say(c, "missing: %s seed %lld (%.12s)", run->cells[index[i]].label, (long long)run->cells[index[i]].seed,
		        run->cells[index[i]].cell);
	int code = n + blocked ? EXIT_INCOMPLETE : got->left_out ? EXIT_RECORD : EXIT_OK;
	if (c->json)
		(void)cli_print_json(c, json_pack("{s:s, s:i, s:i, s:i, s:o, s:i, s:i, s:i, s:I, s:i}", "db", c->db, "cells",
		                                  run->n_cells, "done", run->n_cells - n - blocked, "blocked", blocked,
		                                  "missing", names_of(run, index, n), "shards", got->shards, "busy", got->busy,
		                                  "left_out", got->left_out, "rows", (json_int_t)got->rows, "exit_code", code));
	free(index);
	return code;
}

static int wait_for_jobs(struct cli *c, const char *plan_hash, struct err *e)
{
	struct slurm_queue q, before = { .running = -1 };
	for (int silent = 0;;) {
		struct err why = ERR_INIT;
		if (slurm_queue(&q, plan_hash, &why)) {
			/* a controller that is being restarted answers again */
			if (++silent > 20) {
				*e = why;
				return -1;
			}
		} else {
			silent = 0;
			if (q.running + q.pending + q.other == 0)
				return 0;
			if (q.running != before.running || q.pending != before.pending)
				cli_say(c, "slurm: %d running, %d pending%s%s", q.running, q.pending, q.pending ? ": " : "",
				        q.pending ? q.reason : "");
			before = q;
		}
		(void)sleep(LOOK_S);
	}
}

int slurm_finish(struct cli *c, const struct run_plan *run)
{
	struct err e = ERR_INIT;
	struct slurm_collected got;
	if (collect(c, run->hash, &got, &e))
		return cli_fail(c, &e);
	return report_end(c, run, &got, &e);
}

/* What goes into job scripts and to sbatch, before anything is written. A word that is no option would be the script
 * that sbatch submits in place of ours. */
static int check_passed_on(struct cli *c, struct err *e)
{
	int n, rc = engine_devices_named(cli_string(c, "device", "auto"), e);
	SCOPED(free) const char **extra = cli_strings(c, "sbatch", &n);
	for (int i = 0; i < n && !rc; i++)
		if (extra[i][0] != '-' || extra[i][1] == '\0' || strcmp(extra[i], "--") == 0)
			rc = err_code(e, EXIT_USAGE, "--sbatch %s: not an option of sbatch, as in --sbatch=--partition=gpu",
			              extra[i]);
	return rc;
}

int slurm_command(struct cli *c, struct plan *p, const struct run_set *set, struct run_options *o)
{
	struct err e = ERR_INIT;
	if (o->ranks > 1) {
		(void)err_code(&e, EXIT_USAGE,
		               "--ranks needs --engine local (inside an allocation, mpirun takes its processes from Slurm)");
		return cli_fail(c, &e);
	}
	if (check_passed_on(c, &e))
		return cli_fail(c, &e);
	struct run_result r;
	struct slurm_collected got;
	struct slurm_jobs jobs = { 0 };
	const struct run_plan *run = &set->run;
	int *index, n, blocked, n_extra, microbatch;
	SCOPED(free) const char **extra = cli_strings(c, "sbatch", &n_extra);
	o->record_only = true;
	if (microbatch_of(&microbatch, c, &e) || runner_run(&r, run, o, &e) || collect(c, p->hash, &got, &e) ||
	    find_missing(c, run, &index, &n, &blocked, &e))
		return cli_fail(c, &e);
	run_tell_stale(c, &r);
	if (n == 0) {
		free(index);
		return report_end(c, run, &got, &e);
	}
	struct slurm_options so = { .db = c->db,
		                        .device = cli_string(c, "device", "auto"),
		                        .name = run->name,
		                        .microbatch = cli_string(c, "microbatch", NULL),
		                        .jobs = (int)cli_int(c, "jobs", 0),
		                        .threads = o->threads,
		                        .extra = extra,
		                        .n_extra = n_extra };
	int rc = slurm_submit(&jobs, p->hash, index, trainings_of(p, index, n), &so, &e);
	free(index);
	if (rc)
		return cli_fail(c, &e);
	if (jobs.already)
		cli_say(c,
		        "jobs of this plan are already in the queue; nothing was submitted (`ablate status --watch --db %s` "
		        "follows them)",
		        c->db);
	else
		cli_say(
			c,
			"submitted %d cell%s in %d task%s as job %s, merge as job %s; `ablate status --watch --db %s` follows them",
			n, str_plural(n), jobs.tasks, str_plural(jobs.tasks), jobs.array, jobs.merge, c->db);
	if (cli_flag(c, "wait")) {
		slurm_jobs_release(&jobs);
		return wait_for_jobs(c, p->hash, &e) ? cli_fail(c, &e) : slurm_finish(c, run);
	}
	if (c->json)
		(void)cli_print_json(c, json_pack("{s:s, s:s, s:i, s:i, s:i, s:b, s:s?, s:s?}", "db", c->db, "plan", p->hash,
		                                  "cells", run->n_cells, "tasks", jobs.tasks, "blocked", blocked, "already",
		                                  (int)jobs.already, "array", jobs.array, "merge", jobs.merge));
	slurm_jobs_release(&jobs);
	return EXIT_OK;
}
