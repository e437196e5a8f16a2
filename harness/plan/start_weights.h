/* start_weights.h - do the weights that trainings start from, or distil, fit their networks? Asked before cells are
 * run, by names and shapes alone, so that a wrong file stops no cell after hours of others; not where results are only
 * shown, which are what they are whatever became of a file. */
#ifndef ABLATE_START_WEIGHTS_H
#define ABLATE_START_WEIGHTS_H

#include "harness/plan/plan.h"

/* net.init, and cd.teacher where it is used, of every arm that has pending cells. A file that is not there is none of
 * this check's (plan_needs.h). EXIT_USAGE at the row's place where one is of another network, or no weights at all. */
MUST_CHECK int start_weights_fit(const struct plan *p, struct err *e);

#endif
