/* shard_results.h - what tasks on other machines have produced: taken in, what is missing, and the end of the command
 * that says so. */
#ifndef ABLATE_SHARD_RESULTS_H
#define ABLATE_SHARD_RESULTS_H

#include "harness/cli/cmd.h"
#include "harness/plan/plan.h"
#include "harness/run/run_plan.h"
#include "harness/slurm/engine_slurm.h"
#include "harness/text/json_keys.h"

/* Takes the shards in (slurm_collect), with a warning for what was left out. */
MUST_CHECK int shards_collect(struct cli *c, struct slurm_collected *out, struct err *e);
/* Cells without a done attempt with all their scores, heap and ascending; blocked ones are counted separately. */
MUST_CHECK int shards_missing(struct cli *c, const struct run_plan *run, int **index, int *n, int *blocked,
                              struct err *e);
/* Takes those that diverged from a list of missing cells: they would do so again. */
MUST_CHECK int shards_drop_diverged(struct cli *c, const struct run_plan *run, int *index, int *n, struct err *e);
/* A task is a training: the first cell of the plan that has it names it, whichever of its cells are missing. index:
 * ascending, before and after. Their number. */
int shards_trainings(const struct plan *p, int *index, int n);
extern const struct json_key shards_report_keys[]; /* what shards_report prints with --json */
/* The state after the tasks: names what is missing, and what is known of it. Returns the exit code. */
int shards_report(struct cli *c, const struct run_plan *run, const struct slurm_collected *got, struct err *e);

#endif
