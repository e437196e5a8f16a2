/* plan_needs.h - what an arm needs besides the program: its data, weights of a learned metric or an extractor, files
 * that its config names, and what the grid's `needs` list. Looked for on this machine, never fetched. */
#ifndef ABLATE_PLAN_NEEDS_H
#define ABLATE_PLAN_NEEDS_H

#include "harness/plan/plan.h"
#include "model/data/shapes.h"

/* True if something else than its data is missing; then `reason` says what and how to get it, the first of it. */
bool plan_arm_lacks(char *reason, size_t size, const struct plan *p, const struct plan_arm *arm);
/* Everything that cells which are not finished wait for, each once, into p->missing. */
void plan_find_missing(struct plan *p);
/* The commands that bring a data set, of which one is enough: how many; heap texts. */
int needs_data_commands(char *out[2], const struct data_shape *s);

#endif
