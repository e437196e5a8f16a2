/* elementwise.cu - elementwise.c on a device: one pass over memory each, eight values a thread. */
#include "model/cuda/kernel.cuh"

/* A tensor's pixels, `pitch` values apart; the channels of each are a multiple of VEC. */
struct rows {
	struct val v;
	int64_t pitch;
};

static struct rows rows_of(const struct tensor *t)
{
	struct rows r = { val_of(t), t ? tensor_pitch(t) : 0 };
	return r;
}

/* map_kernel for tensors of which one at least lies in a wider one; runs: of VEC channels, per pixel and in all. */
template <class F>
static __global__ void map_rows_kernel(F f, struct rows dst, struct rows a, struct rows b, int64_t runs, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= n)
		return;
	int64_t row = i / runs, c = i % runs * VEC;
	float x[VEC], y[VEC] = { 0 };
	val_load(x, a.v, row * a.pitch + c, VEC);
	if (b.v.p)
		val_load(y, b.v, row * b.pitch + c, VEC);
#pragma unroll
	for (int k = 0; k < VEC; k++)
		x[k] = f(x[k], y[k]);
	val_store(dst.v, row * dst.pitch + c, VEC, x);
}

/* dst[0] = f(src[0], src[1]) */
template <class F> static void run_map(struct node *nd, struct cuda *cu, F f)
{
	const struct tensor *dst = nd->dst[0], *a = nd->src[0], *b = nd->n_src > 1 ? nd->src[1] : NULL;
	if (dst->wide || a->wide || (b && b->wide)) {
		size_t n = tensor_count(dst) / VEC;
		LAUNCH(cu, map_rows_kernel<F>, blocks_for(n, BLOCK), BLOCK, 0, f, rows_of(dst), rows_of(a), rows_of(b),
		       dst->c / VEC, (int64_t)n);
		return;
	}
	map(cu, f, val_of(dst), val_of(a), val_of(b), tensor_count(dst));
}

struct silu_of {
	__device__ float operator()(float x, float) const
	{
		return x * sigmoid(x);
	}
};

static void silu_run(struct node *nd, struct cuda *cu)
{
	run_map(nd, cu, silu_of());
}

extern "C" const struct cuda_op cuda_silu = { NULL, silu_run, NULL };

struct silu_slope {
	__device__ float operator()(float dy, float x) const
	{
		float s = sigmoid(x);
		return dy * s * (1.0f + x * (1.0f - s));
	}
};

static void silu_bwd_run(struct node *nd, struct cuda *cu)
{
	run_map(nd, cu, silu_slope());
}

extern "C" const struct cuda_op cuda_silu_bwd = { NULL, silu_bwd_run, NULL };

struct relu_slope {
	__device__ float operator()(float dy, float y) const
	{
		return y > 0 ? dy : 0;
	}
};

static void relu_bwd_run(struct node *nd, struct cuda *cu)
{
	run_map(nd, cu, relu_slope());
}

extern "C" const struct cuda_op cuda_relu_bwd = { NULL, relu_bwd_run, NULL };

struct scaled_sum {
	float s;
	__device__ float operator()(float a, float b) const
	{
		return (a + b) * s;
	}
};

static void add_scaled_run(struct node *nd, struct cuda *cu)
{
	struct scaled_sum f = { (float)nd->args.scale.s };
	run_map(nd, cu, f);
}

extern "C" const struct cuda_op cuda_add_scaled = { NULL, add_scaled_run, NULL };

struct sum_of_scaled {
	float s;
	__device__ float operator()(float a, float b) const
	{
		return a + b * s;
	}
};

static void detached_run(struct node *nd, struct cuda *cu)
{
	struct sum_of_scaled f = { (float)nd->args.scale.s };
	run_map(nd, cu, f);
}

extern "C" const struct cuda_op cuda_detached = { NULL, detached_run, NULL };

/* ---- scale ----------------------------------------------------------------------------------- */

enum { SUM_PIXELS = 16 };

/* y = x s as it is stored, and that added up. */
struct scaled_terms {
	enum { SUMS = 1, RESIDENT = 5 };
	struct val y;
	struct rows x;
	int64_t channels;
	struct scaled_sum f;
	__device__ void begin(int64_t, int64_t, int)
	{
	}
	__device__ void pixel(float (&sum)[1][VEC], int64_t at, int count) const
	{
		float v[VEC];
		val_load(v, x.v, x.pitch == channels ? at : at / channels * x.pitch + at % channels, count);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			v[k] = f(v[k], 0);
			sum[0][k] += y.low ? of_low(to_low(v[k])) : v[k];
		}
		val_store(y, at, count, v);
	}
};

static struct columns sums_of(const struct node *nd, const struct cuda *cu)
{
	return columns_of(cu, 1, tensor_pixels(nd->dst[0]), nd->dst[0]->c, SUM_PIXELS);
}

static size_t scale_prepare(struct node *nd, struct cuda *cu)
{
	struct columns p = sums_of(nd, cu);
	return nd->dst[1] ? (size_t)(p.chunks * p.c) * sizeof(float) : 0;
}

static void scale_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *y = nd->dst[0], *x = nd->src[0];
	struct scaled_sum f = { (float)nd->args.scale.s }; /* of x and nothing */
	if (!nd->dst[1]) {
		run_map(nd, cu, f);
		return;
	}
	struct columns p = sums_of(nd, cu);
	struct scaled_terms terms = { val_of(y), rows_of(x), x->c, f };
	LAUNCH(cu, column_sums_kernel<scaled_terms>, columns_blocks(&p), BLOCK, 0, terms, p, nd->work->data);
	rows_sum(cu, val_of(nd->dst[1]), nd->work->data, 1, p.chunks, p.c, p.c, 1);
}

extern "C" const struct cuda_op cuda_scale = { scale_prepare, scale_run, NULL };

/* ---- lincomb --------------------------------------------------------------------------------- */

static __global__ void lincomb_kernel(struct val dst, struct val a, struct val x, struct val b, struct val y,
                                      int64_t per, int64_t n)
{
	int64_t i = ((int64_t)blockIdx.x * BLOCK + threadIdx.x) * VEC;
	if (i >= n)
		return;
	int count = n - i < VEC ? (int)(n - i) : VEC;
	float vx[VEC], vy[VEC] = { 0 };
	val_load(vx, x, i, count);
	if (y.p)
		val_load(vy, y, i, count);
#pragma unroll
	for (int k = 0; k < VEC; k++) {
		int64_t image = (k < count ? i + k : i) / per;
		vx[k] = val_get(a, image) * vx[k];
		if (y.p)
			vx[k] += val_get(b, image) * vy[k];
	}
	val_store(dst, i, count, vx);
}

static void lincomb_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[1];
	size_t n = tensor_count(x);
	LAUNCH(cu, lincomb_kernel, blocks_for(n, BLOCK * VEC), BLOCK, 0, val_of(nd->dst[0]), val_of(nd->src[0]), val_of(x),
	       val_of(nd->src[2]), val_of(nd->src[3]), x->h * x->w * x->c, (int64_t)n);
}

extern "C" const struct cuda_op cuda_lincomb = { NULL, lincomb_run, NULL };
