/* classify.cu - classify.c on a device. Pools: a thread makes one pixel's run of channels; backward gathers from the
 * windows that hold a pixel, so that no two threads add to one place. Distances of features: a warp takes a pixel. */
#include "model/cuda/kernel.cuh"

/* ---- pool ------------------------------------------------------------------------------------ */

struct pool {
	int64_t h, w, oh, ow, c;
	int k, stride, pad, vec;
	bool average, pad_counts;
};

static struct pool pool_of(const struct node *nd, const struct tensor *x, const struct tensor *y)
{
	struct pool p = { x->h,
		              x->w,
		              y->h,
		              y->w,
		              x->c,
		              nd->args.pool.k,
		              nd->args.pool.stride,
		              nd->args.pool.pad,
		              x->c % VEC == 0 ? VEC : 1,
		              nd->args.pool.average,
		              nd->args.pool.pad_counts };
	return p;
}

struct window {
	int64_t h0, h1, w0, w1;
	float share;
};

__device__ static inline struct window window_of(const struct pool &p, int64_t i, int64_t j)
{
	struct window v;
	v.h0 = i * p.stride - p.pad;
	v.w0 = j * p.stride - p.pad;
	v.h1 = v.h0 + p.k < p.h ? v.h0 + p.k : p.h;
	v.w1 = v.w0 + p.k < p.w ? v.w0 + p.k : p.w;
	v.h0 = v.h0 > 0 ? v.h0 : 0;
	v.w0 = v.w0 > 0 ? v.w0 : 0;
	v.share = 1 / (float)(p.pad_counts ? (int64_t)p.k * p.k : (v.h1 - v.h0) * (v.w1 - v.w0));
	return v;
}

static __global__ void pool_kernel(struct pool p, struct val y, struct val x, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, runs = p.c / p.vec;
	if (i >= n)
		return;
	int64_t o = i / runs, c = i % runs * p.vec, image = o / (p.oh * p.ow);
	struct window v = window_of(p, o / p.ow % p.oh, o % p.ow);
	float out[VEC], in[VEC];
	for (int k = 0; k < VEC; k++)
		out[k] = p.average ? 0 : -3.402823466e38f;
	for (int64_t a = v.h0; a < v.h1; a++)
		for (int64_t b = v.w0; b < v.w1; b++) {
			val_load(in, x, ((image * p.h + a) * p.w + b) * p.c + c, p.vec);
#pragma unroll
			for (int k = 0; k < VEC; k++)
				out[k] = p.average ? out[k] + in[k] * v.share : in[k] > out[k] ? in[k] : out[k];
		}
	val_store(y, o * p.c + c, p.vec, out);
}

static void pool_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *y = nd->dst[0];
	struct pool p = pool_of(nd, nd->src[0], y);
	int64_t n = tensor_pixels(y) * (p.c / p.vec);
	LAUNCH(cu, pool_kernel, blocks_for((size_t)n, BLOCK), BLOCK, 0, p, val_of(y), val_of(nd->src[0]), n);
}

extern "C" const struct cuda_op cuda_pool = { NULL, pool_run, NULL };

/* Is (row, col) the first pixel of its window that holds the maximum? */
__device__ static inline bool takes(const struct pool &p, struct val x, const struct window &v, int64_t image,
                                    int64_t c, int64_t row, int64_t col)
{
	float mine = val_get(x, ((image * p.h + row) * p.w + col) * p.c + c);
	for (int64_t a = v.h0; a < v.h1; a++)
		for (int64_t b = v.w0; b < v.w1; b++) {
			float other = val_get(x, ((image * p.h + a) * p.w + b) * p.c + c);
			bool earlier = a < row || (a == row && b < col);
			if (other > mine || (earlier && other == mine))
				return false;
		}
	return true;
}

