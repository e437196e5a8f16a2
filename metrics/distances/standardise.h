/* standardise.h - vectors as FLS and FLD take them: some rows of a set, each coordinate less its mean and divided by
 * its deviation (ddof 1), both of sets that the score names. */
#ifndef ABLATE_STANDARDISE_H
#define ABLATE_STANDARDISE_H

#include "model/base/err.h"

#include <stdint.h>

/* Rows, as doubles on the heap: [n, d]. */
struct rows {
	double *x;
	int64_t n;
};
void rows_release(struct rows *r);
void scoped_rows(struct rows *r);
/* Rows which[0..n) of x [any, d]; which may be NULL: the first n. */
void rows_take(struct rows *out, const float *x, const int64_t *which, int64_t n, int d);

/* mean [d] and deviation [d] of all rows of n_sets sets together. A coordinate that is the same in all of them, which
 * nothing can be divided by, is an error: "WHAT: feature 3 ...". Fewer than two rows are one, too. */
MUST_CHECK int standardise_fit(double *mean, double *deviation, const struct rows *sets, int n_sets, int d,
                               const char *what, struct err *e);
void standardise(struct rows *r, int d, const double *mean, const double *deviation);

#endif
