/* kid.h - kernel inception distance: the squared maximum mean discrepancy with k(x, y) = (x.y / d + 1)^3
 * (Binkowski et al. 2018), in double.
 *
 * Two protocols. The full set: the unbiased estimate over all pairs, with a delete-block jackknife interval over the
 * blocks of both sets; this is what we recommend. The subsets: mean and population standard deviation over random
 * subsets of equal size, drawn by numpy's RandomState exactly as torch-fidelity draws them, to compare with published
 * numbers; its mean differs from the full set's by its own sampling noise. */
#ifndef ABLATE_KID_H
#define ABLATE_KID_H

#include "model/base/err.h"

#include <stdint.h>

struct kid_full {
	double unbiased; /* U-statistics of both sets, minus twice the mean over all cross pairs */
	double biased;   /* V-statistics: diagonals included everywhere */
	double ustat;    /* cross diagonal left out too; NAN when the sets differ in size */
	double half;     /* 95 % half-width of `unbiased`; NAN below 2 * JACKKNIFE_BLOCKS vectors */
};

/* x [n, d], y [m, d]; both at least 2. Memory: tiles of a fixed size. Work: (n + m)^2 d. */
MUST_CHECK int kid_full(struct kid_full *out, const float *x, int64_t n, const float *y, int64_t m, int d,
                        struct err *e);
/* The same of doubles. */
MUST_CHECK int kid_full_double(struct kid_full *out, const double *x, int64_t n, const double *y, int64_t m, int d,
                               struct err *e);

struct kid_subsets {
	double mean, std;
	int subsets, size;
};
/* size > n or m is an error that names the remedy. */
MUST_CHECK int kid_subsets(struct kid_subsets *out, const float *x, int64_t n, const float *y, int64_t m, int d,
                           int subsets, int size, uint32_t seed, struct err *e);

#endif
