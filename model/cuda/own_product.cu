/* own_product.cu - see own_product.h; a tile's inside is product_tile.cuh. A convolution is the product of pixels by
 * taps and channels:
 *   forward   y (pixels, oc) = x (pixels under taps)          * w (oc, taps ic)'
 *   data      dx (pixels, ic) = dy (output pixels that read it) * w (taps oc, ic)
 *   weights   dw (oc, taps ic) = dy (pixels, oc)'               * x (pixels under taps) */
#include "model/cuda/own_product.h"
#include "model/cuda/product_tile.cuh"

#include <limits.h>

enum { MIN_STEPS = 4, MAX_SPLITS = 64 }; /* of depth that a block has at least; blocks that share one tile's sums */

struct product {
	struct operand a, b; /* rows of the tile are m and n */
	struct val c, bias;  /* bias.p NULL: none; one per column */
	int64_t ldc, step_c;
	unsigned m, n, k, tiles_m, tiles_n, batch, splits, per_split;
	float alpha;
	int relu, wide_c;
	float *partial; /* (batch, splits, m, n) where splits > 1 */
};

__device__ static inline float finished(const struct product &p, float sum, unsigned col)
{
	float y = p.alpha * sum + (p.bias.p ? val_get(p.bias, col) : 0);
	return p.relu && !(y > 0) ? 0 : y;
}

/* Moves sums from a tile to where they belong. */
struct give_sums {
	const struct product &p;
	unsigned first_row, first_col, batch, split;
	__device__ void operator()(unsigned row, unsigned col, const float *x) const
	{
		row += first_row;
		col += first_col;
		if (row >= p.m || col >= p.n)
			return;
		unsigned count = p.n - col < (unsigned)VEC ? p.n - col : (unsigned)VEC;
		int64_t at = batch * p.step_c + row * p.ldc + col;
		if (p.splits > 1) {
			float *to = p.partial + (((int64_t)batch * p.splits + split) * p.m + row) * p.n + col;
#pragma unroll 1
			for (unsigned i = 0; i < count; i++)
				to[i] = x[i];
		} else if (count == (unsigned)VEC && p.wide_c) {
			float y[VEC];
#pragma unroll
			for (int i = 0; i < VEC; i++)
				y[i] = finished(p, x[i], col + (unsigned)i);
			val_store(p.c, at, VEC, y);
		} else {
#pragma unroll 1
			for (unsigned i = 0; i < count; i++)
				val_put(p.c, at + i, finished(p, x[i], col + i));
		}
	}
};

/* One tile over one split's range of depth. */
template <class S> static __global__ void __launch_bounds__(BLOCK, 2) product_kernel(struct product p)
{
	typedef typename S::value T;
	enum { PART = PART_BYTES / sizeof(T), DEPTH = part<T>::DEPTH };
	SHARED(T, stage, 4 * PART);
	SHARED(float, patches, WARPS *FRAGMENT *FRAGMENT);
	unsigned at = blockIdx.x, tile_m = at % p.tiles_m, tile_n = at / p.tiles_m % p.tiles_n,
			 split = at / p.tiles_m / p.tiles_n % p.splits;
	unsigned batch = at / p.tiles_m / p.tiles_n / p.splits, row = tile_m * TILE, col = tile_n * TILE;
	unsigned first = split * p.per_split, last = p.k - first < p.per_split ? p.k : first + p.per_split;
	const T *a = (const T *)p.a.p + batch * p.a.step, *b = (const T *)p.b.p + batch * p.b.step;
	struct pieces<T> next_a, next_b;
	S sums;
	int now = 0;
	sums.clear();
	for (unsigned k = first;;
	     k += DEPTH, now ^= 1) { /* fetches at k, adds what was fetched before, which the other stage holds */
		T *this_one = stage + 2 * PART * now, *other = stage + 2 * PART * (now ^ 1);
		if (k < last) {
			next_a.fetch(p.a, a, row, k);
			next_b.fetch(p.b, b, col, k);
		}
		if (k > first)
			sums.add(other, other + PART, p.m - row, p.n - col);
		if (k >= last)
			break;
		next_a.put(this_one, p.a.rows_inner);
		next_b.put(this_one + PART, p.b.rows_inner);
		__syncthreads(); /* this stage is ready, and the other is no longer read */
	}
	sums.give(patches, p.m - row, p.n - col, give_sums{ p, row, col, batch, split });
}

