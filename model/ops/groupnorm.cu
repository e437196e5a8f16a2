/* groupnorm.cu - groupnorm.c on a device.
 *
 * Forward: sums per channel, norm, weights and embedding folded into one line z = (x - x0) a + b per channel, x0 the
 * channel's first pixel, then a sweep that applies it (and silu). Where whole groups of an image fit a block's shared
 * memory and types are those of training, one kernel does that and reads x once (group_tile.cuh); else three do, cut
 * over blocks by pixels, and x is read twice. Backward
 * reads dy and x twice and writes dx once in the same three steps; dz is recomputed from x rather than kept.
 * Per-channel sums are of x minus the channel's first pixel, so that a large mean costs no digits; sums over chunks,
 * channels and images are in double. */
#include "model/cuda/group_tile.cuh"

/* What the group kernels need to know of a node. */
struct norm {
	struct val x, w, b, e;
	int64_t images, pixels, c, groups, per;
	enum norm_mode mode;
	double eps;
};

static struct norm norm_of(const struct node *nd, const struct tensor *x, const struct tensor *w,
                           const struct tensor *b, const struct tensor *e)
{
	int64_t groups = nd->args.norm.groups;
	struct norm m = { val_of(x), val_of(w),     val_of(b),          val_of(e),        x->n, x->h * x->w, x->c,
		              groups,    x->c / groups, nd->args.norm.mode, nd->args.norm.eps };
	return m;
}

__device__ static inline float added(const struct norm &m, int64_t n, int64_t c)
{
	return m.mode == NORM_ADD ? val_get(m.e, n * m.c + c) : 0;
}

__device__ static inline float scale_of(const struct norm &m, int64_t n, int64_t c)
{
	return m.mode == NORM_SCALE_SHIFT ? 1 + val_get(m.e, n * 2 * m.c + c) : 1;
}

__device__ static inline float shift_of(const struct norm &m, int64_t n, int64_t c)
{
	return m.mode == NORM_SCALE_SHIFT ? val_get(m.e, n * 2 * m.c + m.c + c) : 0;
}

/* z = (x - centre) a + b for channel c of image n. */
struct line {
	float a, b;
};

__device__ static inline struct line line_of(const struct norm &m, double mean, double rstd, double centre, int64_t n,
                                             int64_t c)
{
	double a = rstd * (double)val_get(m.w, c), s = (double)scale_of(m, n, c),
		   b = (double)val_get(m.b, c) + (centre + (double)added(m, n, c) - mean) * a;
	struct line l = { (float)(a * s), (float)(b * s + (double)shift_of(m, n, c)) };
	return l;
}

/* Threads of a block that has a group's channels to itself: whole warps. */
static unsigned group_threads(int64_t per)
{
	return per > WARP ? BLOCK / 2 : WARP;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* Sums of x - x0 and its square, x0 the channel's first pixel in this image. */
struct moment_terms {
	enum { SUMS = 2, RESIDENT = 5 };
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
		val_store(y, at, count, v);
	}
};

enum { SUM_PIXELS = 8, SWEEP_PIXELS = 4 }; /* at least this many per thread before an image is cut over more blocks */

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
	norm_tile_kernel(struct norm m, struct tile t, struct val y, struct val stats)
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
	__syncthreads();
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
		store_wide((Y *)y.p + p.first + i * t.c, v);
	}
}

/* The types that training has. */
static const struct forward_tile {
	int x, y; /* bf16 */
	bool silu;
	void (*kernel)(struct norm, struct tile, struct val, struct val);
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
	struct tile t;
	const struct forward_tile *tile = forward_tile_of(nd, cu, &t);
	if (tile) {
		LAUNCH(cu, tile->kernel, (unsigned)(m.images * t.tiles), (unsigned)t.threads, (size_t)t.shared, m, t,
		       val_of(nd->dst[0]), val_of(nd->dst[1]));
		return;
	}
	struct columns p = columns_of(cu, m.images, m.pixels, m.c, SUM_PIXELS),
				   q = columns_of(cu, m.images, m.pixels, m.c, SWEEP_PIXELS);
	float *partial = nd->work->data, *lines = partial + forward_lines_at(nd, cu) / sizeof(float);
	struct moment_terms terms = { m.x, m.pixels * m.c, {} };
	struct apply_line line = { val_of(nd->dst[0]), m.x, lines, m.pixels * m.c, m.c, nd->args.norm.silu, {}, {}, {} };
	LAUNCH(cu, column_sums_kernel<moment_terms>, columns_blocks(&p), BLOCK, 0, terms, p, partial);
	LAUNCH(cu, norm_lines_kernel, (unsigned)(m.images * m.groups), group_threads(m.per), 0, m, val_of(nd->dst[1]),
	       lines, (const float *)partial, p.chunks);
	LAUNCH(cu, sweep_kernel<apply_line>, columns_blocks(&q), BLOCK, 0, line, q);
}

