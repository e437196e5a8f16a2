/* mind.h - MIND (arXiv 2605.06797), a sliced Wasserstein distance of features:
 *
 *     3 d mean over directions u of mean over i of (sort(X u)_i - sort(Y u)_i)^2
 *
 * u of length 1, uniform on the sphere; squared, no root. Y = X + t has 3 |t|^2 in expectation. The value depends on
 * the directions: one direction's spread is of the size of the value, so the seed and their number are part of its
 * protocol, and its standard error over the directions is given beside it. The directions are this program's own
 * (normals of Philox, by their length); torch-fidelity's metric_mind.py has the same definition and other draws. */
#ifndef ABLATE_MIND_H
#define ABLATE_MIND_H

#include "model/base/err.h"

#include <stdint.h>

struct mind {
	double value;
	double error; /* standard error of the mean over the directions: nothing about the sampling of the sets */
	double
		half; /* 95 %: jackknife over blocks of both sets, and 1.96 of these errors, as squares. Of MIND at this n, not
	               * of its limit; NAN below 2 * JACKKNIFE_BLOCKS vectors */
	int64_t used; /* vectors of each set: min(n, m) */
};

/* x [n, d], y [m, d], at least one of each. Of the larger set min(n, m) vectors are drawn without replacement, by the
 * seed. directions >= 2; torch-fidelity takes 1000. The same bits for any number of threads. Memory: some 128 doubles a
 * vector. Work: (n + m) directions (d + log n + JACKKNIFE_BLOCKS). */
MUST_CHECK int mind(struct mind *out, const float *x, int64_t n, const float *y, int64_t m, int d, int directions,
                    uint64_t seed, struct err *e);

#endif
