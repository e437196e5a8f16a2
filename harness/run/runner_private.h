/* runner_private.h - what runner.c (when to start and stop what) and runner_attempt.c (one attempt) share. */
#ifndef ABLATE_RUNNER_PRIVATE_H
#define ABLATE_RUNNER_PRIVATE_H

#include "harness/run/engine_local.h"
#include "harness/record/host.h"
#include "harness/run/runner.h"
#include "harness/record/store.h"

enum slot_end { SLOT_NONE, SLOT_WALL, SLOT_GRID, SLOT_ABORT }; /* why we ended it ourselves */

/* One attempt under way. */
struct slot {
	struct child child;
	const struct run_cell *cell; /* NULL: free */
	int index;                   /* of the cell in the plan */
	char attempt[HOST_UUID];
	const char *purpose;
	char *dir, *journal;
	int64_t n;
	int device; /* of the run's devices */
	struct journal_scan scan;
	double started_s, asked_s; /* monotonic; asked_s: when it was asked to stop, 0 = it was not */
	bool told;                 /* that it was asked to stop */
	enum slot_end ended_by;
};

/* Is the cell finished: a done attempt, and every score of the plan? */
MUST_CHECK int cell_is_done(bool *out, struct store *s, const struct run_plan *plan, const struct run_cell *c,
                            struct err *e);
/* Cells whose data is not known yet have no identity to record. */
bool cell_has_identity(const struct run_cell *c);
/* Grid, arms, cells and rows of a plan, unless they are recorded. */
MUST_CHECK int record_plan(struct store *s, const struct run_plan *p, struct err *e);
/* What an attempt is started with. All texts are borrowed. */
struct slot_order {
	int index; /* of the cell in the plan */
	const char *purpose, *device;
	int threads;
};
/* Makes the attempt's folder with job.json, hands it the checkpoints of an earlier attempt, starts the worker. */
MUST_CHECK int slot_start(struct slot *slot, struct store *s, const struct run_plan *plan, const struct run_options *o,
                          const struct slot_order *order, struct err *e);
/* After the worker's end: its journal gets an end if it has none; *state and reason as they are recorded. */
MUST_CHECK int slot_finish(enum record_state *state, char reason[512], struct slot *slot, struct store *s,
                           const struct child_end *end, struct err *e);
/* An attempt that never ran: state "blocked". */
MUST_CHECK int record_blocked(struct store *s, const struct run_cell *c, struct err *e);

#endif