extern "C" const struct cuda_op cuda_groupnorm = { forward_prepare, forward_run, NULL };

/* ---- backward: dy, x, w, b, stats, [e], [addend] -> dx, dw, db, [de] ------------------------- */

enum { DY, BX, BW, BB, STATS, BE, ADDEND };
/* Per image and channel: the forward line, xhat = x * S + H, and dx = dz * P + x * Q + R. */
enum { A, B, S, H, P, Q, R, N_LINES };

__device__ static inline void load_line(float v[VEC], const float *lines, int which, int64_t n, int64_t channels,
                                        int64_t c, int count)
{
#pragma unroll
	for (int k = 0; k < VEC; k++)
		v[k] = k < count ? lines[(n * N_LINES + which) * channels + c + k] : 0;
}

static __global__ void gradient_lines_kernel(struct norm m, struct val stats, float *lines)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= m.images * m.c)
		return;
	int64_t n = i / m.c, c = i % m.c, k = n * m.groups + c / m.per;
	float mean = val_get(stats, k * 2), rstd = val_get(stats, k * 2 + 1), *at = lines + n * N_LINES * m.c + c;
	struct line l = line_of(m, (double)mean, (double)rstd, 0, n, c);
	at[A * m.c] = l.a;
	at[B * m.c] = l.b;
	at[S * m.c] = rstd;
	at[H * m.c] = (added(m, n, c) - mean) * rstd;
}

/* dz of a pixel's channels. */
__device__ static inline void load_dz(float dz[VEC], float x[VEC], struct val dy, struct val vx, const float a[VEC],
                                      const float b[VEC], bool silu, int64_t at, int count)
{
	val_load(dz, dy, at, count);
	val_load(x, vx, at, count);
	if (!silu)
		return;
#pragma unroll
	for (int k = 0; k < VEC; k++) {
		float z = x[k] * a[k] + b[k], s = sigmoid(z);
		dz[k] *= s * (1.0f + z * (1.0f - s));
	}
}

/* Sums of dz, dz * xhat and xhat. */
struct gradient_terms {
	enum { SUMS = 3, RESIDENT = 3 };
	struct val dy, x;
	const float *lines;
	int64_t channels;
	bool silu;
	float a[VEC], b[VEC], s[VEC], h[VEC];
	__device__ void begin(int64_t n, int64_t c, int count)
	{
		load_line(a, lines, A, n, channels, c, count);
		load_line(b, lines, B, n, channels, c, count);
		load_line(s, lines, S, n, channels, c, count);
		load_line(h, lines, H, n, channels, c, count);
	}
	__device__ void pixel(float (&sum)[3][VEC], int64_t at, int count) const
	{
		float dz[VEC], v[VEC];
		load_dz(dz, v, dy, x, a, b, silu, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			float xhat = v[k] * s[k] + h[k];
			sum[0][k] += dz[k];
			sum[1][k] += dz[k] * xhat;
			sum[2][k] += xhat;
		}
	}
};

/* A block: one group of one image. per_image (n,2,c): this image's share of dw and db. */
static __global__ void norm_gradient_kernel(struct norm m, struct val stats, struct val de, float *lines,
                                            float *per_image, const float *partial, int64_t chunks)
{
	SHARED(double, shared, WARP);
	int64_t n = blockIdx.x / m.groups, k = blockIdx.x % m.groups, last = (k + 1) * m.per;
	double rstd = (double)val_get(stats, (n * m.groups + k) * 2 + 1),
		   mean = (double)val_get(stats, (n * m.groups + k) * 2);
	double pixels = (double)m.pixels, count = pixels * (double)m.per, m1 = 0, m2 = 0;
	for (int pass = 0; pass < 2; pass++) { /* the group's means, then what follows from them */
		double v = 0, v_xhat = 0;
		for (int64_t c = k * m.per + threadIdx.x; c < last; c += blockDim.x) {
			double sum = 0, dot = 0, xhat = 0, w = (double)val_get(m.w, c), scale = (double)scale_of(m, n, c);
			for (int64_t i = 0; i < chunks; i++) {
				const float *at = partial + (n * chunks + i) * 3 * m.c + c;
				sum += (double)at[0];
				dot += (double)at[m.c];
				xhat += (double)at[2 * m.c];
			}
			v += sum * scale * w;
			v_xhat += dot * scale * w;
			if (pass == 0)
				continue;
			float *line = lines + n * N_LINES * m.c + c;
			double p = rstd * scale * w, q = -rstd * rstd * m2, r = -rstd * m1 - q * (mean - (double)added(m, n, c));
			line[P * m.c] = (float)p;
			line[Q * m.c] = (float)q;
			line[R * m.c] = (float)r;
			per_image[n * 2 * m.c + c] = (float)(dot * scale);
			per_image[n * 2 * m.c + m.c + c] = (float)(sum * scale);
			if (m.mode == NORM_ADD)
				val_put(de, n * m.c + c, (float)(p * sum - rstd * (pixels * m1 + xhat * m2)));
			if (m.mode == NORM_SCALE_SHIFT) {
				val_put(de, n * 2 * m.c + c, (float)(dot * w + sum * (double)val_get(m.b, c)));
				val_put(de, n * 2 * m.c + m.c + c, (float)sum);
			}
		}
		if (pass == 0) {
			m1 = block_sum(v, shared) / count;
			m2 = block_sum(v_xhat, shared) / count;
		}
	}
}

