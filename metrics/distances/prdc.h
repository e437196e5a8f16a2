/* prdc.h - precision, recall, density and coverage with strict comparisons (Naeem et al., "Reliable fidelity and
 * diversity metrics for generative models", ICML 2020; the definitions of clovaai's prdc and of dgm-eval).
 *
 * A vector's ball reaches to its k-th nearest other of its own set, and its border does NOT belong to it: a ball of
 * radius 0, of a vector with k copies, holds nothing, not even its own centre. precision_recall.h is the other variant,
 * with the border; on copies and quantised features the two differ much.
 *
 *   precision  share of generated vectors inside any real ball
 *   recall     share of real vectors inside any generated ball
 *   density    (1 / (k n)) sum over generated vectors of the number of real balls that hold them; it may exceed 1
 *   coverage   share of real vectors whose ball holds a generated vector, which is: whose nearest generated vector is
 *              nearer than their radius
 *
 * All comparisons are made in double with sums of squared differences wherever rounding could decide them, so a set
 * compared with itself has density 1 exactly unless distances are equal. Each pair's distance is computed once: half of
 * each set with itself, and the pairs of the two. */
#ifndef ABLATE_PRDC_H
#define ABLATE_PRDC_H

#include "model/base/err.h"

#include <stdint.h>

enum { PRDC_MAX_K = 63 }; /* of k; prdc's example and dgm-eval take 5 */

struct prdc {
	double precision, recall, density, coverage;
	/* 95 % half-widths by the jackknife over blocks of the generated vectors, the real balls kept; NAN below 2 *
	 * JACKKNIFE_BLOCKS of them. Recall has none: without a block every generated ball is another one. */
	double precision_half, density_half, coverage_half;
};

/* generated [n, d], real [m, d]; both more than k, which is 1 to PRDC_MAX_K. Work: (n^2 / 2 + m^2 / 2 + n m) d. */
MUST_CHECK int prdc(struct prdc *out, const float *generated, int64_t n, const float *real, int64_t m, int d, int k,
                    struct err *e);

#endif