static __global__ void pool_bwd_kernel(struct pool p, struct val dx, struct val dy, struct val x, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= n)
		return;
	int64_t c = i % p.c, pixel = i / p.c, image = pixel / (p.h * p.w), row = pixel / p.w % p.h, col = pixel % p.w;
	int64_t o0 = row + p.pad - p.k + 1, q0 = col + p.pad - p.k + 1; /* windows start at stride * o - pad */
	o0 = o0 > 0 ? (o0 + p.stride - 1) / p.stride : 0;
	q0 = q0 > 0 ? (q0 + p.stride - 1) / p.stride : 0;
	float sum = 0;
	for (int64_t o = o0; o < p.oh && o * p.stride - p.pad <= row; o++)
		for (int64_t q = q0; q < p.ow && q * p.stride - p.pad <= col; q++) {
			struct window v = window_of(p, o, q);
			int64_t at = ((image * p.oh + o) * p.ow + q) * p.c + c;
			if (p.average)
				sum += val_get(dy, at) * v.share;
			else if (takes(p, x, v, image, c, row, col))
				sum += val_get(dy, at);
		}
	val_put(dx, i, sum);
}

static void pool_bwd_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[1], *y = nd->src[2];
	size_t n = tensor_count(x);
	LAUNCH(cu, pool_bwd_kernel, blocks_for(n, BLOCK), BLOCK, 0, pool_of(nd, x, y), val_of(nd->dst[0]),
	       val_of(nd->src[0]), val_of(x), (int64_t)n);
}

extern "C" const struct cuda_op cuda_pool_bwd = { NULL, pool_bwd_run, NULL };

static __global__ void pool_jvp_kernel(struct pool p, struct val dy, struct val d, struct val x, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= n)
		return;
	int64_t o = i / p.c, c = i % p.c, image = o / (p.oh * p.ow), best = -1;
	struct window v = window_of(p, o / p.ow % p.oh, o % p.ow);
	for (int64_t a = v.h0; a < v.h1; a++)
		for (int64_t b = v.w0; b < v.w1; b++) {
			int64_t at = ((image * p.h + a) * p.w + b) * p.c + c;
			if (best < 0 || val_get(x, at) > val_get(x, best))
				best = at;
		}
	val_put(dy, i, val_get(d, best));
}

static void pool_jvp_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[1], *y = nd->dst[0];
	size_t n = tensor_count(y);
	LAUNCH(cu, pool_jvp_kernel, blocks_for(n, BLOCK), BLOCK, 0, pool_of(nd, x, y), val_of(y), val_of(nd->src[0]),
	       val_of(x), (int64_t)n);
}

extern "C" const struct cuda_op cuda_pool_jvp = { NULL, pool_jvp_run, NULL };

/* ---- global_mean ----------------------------------------------------------------------------- */

enum { SUM_PIXELS = 8 };

static struct columns mean_columns(const struct node *nd, const struct cuda *cu)
{
	const struct tensor *x = nd->src[0];
	return columns_of(cu, x->n, x->h * x->w, x->c, SUM_PIXELS);
}

static size_t global_mean_prepare(struct node *nd, struct cuda *cu)
{
	struct columns p = mean_columns(nd, cu);
	return (size_t)(p.images * p.chunks * p.c) * sizeof(float);
}

static void global_mean_run(struct node *nd, struct cuda *cu)
{
	struct columns p = mean_columns(nd, cu);
	struct sum_terms terms = { val_of(nd->src[0]) };
	LAUNCH(cu, column_sums_kernel<sum_terms>, columns_blocks(&p), BLOCK, 0, terms, p, nd->work->data);
	rows_sum(cu, val_of(nd->dst[0]), nd->work->data, p.images, p.chunks, p.c, p.c, 1.0f / (float)p.pixels);
}

extern "C" const struct cuda_op cuda_global_mean = { global_mean_prepare, global_mean_run, NULL };

static __global__ void global_mean_bwd_kernel(struct val dx, struct val dy, int64_t pixels, int64_t c, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i < n)
		val_put(dx, i, val_get(dy, i / (pixels * c) * c + i % c) * (1.0f / (float)pixels));
}

static void global_mean_bwd_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *dx = nd->dst[0];
	size_t n = tensor_count(dx);
	LAUNCH(cu, global_mean_bwd_kernel, blocks_for(n, BLOCK), BLOCK, 0, val_of(dx), val_of(nd->src[0]), dx->h * dx->w,
	       dx->c, (int64_t)n);
}

extern "C" const struct cuda_op cuda_global_mean_bwd = { NULL, global_mean_bwd_run, NULL };

/* ---- feature_dist ---------------------------------------------------------------------------- */

#define NORM_EPS 1e-10

enum { PIXEL_WARPS = BLOCK / WARP };

