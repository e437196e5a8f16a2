/* slurm_site.h - what a site's Slurm is like, as `scontrol show config` tells it, and what follows for a task that has
 * to stop before it is done. */
#ifndef ABLATE_SLURM_SITE_H
#define ABLATE_SLURM_SITE_H

#include "harness/grid/grid_slurm.h"

#define EXIT_OF_A_STOPPED_TASK 75 /* EXIT_BUDGET: its checkpoint is written */

struct slurm_site {
	char cluster[64], version[32]; /* "" = not told */
	int max_array;                 /* an index of an array is below it: MaxArraySize; 1001 when it is not told */
	int max_tasks;                 /* tasks of one array: max_array_tasks of SchedulerParameters, else max_array */
	bool requeues_exit;            /* what exits 75 is requeued (RequeueExit) */
	bool holds_exit;               /* ... and held (RequeueExitHold) */
};

/* Of the text that `scontrol show config` prints; "" gives Slurm's defaults. */
void slurm_site_read(struct slurm_site *out, const char *config);
MUST_CHECK int slurm_site_ask(struct slurm_site *out, struct err *e);

/* How a stopped task goes on here, where [slurm] asks for `asked`. Never SLURM_REQUEUE_AUTO. */
enum slurm_requeue slurm_way(const struct slurm_site *s, int asked);
/* As [slurm] has it: "exit". */
const char *slurm_way_name(enum slurm_requeue way);
/* What becomes of such a task: "is requeued by Slurm, whose RequeueExit has 75". */
const char *slurm_way_text(enum slurm_requeue way);

#endif
