/* bench_features.h - the speed of the scoring networks on this machine: Inception features in fp32 and bf16, LPIPS
 * forward and with gradient; beside the rate of a matrix product in the same run. Weights are random: speed does not
 * depend on them. */
#ifndef ABLATE_BENCH_FEATURES_H
#define ABLATE_BENCH_FEATURES_H

#include "model/base/err.h"

#include <jansson.h>

/* Append one object per configuration to `out` (an array); about `seconds` are spent on each. batch 0 = the default. */
struct bench_target;
/* From bytes to features, resizing included; reading pictures is bench_pictures.h. */
MUST_CHECK int bench_features(json_t *out, int batch, double seconds, const struct bench_target *target, struct err *e);
MUST_CHECK int bench_lpips(json_t *out, int batch, double seconds, struct err *e);

#endif
