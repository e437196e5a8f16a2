/* bench_train.c - see bench_train.h. A step is what training does on the device: student and teacher forward, backward,
 * optimizer with both averages; data and noise are already in place. */
#include "harness/bench_train.h"

#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"
#include "model/consistency/step.h"
#include "model/dnn.h"
#include "model/model.h"
#include "model/optim.h"

#include <stdlib.h>
#include <string.h>

struct bench_config { const char *name, *text; struct net_spec net; int batch; };

static const struct bench_config rows[] = {
	{ "a", "32x32x1, 32 ch, [1,2,2], 1 block, attention 8",
	  { .kind = NET_DDPMPP, .h = 32, .w = 32, .in_c = 1, .out_c = 1, .channels = 32, .blocks = 1, .n_mult = 3, .mult = { 1, 2, 2 },
	    .n_attn = 1, .attn = { 8 }, .taps = 2, .noise_mult = 1, .emb_mult = 4 }, 64 },
	{ "b", "32x32x3, 64 ch, [1,2,2], 2 blocks, attention 16",
	  { .kind = NET_DDPMPP, .h = 32, .w = 32, .in_c = 3, .out_c = 3, .channels = 64, .blocks = 2, .n_mult = 3, .mult = { 1, 2, 2 },
	    .n_attn = 1, .attn = { 16 }, .taps = 2, .noise_mult = 1, .emb_mult = 4 }, 32 },
};

double bench_gemm_ceiling(void)
{
	enum { N = 2048 };
	float *a = xaligned(sizeof(float) * N * N), *b = xaligned(sizeof(float) * N * N), *c = xaligned(sizeof(float) * N * N);
	rng_normal(a, (size_t)N * N, 1, RNG_SYNTHETIC, 0, 0);
	rng_normal(b, (size_t)N * N, 1, RNG_SYNTHETIC, 1, 0);
	double best = 0;
	for (int i = 0; i < 6; i++) {
		double start = monotonic_s();
		dnn_gemm(false, false, N, N, N, 1, a, N, b, N, 0, c, N);
		double rate = 2.0 * N * N * N / (monotonic_s() - start) / 1e9;
		best = rate > best ? rate : best;
	}
	free(a);
	free(b);
	free(c);
	return best;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

enum { MAX_STEPS = 1000 };

static json_t *measure(const struct bench_config *b, double seconds)
{
	struct run_config c;
	config_defaults(&c);
	c.loss.c.value = 0.03;
	struct params *p = net_params(&b->net);
	size_t n = params_floats(p);
	float *buffers[6]; /* student, teacher, gradient, m, v, ema */
	for (int i = 0; i < 6; i++)
		buffers[i] = xaligned(n * sizeof(float));
	params_init(p, buffers[0], 1);
	struct graph *g = graph_new();
	struct step s = step_build(g, &c, &b->net, p, &(struct step_options){ .batch = b->batch, .backward = true });
	graph_plan(g);
	graph_bind(g, STORE_STUDENT, buffers[0]);
	graph_bind(g, STORE_TEACHER, buffers[0]);
	graph_bind(g, STORE_GRAD, buffers[2]);
	rng_normal(s.x0->data, tensor_count(s.x0), 1, RNG_SYNTHETIC, 0, 0);
	rng_normal(s.z->data, tensor_count(s.z), 1, RNG_NOISE, 0, 0);
	for (int i = 0; i < b->batch; i++)
		step_set_noise(&s, &c, i, 1.5, 1.2, 3);
	struct optim o = { OPTIM_ADAM, 1e-4, 0.9, 0.999, 1e-8, 0 };
	double times[MAX_STEPS], start = monotonic_s();
	int steps = 0;
	for (int i = -1; i < MAX_STEPS && (i < 3 || monotonic_s() - start < seconds); i++) { /* step -1 warms up */
		double t0 = monotonic_s();
		graph_run(g);
		struct optim_step os = optim_step_at(&o, i + 2);
		optim_apply(&os, n, buffers[0], buffers[2], buffers[3], buffers[4], buffers[5], 0.999, NULL, 0);
		if (i >= 0)
			times[steps++] = monotonic_s() - t0;
	}
	qsort(times, (size_t)steps, sizeof *times, by_value);
	double median = times[steps / 2], gflop = graph_flops(g) / 1e9, ceiling = bench_gemm_ceiling();
	json_t *j = json_pack("{s:s, s:s, s:i, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "config", b->name, "net", b->text, "batch", b->batch,
	                      "threads", model_threads(), "parameters", (json_int_t)params_trained(p), "step_s", median, "images_per_s", b->batch / median,
	                      "gflop_per_step", gflop, "gflop_per_s", gflop / median, "ceiling_gflop_per_s", ceiling, "share_of_ceiling",
	                      gflop / median / ceiling, "planned_mib", (double)graph_bytes(g) / 1048576);
	graph_profile(g, stderr);
	for (int i = 0; i < 6; i++)
		free(buffers[i]);
	graph_free(g);
	params_free(p);
	return j;
}

int bench_train(json_t *out, const char *which, int batch, double seconds, struct err *e)
{
	int done = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!which || strcmp(which, rows[i].name) == 0) {
			struct bench_config b = rows[i];
			b.batch = batch > 0 ? batch : b.batch;
			(void)json_array_append_new(out, measure(&b, seconds));
			done++;
		}
	if (done)
		return 0;
	struct run_config c;
	config_defaults(&c);
	if (config_preset(&c, which, e) || config_finish(&c, e))
		return -1;
	struct bench_config b = { .name = which, .text = "preset", .net = net_spec_of(&c), .batch = batch > 0 ? batch : 4 };
	(void)json_array_append_new(out, measure(&b, seconds));
	return 0;
}
