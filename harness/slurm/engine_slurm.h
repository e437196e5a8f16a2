/* engine_slurm.h - the cells of a plan as one Slurm array, and how its results are collected.
 *
 * For database X and a plan, the folder X-runs/slurm/HASH[:12] holds what is shared with the cluster:
 *     submitted.json          the jobs of the last submission
 *     task-BASE.sh, merge.sh  job scripts
 *     CELL[:12].db, .db-runs  a shard: the records of one training's cells, written by its task alone; named by the
 *                             first of them in the plan
 *     log/                    what jobs print
 * A task is an index into the frozen plan X-runs/plans/HASH.plan.json, never into a grid file read again. It names a
 * training, and is a run of its cells on its shard: no training is done on two nodes, and a task that was killed and
 * requeued, or submitted again, continues from its checkpoint.
 * Only the merge job (or the next `ablate run`, `resume`) writes to X. An attempt is known by its UUID; Slurm's job
 * ids, which may be handed out twice, are notes. What squeue says decides nothing but whether to submit. */
#ifndef ABLATE_ENGINE_SLURM_H
#define ABLATE_ENGINE_SLURM_H

#include "harness/run/run_plan.h"
#include "harness/record/store.h"

#define SLURM_CALL_S 20.0 /* a client that hangs longer is killed: the controller does not answer */

/* Runs a client program of Slurm; its stdout into *out. Not installed, refused (its message is passed on) or silent
 * for SLURM_CALL_S: EXIT_USAGE, as nothing was run. */
MUST_CHECK int slurm_call(struct str *out, const char *const argv[], struct err *e);
MUST_CHECK int slurm_is_here(struct err *e); /* 0 when sbatch can be started */
/* "MaxArraySize" of `scontrol show config` text; 1001 when it does not say. */
int slurm_max_array(const char *config);
/* Appends "0-3,7" for ascending indices less `base`. */
void slurm_array_text(struct str *out, const int *index, int n, int base);

char *slurm_dir(const char *db, const char *plan_hash);                     /* heap text */
char *slurm_shard(const char *db, const char *plan_hash, const char *cell); /* heap text: its database */

struct slurm_options {
	const char *db, *device, *name; /* name: of the grid */
	const char *microbatch;         /* as --microbatch has it; NULL = not given */
	int jobs, threads;              /* tasks at once (0 = as the cluster has room); threads of each (0 = as given) */
	const char *const *extra;       /* further options for sbatch */
	int n_extra;
};
struct slurm_jobs {
	char *array, *merge;
	int tasks;
	bool already;
}; /* ids, "12 15" when several arrays; heap */
void slurm_jobs_release(struct slurm_jobs *j);
/* Submits cells index[0..n) of the plan and the merge job behind them. When jobs of this plan are in the queue already,
 * nothing is submitted and `already` is set. */
MUST_CHECK int slurm_submit(struct slurm_jobs *out, const char *plan_hash, const int *index, int n,
                            const struct slurm_options *o, struct err *e);

/* How many tasks of this plan are in the queue, the merge job among them. */
struct slurm_queue {
	int running, pending, other;
	char reason[64];
}; /* why a pending one waits */
MUST_CHECK int slurm_queue(struct slurm_queue *out, const char *plan_hash, struct err *e);

/* Takes every shard that no task is writing into the database, with checkpoints, samples and logs. Journals that are
 * damaged are left out (s->left). A shard that cannot be taken stops no other; the first such error is the result. */
struct slurm_collected {
	int shards, busy, left_out;
	int64_t rows;
};
MUST_CHECK int slurm_collect(struct slurm_collected *out, struct store *s, const char *plan_hash, struct err *e);

/* Cancels the jobs of every submission of db that is in the queue. Tasks write checkpoints first. */
MUST_CHECK int slurm_cancel(int *cancelled, const char *db, struct err *e);

/* {"plan":..,"array":..,"merge":..,"cells":N,"done":N,"running":N,"pending":N,"reason":..} of each submission of db
 * that is in the queue, or whose queue cannot be asked ("error"). New reference. */
json_t *slurm_status(const char *db);

#endif
