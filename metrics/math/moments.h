/* moments.h - mean and covariance of a stream of feature vectors, in double, in bounded memory.
 *
 *     moments_init(&m, 2048); moments_add(&m, features, n); ...  moments_merge(&m, &other); ... moments_release(&m);
 *
 * Up to max(d, 256) vectors are kept as they are: with n <= d they are the exact factor of the covariance, of rank
 * n - 1, which no d x d route resolves. Beyond that, blocks are centred on their own mean and merged by the formula of
 * Chan, Golub and LeVeque (1979), so nothing is ever a difference of large numbers. The result does not depend on
 * the order of vectors, on how they are split into calls, or on how partial moments are merged, to 1e-12 of the largest
 * variance (tests/metrics/math/test_moments.c). */
#ifndef ABLATE_MOMENTS_H
#define ABLATE_MOMENTS_H

#include "model/base/err.h"

#include <stdint.h>

struct moments {
	int d;
	int64_t n;    /* vectors seen, folded or not */
	double *rows; /* [n_rows, d]: seen but not folded yet */
	int n_rows, cap;
	int64_t n_folded;
	double *mean; /* [d], of the folded vectors */
	double
		*scatter; /* [d, d], upper triangle: sum of (x - mean)(x - mean)^T of the folded; NULL until the first fold */
};

void moments_init(struct moments *m, int d);
void moments_release(struct moments *m); /* accepts a zeroed struct */
void scoped_moments(struct moments *m);
void moments_add(struct moments *m, const float *x, int64_t n); /* x[n, d] */
void moments_add_double(struct moments *m, const double *x, int64_t n);
/* Initialises m with n_folded vectors of that mean and scatter (heap, upper triangle; m owns both from here on), or
 * with none where they are NULL. */
void moments_init_folded(struct moments *m, int d, int64_t n_folded, double *mean, double *scatter);
/* m becomes the moments of both; from is left as it was, but may get folded. Same d, or BUG(). */
void moments_merge(struct moments *m, struct moments *from);
/* out = all without part (part must be a subset of all). Both are folded. out is initialised by the call. */
void moments_without(struct moments *out, struct moments *all, struct moments *part);

void moments_mean(double *mu, const struct moments *m); /* [d]; n >= 1 */
void moments_sigma(double *sigma, struct moments *m);   /* [d, d], ddof 1; n >= 2 */
/* F [n, d] of centred vectors / sqrt(n - 1), sigma = F^T F: heap, only while nothing is folded; else NULL. */
double *moments_factor(const struct moments *m);

#endif
