/* plan_needs.h - what an arm needs besides its data: weights of a learned metric or an extractor, files that its config
 * names, and what the grid's `needs` list. Looked for on this machine, never fetched. */
#ifndef ABLATE_PLAN_NEEDS_H
#define ABLATE_PLAN_NEEDS_H

#include "harness/plan/plan.h"

/* True if something is missing; then `reason` says what and how to get it. */
bool plan_arm_lacks(char *reason, size_t size, const struct plan *p, const struct plan_arm *arm);

#endif
