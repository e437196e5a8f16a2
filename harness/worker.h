/* worker.h - the inside of a worker process: one attempt at one cell. What to do stands in DIR/job.json; what happens
 * goes to DIR/journal.jsonl; a progress line per moment goes to a pipe, for whoever watches (never waited for).
 *
 * A thread writes the signs of life, so a long step is no death, and is the only one that hears signals. Asked to stop (SIGTERM,
 * SIGINT, SIGHUP, a file DIR/cancel, or the wall budget), the work ends at its next step with a checkpoint. */
#ifndef ABLATE_WORKER_H
#define ABLATE_WORKER_H

#include "journal.h"
#include "provenance.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* DIR/job.json. Texts live as long as `json`; NULL where absent. */
struct worker_job {
	json_t *json;
	const char *attempt, *cell, *arm, *config, *dataset, *purpose, *label, *resumed_from, *device;
	int64_t seed, numerics, n;
	int threads, ranks;  /* OpenMP threads of each of the processes that train it together */
	double wall_s;       /* 0 = no limit */
	json_t *scores;      /* what to measure: array, as the plan has it; may be NULL */
};
MUST_CHECK int worker_job_read(struct worker_job *out, const char *dir, struct err *e);
void worker_job_release(struct worker_job *job);

struct worker;

/* Reads the job, makes the journal, installs the signal handlers, starts the signs of life. pipe_fd < 0: nobody watches. */
MUST_CHECK int worker_open(struct worker **out, const char *dir, int pipe_fd, struct err *e);
const struct worker_job *worker_job(const struct worker *w);
struct journal *worker_journal(struct worker *w);
const char *worker_dir(const struct worker *w);

bool worker_should_stop(struct worker *w);                     /* cheap: asked after every step */
void worker_step(struct worker *w, int64_t step);              /* the step that signs of life name */
void worker_say(struct worker *w, int64_t total, const char *note); /* to the watcher; at most 10 a second get through */

/* How the work itself ended. */
enum worker_end { WORKER_DONE, WORKER_STOPPED, WORKER_DIVERGED, WORKER_BLOCKED, WORKER_FAILED };
/* Writes the end (a stop is told apart by what asked for it), and frees w. `reason` as in attempt.reason, NULL for done
 * and stopped. resumed_step: step of the checkpoint it began with, 0 = fresh. Returns the process's exit code. */
int worker_finish(struct worker *w, enum worker_end end, const char *reason, int exit_code, int64_t resumed_step);

#endif
