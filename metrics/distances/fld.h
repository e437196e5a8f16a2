/* fld.h - the feature likelihood divergence (Jiralerspong et al. 2023, arXiv:2302.04440), as marcojira/fld computes it
 * from its commit ffbbf20 on (which stops early); not the same as FLS.
 *
 * Vectors are standardised by test's mean and ddof-1 deviation. Gaussians at the generated ones (10,000 drawn of more;
 * mog.h) are fitted to all of training: Adam at 0.5, batches of 10,000, at most 50 rounds, log variances from log((the
 * smallest squared distance to training + 1e-3) / d), within [-40, 40]; beside them, while fitting only, a Gaussian of
 * weight 1 at training's mean. The fit stops when the loss of a round, from the 7th on, differs from each of the four
 * before by less than 5e-4. With nll the mean negative log-likelihood per dimension,
 *
 *     fld = 100 (nll_test - nll_baseline),     gap = 100 (nll_train - nll_test).
 *
 * The baseline's Gaussians sit at min(m, l / 2) vectors of a shuffled training set, m the Gaussians above, and are
 * fitted to the rest of it. fld: lower is better, 0 is as good as pictures of training; gap: about 0, negative where
 * training pictures are likelier than test pictures: copying. Draws are those that numpy makes after
 * numpy.random.seed(seed), in the peer's order. The term of 2 pi is in every nll alike and left out.
 *
 * The peer works in float32. Where generated vectors are exact copies its distances by matrix product are small
 * numbers instead of 0, and its gap is far off; elsewhere the two agree to about 5e-5. Memory: a float per pair of
 * training and Gaussian: 2 GB for 50,000 and 10,000. */
#ifndef ABLATE_FLD_H
#define ABLATE_FLD_H

#include "model/base/err.h"

#include <stdint.h>

enum { FLD_GAUSSIANS = 10000, FLD_TRAIN_MOST = 100000 };

struct fld {
	double fld, gap;
	/* 95 %, jackknife: a block of generated, test, training and of the baseline's vectors is left out at once; fitted
	 * variances and the standardisation are kept. NAN below 2 * JACKKNIFE_BLOCKS of any. */
	double fld_half, gap_half;
	double nll_test, nll_train, nll_baseline; /* per dimension, without the term of 2 pi */
	int rounds, baseline_rounds;              /* of the fits */
	int64_t gaussians, baseline_gaussians;
};

/* generated [m, d], test [n, d], train [l, d], finite; m and n at least 1, l at least 2. More than FLD_TRAIN_MOST
 * training vectors are an error. */
MUST_CHECK int fld_compute(struct fld *out, const float *generated, int64_t m, const float *test, int64_t n,
                           const float *train, int64_t l, int d, uint32_t seed, struct err *e);

#endif
