/* runner_slot.h - one attempt that the runner has under way: its process, its journal, why it was ended. */
#ifndef ABLATE_RUNNER_SLOT_H
#define ABLATE_RUNNER_SLOT_H

#include "harness/record/host.h"
#include "harness/record/store.h"
#include "harness/run/engine_local.h"
#include "harness/run/runner.h"

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
	int device;                     /* of the run's devices */
	int threads, ranks, microbatch; /* what it runs with, as in struct job */
	const char *device_name;
	struct journal_scan scan;
	double started_s, asked_s; /* monotonic; asked_s: when it was asked to stop, 0 = it was not */
	bool told;                 /* that it was asked to stop */
	bool trains;               /* else it began at the end of its training */
	enum slot_end ended_by;
};

#endif
