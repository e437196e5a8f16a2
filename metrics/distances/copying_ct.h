/* copying_ct.h - C_T, the test of data copying (Meehan, Chaudhuri and Dasgupta 2020, arXiv:2004.05675), in the setting
 * of dgm-eval: are generated vectors closer to training than held-out test vectors are?
 *
 * Vectors of more than 64 dimensions are projected on the first 64 principal components of training (centred, not
 * whitened). Training is cut into 3 cells by k-means, the best of 10 starts. In a cell with n test vectors and m
 * generated, L is the distance to the nearest training vector of the same cell, U the number of pairs with
 * L(generated) > L(test) plus half the ties, and
 *
 *     Z = (U - (n m / 2 - 1 / 2)) / sqrt(n m (n + m + 1) / 12).
 *
 * C_T is the mean of Z over the cells with more than 20 generated vectors, weighted by their shares of test. Without
 * copying it is about standard normal in each cell; below 0: generated vectors are closer than test (copying), above:
 * further. Peers draw the starts of k-means at random; here they are a function of the seed. The principal components
 * are exact, where scikit-learn approximates them for large sets. */
#ifndef ABLATE_COPYING_CT_H
#define ABLATE_COPYING_CT_H

#include "model/base/err.h"

#include <stdint.h>

enum { CT_CELLS = 3, CT_DIMENSIONS = 64, CT_TRIES = 10, CT_FEW = 20 };

struct copying_ct {
	double value;
	/* Of its 95 % interval at these n and m: jackknife, a block of test and one of the generated vectors left out at
	 * once; training, and with it projection and cells, is held. NAN below 2 * JACKKNIFE_BLOCKS of either, or where a
	 * block holds all test vectors of a cell. */
	double half;
	struct {
		double z; /* NAN where nothing was generated */
		int64_t train, test, generated;
	} cell[CT_CELLS];
	int cells; /* with more than CT_FEW generated */
};

/* generated [m, d], test [n, d], train [l, d], finite. Errors: too few training vectors for the projection, fewer than
 * 3 different ones, a cell without test vectors, no cell with more than 20 generated ones. */
MUST_CHECK int copying_ct(struct copying_ct *out, const float *generated, int64_t m, const float *test, int64_t n,
                          const float *train, int64_t l, int d, uint64_t seed, struct err *e);

#endif
