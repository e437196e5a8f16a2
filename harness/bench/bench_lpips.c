/* bench_lpips.c - see bench_lpips.h. */
#include "harness/bench/bench_lpips.h"

#include "harness/bench/bench_rounds.h"
#include "harness/bench/bench_train.h"
#include "harness/bench/bench_weights.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/frozen/lpips.h"

#include <stdlib.h>

enum { SIDE = 64 };

static void run_lpips(struct bench_entry *c, int n)
{
	struct err e = ERR_INIT;
	SCOPED(free) double *distance = xmalloc((size_t)n * sizeof *distance);
	if (lpips_run(c->net, distance, NULL, c->out, c->in0, c->in1, n, &e))
		BUG("%s", e.msg);
}

struct lpips_list {
	enum lpips_net kind;
	bool (*weight)(enum lpips_net kind, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS]);
};

static bool lpips_list(const void *ctx, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS])
{
	const struct lpips_list *l = ctx;
	return l->weight(l->kind, i, name, n_dims, dims);
}

static int open_lpips(struct bench_entry *configs, enum lpips_net kind, float *in0, float *in1, float *gradient,
                      struct err *e)
{
	static const char *const names[LPIPS_N_NETS][2] = { { "lpips alex", "lpips alex, gradient" },
		                                                { "lpips vgg", "lpips vgg, gradient" },
		                                                { "lpips squeeze", "lpips squeeze, gradient" } };
	struct safetensors backbone = { 0 }, heads = { 0 };
	struct arena arena = { 0 };
	struct cnn table = { 0 };
	struct lpips_list of_backbone = { kind, lpips_backbone_weight }, of_heads = { kind, lpips_head_weight };
	int taps[LPIPS_MAX_TAPS], n_taps, rc = 0;
	bench_weights_make(&backbone, &arena, lpips_list, &of_backbone);
	bench_weights_make(&heads, &arena, lpips_list, &of_heads);
	rc = lpips_describe(&table, taps, &n_taps, kind, SIDE, SIDE, false, e);
	for (int g = 0; rc == 0 && g < 2; g++) {
		struct lpips *net = NULL;
		struct lpips_options o = { .net = kind, .h = SIDE, .w = SIDE, .backward = g };
		rc = lpips_open(&net, &o, &backbone, &heads, e);
		configs[g] = (struct bench_entry){ .name = names[kind][g],
			                               .net = net,
			                               .in0 = in0,
			                               .in1 = in1,
			                               .out = g ? gradient : NULL,
			                               .run = run_lpips,
			                               .gflop = cnn_flops(&table) / 1e9 * (g ? 3 : 2) };
	}
	cnn_release(&table);
	bench_weights_release(&backbone);
	bench_weights_release(&heads);
	arena_release(&arena);
	return rc;
}

int bench_lpips(json_t *out, int batch, double seconds, struct err *e)
{
	batch = batch > 0 ? batch : 16;
	size_t n = (size_t)batch * SIDE * SIDE * 3;
	SCOPED(free)
	float *in0 = xmalloc(n * sizeof *in0), *in1 = xmalloc(n * sizeof *in1), *gradient = xmalloc(n * sizeof *gradient);
	for (size_t i = 0; i < n; i++) {
		in0[i] = 2 * rng_uniform(1, RNG_SYNTHETIC, 0, i) - 1;
		in1[i] = 2 * rng_uniform(1, RNG_SYNTHETIC, 1, i) - 1;
	}
	struct bench_entry configs[2 * LPIPS_N_NETS] = { 0 };
	int rc = 0;
	for (int k = 0; rc == 0 && k < LPIPS_N_NETS; k++)
		rc = open_lpips(configs + 2 * k, (enum lpips_net)k, in0, in1, gradient, e);
	if (rc == 0)
		rc = bench_rounds(out, configs, 2 * LPIPS_N_NETS,
		                  &(struct bench_rounds){ .unit = "pairs",
		                                          .batch = batch,
		                                          .rounds = BENCH_ROUNDS,
		                                          .seconds = seconds,
		                                          .ceiling = bench_gemm_ceiling() },
		                  e);
	for (int i = 0; i < 2 * LPIPS_N_NETS; i++)
		lpips_free(configs[i].net);
	return rc;
}
