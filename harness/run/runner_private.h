/* runner_private.h - what runner.c (when to start and stop what) and runner_attempt.c (one attempt) share. */
#ifndef ABLATE_RUNNER_PRIVATE_H
#define ABLATE_RUNNER_PRIVATE_H

#include "harness/run/earlier.h"
#include "harness/run/runner.h"
#include "harness/run/runner_signals.h"
#include "harness/run/runner_wait.h"

/* One run of a plan. */
struct run {
	struct store store;
	const struct run_plan *plan;
	const struct run_options *o;
	struct run_result *out;
	struct slot *slots;
	struct child **children;
	int n_slots, threads;
	struct engine_devices devices;
	int *todo, n_todo, next; /* cells to start, in order; a retry goes to the end */
	int *tries;              /* per cell */
	bool *stale;             /* per cell: made by another build, and to be made again */
	struct builds *builds;
	int64_t steps_total, steps_done;
	double started_s, touched_s;
	char since[HOST_TIME]; /* when the run began */
	bool no_more;          /* start no further cell */
	bool asked, aborted;   /* what signals asked for and is being acted on */
	char *cancel_path;
	char **heard; /* notes of workers that were already shown */
	int n_heard, cap_heard;
	struct run_signals signals;
	struct lock_wait wait;
};

/* "stopping: ..." and its like, one line: amiss, for what is shown with -q, too. */
void run_tell(const struct run *r, bool amiss, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define run_say(r, ...)   run_tell(r, false, __VA_ARGS__)
#define run_amiss(r, ...) run_tell(r, true, __VA_ARGS__)

/* --- runner_stop.c: what a signal, a budget or a failure ends --- */

#define TICK_S       0.2 /* between two looks at all that runs */
#define RUN_STOPPING "stopping: workers finish their step and write their checkpoints; a second Ctrl-C aborts"

/* Tells the worker that it was asked to, once it can hear it. */
void slot_pass_on(struct slot *slot);
void slot_ask_to_stop(struct slot *slot, enum slot_end why);
void run_heed_signals(struct run *r);
void run_heed_budgets(struct run *r);
/* The records cannot be written: what runs is asked to stop, so that nothing is computed in vain; the journals keep its
 * results. */
void run_stop_without_records(struct run *r);

/* --- runner_attempt.c, runner_plan.c --- */

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
	const char *device;
	int threads;
	const struct earlier *earlier; /* what it begins with; NULL: nothing */
	struct builds *builds; /* --rebuild: nothing is taken from another build than this program's; NULL: from any */
	bool stale;            /* replaces what another build made: a generation of its own */
	const struct repetition *again; /* NULL: an attempt for its cell */
};
/* Makes the attempt's folder with job.json, hands it the checkpoints of an earlier attempt, starts the worker. */
MUST_CHECK int slot_start(struct slot *slot, struct store *s, const struct run_plan *plan, const struct run_options *o,
                          const struct slot_order *order, struct err *e);
/* --- cells that share a training (runner_training.c) --- */

/* Brings the first of these cells whose training is not under way to the front; false: all of them wait for
 * the checkpoint at the end of one. */
bool training_turn(int *todo, int n, const struct run *r);
/* How many of these cells have the training of c. */
int training_waits(const int *todo, int n, const struct run_plan *plan, const struct run_cell *c);
/* Why its training need not be tried: it diverged for another cell, not before `since`; "" where it did not. */
MUST_CHECK int training_diverged(char reason[512], struct store *s, const struct run_cell *c, const char *since,
                                 struct err *e);
/* ", with the training of LABEL seed N (CELL)"; "" where it is its own. Heap. */
char *training_text(const struct slot *slot, const struct earlier *from);

/* After the worker's end: its journal gets an end if it has none; *state and reason as they are recorded. */
MUST_CHECK int slot_finish(enum record_state *state, char reason[512], struct slot *slot, struct store *s,
                           const struct child_end *end, struct err *e);
/* An attempt that never ran: state "blocked". Nothing where it stands there already. */
MUST_CHECK int record_blocked(struct store *s, const struct run_cell *c, struct err *e);
/* The same in another state. */
MUST_CHECK int record_unrun(struct store *s, const struct run_cell *c, enum record_state state, const char *reason,
                            struct err *e);
/* Signs an attempt that ended, where the user has a key. A signature that cannot be recorded is no reason to stop:
 * `ablate attest` can make it later. */
void run_sign(struct run *r, const char *attempt);

#endif
