/* fls.h - the feature likelihood score (Jiralerspong et al. 2023, arXiv:2302.04440), as dgm-eval computes it (its
 * fls.py, and the draws of its __main__.py): are test pictures likely under Gaussians at the generated ones?
 *
 * Equal numbers, min(l / 2, n, m, 10000), are drawn of test, of generated, and of the two halves of training, "train"
 * and "baseline". All are standardised by the mean and the ddof-1 deviation of the four together. Gaussians at the
 * generated vectors (mog.h) are fitted to train: 100 steps of Adam, 0.5 and from the 51st on 0.05, log variances from
 * 0, within [-100, 20]; others at the baseline likewise. With NLL the mean negative log-likelihood without the term of
 * 2 pi,
 *
 *     fls     = 100 exp(-2 (NLL_test(generated) - NLL_test(baseline)) / d)
 *     overfit = 100 (share of generated Gaussians with log sum exp l_ij over train > the same over test) - 50
 *
 * fls: higher is better, 100 is as good as pictures of training. overfit: 0 without copying, 50 where every Gaussian
 * sits closer to training. Draws are those of numpy after numpy.random.seed(seed): test, generated, training. */
#ifndef ABLATE_FLS_H
#define ABLATE_FLS_H

#include "model/base/err.h"

#include <stdint.h>

enum { FLS_MOST = 10000 };

struct fls {
	double fls, overfit;
	/* 95 %, jackknife: a block of each of the four sets is left out at once, and the fitted variances are kept. So they
	 * hold the luck of all sets at this size, not that of the fit. NAN below 2 * JACKKNIFE_BLOCKS vectors. */
	double fls_half, overfit_half;
	double nll_generated, nll_baseline; /* of test */
	int64_t size;                       /* vectors of each of the four */
};

/* generated [m, d], test [n, d], train [l, d], finite; m and n at least 1, l at least 2. */
MUST_CHECK int fls_compute(struct fls *out, const float *generated, int64_t m, const float *test, int64_t n,
                           const float *train, int64_t l, int d, uint32_t seed, struct err *e);

#endif
