/* plan_totals.h - a plan counted: what its JSON and its text say of the whole. */
#ifndef ABLATE_PLAN_TOTALS_H
#define ABLATE_PLAN_TOTALS_H

#include "harness/plan/plan.h"

struct plan_totals {
	int state[3], shared, of_another_build;
	int guessed; /* trainings with an estimate from finished cells */
	struct plan_stages stages;
	double seconds; /* by those; 0 = unknown */
};
struct plan_totals plan_totals(const struct plan *p);

/* Does it take more than there is? */
bool plan_lacks_memory(const struct plan_memory *m);

#endif
