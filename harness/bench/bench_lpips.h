/* bench_lpips.h - the speed of LPIPS' networks at 64 x 64, forward and with gradient, beside the rate of a matrix
 * product in the same run. Weights are random. */
#ifndef ABLATE_BENCH_LPIPS_H
#define ABLATE_BENCH_LPIPS_H

#include "model/base/err.h"

#include <jansson.h>

/* Appends one object per configuration to `out` (an array); about `seconds` are spent on each. batch 0 = default. */
MUST_CHECK int bench_lpips(json_t *out, int batch, double seconds, struct err *e);

#endif
