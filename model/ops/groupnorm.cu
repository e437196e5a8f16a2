/* groupnorm.cu - groupnorm.c's forward pass on a device.
 *
 * Sums per channel, norm, weights and embedding folded into one line z = (x - x0) a + b per channel, x0 the channel's
 * first pixel in the image, then a sweep that applies it (and silu). Where whole groups of an image fit a block's
 * shared memory and types are those of training, one kernel does all that and reads x once (group_tile.cuh). Else
 * three do, which cut images over blocks by pixels, and x is read twice.
 * Per-channel sums are of x - x0, so that a large mean costs no digits; sums over threads, chunks and channels are in
 * double. */
#include "model/ops/groupnorm.cuh"

/* Sums of x - x0 and its square, x0 the channel's first pixel in this image. */
struct moment_terms {
	enum { SUMS = 2, RESIDENT = 4 };
	struct val x;
	int64_t per_image;
	float x0[VEC];
	__device__ void begin(int64_t n, int64_t c, int count)
	{
		val_load(x0, x, n * per_image + c, count);
	}
	__device__ void pixel(float (&sum)[2][VEC], int64_t at, int count) const
	{
		float v[VEC];
		val_load(v, x, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++)
			add(sum[0][k], sum[1][k], v[k] - x0[k]);
	}
	__device__ static void add(float &sum, float &square, float d)
	{
		sum += d;
		square += d * d;
	}
};

/* Of a group's sum of squared deviations. */
__device__ static inline float rstd_of(const struct norm &m, double square)
{
	double count = (double)m.pixels * (double)m.per;
	return (float)(1 / sqrt((square > 0 ? square : 0) / count + m.eps));
}

/* A block: one group of one image. Channels' means and squared deviations from the chunks' sums, then the group's. */
static __global__ void norm_lines_kernel(struct norm m, struct val stats, float *lines, const float *partial,
                                         int64_t chunks)
{
	SHARED(double, shared, WARP);
	int64_t n = blockIdx.x / m.groups, k = blockIdx.x % m.groups, last = (k + 1) * m.per;
	double pixels = (double)m.pixels, mean = 0, square = 0;
	for (int pass = 0; pass < 2; pass++) { /* the mean first: deviations are taken from it */
		double sum = 0;
		for (int64_t c = k * m.per + threadIdx.x; c < last; c += blockDim.x) {
			double s = 0, s2 = 0;
			for (int64_t i = 0; i < chunks; i++) {
				s += (double)partial[((n * chunks + i) * 2) * m.c + c];
				s2 += (double)partial[((n * chunks + i) * 2 + 1) * m.c + c];
			}
			double at = (double)val_get(m.x, n * m.pixels * m.c + c) + (double)added(m, n, c) + s / pixels - mean;
			sum += pass == 0 ? at : s2 - s * s / pixels + pixels * at * at;
		}
		sum = block_sum(sum, shared);
		if (pass == 0)
			mean = sum / (double)m.per;
		else
			square = sum;
	}
	float rstd = rstd_of(m, square);
	if (threadIdx.x == 0) {
		val_put(stats, (n * m.groups + k) * 2, (float)mean);
		val_put(stats, (n * m.groups + k) * 2 + 1, rstd);
	}
	for (int64_t c = k * m.per + threadIdx.x; c < last; c += blockDim.x) {
		struct line l = line_of(m, mean, (double)rstd, (double)val_get(m.x, n * m.pixels * m.c + c), n, c);
		lines[n * 2 * m.c + c] = l.a;
		lines[n * 2 * m.c + m.c + c] = l.b;
	}
}

