/* bench_scaling.h - how training scales with cells at once and threads of each on this machine: what `ablate run`
 * chooses --jobs and --threads by, and `ablate bench scaling` shows. */
#ifndef ABLATE_BENCH_SCALING_H
#define ABLATE_BENCH_SCALING_H

#include "harness/plan/scaling.h"

#include <jansson.h>

#define BENCH_SCALING_SECONDS 4 /* that the steps of a whole measurement take where nothing else is asked for */

/* Measures all combinations of the processors that may be used, each in processes of its own that begin together: in
 * turn, in a few rounds, of which the best counts, as other work can only slow one down. seconds: for each combination
 * and network; 0 = BENCH_SCALING_SECONDS for all of them, plus the time in which processes start. */
MUST_CHECK int bench_scaling_measure(struct scaling *out, double seconds, struct err *e);
/* One object for each network and combination, appended to `out` (an array): of_one_job is to the rate of one cell with
 * all processors, and `each` to that of one cell that has as many threads and the machine to itself. The measurement is
 * remembered, unless ABLATE_SCALING=none. */
MUST_CHECK int bench_scaling(json_t *out, double seconds, struct err *e);

#endif
