/* products.cu - who computes a matrix product or a convolution: NVIDIA's library where this machine has it and it has
 * something for the shape, else the plugin's own kernels. See cuda_blas.h, cuda_dnn.h, own_product.h. */
#include "model/cuda/cuda_blas.h"
#include "model/cuda/cuda_dnn.h"
#include "model/cuda/own_product.h"

extern "C" {
#include "model/base/env.h"
#include "model/cuda/nvidia.h"
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cuda_gemm {
	struct cuda_gemm_shape shape;
	struct blas_gemm *library;
};
struct cuda_conv {
	struct cuda_conv_shape shape;
	struct dnn_plan *library;
}; /* library NULL: own kernels */

struct cuda_gemm *cuda_gemm_new(struct cuda *cu, const struct cuda_gemm_shape *s)
{
	if (cu->measuring)
		return NULL;
	struct cuda_gemm *g = (struct cuda_gemm *)calloc(1, sizeof *g);
	if (!g)
		abort();
	g->shape = *s;
	g->library = blas_there() ? blas_gemm_new(cu, s) : NULL;
	if (!cu->failed[0])
		return g;
	cuda_gemm_free(g);
	return NULL;
}

void cuda_gemm_run(struct cuda *cu, struct cuda_gemm *g, const void *a, const void *b, const void *bias, void *c)
{
	if (g->library)
		blas_gemm_run(cu, g->library, a, b, bias, c);
	else
		own_gemm(cu, &g->shape, a, b, bias, c);
}

void cuda_gemm_free(struct cuda_gemm *g)
{
	if (g && g->library)
		blas_gemm_free(g->library);
	free(g);
}

/* ---- engines --------------------------------------------------------------------------------- */

static void shape_text(char *out, size_t bytes, const struct cuda *cu, const struct cuda_conv_shape *s)
{
	static const char *const passes[] = { "forward", "data gradient", "weights gradient" };
	const struct dnn_shape *p = &s->shape;
	bool tf32 = cu->base.dtype == DTYPE_TF32 && !s->exact;
	(void)snprintf(
		out, bytes, "%s %s, %lldx%lldx%lldx%lld to %lldx%lldx%lld by %lldx%lld, stride %lld, pad %lldx%lld%s%s",
		s->type == TENSOR_BF16 ? "bf16"
		: tf32                 ? "tf32"
							   : "fp32",
		passes[s->pass], (long long)p->n, (long long)p->h, (long long)p->w, (long long)p->ic, (long long)p->oh,
		(long long)p->ow, (long long)p->oc, (long long)p->kh, (long long)p->kw, (long long)p->stride,
		(long long)p->pad_h, (long long)p->pad_w, s->bias ? ", bias" : "", s->relu ? ", relu" : "");
}

enum { SHAPE_TEXT = 160, KEY_TEXT = 480 };

/* What a choice of engines holds for. */
static void key_text(char *out, size_t bytes, const struct cuda *cu, const struct cuda_conv_shape *s)
{
	char shape[SHAPE_TEXT], version[128];
	shape_text(shape, sizeof shape, cu, s);
	dnn_text(version, sizeof version);
	(void)snprintf(out, bytes, "%s, %s: %s", cu->card, version, shape);
}

static void fail_to_tune(struct cuda *cu, const char *what, const char *why)
{
	cuda_fail(cu, __FILE__, __LINE__, what, why);
}

/* The plan, by the engine that was chosen for it before, if one was. */
static struct dnn_plan *library_plan(struct cuda *cu, const struct cuda_conv_shape *s)
{
	char key[KEY_TEXT];
	if (!cu->tune)
		return dnn_plan_of(cu, s, 1);
	key_text(key, sizeof key, cu, s);
	const struct tune_engine *kept = tune_find(cu->tune, key);
	struct dnn_plan *plan = dnn_plan_of(cu, s, kept ? 1 : (int)DNN_MOST_ENGINES);
	if (plan && kept && !dnn_plan_keep(cu, plan, kept))
		fail_to_tune(cu, key, "this engine of ABLATE_CUDNN_TUNE's file cannot be had here: delete its line");
	return plan;
}

/* Microseconds of a run, after one that is not counted; 0: it failed, which is forgotten. */
static double time_of(struct cuda *cu, struct dnn_plan *c, int i, void *x, void *w, const void *bias, void *y)
{
	enum { RUNS = 5 };
	cudaEvent_t ends[2] = { NULL, NULL };
	float ms = 0;
	for (int k = 0; k < 2; k++)
		CUDA_CALL(cu, cudaEventCreateWithFlags(&ends[k], cudaEventDefault));
	for (int run = -1; run < RUNS && !cu->failed[0]; run++) {
		if (run == 0)
			CUDA_CALL(cu, cudaEventRecord(ends[0], cu->stream));
		dnn_plan_run(cu, c, i, x, w, bias, y);
	}
	CUDA_CALL(cu, cudaEventRecord(ends[1], cu->stream));
	CUDA_CALL(cu, cudaStreamSynchronize(cu->stream));
	if (!cu->failed[0])
		CUDA_CALL(cu, cudaEventElapsedTime(&ms, ends[0], ends[1]));
	for (int k = 0; k < 2; k++)
		if (ends[k])
			(void)cudaEventDestroy(ends[k]);
	bool failed = cu->failed[0] != '\0';
	cu->failed[0] = '\0';
	return failed ? 0 : 1e3 * (double)ms / RUNS;
}

/* At a plan's first run, on what it is to be run on: its results are written several times. Nothing can be timed in a
 * capture; the first proposal is run there, and a later run chooses. */
static void choose(struct cuda *cu, struct cuda_conv *c, void *x, void *w, const void *bias, void *y)
{
	char key[KEY_TEXT];
	double us[DNN_MOST_ENGINES];
	struct err e = {};
	int n = dnn_plan_engines(c->library), best;
	if (n < 2 || cu->capturing || cu->failed[0])
		return;
	for (int i = 0; i < n; i++)
		us[i] = time_of(cu, c->library, i, x, w, bias, y);
	best = tune_fastest(us, n);
	if (best < 0)
		return; /* the run says why */
	struct tune_engine chosen = *dnn_plan_engine(c->library, best);
	chosen.us = us[best];
	key_text(key, sizeof key, cu, &c->shape);
	if (tune_keep(cu->tune, key, &chosen, &e))
		fail_to_tune(cu, "the fastest engine", e.msg);
	else if (!dnn_plan_keep(cu, c->library, &chosen))
		fail_to_tune(cu, key, "another process chose an engine that cannot be had here");
}

bool cuda_conv_text(const struct cuda *cu, int i, char *out, size_t bytes)
{
	char shape[SHAPE_TEXT], engine[512];
	const struct dnn_plan *plan = NULL;
	const struct cuda_conv_shape *s = dnn_plan_at(cu, i, &plan);
	if (!s)
		return false;
	shape_text(shape, sizeof shape, cu, s);
	if (plan)
		tune_text(engine, sizeof engine, dnn_plan_engine(plan, 0));
	(void)snprintf(out, bytes, "%s: %s", shape, plan ? engine : "own kernels, because no engine takes it");
	return true;
}

void cuda_libraries_tune(struct cuda *cu)
{
	const char *path = env_get(ENV_ABLATE_CUDNN_TUNE);
	struct err e = {};
	if (path && *path && strcmp(path, "0") != 0 && tune_open(&cu->tune, path, &e))
		fail_to_tune(cu, "ABLATE_CUDNN_TUNE", e.msg);
}

/* ---- convolutions ---------------------------------------------------------------------------- */

struct cuda_conv *cuda_conv_new(struct cuda *cu, const struct cuda_conv_shape *s)
{
	if (cu->measuring)
		return NULL;
	struct cuda_conv *c = (struct cuda_conv *)calloc(1, sizeof *c);
	if (!c)
		abort();
	c->shape = *s;
	c->library = dnn_there() ? library_plan(cu, s) : NULL;
	if (!cu->failed[0]) {
		cu->convs_by_library += c->library != NULL;
		cu->convs_by_kernel += !c->library;
		return c;
	}
	cuda_conv_free(c);
	return NULL;
}

bool cuda_conv_fused(const struct cuda_conv *c)
{
	return !c->library || dnn_plan_fused(c->library);
}

enum tensor_type cuda_conv_bias(const struct cuda_conv *c)
{
	return c->library ? dnn_plan_bias(c->library) : TENSOR_F32;
}

enum tensor_type cuda_conv_dw(const struct cuda_conv *c)
{
	return c->library ? dnn_plan_dw(c->library) : TENSOR_F32;
}

void cuda_conv_run(struct cuda *cu, struct cuda_conv *c, void *x, void *w, const void *bias, void *y)
{
	if (!c->library) {
		own_conv(cu, &c->shape, x, w, bias, y);
		return;
	}
	choose(cu, c, x, w, bias, y);
	dnn_plan_run(cu, c->library, 0, x, w, bias, y);
}

void cuda_conv_free(struct cuda_conv *c)
{
	free(c); /* the plan is kept for the next of its shape */
}

void cuda_libraries_text(char *out, size_t bytes)
{
	char blas[128], dnn[128];
	blas_text(blas, sizeof blas);
	dnn_text(dnn, sizeof dnn);
	(void)snprintf(out, bytes, "%s, %s", blas, dnn);
}

void cuda_libraries_lacking(char *out, size_t bytes)
{
	char blas[128] = "", dnn[128] = "";
	if (!nvidia_unwanted(&nvidia_rows[NVIDIA_BLAS]) && !blas_there())
		blas_text(blas, sizeof blas);
	if (!nvidia_unwanted(&nvidia_rows[NVIDIA_DNN]) && !dnn_there())
		dnn_text(dnn, sizeof dnn);
	(void)snprintf(out, bytes, "%s%s%s", blas, *blas && *dnn ? ", " : "", dnn);
}

void cuda_libraries_close(struct cuda *cu)
{
	blas_close(cu);
	dnn_close(cu);
	tune_free(cu->tune);
}
