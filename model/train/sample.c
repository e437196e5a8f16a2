/* sample.c - see sample.h. One step: D(sigma_max z, sigma_max). More: noise the answer to sigma_mid and evaluate again
 * (Song et al. 2023, Algorithm 1; the noise added is sqrt(sigma^2 - sigma_min^2), karras_diffusion.py:657-681). Of a
 * model of several segments the one step is a walk from end to end, without new noise (Heek et al. 2024, Algorithm
 * 2). One of MeanFlow's takes equal steps of the time s = sigma / (1 + sigma), without new noise: it answers where each
 * leads (Geng et al. 2025, arXiv:2505.13447). */
#include "model/train/sample.h"
#include "model/config/net_spec.h"

#include "model/cpu/devices.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"
#include "model/train/ckpt.h"
#include "model/base/cpu.h"
#include "model/consistency/segments.h"
#include "model/consistency/step.h"
#include "model/consistency/truncated.h"
#include "model/graph/param_store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_HOST = 50, BATCH_DEVICE = 250 };

struct sampler {
	struct run_config c;
	struct net_spec net;
	struct params *params;
	struct backend *b;
	float *weights, *weights_on; /* the host's, the device's */
	int batch;
	float *x, *out; /* one batch in host memory */
	struct graph *g;
	struct denoiser d;
};

void sampler_free(struct sampler *s)
{
	if (!s)
		return;
	graph_free(s->g);
	params_free(s->params);
	if (s->b)
		backend_return(s->b, s->weights_on, s->weights);
	backend_free(s->b);
	free(s->weights);
	free(s->x);
	free(s->out);
	free(s);
}

int sampler_open(struct sampler **out, const struct run_config *config, const char *path, const char *device,
                 struct err *e)
{
	static const enum ckpt_part parts[] = {
		[SAMPLE_EMA] = CKPT_EMA, [SAMPLE_STUDENT] = CKPT_STUDENT, [SAMPLE_TEACHER] = CKPT_TEACHER
	};
	struct sampler *s = xcalloc(1, sizeof *s);
	s->c = *config;
	s->net = net_spec_of(config);
	s->params = net_params(&s->net);
	s->weights = xaligned(params_floats(s->params) * sizeof(float));
	if (backend_open(&s->b, device, DTYPE_FP32, e) ||
	    ckpt_load_part(s->weights, s->params, parts[config->sample.weights], config->ema.decay, path, e) ||
	    params_lend(&s->weights_on, s->b, s->params, s->weights, e)) {
		sampler_free(s);
		return -1;
	}
	s->batch = s->b->ops->host_memory ? BATCH_HOST : BATCH_DEVICE;
	s->g = graph_new_on(s->b);
	graph_by_taps(s->g, STORE_STUDENT);
	s->d = denoiser_build(s->g, config, &s->net, s->params, STORE_STUDENT, s->batch);
	if (graph_try_plan(s->g, e)) {
		sampler_free(s);
		return -1;
	}
	graph_bind(s->g, STORE_STUDENT, s->weights_on);
	s->x = xaligned(tensor_count(s->d.x) * sizeof *s->x);
	s->out = xaligned(tensor_count(s->d.out) * sizeof *s->out);
	*out = s;
	return 0;
}

/* Values of sample i in round r of the latent stream. */
static void latent(float *dst, const struct sampler *s, uint64_t seed, int round, int64_t i)
{
	size_t per = tensor_count(s->d.x) / (size_t)s->batch;
	rng_normal(dst, per, seed, RNG_LATENT, (uint32_t)round, (uint64_t)i * ((per + 3) / 4 * 4));
}

/* The input of a round: noise at first, then the last answer with noise added. */
struct noising {
	struct sampler *s;
	uint64_t seed;
	int64_t first;
	int round;
};

static void noise_range(void *ctx, int64_t from, int64_t to)
{
	const struct noising *w = ctx;
	const struct sampler *s = w->s;
	size_t per = tensor_count(s->d.x) / (size_t)s->batch;
	double lo = s->c.sigma.min, mid = s->c.sample.sigma_mid;
	float spread = (float)sqrt(fmax(mid * mid - lo * lo, 0));
	for (int64_t i = from; i < to; i++) {
		float *x = s->x + (size_t)i * per;
		const float *answer = s->out + (size_t)i * per;
		latent(x, s, w->seed, w->round, w->first + i);
		for (size_t j = 0; j < per; j++)
			x[j] = w->round ? answer[j] + spread * x[j] : x[j] * (float)s->c.sigma.max;
	}
}

/* An Euler step: from noise `from`, where s->out is the answer to s->x, to s->x at noise `to`. */
static void step_down(struct sampler *s, double from, double to)
{
	size_t all = tensor_count(s->d.x);
	float stay = (float)(to / from), go = (float)(1 - to / from);
	for (size_t j = 0; j < all; j++)
		s->x[j] = stay * s->x[j] + go * s->out[j];
}

