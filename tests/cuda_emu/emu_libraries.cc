/* emu_libraries.cc - the libraries' halves of cuda_blas.h and cuda_dnn.h by the CPU's kernels (model/cpu/dnn.h): what
 * the libraries compute, not how. Values of bf16 go through float and are rounded once at the end, as sums in float
 * are; where the dtype is tf32, both factors are rounded to it first, to nearest (whether the real libraries do, or
 * leave the low bits to be dropped by the tensor cores, has not been seen). A call is kept in a capture like any other.
 * ABLATE_CUBLASLT=none and ABLATE_CUDNN=none leave them out, as they do with the real ones, and so does another file,
 * which is not looked for. */
#include "model/cuda/cuda_blas.h"
#include "model/cuda/cuda_dnn.h"
#include "model/cuda/kernel.cuh"
#include "tests/cuda_emu/emu_private.h"

extern "C" {
#include "model/cuda/nvidia.h"
}

#include <mma.h>
#include <stdio.h>
#include <stdlib.h>
#include <vector>

typedef std::vector<float> floats;

static bool there(enum nvidia_id id)
{
	const char *named = env_get(nvidia_rows[id].variable);
	return !named || !*named;
}

/* Are factors rounded to tf32? ABLATE_EMU_EXACT=1: never, so that what else tf32 changes can be told apart. */
static bool rounds(const struct cuda *cu, enum tensor_type type, bool exact)
{
	return type == TENSOR_F32 && cu->base.dtype == DTYPE_TF32 && !exact && !emu_setting("ABLATE_EMU_EXACT", 0);
}

static float factor(struct val v, int64_t i, bool rounded)
{
	float x = val_get(v, i);
	return rounded ? nvcuda::wmma::__float_to_tf32(x) : x;
}

bool blas_there(void)
{
	return there(NVIDIA_BLAS);
}

bool dnn_there(void)
{
	return there(NVIDIA_DNN);
}

static void text(char *out, size_t bytes, enum nvidia_id id, const char *what)
{
	const struct nvidia_row *row = &nvidia_rows[id];
	if (there(id))
		(void)snprintf(out, bytes, "%s by oneDNN %s", what, dnn_version());
	else if (nvidia_unwanted(row))
		(void)snprintf(out, bytes, "own %s (%s=none)", what, env_row(row->variable)->name);
	else
		(void)snprintf(out, bytes, "own %s (no %s)", what, env_get(row->variable));
}

void blas_text(char *out, size_t bytes)
{
	text(out, bytes, NVIDIA_BLAS, "products");
}

void dnn_text(char *out, size_t bytes)
{
	text(out, bytes, NVIDIA_DNN, "convolutions");
}

void blas_close(struct cuda *)
{
}

/* n factors as floats: read in place where they are. */
static float *opened(floats *keep, const void *p, int64_t n, enum tensor_type type, bool rounded)
{
	struct val v = val_at(p, type);
	if (type == TENSOR_F32 && !rounded)
		return (float *)v.p;
	keep->resize((size_t)n);
	for (int64_t i = 0; i < n; i++)
		(*keep)[(size_t)i] = factor(v, i, rounded);
	return keep->data();
}

/* ---- matrix products ------------------------------------------------------------------------- */

struct blas_gemm {
	struct cuda_gemm_shape s;
	bool rounded;
};

struct blas_gemm *blas_gemm_new(struct cuda *cu, const struct cuda_gemm_shape *s)
{
	return new blas_gemm{ *s, rounds(cu, s->in, s->exact) };
}

void blas_gemm_free(struct blas_gemm *g)
{
	delete g;
}

