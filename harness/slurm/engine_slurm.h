/* engine_slurm.h - the cells of a plan as Slurm arrays, and how their results are collected.
 *
 * For database X the folder X-runs/slurm holds what is shared with the cluster:
 *     database.json               the database's id, which its jobs carry in their names (slurm_queue.h)
 *     PLAN[:12]/submitted.json    the jobs of the last submission, until they are collected
 *     PLAN[:12]/task-BASE.sh, merge.sh, log/     job scripts, and what jobs print
 *     shards/TRAINING[:12].db     a shard, with its -runs: the records of one training's cells, written by its task
 * A task is an index into the frozen plan X-runs/plans/PLAN.plan.json, never into a grid file read again. It names a
 * training, and is a run of its cells on its shard: no training is done on two nodes, and a task that was killed and
 * requeued, or submitted again for whichever plan, continues from its checkpoint.
 * Only the merge job (or the next `ablate run`, `resume`) writes to X. An attempt is known by its UUID; Slurm's job
 * ids, which may be handed out twice, are notes. What squeue says decides nothing but whether to submit. */
#ifndef ABLATE_ENGINE_SLURM_H
#define ABLATE_ENGINE_SLURM_H

#include "harness/record/store.h"
#include "harness/slurm/slurm_submission.h"
#include "harness/text/json_keys.h"

struct slurm_jobs {
	char *arrays, *merge; /* ids, "12 15" when several arrays; heap, NULL = nothing was submitted */
	int tasks;            /* submitted */
	int waiting;          /* of the trainings asked for: those whose tasks are in the queue already */
	char *refused;        /* why the rest was not accepted; heap, NULL = all was */
	int n_refused;        /* tasks */
	enum slurm_requeue way;
};
void slurm_jobs_release(struct slurm_jobs *j);
/* Submits the trainings first named by cells index[0..n) of the plan, and the merge job behind them. What tasks in the
 * queue will do, of this plan or another, is not submitted again; a training that one of them works on is queued behind
 * it. Where Slurm accepts a part, its merge is submitted and the rest is told in *out; where it accepts nothing, it is
 * an error. */
MUST_CHECK int slurm_submit(struct slurm_jobs *out, const struct plan *p, const int *index, int n,
                            const struct slurm_options *o, struct err *e);

/* Of the plan's trainings, those that tasks in the queue work on, and its merge jobs: how many run and wait. */
MUST_CHECK int slurm_follow(struct slurm_count *out, char reason[64], const char *db, const struct plan *p,
                            struct err *e);

/* Takes every shard that no task is writing into the database, with checkpoints, samples and logs. Journals that are
 * damaged are left out (s->left). A shard that cannot be taken stops no other; the first such error is the result. */
struct slurm_collected {
	int shards, busy, left_out;
	int64_t rows;
};
MUST_CHECK int slurm_collect(struct slurm_collected *out, struct store *s, struct err *e);
/* The plan's jobs are over and collected: status need not ask for them. */
void slurm_forget(const char *db, const char *plan_hash);

/* Cancels the database's jobs that are in the queue; *cancelled: of how many plans. Tasks write checkpoints first. */
MUST_CHECK int slurm_cancel(int *cancelled, const char *db, struct err *e);

extern const struct json_key slurm_status_keys[]; /* of each object of slurm_status */
/* An object of slurm_status_keys for each submission of db that is in the queue, or whose queue cannot be asked. New
 * reference. */
json_t *slurm_status(const char *db);

#endif
