/* runner_wait.h - a database that another program has locked: a person's open transaction, a backup. It is waited for,
 * however long that takes: workers write journals and need no database, so they go on, others are started, and what
 * ended meanwhile is kept here until its journal can be taken. Outside the loop over workers a statement waits until
 * the lock is gone, or a stop is asked for. */
#ifndef ABLATE_RUNNER_WAIT_H
#define ABLATE_RUNNER_WAIT_H

#include "harness/run/runner_slot.h"

#include <signal.h>

/* An attempt whose process has ended, and whose end is not in the database yet. */
struct ended {
	struct slot slot;
	struct child_end end;
};

struct lock_wait {
	const struct run_options *o;
	const sigset_t *mask; /* signals that are let through while it waits; NULL: as they are */
	bool polls;           /* within the loop: a statement gives up soon, and is tried again later */
	bool said, said_all_ended;
	double refused_s; /* monotonic: when it was locked last; 0: it is not */
	struct ended *ended;
	int n, cap;
};

/* From here to lock_wait_end all databases of the process are waited for by w. */
void lock_wait_begin(struct lock_wait *w, const struct run_options *o, const sigset_t *mask);
void lock_wait_end(struct lock_wait *w);
/* After a failure in the loop: true if it was only a lock, which is told once. */
bool lock_wait_refused(struct lock_wait *w, const struct store *s);
/* Is it time to ask the database (again)? */
bool lock_wait_over(const struct lock_wait *w);
/* The database has answered. */
void lock_wait_answered(struct lock_wait *w);
/* No worker runs, and n ended ones are not in the database: true to wait on, false when a stop is asked for. Tells
 * which. */
bool lock_wait_goes_on(struct lock_wait *w);
/* Moves the slot, whose process has ended, to the list, and leaves it free. */
void lock_wait_keep(struct lock_wait *w, struct slot *slot, const struct child_end *end);

#endif