static void gemm_one(const struct blas_gemm &g, const void *a, const void *b, const void *bias, void *c)
{
	const struct cuda_gemm_shape &s = g.s;
	floats ka, kb, sums((size_t)(s.m * s.n));
	int64_t rows_a = s.ta ? s.k : s.m, rows_b = s.tb ? s.n : s.k, width_a = s.ta ? s.m : s.k,
			width_b = s.tb ? s.k : s.n;
	const float *pa = opened(&ka, a, (rows_a - 1) * s.lda + width_a, s.in, g.rounded),
				*pb = opened(&kb, b, (rows_b - 1) * s.ldb + width_b, s.in, g.rounded);
	dnn_gemm(s.ta ? DNN_TRANSPOSED : DNN_PLAIN, s.tb ? DNN_TRANSPOSED : DNN_PLAIN, s.m, s.n, s.k, s.alpha, pa, s.lda,
	         pb, s.ldb, 0, sums.data(), s.n);
	struct val out = val_at(c, s.out), add = val_at(bias, s.out);
	for (int64_t i = 0; i < s.m; i++)
		for (int64_t j = 0; j < s.n; j++) {
			float y = sums[(size_t)(i * s.n + j)] + (s.bias ? val_get(add, j) : 0);
			val_put(out, i * s.ldc + j, s.relu && !(y > 0) ? 0 : y);
		}
}

static void gemm_all(const struct blas_gemm &g, const char *a, const char *b, const void *bias, char *c)
{
	const struct cuda_gemm_shape &s = g.s;
	int64_t in = (int64_t)type_bytes(s.in), out = (int64_t)type_bytes(s.out);
	for (int64_t i = 0; i < s.batch; i++)
		gemm_one(g, a + i * s.step_a * in, b + i * s.step_b * in, bias, c + i * s.step_c * out);
}

void blas_gemm_run(struct cuda *cu, struct blas_gemm *g, const void *a, const void *b, const void *bias, void *c)
{
	struct cuda_gemm_shape s = g->s;
	if ((uintptr_t)a % cuda_gemm_alignment(s.in, s.lda, s.step_a, s.m, s.k) ||
	    (uintptr_t)b % cuda_gemm_alignment(s.in, s.ldb, s.step_b, s.n, s.k) ||
	    (uintptr_t)c % cuda_gemm_alignment(s.out, s.ldc, s.step_c, s.n, s.n) || (s.bias && (uintptr_t)bias % 16))
		cuda_fail(cu, __FILE__, __LINE__, "matrix product", "an operand that is not aligned as the library is told");
	struct blas_gemm job = *g; /* may be freed before it runs */
	CUDA_CALL(cu, emu_call(cu->stream, [=] { gemm_all(job, (const char *)a, (const char *)b, bias, (char *)c); }));
}

/* ---- convolutions ---------------------------------------------------------------------------- */

/* As cuDNN has it on a GPU: bf16 takes bias (of bf16) and relu along and writes gradients of weights in bf16. Floats do
 * not here, so that the kernel which does it for them is run too. */
struct dnn_plan {
	struct cuda_conv_shape s;
	struct dnn_conv *primitive;
	bool rounded;
	struct dnn_plan *next;
	std::vector<struct tune_engine> engines; /* that compute the same */
};

static struct tune_engine engine_of(int64_t number)
{
	struct tune_engine e = {};
	e.engine = number;
	e.n_knobs = 1;
	e.knobs[0].type = 7;
	e.knobs[0].value = number;
	return e;
}

struct dnn_plan *dnn_plan_of(struct cuda *cu, const struct cuda_conv_shape *s, int most)
{
	if (s->shape.ic % 8 && s->shape.oc % 8) /* a library that has no engine for this */
		return NULL;
	const bool bias = false, relu = false; /* conv_run makes both */
	for (struct dnn_plan *c = cu->dnn_plans; c; c = c->next)
		if (cuda_conv_same(&c->s, s))
			return c;
	cu->dnn_plans = new dnn_plan{
		*s, dnn_conv_new(&s->shape, s->pass, bias, relu), rounds(cu, s->type, s->exact), cu->dnn_plans, {}
	};
	for (int i = 0; i < most && i < 2; i++)
		cu->dnn_plans->engines.push_back(engine_of(40 + i));
	return cu->dnn_plans;
}

int dnn_plan_engines(const struct dnn_plan *c)
{
	return (int)c->engines.size();
}

const struct tune_engine *dnn_plan_engine(const struct dnn_plan *c, int i)
{
	return &c->engines[(size_t)i];
}

