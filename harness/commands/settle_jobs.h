/* settle_jobs.h - cells at once and their threads for a command that runs a plan, or shows what would run. */
#ifndef ABLATE_SETTLE_JOBS_H
#define ABLATE_SETTLE_JOBS_H

#include "harness/cli/cmd.h"
#include "harness/plan/plan.h"
#include "harness/run/engine_device.h"

/* Into p->jobs, after place_plan; each of several jobs then has its share of the memory. On another device than the CPU
 * it stays unknown: a cell for each device. threads: of threads_of(c, 0). A measurement that is not remembered yet is
 * made (some seconds, which is said) if may_measure and the choice needs one; one that fails is a warning, and one cell
 * runs at once. */
void settle_jobs(struct plan *p, const struct cli *c, const struct engine_devices *devices, int threads,
                 bool may_measure);

#endif
