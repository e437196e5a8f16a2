/* steps_process.h - `ablate bench-steps` as a process of its own: how threads wait is settled when a program starts,
 * and several measurements are to run at once. */
#ifndef ABLATE_STEPS_PROCESS_H
#define ABLATE_STEPS_PROCESS_H

#include "harness/plan/scaling.h"
#include "model/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* How long a line may take beyond the time that is measured, in seconds. */
enum { STEPS_PATIENCE_S = 120 };

struct steps_ask {
	enum scaling_net net;
	int threads;
	double seconds;
	const char *spin; /* turns that threads wait for each other, whatever the user's; NULL: the user's, or bounded */
	int go;           /* it says "ready GFLOP" when warm, and begins at the end of this pipe; -1: it begins at once */
};

struct steps_process {
	pid_t pid; /* 0 = none */
	int out;   /* read end of its stdout; -1 = none */
};
#define STEPS_PROCESS_NONE ((struct steps_process){ .out = -1 })

/* Dies with this process. *p is untouched on failure. */
MUST_CHECK int steps_process_start(struct steps_process *p, const struct steps_ask *ask, struct err *e);
/* Its next line, without the newline; an error when it ends before, or nothing comes until `deadline` (monotonic_s). */
MUST_CHECK int steps_process_line(char line[64], const struct steps_process *p, double deadline, struct err *e);
/* Waits for its end, killed or by itself, and leaves none in *p. Did it end well? */
bool steps_process_end(struct steps_process *p, bool kill_it);

#endif
