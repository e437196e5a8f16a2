/* fid.h - Frechet inception distance between two normal distributions (Heusel et al. 2017, eq. 6):
 *
 *     FID = |mu1 - mu2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)
 *
 * The last trace is the nuclear norm of F1 F2^T with S = F^T F (linalg.h): exact to about 1e-12 at any rank. No epsilon
 * is ever added; what a factorisation leaves over is reported. scipy's sqrtm, which pytorch-fid uses, is off by about
 * 1e-4 where n < d, so equality with it can only be expected at full rank. */
#ifndef ABLATE_FID_H
#define ABLATE_FID_H

#include "metrics/math/linalg.h"
#include "metrics/math/moments.h"

/* One side: mean and a factor of the covariance. */
struct fid_side {
	int d, rank;
	int64_t n;      /* vectors behind it; 0 = unknown (statistics made elsewhere) */
	double *mu;     /* [d] */
	double *factor; /* [rank, d] */
	double trace;   /* of the covariance */
	struct backend *
		/* of a reference: where distances from it have their singular values computed (linalg.h); NULL = on the host */
		device;
	double left; /* trace that the factor leaves out: rounding, or sigma is not a covariance; of a rounded sigma the sum
	              * of the eigenvalues' magnitudes */
};

struct fid_result {
	double fid, mean_term, trace1, trace2, trace_sqrt, clipped;
	struct singular_by by; /* trace_sqrt */
};

void fid_side_release(struct fid_side *s);
void scoped_fid_side(struct fid_side *s);
/* Fewer than 2 vectors, or a value that is not finite, is an error that begins with `name`. The moments may get
 * folded. */
MUST_CHECK int fid_side_of_moments(struct fid_side *out, struct moments *m, const char *name, struct err *e);
/* From mu [d] and sigma [d, d] (row-major) of a file: not finite, not symmetric or not positive semi-definite beyond
 * 1e-6 of its largest variance is an error. n may be 0. */
MUST_CHECK int fid_side_of_sigma(struct fid_side *out, const double *mu, const double *sigma, int d, int64_t n,
                                 const char *name, struct err *e);
/* The same of a sigma whose elements were rounded to `unit` of themselves (2^-24: float32, 2^-11: float16). Rounding
 * once moves an eigenvalue by at most b = unit * |sigma| (Frobenius; Weyl's inequality), sums of d terms in that format
 * by at most some d * unit * the largest. So where the rank is not full, eigenvalues within b of 0, or no larger than
 * the most negative one, are taken for 0 and counted in `left`; one below -d * unit * the largest is an error. */
MUST_CHECK int fid_side_of_rounded(struct fid_side *out, const double *mu, const double *sigma, int d, int64_t n,
                                   double unit, const char *name, struct err *e);
/* Different d is an error with code EXIT_RECORD. Tiny negative results (rounding) are given as they are. */
MUST_CHECK int fid_compute(struct fid_result *out, const struct fid_side *a, const struct fid_side *b, struct err *e);

/* The half-width of the 95 % interval of the FID of x [n, d] against b held fixed, as the FID of n such vectors comes
 * out on average: its bias over the limit of many is not part of it. A delete-block jackknife over `blocks` that are
 * dealt (jackknife.h; the percentile bootstrap is biased here and covers almost nothing). NAN when n < 2 * blocks. */
MUST_CHECK int fid_interval(double *half, const float *x, int64_t n, const struct fid_side *b, int blocks,
                            struct err *e);
/* FID extrapolated to infinitely many vectors (Chong and Forsyth 2020): the straight line of FID over 1/N, and its
 * value at 1/N = 0. The point at N = n / k is the mean over k disjoint random parts, k = 1 to max_parts (at most
 * FID_PARTS_MAX), so every point uses all of x (single random subsets, as published, make the line noisier). b is
 * fixed.
 *
 * half, unless NULL: the half-width of a 95 % interval of the limit, NAN when n < 2 * JACKKNIFE_BLOCKS. The luck of x
 * moves all points together, as it moves the FID of x (fid_interval); how far the points scatter about their line
 * adds to that as the standard error of its value at 0. The two are added as squares. (metrics/README.md has its
 * coverage.) */
enum { FID_PARTS_MAX = 16 };
MUST_CHECK int fid_infinity(double *out, double *half, const float *x, int64_t n, const struct fid_side *b,
                            int max_parts, uint64_t seed, struct err *e);

#endif