/* c = the splits' parts, added in order. */
static __global__ void parts_kernel(struct product p, int64_t count)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, each = (int64_t)p.m * p.n;
	if (i >= count)
		return;
	int64_t batch = i / each, rest = i % each, row = rest / p.n, col = rest % p.n;
	float sum = 0;
	for (unsigned s = 0; s < p.splits; s++)
		sum += p.partial[(batch * p.splits + s) * each + rest];
	val_put(p.c, batch * p.step_c + row * p.ldc + col, finished(p, sum, (unsigned)col));
}

/* ---- launching ------------------------------------------------------------------------------- */

typedef unsigned short low;
template <bool A_ROWS, bool B_ROWS>
struct sums_of_low : sums_by_cores<low, __nv_bfloat16, __nv_bfloat16, 16, A_ROWS, B_ROWS> {
};
struct sums_of_tf32 : sums_by_cores<float, float, nvcuda::wmma::precision::tf32, 8, false, false> {
};

static void split_depth(const struct cuda *cu, struct product *p, unsigned depth)
{
	uint64_t tiles = (uint64_t)p->tiles_m * p->tiles_n * p->batch, steps = (p->k + depth - 1) / depth,
			 each = (uint64_t)p->batch * p->m * p->n * sizeof(float);
	uint64_t splits = 2 * (uint64_t)cu->processors / tiles, most = cu->workspace_bytes / each;
	splits = splits < (unsigned)MAX_SPLITS ? splits : (unsigned)MAX_SPLITS;
	splits = splits < steps / MIN_STEPS ? splits : steps / MIN_STEPS;
	splits = splits < most ? splits : most;
	splits = splits > 1 ? splits : 1;
	p->per_split = (unsigned)((steps + splits - 1) / splits) * depth;
	p->splits = (p->k + p->per_split - 1) / p->per_split;
	p->partial = (float *)cu->workspace;
}

static void run(struct cuda *cu, struct product *p, enum tensor_type in, bool exact)
{
	p->tiles_m = (p->m + TILE - 1) / TILE;
	p->tiles_n = (p->n + TILE - 1) / TILE;
	split_depth(cu, p, in == TENSOR_BF16 ? (unsigned)part<low>::DEPTH : (unsigned)part<float>::DEPTH);
	unsigned blocks = p->tiles_m * p->tiles_n * p->batch * p->splits;
	bool ar = p->a.rows_inner, br = p->b.rows_inner;
	if (in == TENSOR_F32 && (exact || cu->base.dtype != DTYPE_TF32))
		LAUNCH(cu, product_kernel<sums_of_floats>, blocks, BLOCK, 0, *p);
	else if (in == TENSOR_F32)
		LAUNCH(cu, product_kernel<sums_of_tf32>, blocks, BLOCK, 0, *p);
	else if (ar && br)
		LAUNCH(cu, (product_kernel<sums_of_low<true, true>>), blocks, BLOCK, 0, *p);
	else if (ar)
		LAUNCH(cu, (product_kernel<sums_of_low<true, false>>), blocks, BLOCK, 0, *p);
	else if (br)
		LAUNCH(cu, (product_kernel<sums_of_low<false, true>>), blocks, BLOCK, 0, *p);
	else
		LAUNCH(cu, (product_kernel<sums_of_low<false, false>>), blocks, BLOCK, 0, *p);
	int64_t count = (int64_t)p->batch * p->m * p->n;
	if (p->splits > 1)
		LAUNCH(cu, parts_kernel, blocks_for((size_t)count, BLOCK), BLOCK, 0, *p, count);
}

static bool small(struct cuda *cu, int64_t m, int64_t n, int64_t k)
{
	if (m <= INT_MAX && n <= INT_MAX && k <= INT_MAX)
		return true;
	cuda_fail(cu, __FILE__, __LINE__, "matrix product", "a size of more than 2^31 - 1: a smaller batch (train.batch)");
	return false;
}

static struct operand plain(const void *p, enum tensor_type type, int64_t lines, int64_t length, int64_t ld,
                            int64_t step, bool rows_inner)
{
	int64_t count = 16 / (int64_t)type_bytes(type);
	struct operand s = {};
	s.p = p;
	s.ld = ld;
	s.step = step;
	s.lines = (unsigned)lines;
	s.length = (unsigned)length;
	s.rows_inner = rows_inner;
	s.wide = (uintptr_t)p % 16 == 0 && ld % count == 0 && step % count == 0;
	return s;
}