struct features {
	struct val a, b, w;
	int64_t pixels, c;
};

__device__ static inline float channel_weight(const struct features &f, int64_t c)
{
	return f.w.p ? val_get(f.w, c) : 1;
}

/* |a| and |b| of a pixel, for every lane of its warp. */
__device__ static inline void feature_norms(double *na, double *nb, const struct features &f, int64_t pixel, int lane)
{
	double sa = 0, sb = 0;
	for (int64_t c = lane; c < f.c; c += WARP) {
		double a = (double)val_get(f.a, pixel * f.c + c), b = (double)val_get(f.b, pixel * f.c + c);
		sa += a * a;
		sb += b * b;
	}
	*na = sqrt(warp_sum(sa));
	*nb = sqrt(warp_sum(sb));
}

/* partial[n][chunk]: a block takes one chunk of one image's pixels. */
static __global__ void feature_dist_kernel(struct features f, double *partial, int64_t chunks, int64_t per_chunk)
{
	SHARED(double, shared, WARP);
	int64_t n = blockIdx.x / chunks, first = blockIdx.x % chunks * per_chunk,
			last = first + per_chunk < f.pixels ? first + per_chunk : f.pixels;
	int lane = (int)threadIdx.x % WARP;
	double sum = 0;
	for (int64_t i = first + threadIdx.x / WARP; i < last; i += PIXEL_WARPS) {
		double na, nb;
		int64_t pixel = n * f.pixels + i;
		feature_norms(&na, &nb, f, pixel, lane);
		for (int64_t c = lane; c < f.c; c += WARP) {
			double e = (double)val_get(f.a, pixel * f.c + c) / (na + NORM_EPS) -
			           (double)val_get(f.b, pixel * f.c + c) / (nb + NORM_EPS);
			sum += (double)channel_weight(f, c) * e * e;
		}
	}
	sum = block_sum(sum, shared);
	if (threadIdx.x == 0)
		partial[blockIdx.x] = sum;
}

static __global__ void feature_mean_kernel(struct val d, const double *partial, int64_t chunks, int64_t pixels,
                                           int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= n)
		return;
	double sum = 0;
	for (int64_t k = 0; k < chunks; k++)
		sum += partial[i * chunks + k];
	val_put(d, i, (float)(sum / (double)pixels));
}

static int64_t feature_chunks(const struct node *nd, const struct cuda *cu)
{
	const struct tensor *a = nd->src[0];
	int64_t most = (a->h * a->w + 4 * PIXEL_WARPS - 1) / (4 * PIXEL_WARPS),
			want = (8 * (int64_t)cu->processors + a->n - 1) / a->n;
	return most < want ? most : want;
}

static size_t feature_dist_prepare(struct node *nd, struct cuda *cu)
{
	return (size_t)(nd->src[0]->n * feature_chunks(nd, cu)) * sizeof(double);
}

static struct features features_of(const struct tensor *a, const struct tensor *b, const struct tensor *w)
{
	struct features f = { val_of(a), val_of(b), val_of(w), a->h * a->w, a->c };
	return f;
}

static void feature_dist_run(struct node *nd, struct cuda *cu)
{
	struct features f = features_of(nd->src[0], nd->src[1], nd->src[2]);
	int64_t n = nd->src[0]->n, chunks = feature_chunks(nd, cu);
	double *partial = (double *)(void *)nd->work->data;
	LAUNCH(cu, feature_dist_kernel, (unsigned)(n * chunks), BLOCK, 0, f, partial, chunks,
	       (f.pixels + chunks - 1) / chunks);
	LAUNCH(cu, feature_mean_kernel, blocks_for((size_t)n, BLOCK), BLOCK, 0, val_of(nd->dst[0]), (const double *)partial,
	       chunks, f.pixels, n);
}

extern "C" const struct cuda_op cuda_feature_dist = { feature_dist_prepare, feature_dist_run, NULL };

