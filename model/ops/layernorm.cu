/* layernorm.cu - layernorm.c on a device: a warp takes a pixel and reads it three times, of which the cache serves two;
 * sums are in float as on the CPU. */
#include "model/cuda/kernel.cuh"

enum { TOKENS = BLOCK / WARP }; /* of a block */

struct token {
	float mean, rstd;
};

/* Of the c channels from `at`, for each lane of the warp. */
__device__ static inline struct token token_of(struct val x, int64_t at, int64_t c, float eps)
{
	int lane = (int)threadIdx.x % WARP;
	float sum = 0, squares = 0;
	for (int64_t i = lane; i < c; i += WARP)
		sum += val_get(x, at + i);
	float mean = warp_sum(sum) / (float)c;
	for (int64_t i = lane; i < c; i += WARP) {
		float d = val_get(x, at + i) - mean;
		squares += d * d;
	}
	struct token t = { mean, 1.0f / sqrtf(warp_sum(squares) / (float)c + eps) };
	return t;
}

static __global__ void layernorm_kernel(struct val y, struct val x, struct val w, struct val b, int64_t c, int64_t n,
                                        float eps)
{
	int64_t i = (int64_t)blockIdx.x * TOKENS + threadIdx.x / WARP;
	bool there = i < n; /* a whole warp is there or is not; sums take all of it */
	int64_t at = (there ? i : n - 1) * c;
	struct token t = token_of(x, at, c, eps);
	for (int64_t k = (int)threadIdx.x % WARP; there && k < c; k += WARP)
		val_put(y, at + k, (val_get(x, at + k) - t.mean) * t.rstd * val_get(w, k) + val_get(b, k));
}

static void layernorm_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[0];
	int64_t n = tensor_pixels(x);
	LAUNCH(cu, layernorm_kernel, blocks_for((size_t)n, TOKENS), BLOCK, 0, val_of(nd->dst[0]), val_of(x),
	       val_of(nd->src[1]), val_of(nd->src[2]), x->c, n, (float)nd->args.norm.eps);
}

extern "C" const struct cuda_op cuda_layernorm = { NULL, layernorm_run, NULL };

/* ---- layernorm_bwd: dx by a warp per pixel, which leaves mean and rstd; then dw, db by a thread per channel ---- */

struct slopes {
	struct val dx, dw, db, dy, x, w;
	float *tokens; /* (n, 2) */
	int64_t c, n;
	float eps;
};

static __global__ void layernorm_dx_kernel(struct slopes s)
{
	int64_t i = (int64_t)blockIdx.x * TOKENS + threadIdx.x / WARP;
	bool there = i < s.n;
	int64_t at = (there ? i : s.n - 1) * s.c;
	int lane = (int)threadIdx.x % WARP;
	struct token t = token_of(s.x, at, s.c, s.eps);
	float sum_u = 0, sum_uh = 0;
	for (int64_t k = lane; k < s.c; k += WARP) {
		float u = val_get(s.dy, at + k) * val_get(s.w, k);
		sum_u += u;
		sum_uh += u * (val_get(s.x, at + k) - t.mean) * t.rstd;
	}
	float mean_u = warp_sum(sum_u) / (float)s.c, mean_uh = warp_sum(sum_uh) / (float)s.c;
	for (int64_t k = lane; there && k < s.c; k += WARP) {
		float h = (val_get(s.x, at + k) - t.mean) * t.rstd, u = val_get(s.dy, at + k) * val_get(s.w, k);
		val_put(s.dx, at + k, t.rstd * (u - mean_u - h * mean_uh));
	}
	if (there && lane == 0) {
		s.tokens[2 * i] = t.mean;
		s.tokens[2 * i + 1] = t.rstd;
	}
}

static __global__ void layernorm_sums_kernel(struct slopes s)
{
	int64_t k = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (k >= s.c)
		return;
	double dw = 0, db = 0;
	for (int64_t i = 0; i < s.n; i++) {
		float dy = val_get(s.dy, i * s.c + k);
		dw += (double)(dy * (val_get(s.x, i * s.c + k) - s.tokens[2 * i]) * s.tokens[2 * i + 1]);
		db += (double)dy;
	}
	val_put(s.dw, k, (float)dw);
	val_put(s.db, k, (float)db);
}

static size_t layernorm_bwd_prepare(struct node *nd, struct cuda *)
{
	return (size_t)tensor_pixels(nd->src[1]) * 2 * sizeof(float);
}

static void layernorm_bwd_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[1];
	struct slopes s = { val_of(nd->dst[0]), val_of(nd->dst[1]),      val_of(nd->dst[2]), val_of(nd->src[0]),
		                val_of(x),          val_of(nd->src[2]),      nd->work->data,     x->c,
		                tensor_pixels(x),   (float)nd->args.norm.eps };
	LAUNCH(cu, layernorm_dx_kernel, blocks_for((size_t)s.n, TOKENS), BLOCK, 0, s);
	LAUNCH(cu, layernorm_sums_kernel, blocks_for((size_t)s.c, BLOCK), BLOCK, 0, s);
}

extern "C" const struct cuda_op cuda_layernorm_bwd = { layernorm_bwd_prepare, layernorm_bwd_run, NULL };

/* ---- layernorm_jvp: a warp per pixel ------------------------------------------------------------- */

struct changes {
	struct val dy, d, x, w, dw, db; /* dw, db: may be absent */
	int64_t c, n;
	float eps;
};

static __global__ void layernorm_jvp_kernel(struct changes s)
{
	int64_t i = (int64_t)blockIdx.x * TOKENS + threadIdx.x / WARP;
	bool there = i < s.n;
	int64_t at = (there ? i : s.n - 1) * s.c;
	int lane = (int)threadIdx.x % WARP;
	struct token t = token_of(s.x, at, s.c, s.eps);
	float sum_d = 0, sum_dh = 0;
	for (int64_t k = lane; k < s.c; k += WARP) {
		float d = val_get(s.d, at + k);
		sum_d += d;
		sum_dh += d * (val_get(s.x, at + k) - t.mean) * t.rstd;
	}
	float mean_d = warp_sum(sum_d) / (float)s.c, mean_dh = warp_sum(sum_dh) / (float)s.c;
	for (int64_t k = lane; there && k < s.c; k += WARP) {
		float h = (val_get(s.x, at + k) - t.mean) * t.rstd;
		float y = t.rstd * (val_get(s.d, at + k) - mean_d - h * mean_dh) * val_get(s.w, k);
		if (s.dw.p)
			y += h * val_get(s.dw, k);
		if (s.db.p)
			y += val_get(s.db, k);
		val_put(s.dy, at + k, y);
	}
}

static void layernorm_jvp_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[1];
	struct changes s = { val_of(nd->dst[0]),      val_of(nd->src[0]), val_of(x), val_of(nd->src[2]),
		                 val_of(nd->src[3]),      val_of(nd->src[4]), x->c,      tensor_pixels(x),
		                 (float)nd->args.norm.eps };
	LAUNCH(cu, layernorm_jvp_kernel, blocks_for((size_t)s.n, TOKENS), BLOCK, 0, s);
}

extern "C" const struct cuda_op cuda_layernorm_jvp = { NULL, layernorm_jvp_run, NULL };
