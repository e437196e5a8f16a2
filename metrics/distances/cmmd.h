/* cmmd.h - CMMD's distance: 1000 times the squared maximum mean discrepancy with the Gaussian kernel
 *
 *     k(a, b) = exp(-|a - b|^2 / (2 * 10^2))
 *
 * of Jayasumana et al., "Rethinking FID: towards a better evaluation metric for image generation" (CVPR 2024), as
 * google-research's cmmd/distance.py has it: biased, so the diagonals stay in and the means divide by n^2, m^2
 * and n m; no root. It is meant for CLIP embeddings of length 1, and changes nothing about the vectors it is given:
 * of such vectors every kernel value lies in [0.98, 1], of which the float32 of the source keeps about four digits
 * of the result. Here all is in double, 1 - k is summed instead of k, and a set has distance 0 to itself. */
#ifndef ABLATE_CMMD_H
#define ABLATE_CMMD_H

#include "model/base/err.h"

#include <stdint.h>

#define CMMD_SIGMA 10.0
#define CMMD_SCALE 1000.0

struct cmmd {
	double value;
	double half; /* 95 %, jackknife over the blocks of both sets; NAN below 2 * JACKKNIFE_BLOCKS vectors on a side */
};

/* x [n, d], y [m, d], at least one of each; n and m may differ. Work: (n^2 / 2 + m^2 / 2 + n m) d. */
MUST_CHECK int cmmd(struct cmmd *out, const float *x, int64_t n, const float *y, int64_t m, int d, struct err *e);

#endif