bool dnn_plan_keep(struct cuda *, struct dnn_plan *c, const struct tune_engine *engine)
{
	if (engine->engine != 40 && engine->engine != 41)
		return false;
	c->engines.assign(1, *engine);
	return true;
}

const struct cuda_conv_shape *dnn_plan_at(const struct cuda *cu, int i, const struct dnn_plan **c)
{
	*c = cu->dnn_plans;
	while (*c && i-- > 0)
		*c = (*c)->next;
	return *c ? &(*c)->s : NULL;
}

void dnn_close(struct cuda *cu)
{
	while (cu->dnn_plans) {
		struct dnn_plan *c = cu->dnn_plans;
		cu->dnn_plans = c->next;
		dnn_conv_free(c->primitive);
		delete c;
	}
}

bool dnn_plan_fused(const struct dnn_plan *c)
{
	return c->s.type == TENSOR_BF16 && (c->s.bias || c->s.relu);
}

enum tensor_type dnn_plan_bias(const struct dnn_plan *c)
{
	return c->s.type;
}

enum tensor_type dnn_plan_dw(const struct dnn_plan *c)
{
	return c->s.type;
}

static int64_t ohwi(const struct dnn_shape &s, int64_t o, int64_t i, int64_t tap)
{
	return (o * s.kh * s.kw + tap) * s.ic + i;
}

static void conv_run(const struct dnn_plan *c, void *x, void *w, const void *bias, void *y)
{
	const struct dnn_shape &s = c->s.shape;
	int64_t taps = s.kh * s.kw, nx = s.n * s.h * s.w * s.ic, ny = s.n * s.oh * s.ow * s.oc, nw = s.oc * s.ic * taps;
	bool into_x = c->s.pass == DNN_BACKWARD_DATA, into_w = c->s.pass == DNN_BACKWARD_WEIGHTS,
		 into_y = c->s.pass == DNN_FORWARD;
	floats kx((size_t)nx), ky((size_t)ny), weights((size_t)nw);
	struct val vx = val_at(x, c->s.type), vy = val_at(y, c->s.type), vw = val_at(w, c->s.type),
			   add = val_at(bias, c->s.type);
	bool fused = dnn_plan_fused(c);
	for (int64_t o = 0; !into_w && o < s.oc; o++)
		for (int64_t i = 0; i < s.ic; i++)
			for (int64_t tap = 0; tap < taps; tap++)
				weights[(size_t)((o * s.ic + i) * taps + tap)] = factor(vw, ohwi(s, o, i, tap), c->rounded);
	for (int64_t i = 0; !into_x && i < nx; i++)
		kx[(size_t)i] = factor(vx, i, c->rounded);
	for (int64_t i = 0; !into_y && i < ny; i++)
		ky[(size_t)i] = factor(vy, i, c->rounded);
	void *scratch = aligned_alloc(64, (dnn_conv_scratch(c->primitive) + 127) / 64 * 64);
	dnn_conv_run(c->primitive, kx.data(), weights.data(), NULL, ky.data(), scratch);
	free(scratch);
	for (int64_t i = 0; into_x && i < nx; i++)
		val_put(vx, i, kx[(size_t)i]);
	for (int64_t i = 0; into_y && i < ny; i++) {
		float value = ky[(size_t)i] + (fused && c->s.bias ? val_get(add, i % s.oc) : 0);
		val_put(vy, i, fused && c->s.relu && !(value > 0) ? 0 : value);
	}
	for (int64_t o = 0; into_w && o < s.oc; o++)
		for (int64_t i = 0; i < s.ic; i++)
			for (int64_t tap = 0; tap < taps; tap++)
				val_put(vw, ohwi(s, o, i, tap), weights[(size_t)((o * s.ic + i) * taps + tap)]);
}

void dnn_plan_run(struct cuda *cu, struct dnn_plan *c, int, void *x, void *w, const void *bias, void *y)
{
	if (((uintptr_t)x | (uintptr_t)w | (uintptr_t)y | (uintptr_t)bias) % 16)
		cuda_fail(cu, __FILE__, __LINE__, "convolution", "an operand that is not aligned as the library is told");
	CUDA_CALL(cu, emu_call(cu->stream, [=] { conv_run(c, x, w, bias, y); }));
}
