/* status_read.h - how the grids of a database stand: what `ablate status` says and `ablate watch` waits for.
 *
 * States come from evidence (store_liveness). Nothing is written, and no lock of the runner's is taken. */
#ifndef ABLATE_STATUS_READ_H
#define ABLATE_STATUS_READ_H

#include "harness/record/store.h"
#include "harness/text/json_keys.h"

#include <jansson.h>

struct status {
	json_t *grids;           /* [{grid, name, created, cells, states {STATE: n}, of_another_build}] */
	json_t *running;         /* [{attempt, cell, label, seed, step, steps, life, evidence, purpose}] */
	json_t *runner;          /* who holds the run lock; NULL = nobody */
	json_t *slurm, *command; /* what slurm_status and batch_status say; NULL until they are asked */
	int64_t alive;           /* of the running: those that are not known to be gone */
};

/* Reads all but the queues. only: a grid's name or the first digits of its hash; NULL = all. One that is not there
 * leaves grids empty. */
MUST_CHECK int status_read(struct status *out, const struct store *s, const char *only, struct err *e);
/* Asks the queues, which takes a second or more where there is a cluster. */
void status_ask_queues(struct status *st, const char *db);
/* Does anything run, or wait in a queue? */
bool status_is_busy(const struct status *st);
extern const struct json_key status_keys[]; /* of status_json */
/* {db, grids, running, runner, slurm, command}: what --json shows. New reference. */
json_t *status_json(const struct status *st, const char *db);
/* A line for each: who holds the run lock; the arrays of Slurm; the tasks of --engine command. Each appended with a
 * newline. */
void status_runner_line(struct str *out, const struct status *st);
void status_queue_lines(struct str *out, const struct status *st, const char *db);
void status_release(struct status *st);
void scoped_status(struct status *st); /* SCOPED(status) struct status st = { 0 }; */

#endif