static uint8_t quantize(float x, int how)
{
	double v = how == QUANTIZE_ROUND ? floor((double)x * 127.5 + 128) : floor(((double)x + 1) / 2 * 255);
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

struct pixels {
	const struct sampler *s;
	uint8_t *dst;
};

static void quantize_range(void *ctx, int64_t from, int64_t to)
{
	const struct pixels *w = ctx;
	for (int64_t j = from; j < to; j++)
		w->dst[j] = quantize(w->s->out[j], w->s->c.sample.quantize);
}

int64_t sampler_label(const struct sampler *s, uint64_t seed, int64_t i)
{
	return s->d.labels ? (int64_t)(rng_uniform_double(seed, RNG_LABEL, 0, (uint64_t)i) * (double)s->d.labels->c) : -1;
}

/* Labels of the batch: those that are drawn for pictures first, first + 1, ..., or for the given numbers. */
static void set_labels(struct sampler *s, uint64_t seed, int64_t first, const int64_t *numbers, int64_t n)
{
	struct tensor *l = s->d.labels;
	if (!l)
		return;
	SCOPED(free) float *one_hot = xcalloc(tensor_count(l), sizeof *one_hot);
	for (int64_t i = 0; i < s->batch; i++) {
		int64_t number = numbers ? numbers[i < n ? i : n - 1] : first + i;
		one_hot[i * l->c + sampler_label(s, seed, number)] = 1;
	}
	graph_write(s->g, l, 0, one_hot, tensor_count(l));
}

/* s->out = D(s->x, sigma), clipped as the config says; end > 0: where the ODE leads from there, down to noise `end`. */
static int ask(struct sampler *s, double sigma, double end, struct err *e)
{
	size_t all = tensor_count(s->d.x);
	denoiser_set_towards(&s->d, &s->c, sigma, end);
	graph_write(s->g, s->d.x, 0, s->x, all);
	graph_run(s->g);
	graph_read(s->g, s->out, s->d.out, 0, all);
	if (backend_check(s->b, e))
		return -1;
	for (size_t j = 0; s->c.sample.clip && end <= 0 && j < all; j++)
		s->out[j] = fmaxf(-1, fminf(1, s->out[j]));
	return 0;
}

void sampler_set_sigma_mid(struct sampler *s, double sigma)
{
	s->c.sample.sigma_mid = sigma;
}

static int walk_flow(struct sampler *s, uint64_t seed, int64_t first, int nfe, struct err *e)
{
	cpu_split(s->batch, 1, noise_range, &(struct noising){ s, seed, first, 0 });
	double max = s->c.sigma.max;
	for (int left = nfe; left > 0; left--) {
		if (ask(s, flow_level(max, left, nfe), flow_level(max, left - 1, nfe), e))
			return -1;
		memcpy(s->x, s->out, tensor_count(s->d.x) * sizeof *s->x);
	}
	return 0;
}

/* From noise to s->out, samples first, first + 1, ..., by nfe evaluations. */
static int walk(struct sampler *s, uint64_t seed, int64_t first, int nfe, struct err *e)
{
	int segments = s->c.multistep.segments;
	if (s->c.method.kind == METHOD_MEANFLOW)
		return walk_flow(s, seed, first, nfe, e);
	for (int round = 0; round < nfe; round++) {
		int left = segments - round; /* segments from here down */
		double sigma = left > 0 ? segment_end(&s->c, left) : s->c.sample.sigma_mid;
		if (round == 0 || left <= 0)
			cpu_split(s->batch, 1, noise_range, &(struct noising){ s, seed, first, round });
		if (ask(s, sigma, 0, e))
			return -1;
		if (left > 1)
			step_down(s, sigma, segment_end(&s->c, left - 1));
	}
	return 0;
}

int sampler_run(struct sampler *s, uint8_t *dst, int64_t first, int64_t n, uint64_t seed, int nfe,
                struct progress *progress, struct err *e)
{
	if (nfe < 1 || nfe > 64)
		return err_code(e, EXIT_USAGE, "nfe = %d: give 1 to 64 network evaluations", nfe);
	if (segments_allow(&s->c, nfe, e) || truncated_allow(&s->c, nfe, e))
		return -1;
	int64_t per = (int64_t)tensor_count(s->d.x) / s->batch;
	for (int64_t at = 0; at < n; at += s->batch) {
		int64_t count = n - at < s->batch ? n - at : s->batch;
		set_labels(s, seed, first + at, NULL, 0);
		if (walk(s, seed, first + at, nfe, e))
			return -1;
		cpu_split(count * per, per, quantize_range, &(struct pixels){ s, dst + at * per });
		if (progress)
			progress_step(progress, at + count);
	}
	return 0;
}

int sampler_denoise(struct sampler *s, float *dst, const float *x, const int64_t *numbers, int64_t n, double sigma,
                    uint64_t seed, struct err *e)
{
	size_t per = tensor_count(s->d.x) / (size_t)s->batch;
	for (int64_t at = 0; at < n; at += s->batch) {
		int64_t count = n - at < s->batch ? n - at : s->batch;
		set_labels(s, seed, 0, numbers + at, count);
		memcpy(s->x, x + (size_t)at * per, (size_t)count * per * sizeof *x);
		memset(s->x + (size_t)count * per, 0, (size_t)(s->batch - count) * per * sizeof *x);
		if (ask(s, sigma, 0, e))
			return -1;
		memcpy(dst + (size_t)at * per, s->out, (size_t)count * per * sizeof *dst);
	}
	return 0;
}

void sampler_latent(float *dst, const struct sampler *s, uint64_t seed, int round, int64_t i)
{
	latent(dst, s, seed, round, i);
}

uint8_t sampler_pixel(const struct sampler *s, double x)
{
	return quantize((float)x, s->c.sample.quantize);
}
