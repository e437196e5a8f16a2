/* plan_doubts.h - settings that are allowed and rarely meant: what they come to is said before a run, not found in its
 * scores. */
#ifndef ABLATE_PLAN_DOUBTS_H
#define ABLATE_PLAN_DOUBTS_H

#include "harness/plan/plan.h"

/* Appends a line for each such setting: the key and value, its consequence, and the rows that have it ("optim.lr = 0:
 * training changes nothing (base)"); nothing for a plan without any. */
void plan_doubts(struct str *out, const struct plan *p);

#endif
