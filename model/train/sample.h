/* sample.h - images from a trained checkpoint by one-step or multistep consistency sampling.
 *
 * Sample i of (seed) is a function of (weights, seed, i) and not of the batch it is computed in. */
#ifndef ABLATE_SAMPLE_H
#define ABLATE_SAMPLE_H

#include "model/base/err.h"
#include "model/config/config.h"

#include <stdint.h>

struct progress;

struct sampler;

/* Opens the weights that config->sample.weights names from checkpoint `path`: of its averages the one of
 * config->ema.decay (EXIT_RECORD where it has none such). device as in struct train_options;
 * sampling computes in fp32 on every device. */
MUST_CHECK int sampler_open(struct sampler **out, const struct run_config *config, const char *path, const char *device,
                            struct err *e);
void sampler_free(struct sampler *s);
/* dst (n, h, w, c) uint8: samples first .. first+n-1 of `seed`, with nfe network evaluations: first one for each of
 * config->multistep.segments, all others return to config->sample.sigma_mid; of method.kind = "meanflow" all are equal
 * steps of its time. EXIT_USAGE where segments_allow (model/consistency/segments.h) or truncated_allow (truncated.h)
 * says no. */
MUST_CHECK int sampler_run(struct sampler *s, uint8_t *dst, int64_t first, int64_t n, uint64_t seed, int nfe,
                           struct progress *progress, struct err *e);

/* From now on, a noise level of the second step other than the config's. */
void sampler_set_sigma_mid(struct sampler *s, double sigma);

/* For uses of the parts (model/consistency/edit.h). D(x, sigma) of n pictures in [-1, 1], clipped as the config says; a
 * conditional model gets the labels that sampler_run draws for the pictures of these numbers. dst may be x. */
MUST_CHECK int sampler_denoise(struct sampler *s, float *dst, const float *x, const int64_t *numbers, int64_t n,
                               double sigma, uint64_t seed, struct err *e);
/* The class that picture i of a conditional model is drawn with; -1 where the model has no classes. */
int64_t sampler_label(const struct sampler *s, uint64_t seed, int64_t i);
/* The standard normal numbers (h, w, c) that sampler_run uses for picture i: round 0 the latent, then one per further
 * step. */
void sampler_latent(float *dst, const struct sampler *s, uint64_t seed, int round, int64_t i);
uint8_t sampler_pixel(const struct sampler *s, double x); /* as the config quantises */

#endif
