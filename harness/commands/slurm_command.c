/* slurm_command.c - `ablate run --engine slurm`: the missing cells of a plan go to the cluster; their results come
 * back. */
#define _GNU_SOURCE
#include "harness/slurm/engine_slurm.h"
#include "harness/commands/run_command.h"
#include "harness/commands/shard_results.h"

#include "model/base/str.h"

#include <string.h>
#include <unistd.h>

enum { LOOK_S = 3 };

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
	if (shards_collect(c, &got, &e))
		return cli_fail(c, &e);
	if (over)
		slurm_forget(c->db, run->hash);
	return shards_report(c, run, &got, &e);
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

const struct json_key slurm_submitted_keys[] = {
	JSON_KEY("db", "string", "the database"),
	JSON_KEY("plan", "string", "the plan, by its hash"),
	JSON_KEY("cells", "integer", "cells of the grid"),
	JSON_KEY("tasks", "integer", "tasks that were submitted"),
	JSON_KEY("blocked", "integer", "cells that lack something which they need"),
	JSON_KEY("already", "boolean", "nothing was submitted: all of it is in the queue"),
	JSON_KEY("array", "string?", "ids of the arrays; null where nothing was submitted"),
	JSON_KEY("merge", "string?", "id of the job that merges their records; null where nothing was submitted"),
	JSON_KEY("waiting", "integer", "trainings that were in the queue already"),
	JSON_KEY("refused", "integer", "tasks that Slurm did not take"),
	JSON_KEY("requeue", "string?",
	         "how a task that is stopped comes back: exit, scontrol, chain or never; null where nothing was submitted"),
	{ 0 },
};

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
	if (runner_run(&r, run, o, &e) || shards_collect(c, &got, &e) || shards_missing(c, run, &index, &n, &blocked, &e) ||
	    (!ask->again && shards_drop_diverged(c, run, index, &n, &e)))
		return cli_fail(c, &e);
	run_tell_stale(c, &r);
	if (n == 0)
		return shards_report(c, run, &got, &e);
	int cells = n;
	if (slurm_submit(&jobs, p, index, shards_trainings(p, index, n), ask, &e))
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