struct apply_line {
	enum { RESIDENT = 4 };
	struct val y, x;
	const float *lines;
	int64_t per_image, channels;
	bool silu;
	struct draw draw;
	float x0[VEC], a[VEC], b[VEC];
	__device__ void begin(int64_t n, int64_t c, int count)
	{
		val_load(x0, x, n * per_image + c, count);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			a[k] = k < count ? lines[n * 2 * channels + c + k] : 0;
			b[k] = k < count ? lines[n * 2 * channels + channels + c + k] : 0;
		}
	}
	__device__ void pixel(int64_t at, int count) const
	{
		float v[VEC];
		val_load(v, x, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			float z = (v[k] - x0[k]) * a[k] + b[k];
			v[k] = silu ? z * sigmoid(z) : z;
		}
		drop(v, draw, at, count);
		val_store(y, at, count, v);
	}
};

static size_t forward_lines_at(const struct node *nd, const struct cuda *cu)
{
	const struct tensor *x = nd->src[0];
	struct columns p = columns_of(cu, x->n, x->h * x->w, x->c, SUM_PIXELS);
	return piece((size_t)(p.images * p.chunks * 2 * p.c) * sizeof(float));
}

/* x is read once: see group_tile.cuh. */
enum { KEPT_A, KEPT_B, KEPT_LINES };

template <class X, class Y, bool SILU>
static __global__ void __launch_bounds__(TILE_THREADS, 1)
	norm_tile_kernel(struct norm m, struct tile t, struct draw draw, struct val y, struct val stats)
{
	SHARED_BYTES(kept_bytes);
	X *kept = (X *)kept_bytes;
	struct tile_place p = tile_place_of(t);
	struct tile_tables s = tile_tables_of(kept + t.pixels * t.span, t, moment_terms::SUMS, KEPT_LINES);
	float x0[VEC], sum[moment_terms::SUMS][VEC] = {};
	tile_fetch(kept, (const X *)m.x.p, t, p);
	load_wide(x0, (const X *)m.x.p + p.n * t.pixels * t.c + p.c);
	tile_wait();
	for (int i = p.lane; p.active && i < t.pixels; i += t.lanes) {
		float v[VEC];
		load_wide(v, kept + i * t.span + p.at);
#pragma unroll
		for (int k = 0; k < VEC; k++)
			moment_terms::add(sum[0][k], sum[1][k], v[k] - x0[k]);
	}
	tile_sums(s, sum, t, p);
	int64_t c0 = p.c - p.at, x_at = p.n * t.pixels * t.c + c0;
	double pixels = (double)t.pixels, *means = s.part, *squares = s.part + t.span;
	for (int c = (int)threadIdx.x; c < t.span; c += (int)blockDim.x)
		means[c] = (double)val_get(m.x, x_at + c) + (double)added(m, p.n, c0 + c) + s.total[c] / pixels;
	__syncthreads();
	for (int c = (int)threadIdx.x; c < t.span; c += (int)blockDim.x) {
		double sum_c = s.total[c], off = means[c] - group_sum(means, t, c) / (double)t.per;
		squares[c] = s.total[t.span + c] - sum_c * sum_c / pixels + pixels * off * off;
	}
	__syncthreads();
	for (int c = (int)threadIdx.x; c < t.span; c += (int)blockDim.x) {
		double mean = group_sum(means, t, c) / (double)t.per;
		float rstd = rstd_of(m, group_sum(squares, t, c));
		struct line l = line_of(m, mean, (double)rstd, (double)val_get(m.x, x_at + c), p.n, c0 + c);
		s.line[KEPT_A * t.span + c] = l.a;
		s.line[KEPT_B * t.span + c] = l.b;
		if (c % t.per == 0) {
			val_put(stats, (p.n * m.groups + (c0 + c) / t.per) * 2, (float)mean);
			val_put(stats, (p.n * m.groups + (c0 + c) / t.per) * 2 + 1, rstd);
		}
	}
	__syncthreads();
	float a[VEC], b[VEC];
	load_wide(a, s.line + KEPT_A * t.span + p.at);
	load_wide(b, s.line + KEPT_B * t.span + p.at);
#pragma unroll 2
	for (int i = p.lane; p.active && i < t.pixels; i += t.lanes) {
		float v[VEC];
		load_wide(v, kept + i * t.span + p.at);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			float z = (v[k] - x0[k]) * a[k] + b[k];
			v[k] = SILU ? z * sigmoid_for<Y>(z) : z;
		}
		drop(v, draw, p.first + i * t.c, VEC);
		store_wide((Y *)y.p + p.first + i * t.c, v);
	}
}