/* A warp per pixel; formulas in classify.c. */
static __global__ void feature_dist_bwd_kernel(struct features f, struct val da, struct val dd, int64_t n)
{
	int64_t pixel = (int64_t)blockIdx.x * PIXEL_WARPS + threadIdx.x / WARP;
	bool there = pixel < n;
	int lane = (int)threadIdx.x % WARP;
	double na = 0, nb = 0, dot = 0;
	pixel = there ? pixel : n - 1; /* whole warps sum; those beyond write nothing */
	feature_norms(&na, &nb, f, pixel, lane);
	double ra = 1 / (na + NORM_EPS), rb = 1 / (nb + NORM_EPS),
		   up = 2 * (double)val_get(dd, pixel / f.pixels) / (double)f.pixels;
	for (int64_t c = lane; c < f.c; c += WARP) {
		double a = (double)val_get(f.a, pixel * f.c + c), b = (double)val_get(f.b, pixel * f.c + c);
		dot += (double)channel_weight(f, c) * (a * ra - b * rb) * up * a;
	}
	dot = warp_sum(dot);
	double along = na > 0 ? dot / na * ra * ra : 0;
	for (int64_t c = lane; c < f.c && there; c += WARP) {
		double a = (double)val_get(f.a, pixel * f.c + c), b = (double)val_get(f.b, pixel * f.c + c);
		val_put(da, pixel * f.c + c, (float)((double)channel_weight(f, c) * (a * ra - b * rb) * up * ra - a * along));
	}
}

static void feature_dist_bwd_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *a = nd->src[1];
	LAUNCH(cu, feature_dist_bwd_kernel, blocks_for((size_t)tensor_pixels(a), PIXEL_WARPS), BLOCK, 0,
	       features_of(a, nd->src[2], nd->src[3]), val_of(nd->dst[0]), val_of(nd->src[0]), tensor_pixels(a));
}

extern "C" const struct cuda_op cuda_feature_dist_bwd = { NULL, feature_dist_bwd_run, NULL };

/* ---- cross_entropy: a warp per sample -------------------------------------------------------- */

/* ln sum exp of k logits from `at` on, for every lane. */
__device__ static inline double log_sum_exp(struct val x, int64_t at, int64_t k, int lane)
{
	float max = -3.402823466e38f;
	double sum = 0;
	for (int64_t i = lane; i < k; i += WARP) {
		float v = val_get(x, at + i);
		max = v > max ? v : max;
	}
	max = warp_max(max);
	for (int64_t i = lane; i < k; i += WARP)
		sum += exp((double)val_get(x, at + i) - (double)max);
	return (double)max + log(warp_sum(sum));
}

static __global__ void cross_entropy_kernel(struct val d, struct val x, struct val y, int64_t k)
{
	int lane = (int)threadIdx.x;
	int64_t at = blockIdx.x * k;
	double lse = log_sum_exp(x, at, k, lane), sum = 0;
	for (int64_t i = lane; i < k; i += WARP)
		sum += (double)val_get(y, at + i) * (lse - (double)val_get(x, at + i));
	sum = warp_sum(sum);
	if (lane == 0)
		val_put(d, blockIdx.x, (float)sum);
}

static void cross_entropy_run(struct node *nd, struct cuda *cu)
{
	LAUNCH(cu, cross_entropy_kernel, (unsigned)nd->src[0]->n, WARP, 0, val_of(nd->dst[0]), val_of(nd->src[0]),
	       val_of(nd->src[1]), nd->src[0]->c);
}

extern "C" const struct cuda_op cuda_cross_entropy = { NULL, cross_entropy_run, NULL };

static __global__ void cross_entropy_bwd_kernel(struct val dx, struct val dd, struct val x, struct val y, int64_t k)
{
	int lane = (int)threadIdx.x;
	int64_t at = blockIdx.x * k;
	double lse = log_sum_exp(x, at, k, lane), mass = 0, up = (double)val_get(dd, blockIdx.x);
	for (int64_t i = lane; i < k; i += WARP)
		mass += (double)val_get(y, at + i);
	mass = warp_sum(mass);
	for (int64_t i = lane; i < k; i += WARP)
		val_put(dx, at + i, (float)(up * (mass * exp((double)val_get(x, at + i) - lse) - (double)val_get(y, at + i))));
}

static void cross_entropy_bwd_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[1];
	LAUNCH(cu, cross_entropy_bwd_kernel, (unsigned)x->n, WARP, 0, val_of(nd->dst[0]), val_of(nd->src[0]), val_of(x),
	       val_of(nd->src[2]), x->c);
}

extern "C" const struct cuda_op cuda_cross_entropy_bwd = { NULL, cross_entropy_bwd_run, NULL };
