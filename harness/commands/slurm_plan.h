/* slurm_plan.h - `ablate plan --engine slurm`: what would be submitted. */
#ifndef ABLATE_SLURM_PLAN_H
#define ABLATE_SLURM_PLAN_H

#include "harness/cli/cmd.h"
#include "harness/plan/plan.h"

extern const struct json_key slurm_plan_keys[]; /* of its JSON */
/* Prints the tasks of the plan's pending cells, what each asks for and takes, and the command lines of sbatch, as text
 * or with --json as JSON; submits nothing and writes nothing. Where Slurm cannot be asked, its defaults are told.
 * Returns the exit code. */
int slurm_plan_show(struct cli *c, const struct plan *p);

#endif
