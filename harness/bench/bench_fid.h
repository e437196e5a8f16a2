/* bench_fid.h - the time of FID between two statistics of 2048 dimensions: `ablate bench fid`. */
#ifndef ABLATE_BENCH_FID_H
#define ABLATE_BENCH_FID_H

#include "model/base/err.h"

#include <jansson.h>

/* Appends to `out` (an array) one object at full rank and one for 300 images: seconds from (mu, sigma) pairs to the
 * number, the best of three, and seconds of the real Schur form of sigma1 sigma2, which scipy's sqrtm (pytorch-fid)
 * begins with: their ratio is our minimum speed-up. About half a minute. */
MUST_CHECK int bench_fid(json_t *out, struct err *e);

#endif