void own_gemm(struct cuda *cu, const struct cuda_gemm_shape *s, const void *a, const void *b, const void *bias, void *c)
{
	struct product p = {};
	if (!small(cu, s->m, s->n, s->k))
		return;
	p.a = plain(a, s->in, s->ta ? s->k : s->m, s->ta ? s->m : s->k, s->lda, s->step_a, s->ta);
	p.b = plain(b, s->in, s->tb ? s->n : s->k, s->tb ? s->k : s->n, s->ldb, s->step_b, !s->tb);
	p.c = val_at(c, s->out);
	p.bias = val_at(s->bias ? bias : NULL, s->out);
	p.ldc = s->ldc;
	p.step_c = s->step_c;
	p.m = (unsigned)s->m;
	p.n = (unsigned)s->n;
	p.k = (unsigned)s->k;
	p.batch = (unsigned)s->batch;
	p.alpha = s->alpha;
	p.relu = s->relu;
	p.wide_c = p.c.wide && s->ldc % VEC == 0 && s->step_c % VEC == 0;
	run(cu, &p, s->in, s->exact);
}

/* The image of (h, w) pixels and c channels, as it lies under the taps of `lines` pixels of (height, width) images. */
static struct operand under_taps(const void *p, enum tensor_type type, const struct dnn_shape *s, int64_t height,
                                 int64_t width, int64_t h, int64_t w, int64_t c, bool rows_inner)
{
	struct operand o = plain(p, type, s->n * height * width, s->kh * s->kw * c, c, 0, rows_inner);
	o.kind = LINES_OF_PIXELS;
	o.area = divider_of(height * width);
	o.width = divider_of(width);
	o.channels = divider_of(c);
	o.columns = divider_of(s->kw);
	o.mul = s->stride;
	o.dir = o.div = 1;
	o.off_h = -s->pad_h;
	o.off_w = -s->pad_w;
	o.h = (int)h;
	o.w = (int)w;
	return o;
}

void own_conv(struct cuda *cu, const struct cuda_conv_shape *shape, void *x, void *w, const void *bias, void *y)
{
	const struct dnn_shape *s = &shape->shape;
	int64_t taps = s->kh * s->kw, inputs = s->n * s->h * s->w, outputs = s->n * s->oh * s->ow, m, n, k;
	struct product p = {};
	if (!small(cu, inputs > outputs ? inputs : outputs, taps * s->ic, taps * s->oc))
		return;
	if (shape->pass == DNN_FORWARD) {
		m = outputs, n = s->oc, k = taps * s->ic;
		p.a = under_taps(x, shape->type, s, s->oh, s->ow, s->h, s->w, s->ic, false);
		p.b = plain(w, shape->type, n, k, k, 0, false);
		p.c = val_at(y, shape->type);
	} else if (shape->pass == DNN_BACKWARD_DATA) {
		m = inputs, n = s->ic, k = taps * s->oc;
		p.a = under_taps(y, shape->type, s, s->h, s->w, s->oh, s->ow, s->oc, false);
		p.a.mul = 1;
		p.a.dir = -1;
		p.a.div = s->stride;
		p.a.off_h = s->pad_h;
		p.a.off_w = s->pad_w;
		p.b = plain(w, shape->type, k, n, n, 0, true);
		p.b.kind = LINES_BY_TAP;
		p.b.channels = divider_of(s->oc);
		p.b.taps = (int)taps;
		p.c = val_at(x, shape->type);
	} else {
		m = s->oc, n = taps * s->ic, k = outputs;
		p.a = plain(y, shape->type, k, m, m, 0, true);
		p.b = under_taps(x, shape->type, s, s->oh, s->ow, s->h, s->w, s->ic, true);
		p.c = val_at(w, TENSOR_F32);
	}
	p.bias = val_at(shape->bias ? bias : NULL, TENSOR_F32);
	p.ldc = n;
	p.m = (unsigned)m;
	p.n = (unsigned)n;
	p.k = (unsigned)k;
	p.batch = 1;
	p.alpha = 1;
	p.relu = shape->relu;
	p.wide_c = p.c.wide && n % VEC == 0;
	run(cu, &p, shape->type, shape->exact);
}