struct apply_gradient {
	enum { RESIDENT = 3 };
	struct val dx, dy, x, addend;
	const float *lines;
	int64_t channels;
	bool silu;
	float a[VEC], b[VEC], p[VEC], q[VEC], r[VEC];
	__device__ void begin(int64_t n, int64_t c, int count)
	{
		load_line(a, lines, A, n, channels, c, count);
		load_line(b, lines, B, n, channels, c, count);
		load_line(p, lines, P, n, channels, c, count);
		load_line(q, lines, Q, n, channels, c, count);
		load_line(r, lines, R, n, channels, c, count);
	}
	__device__ void pixel(int64_t at, int count) const
	{
		float dz[VEC], v[VEC], more[VEC] = { 0 };
		load_dz(dz, v, dy, x, a, b, silu, at, count);
		if (addend.p)
			val_load(more, addend, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++)
			dz[k] = dz[k] * p[k] + v[k] * q[k] + r[k] + more[k];
		val_store(dx, at, count, dz);
	}
};

/* Scratch: partial sums, lines, each image's dw and db. */
struct backward_work {
	size_t lines, per_image, bytes;
};

static struct backward_work backward_work_of(const struct node *nd, const struct cuda *cu)
{
	const struct tensor *x = nd->src[BX];
	struct columns p = columns_of(cu, x->n, x->h * x->w, x->c, SUM_PIXELS);
	struct backward_work at;
	at.lines = piece((size_t)(p.images * p.chunks * 3 * p.c) * sizeof(float));
	at.per_image = at.lines + piece((size_t)(p.images * N_LINES * p.c) * sizeof(float));
	at.bytes = at.per_image + (size_t)(p.images * 2 * p.c) * sizeof(float);
	return at;
}

static size_t backward_prepare(struct node *nd, struct cuda *cu)
{
	return backward_work_of(nd, cu).bytes;
}

static void backward_run(struct node *nd, struct cuda *cu)
{
	struct norm m = norm_of(nd, nd->src[BX], nd->src[BW], nd->src[BB], nd->src[BE]);
	struct columns p = columns_of(cu, m.images, m.pixels, m.c, SUM_PIXELS),
				   q = columns_of(cu, m.images, m.pixels, m.c, SWEEP_PIXELS);
	struct backward_work at = backward_work_of(nd, cu);
	float *partial = nd->work->data, *lines = partial + at.lines / sizeof(float),
		  *per_image = partial + at.per_image / sizeof(float);
	struct val dy = val_of(nd->src[DY]), stats = val_of(nd->src[STATS]), de = val_of(nd->n_dst > 3 ? nd->dst[3] : NULL);
	bool silu = nd->args.norm.silu;
	struct gradient_terms terms = { dy, m.x, lines, m.c, silu, {}, {}, {}, {} };
	struct apply_gradient gradient = {
		val_of(nd->dst[0]), dy, m.x, val_of(nd->src[ADDEND]), lines, m.c, silu, {}, {}, {}, {}, {}
	};
	LAUNCH(cu, gradient_lines_kernel, blocks_for((size_t)(m.images * m.c), BLOCK), BLOCK, 0, m, stats, lines);
	LAUNCH(cu, column_sums_kernel<gradient_terms>, columns_blocks(&p), BLOCK, 0, terms, p, partial);
	LAUNCH(cu, norm_gradient_kernel, (unsigned)(m.images * m.groups), group_threads(m.per), 0, m, stats, de, lines,
	       per_image, (const float *)partial, p.chunks);
	rows_sum(cu, val_of(nd->dst[1]), per_image, 1, m.images, 2 * m.c, m.c, 1);
	rows_sum(cu, val_of(nd->dst[2]), per_image + m.c, 1, m.images, 2 * m.c, m.c, 1);
	LAUNCH(cu, sweep_kernel<apply_gradient>, columns_blocks(&q), BLOCK, 0, gradient, q);
}

extern "C" const struct cuda_op cuda_groupnorm_bwd = { backward_prepare, backward_run, NULL };