/* The types that training has. */
static const struct forward_tile {
	int x, y; /* bf16 */
	bool silu;
	void (*kernel)(struct norm, struct tile, struct draw, struct val, struct val);
} forward_tiles[] = {
	{ 0, 0, true, norm_tile_kernel<float, float, true> }, { 0, 0, false, norm_tile_kernel<float, float, false> },
	{ 1, 1, true, norm_tile_kernel<low16, low16, true> }, { 1, 1, false, norm_tile_kernel<low16, low16, false> },
	{ 1, 0, true, norm_tile_kernel<low16, float, true> },
};

/* The row for a node whose tiles fit, or NULL. */
static const struct forward_tile *forward_tile_of(const struct node *nd, const struct cuda *cu, struct tile *t)
{
	const struct tensor *x = nd->src[0];
	struct val from = val_of(x), to = val_of(nd->dst[0]);
	int bytes = (int)type_bytes(x->type);
	*t = tile_of(cu, x, nd->args.norm.groups, { bytes, bytes, moment_terms::SUMS, KEPT_LINES });
	for (const struct forward_tile &row : forward_tiles)
		if (t->threads && from.wide && to.wide && row.x == from.low && row.y == to.low &&
		    row.silu == nd->args.norm.silu)
			return &row;
	return NULL;
}

static size_t forward_prepare(struct node *nd, struct cuda *cu)
{
	struct tile t;
	const struct forward_tile *tile = forward_tile_of(nd, cu, &t);
	if (tile)
		tile_allow(cu, (const void *)tile->kernel);
	return forward_lines_at(nd, cu) + (size_t)(nd->src[0]->n * 2 * nd->src[0]->c) * sizeof(float);
}

static void forward_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[0];
	struct norm m = norm_of(nd, x, nd->src[1], nd->src[2], nd->src[3]);
	struct draw draw = draw_of(cu, nd->args.norm.drop, x);
	struct tile t;
	const struct forward_tile *tile = forward_tile_of(nd, cu, &t);
	if (tile) {
		LAUNCH(cu, tile->kernel, (unsigned)(m.images * t.tiles), (unsigned)t.threads, (size_t)t.shared, m, t, draw,
		       val_of(nd->dst[0]), val_of(nd->dst[1]));
		return;
	}
	struct columns p = columns_of(cu, m.images, m.pixels, m.c, SUM_PIXELS),
				   q = columns_of(cu, m.images, m.pixels, m.c, SWEEP_PIXELS);
	float *partial = nd->work->data, *lines = partial + forward_lines_at(nd, cu) / sizeof(float);
	struct moment_terms terms = { m.x, m.pixels * m.c, {} };
	struct apply_line line = {
		val_of(nd->dst[0]), m.x, lines, m.pixels * m.c, m.c, nd->args.norm.silu, draw, {}, {}, {}
	};
	LAUNCH(cu, column_sums_kernel<moment_terms>, columns_blocks(&p), BLOCK, 0, terms, p, partial);
	LAUNCH(cu, norm_lines_kernel, (unsigned)(m.images * m.groups), group_threads(m.per), 0, m, val_of(nd->dst[1]),
	       lines, (const float *)partial, p.chunks);
	LAUNCH(cu, sweep_kernel<apply_line>, columns_blocks(&q), BLOCK, 0, line, q);
}

extern "C" const struct cuda_op cuda_groupnorm = { forward_prepare, forward_run, NULL };
