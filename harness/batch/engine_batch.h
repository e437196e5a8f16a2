/* engine_batch.h - --engine command: the cells of a plan as tasks of any scheduler, by three commands of the user's
 * (batch_contract.h).
 *
 * A task is what it is for Slurm (engine_slurm.h): a training of the frozen plan, run on a shard in X-runs/slurm/shards
 * that the next `ablate run --engine command` takes into the database. There is no merge job. For database X the folder
 * X-runs/batch holds
 *     jobs.json                    the tasks that are not known to be over (batch_jobs.h)
 *     lock                         held by who submits, settles or cancels
 *     PLAN[:12]/task-DIGITS.sh     what runs a task of the plan, whose index is its argument; named by its content, so
 *                                  that what is in the queue keeps the one that it was submitted with
 *     PLAN[:12]/log/INDEX.out      what tasks print
 * What is in the queue decides nothing but whether to submit: a training that is done twice for all that is done on one
 * shard, whose lock the second task finds taken, or whose results it finds done. */
#ifndef ABLATE_ENGINE_BATCH_H
#define ABLATE_ENGINE_BATCH_H

#include "harness/batch/batch_jobs.h"
#include "harness/grid/grid_command.h"
#include "harness/record/store.h"
#include "harness/text/json_keys.h"

struct batch_options {
	struct slurm_options job; /* its slurm: job of the command */
	struct grid_command command;
	char dir[4096]; /* where the program runs, and the commands are started */
};
/* What a task asks for. */
struct batch_resources batch_resources_of(const struct batch_options *o);

/* The tasks of a database while nobody else changes them. */
struct batch_session {
	const char *db;
	struct store lock;
	struct batch_jobs jobs;
	struct str ended; /* a line for each task that failed since the last session, with its reason */
	int unanswered;   /* tasks of a submission that was interrupted: it is not known which were accepted */
};
#define BATCH_SESSION_INIT \
	{ \
		.lock = STORE_INIT \
	}
/* Takes the lock, asks what became of the tasks and drops those that are over. Without the queues' answer it fails, and
 * the session is closed. */
MUST_CHECK int batch_open(struct batch_session *s, const char *db, struct err *e);
void batch_close(struct batch_session *s);
void scoped_batch_session(struct batch_session *s);

struct batch_result {
	int tasks;     /* submitted */
	int waiting;   /* of the trainings asked for: those whose tasks are in the queue already */
	int behind;    /* those that a task in the queue works on for another plan, which does not do all of it */
	int n_refused; /* tasks that were not accepted */
	char *refused; /* what the command said then; heap */
	char *ids;     /* "12 15": of the jobs; heap */
	bool *tried;   /* by training: its task was accepted; heap */
};
void batch_result_release(struct batch_result *r);
/* Submits the trainings first named by cells index[0..n) of the plan, ascending, less those that tasks in the queue
 * work on. What is accepted is noted at once; signals that end this process wait until then. Where the command fails it
 * is an error, and nothing was accepted, unless the message says that this is not known. */
MUST_CHECK int batch_submit(struct batch_result *out, struct batch_session *s, const struct plan *p, const int *index,
                            int n, const struct batch_options *o, struct err *e);
/* The request that would be made for these cells. New reference. */
json_t *batch_would_submit(const struct plan *p, const int *index, int n, const struct batch_options *o, struct err *e);

/* How many tasks in the queue work on the plan's trainings, for whichever plan; *reason: why one of them waits. */
MUST_CHECK int batch_follow(struct slurm_count *out, char reason[64], const char *db, const struct plan *p,
                            struct err *e);
/* Cancels the tasks that are in the queue; *cancelled: how many. They write checkpoints first. */
MUST_CHECK int batch_cancel(int *cancelled, const char *db, struct err *e);
extern const struct json_key batch_status_keys[]; /* of each object of batch_status */
/* An object of batch_status_keys for each plan with tasks that are not known to be over, or that are over since. New
 * reference. */
json_t *batch_status(const char *db);

#endif
