/* run_plan.h - a plan in the form that the runner takes. */
#ifndef ABLATE_RUN_PLAN_H
#define ABLATE_RUN_PLAN_H

#include "harness/record/db.h"
#include "harness/plan/plan.h"
#include "harness/run/runner.h"

/* Owns what run points into, but for the texts of the plan or database it was made from. */
struct run_set {
	struct run_plan run;
	struct run_cell *cells;
	struct run_row *rows;
	struct wanted_score *scores;
	char *made_of;
	struct job earlier; /* of the attempt that is repeated */
	struct arena arena;
};

/* All cells of a plan, which must outlive it. */
void run_set_of_plan(struct run_set *out, const struct plan *p);
/* One cell as the database and the job of its attempt describe it, to be repeated; without its job, with what its
 * recorded scores tell (asked.h). */
MUST_CHECK int run_set_of_attempt(struct run_set *out, struct db *db, const char *runs, const char *cell,
                                  const char *attempt, struct err *e);
void run_set_release(struct run_set *s);

#endif
