/* sample.h - images from a trained checkpoint by one-step or multistep consistency sampling.
 *
 * Sample i of (seed) is a function of (weights, seed, i) and not of the batch it is made in. */
#ifndef ABLATE_SAMPLE_H
#define ABLATE_SAMPLE_H

#include "model/base/err.h"
#include "model/config.h"

#include <stdint.h>

struct progress;

struct sampler;

/* Opens the weights that config->sample.weights names from checkpoint `path`. device as in struct train_options;
 * sampling computes in fp32 on every device. */
MUST_CHECK int sampler_open(struct sampler **out, const struct run_config *config, const char *path, const char *device, struct err *e);
void sampler_free(struct sampler *s);
/* dst (n, h, w, c) uint8: samples first .. first+n-1 of `seed`, with nfe = 1 or 2 network evaluations (more repeat
 * config->sample.sigma_mid). */
MUST_CHECK int sampler_run(struct sampler *s, uint8_t *dst, int64_t first, int64_t n, uint64_t seed, int nfe,
                           struct progress *progress, struct err *e);

#endif
