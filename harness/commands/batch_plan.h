/* batch_plan.h - `ablate plan --engine command`: what would be submitted. */
#ifndef ABLATE_BATCH_PLAN_H
#define ABLATE_BATCH_PLAN_H

#include "harness/cli/cmd.h"
#include "harness/plan/plan.h"

extern const struct json_key batch_plan_keys[]; /* of its JSON */
/* Prints the tasks of the plan's pending cells, what each asks for and takes, and the object that submit would be
 * given, as text or with --json as JSON; calls no command and writes nothing. Returns the exit code. */
int batch_plan_show(struct cli *c, const struct plan *p);

#endif
