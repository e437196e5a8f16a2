/* slurm_queue.h - the jobs of one database that are in Slurm's queue.
 *
 * A job is known by its name, ablate-DATABASE-PLAN-BASE or ablate-DATABASE-PLAN-merge: the database's id, 12 digits of
 * the plan's hash, and the index in the plan of the array's task 0. So what waits or runs is known by cell, whichever
 * plan it was submitted for, and jobs of another database are not ours although the plan may be the same. */
#ifndef ABLATE_SLURM_QUEUE_H
#define ABLATE_SLURM_QUEUE_H

#include "harness/plan/plan.h"

enum { SLURM_ID = 9, SLURM_PLAN = 13 }; /* bytes */

/* The database's id, made at its first submission and kept in X-runs/slurm/database.json with the path. A copy of a
 * database is another database: one that is found under another path while the first is there gets an id of its own. */
MUST_CHECK int slurm_id(char id[SLURM_ID], const char *db, struct err *e);
/* The same without making one: false, where nothing was ever submitted. */
bool slurm_id_known(char id[SLURM_ID], const char *db);
/* base: below 0 for the merge job. Heap text. */
char *slurm_job_name(const char *id, const char *plan_hash, int base);

enum slurm_state { SLURM_RUNNING, SLURM_PENDING, SLURM_OTHER };
struct slurm_entry {
	long long job; /* of an array: the array's */
	int task;      /* of an array; -1 of another job */
	int base;      /* -1: the merge job */
	char plan[SLURM_PLAN];
	enum slurm_state state;
};
struct slurm_queue {
	struct slurm_entry *v;
	int n;
	char reason[64]; /* why one of those that are pending waits */
};
MUST_CHECK int slurm_queue_read(struct slurm_queue *out, const char *id, struct err *e);
void slurm_queue_release(struct slurm_queue *q);
void scoped_slurm_queue(struct slurm_queue *q);

/* Of a plan, or with plan NULL of all: tasks and merge jobs. */
struct slurm_count {
	int running, pending, tasks; /* tasks: without the merge jobs; pending: what is not running */
};
struct slurm_count slurm_queue_count(const struct slurm_queue *q, const char *plan_hash);

/* What the queue does for a plan, by training. */
struct slurm_waiting {
	bool *covered;     /* a task will do all that the plan asks of it */
	long long *behind; /* an array with a task of this training that will not; 0 = none */
	int n_covered;
};
/* Plans of other submissions are read from X-runs/plans; one that cannot be read is an error. */
MUST_CHECK int slurm_waiting_find(struct slurm_waiting *out, const struct slurm_queue *q, const char *db,
                                  const struct plan *p, struct err *e);
void scoped_slurm_waiting(struct slurm_waiting *w);

#endif
