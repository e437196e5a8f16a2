/* worker.h - the inside of a worker process: one attempt at one cell. What to do is in DIR/job.json; what happens
 * goes to DIR/journal.jsonl; frequent progress lines go to a pipe, for a watcher, if any (the worker never waits for
 * it).
 *
 * A thread writes the signs of life, so a long step does not look dead, and is the only one that receives signals.
 * Asked to stop (SIGTERM, SIGINT, SIGHUP unless it is ignored, SIGUSR1 by way of a launcher, a file DIR/cancel; by
 * SIGUSR2 or the job's wall budget because time is up), the work ends at its next step with a checkpoint. Where nothing
 * would be lost (while data is read, while a finished training is scored) nobody needs to check for a stop: the thread
 * writes the end and exits, whatever the other threads are doing. SIGTERM to one process of several may come from a
 * launcher that ends a team because another has died: then only a next step, if it comes, is a stop. */
#ifndef ABLATE_WORKER_H
#define ABLATE_WORKER_H

#include "harness/record/journal.h"
#include "harness/record/provenance.h"
#include "harness/run/job.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* From here on a signal that asks to stop is kept until worker_open, which begins with this, too. */
void worker_hear_signals(void);
/* Reads the job, creates the journal, installs the signal handlers, starts the signs of life. pipe_fd < 0: nobody
 * watches. */
MUST_CHECK int worker_open(struct worker **out, const char *dir, int pipe_fd, struct err *e);
const struct job *worker_job(const struct worker *w);
/* Can its device be opened? Else -1 and EXIT_DEVICE. Known since worker_open, which records what the device is. */
MUST_CHECK int worker_device(const struct worker *w, struct err *e);
struct journal *worker_journal(struct worker *w);
const char *worker_dir(const struct worker *w);

bool worker_should_stop(struct worker *w); /* cheap: asked after every step */
/* What is lost when the process ends now. At first it is the work; WORKER_STEP: part of a step, or of something as
 * long; WORKER_NOTHING: what the next attempt does again in the same way. A request to stop is heard within a second
 * unless the work is at stake; that time is up, unless a step is: a budget that is shorter than one step would else
 * never see its end. */
enum worker_stake { WORKER_WORK, WORKER_STEP, WORKER_NOTHING };
void worker_at_stake(struct worker *w, enum worker_stake stake);
void worker_step(struct worker *w, int64_t step);    /* the step that signs of life name */
void worker_resumed(struct worker *w, int64_t step); /* of the checkpoint that it began with; 0 or none: fresh */
void worker_say(struct worker *w, int64_t total, const char *note); /* to the watcher; at most 10 per second are sent */

/* How the work itself ended. */
enum worker_end { WORKER_DONE, WORKER_STOPPED, WORKER_DIVERGED, WORKER_BLOCKED, WORKER_FAILED };
/* Writes the end (a stop is classified by what asked for it first), and frees w. `reason` as in attempt.reason, NULL
 * for done and stopped. Returns the process's exit code. */
int worker_finish(struct worker *w, enum worker_end end, const char *reason, int exit_code);

#endif
