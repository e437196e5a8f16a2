/* sample.c - see sample.h. One step: D(sigma_max z, sigma_max). More: noise the answer to sigma_mid and ask again
 * (Song et al. 2023, Algorithm 1; the noise added is sqrt(sigma^2 - sigma_min^2), karras_diffusion.py:657-681). */
#include "model/sample.h"

#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"
#include "model/ckpt.h"
#include "model/consistency/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 50 };

struct sampler {
	struct run_config c;
	struct net_spec net;
	struct params *params;
	float *weights;
	struct graph *g;
	struct denoiser d;
};

void sampler_free(struct sampler *s)
{
	if (!s)
		return;
	graph_free(s->g);
	params_free(s->params);
	free(s->weights);
	free(s);
}

int sampler_open(struct sampler **out, const struct run_config *config, const char *path, const char *device, struct err *e)
{
	static const enum ckpt_part parts[] = { [SAMPLE_EMA] = CKPT_EMA, [SAMPLE_STUDENT] = CKPT_STUDENT, [SAMPLE_TEACHER] = CKPT_TEACHER };
	if (device && strcmp(device, "cpu") != 0 && strcmp(device, "auto") != 0)
		return err_set(e, "device '%s': this build samples on the cpu only", device);
	struct sampler *s = xcalloc(1, sizeof *s);
	s->c = *config;
	s->net = net_spec_of(config);
	s->params = net_params(&s->net);
	s->weights = xaligned(params_floats(s->params) * sizeof(float));
	if (ckpt_load_part(s->weights, s->params, parts[config->sample.weights], path, e)) {
		sampler_free(s);
		return -1;
	}
	s->g = graph_new();
	s->d = denoiser_build(s->g, config, &s->net, s->params, STORE_STUDENT, BATCH);
	graph_plan(s->g);
	graph_bind(s->g, STORE_STUDENT, s->weights);
	*out = s;
	return 0;
}

/* Values of sample i in round r of the latent stream. */
static void latent(float *dst, const struct sampler *s, uint64_t seed, int round, int64_t i)
{
	size_t per = tensor_count(s->d.x) / BATCH;
	rng_normal(dst, per, seed, RNG_LATENT, (uint32_t)round, (uint64_t)i * ((per + 3) / 4 * 4));
}

static uint8_t quantize(float x, int how)
{
	double v = how == QUANTIZE_ROUND ? floor((double)x * 127.5 + 128) : floor(((double)x + 1) / 2 * 255);
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void set_labels(struct sampler *s, uint64_t seed, int64_t first)
{
	struct tensor *l = s->d.labels;
	if (!l)
		return;
	memset(l->data, 0, tensor_count(l) * sizeof *l->data);
	for (int64_t i = 0; i < BATCH; i++) {
		int64_t label = (int64_t)(rng_uniform_double(seed, RNG_LABEL, 0, (uint64_t)(first + i)) * (double)l->c);
		l->data[i * l->c + label] = 1;
	}
}

int sampler_run(struct sampler *s, uint8_t *dst, int64_t first, int64_t n, uint64_t seed, int nfe, struct progress *progress, struct err *e)
{
	if (nfe < 1 || nfe > 64)
		return err_code(e, EXIT_USAGE, "nfe = %d: give 1 to 64 network evaluations", nfe);
	size_t per = tensor_count(s->d.x) / BATCH;
	SCOPED(free) float *z = xcalloc(per, sizeof *z);
	double lo = s->c.sigma.min, mid = s->c.sample.sigma_mid;
	for (int64_t at = 0; at < n; at += BATCH) {
		int64_t count = n - at < BATCH ? n - at : BATCH;
		set_labels(s, seed, first + at);
		for (int64_t i = 0; i < BATCH; i++) {
			float *x = s->d.x->data + (size_t)i * per;
			latent(x, s, seed, 0, first + at + i);
			for (size_t j = 0; j < per; j++)
				x[j] *= (float)s->c.sigma.max;
		}
		for (int round = 0; round < nfe; round++) {
			denoiser_set_sigma(&s->d, &s->c, round ? mid : s->c.sigma.max);
			graph_run(s->g);
			for (size_t j = 0; s->c.sample.clip && j < tensor_count(s->d.out); j++)
				s->d.out->data[j] = fmaxf(-1, fminf(1, s->d.out->data[j]));
			for (int64_t i = 0; round + 1 < nfe && i < BATCH; i++) {
				latent(z, s, seed, round + 1, first + at + i);
				float spread = (float)sqrt(fmax(mid * mid - lo * lo, 0));
				for (size_t j = 0; j < per; j++)
					s->d.x->data[(size_t)i * per + j] = s->d.out->data[(size_t)i * per + j] + spread * z[j];
			}
		}
		for (size_t j = 0; j < (size_t)count * per; j++)
			dst[(size_t)at * per + j] = quantize(s->d.out->data[j], s->c.sample.quantize);
		if (progress)
			progress_step(progress, at + count);
	}
	return 0;
}
