/* groupnorm_bwd.cu - groupnorm.c's backward pass on a device: dy, x, w, b, stats, [e], [addend] -> dx, dw, db,
 * [de], [the sums of dx over pixels].
 *
 * Sums per channel, a group's means from them, a sweep that makes dx; in one kernel that reads dy and x once, or in
 * four that read both twice, as in groupnorm.cu. dz is recomputed from x rather than kept. */
#include "model/ops/groupnorm.cuh"

enum { DY, BX, BW, BB, STATS, BE, ADDEND };
enum { DX_SUMS = 4 };
/* Per image and channel: with u = x - CENTRE, z = u A + B and dx = dz A + u Q + R. CENTRE is the mean that x had before
 * e was added, as near as a float is. */
enum { CENTRE, A, B, Q, R, N_LINES };

/* What the sums of one channel are taken with: xhat = (u + off) rstd. */
struct centred {
	double mean, rstd, off;
	float centre;
};

__device__ static inline struct centred centred_of(const struct norm &m, struct val stats, int64_t n, int64_t c)
{
	int64_t k = n * m.groups + c / m.per;
	struct centred at = { (double)val_get(stats, k * 2), (double)val_get(stats, k * 2 + 1), 0, 0 };
	double mean = at.mean - (double)added(m, n, c);
	at.centre = (float)mean;
	at.off = (double)at.centre - mean;
	return at;
}

/* Sums of dz, dz u and u over a channel's pixels, made into those of dz, dz xhat and xhat. */
struct channel_sums {
	double dz, dot, xhat;
};

__device__ static inline struct channel_sums channel_sums_of(const struct centred &at, double dz, double dz_u, double u,
                                                             double pixels)
{
	struct channel_sums s = { dz, (dz_u + at.off * dz) * at.rstd, (u + at.off * pixels) * at.rstd };
	return s;
}

/* What follows for a channel from its sums and its group's means of v and of v xhat; per_image (n,3,c): this image's
 * share of dw, of db, and the sum of dx before anything is added to it. */
__device__ static inline void put_gradients(const struct norm &m, const struct channel_sums &s, double rstd, double m1,
                                            double m2, struct val de, float *per_image, int64_t n, int64_t c)
{
	double w = (double)val_get(m.w, c), scale = (double)scale_of(m, n, c);
	float *image = per_image + n * 3 * m.c + c,
		  dx = (float)(rstd * (scale * w * s.dz - (double)m.pixels * m1 - s.xhat * m2));
	image[0] = (float)(s.dot * scale);
	image[m.c] = (float)(s.dz * scale);
	image[2 * m.c] = dx;
	if (m.mode == NORM_ADD)
		val_put(de, n * m.c + c, dx);
	if (m.mode == NORM_SCALE_SHIFT) {
		val_put(de, n * 2 * m.c + c, (float)(s.dot * w + s.dz * (double)val_get(m.b, c)));
		val_put(de, n * 2 * m.c + m.c + c, (float)s.dz);
	}
}

/* dx = dz A + u q + r */
__device__ static inline float q_of(const struct centred &at, double m2)
{
	return (float)(-at.rstd * at.rstd * m2);
}

__device__ static inline float r_of(const struct centred &at, double m1, double m2)
{
	return (float)(-at.rstd * (m1 + at.off * at.rstd * m2));
}

/* dz = dy silu'(z) of T's precision, z = u a + b */
template <class T> __device__ static inline float gradient_of_silu(float dy, float z)
{
	float s = sigmoid_for<T>(z);
	return dy * (s * (1.0f + z * (1.0f - s)));
}

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
	int64_t n = i / m.c, c = i % m.c;
	struct centred centre = centred_of(m, stats, n, c);
	struct line l = line_of(m, centre.mean, centre.rstd, (double)centre.centre, n, c);
	float *at = lines + n * N_LINES * m.c + c;
	at[CENTRE * m.c] = centre.centre;
	at[A * m.c] = l.a;
	at[B * m.c] = l.b;
}

/* dz and u of a pixel's channels. */
__device__ static inline void load_dz(float dz[VEC], float u[VEC], struct val dy, struct val x, const float centre[VEC],
                                      const float a[VEC], const float b[VEC], bool silu, const struct draw &draw,
                                      int64_t at, int count)
{
	val_load(dz, dy, at, count);
	drop(dz, draw, at, count);
	val_load(u, x, at, count);
#pragma unroll
	for (int k = 0; k < VEC; k++) {
		u[k] -= centre[k];
		if (silu)
			dz[k] = gradient_of_silu<float>(dz[k], u[k] * a[k] + b[k]);
	}
}

/* Sums of dz, dz u and u. */
struct gradient_terms {
	enum { SUMS = 3, RESIDENT = 2 };
	struct val dy, x;
	const float *lines;
	int64_t channels;
	bool silu;
	struct draw draw;
	float centre[VEC], a[VEC], b[VEC];
	__device__ void begin(int64_t n, int64_t c, int count)
	{
		load_line(centre, lines, CENTRE, n, channels, c, count);
		load_line(a, lines, A, n, channels, c, count);
		load_line(b, lines, B, n, channels, c, count);
	}
	__device__ void pixel(float (&sum)[3][VEC], int64_t at, int count) const
	{
		float dz[VEC], u[VEC];
		load_dz(dz, u, dy, x, centre, a, b, silu, draw, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			sum[0][k] += dz[k];
			sum[1][k] += dz[k] * u[k];
			sum[2][k] += u[k];
		}
	}
};

/* A block: one group of one image. */
static __global__ void norm_gradient_kernel(struct norm m, struct val stats, struct val de, float *lines,
                                            float *per_image, const float *partial, int64_t chunks)
{
	SHARED(double, shared, WARP);
	int64_t n = blockIdx.x / m.groups, k = blockIdx.x % m.groups, last = (k + 1) * m.per;
	double pixels = (double)m.pixels, count = pixels * (double)m.per, m1 = 0, m2 = 0;
	for (int pass = 0; pass < 2; pass++) { /* the group's means, then what follows from them */
		double v = 0, v_xhat = 0;
		for (int64_t c = k * m.per + threadIdx.x; c < last; c += blockDim.x) {
			double sum[gradient_terms::SUMS] = { 0, 0, 0 }, w = (double)val_get(m.w, c) * (double)scale_of(m, n, c);
			for (int64_t i = 0; i < chunks; i++)
				for (int j = 0; j < gradient_terms::SUMS; j++)
					sum[j] += (double)partial[((n * chunks + i) * gradient_terms::SUMS + j) * m.c + c];
			struct centred at = centred_of(m, stats, n, c);
			struct channel_sums s = channel_sums_of(at, sum[0], sum[1], sum[2], pixels);
			v += s.dz * w;
			v_xhat += s.dot * w;
			if (pass == 0)
				continue;
			lines[(n * N_LINES + Q) * m.c + c] = q_of(at, m2);
			lines[(n * N_LINES + R) * m.c + c] = r_of(at, m1, m2);
			put_gradients(m, s, at.rstd, m1, m2, de, per_image, n, c);
		}
		if (pass == 0) {
			m1 = block_sum(v, shared) / count;
			m2 = block_sum(v_xhat, shared) / count;
		}
	}
}

struct apply_gradient {
	enum { RESIDENT = 2 };
	struct val dx, dy, x, addend;
	const float *lines;
	int64_t channels;
	bool silu;
	struct draw draw;
	float centre[VEC], a[VEC], b[VEC], q[VEC], r[VEC];
	__device__ void begin(int64_t n, int64_t c, int count)
	{
		load_line(centre, lines, CENTRE, n, channels, c, count);
		load_line(a, lines, A, n, channels, c, count);
		load_line(b, lines, B, n, channels, c, count);
		load_line(q, lines, Q, n, channels, c, count);
		load_line(r, lines, R, n, channels, c, count);
	}
	__device__ void pixel(int64_t at, int count) const
	{
		float dz[VEC], u[VEC], more[VEC] = { 0 };
		load_dz(dz, u, dy, x, centre, a, b, silu, draw, at, count);
		if (addend.p)
			val_load(more, addend, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++)
			dz[k] = dz[k] * a[k] + u[k] * q[k] + r[k] + more[k];
		val_store(dx, at, count, dz);
	}
};

/* dy and x are read once: see group_tile.cuh. */
template <class X, class Y, bool SILU>
static __global__ void __launch_bounds__(TILE_THREADS, 1)
	gradient_tile_kernel(struct norm m, struct tile t, struct draw draw, struct val stats, struct val dx, struct val dy,
                         struct val addend, struct val de, float *per_image)
{
	SHARED_BYTES(kept_bytes);
	Y *kept_dy = (Y *)kept_bytes;
	X *kept_x = (X *)(kept_dy + t.pixels * t.span);
	struct tile_place p = tile_place_of(t);
	struct tile_tables s = tile_tables_of(kept_x + t.pixels * t.span, t, gradient_terms::SUMS, N_LINES);
	int64_t c0 = p.c - p.at;
	tile_fetch(kept_dy, (const Y *)dy.p, t, p);
	tile_fetch(kept_x, (const X *)m.x.p, t, p);
	for (int c = (int)threadIdx.x; c < t.span; c += (int)blockDim.x) {
		struct centred at = centred_of(m, stats, p.n, c0 + c);
		struct line l = line_of(m, at.mean, at.rstd, (double)at.centre, p.n, c0 + c);
		s.line[CENTRE * t.span + c] = at.centre;
		s.line[A * t.span + c] = l.a;
		s.line[B * t.span + c] = l.b;
	}
	__syncthreads();
	float centre[VEC], a[VEC], b[VEC], sum[gradient_terms::SUMS][VEC] = {};
	load_wide(centre, s.line + CENTRE * t.span + p.at);
	load_wide(a, s.line + A * t.span + p.at);
	load_wide(b, s.line + B * t.span + p.at);
	tile_wait();
	for (int i = p.lane; p.active && i < t.pixels; i += t.lanes) {
		float dz[VEC], u[VEC];
		load_wide(dz, kept_dy + i * t.span + p.at);
		load_wide(u, kept_x + i * t.span + p.at);
		if (draw.p > 0) { /* once: what is dropped is 0 from here on */
			unsigned bits = kept_of(draw, p.first + i * t.c, VEC);
#pragma unroll
			for (int k = 0; k < VEC; k++)
				dz[k] = bits >> k & 1 ? dz[k] : 0;
			store_wide(kept_dy + i * t.span + p.at, dz);
		}
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			u[k] -= centre[k];
			dz[k] *= draw.scale;
			dz[k] = SILU ? gradient_of_silu<X>(dz[k], u[k] * a[k] + b[k]) : dz[k];
			sum[0][k] += dz[k];
			sum[1][k] += dz[k] * u[k];
			sum[2][k] += u[k];
		}
	}
	tile_sums(s, sum, t, p);
	double *v = s.part, *v_xhat = s.part + t.span, count = (double)t.pixels * (double)t.per;
	for (int c = (int)threadIdx.x; c < t.span; c += (int)blockDim.x) {
		struct channel_sums k = channel_sums_of(centred_of(m, stats, p.n, c0 + c), s.total[c], s.total[t.span + c],
		                                        s.total[2 * t.span + c], (double)t.pixels);
		double w = (double)val_get(m.w, c0 + c) * (double)scale_of(m, p.n, c0 + c);
		v[c] = k.dz * w;
		v_xhat[c] = k.dot * w;
	}
	__syncthreads();
	for (int c = (int)threadIdx.x; c < t.span; c += (int)blockDim.x) {
		struct centred at = centred_of(m, stats, p.n, c0 + c);
		double m1 = group_sum(v, t, c) / count, m2 = group_sum(v_xhat, t, c) / count;
		s.line[Q * t.span + c] = q_of(at, m2);
		s.line[R * t.span + c] = r_of(at, m1, m2);
		put_gradients(m,
		              channel_sums_of(at, s.total[c], s.total[t.span + c], s.total[2 * t.span + c], (double)t.pixels),
		              at.rstd, m1, m2, de, per_image, p.n, c0 + c);
	}
	__syncthreads();
	float q[VEC], r[VEC];
	load_wide(q, s.line + Q * t.span + p.at);
	load_wide(r, s.line + R * t.span + p.at);
	for (int i = p.lane; p.active && i < t.pixels; i += t.lanes) {
		float dz[VEC], u[VEC], more[VEC] = { 0 };
		load_wide(dz, kept_dy + i * t.span + p.at);
		load_wide(u, kept_x + i * t.span + p.at);
		if (addend.p)
			load_wide(more, (const X *)addend.p + p.first + i * t.c);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			u[k] -= centre[k];
			dz[k] *= draw.scale;
			dz[k] = SILU ? gradient_of_silu<X>(dz[k], u[k] * a[k] + b[k]) : dz[k];
			dz[k] = dz[k] * a[k] + u[k] * q[k] + r[k] + more[k];
		}
		store_wide((X *)dx.p + p.first + i * t.c, dz);
	}
}

/* The types that training has: dx and what is added to it are stored as x is. */
static const struct backward_tile {
	int x, dy; /* bf16 */
	bool silu;
	void (*kernel)(struct norm, struct tile, struct draw, struct val, struct val, struct val, struct val, struct val,
	               float *);
} backward_tiles[] = {
	{ 0, 0, true, gradient_tile_kernel<float, float, true> },
	{ 0, 0, false, gradient_tile_kernel<float, float, false> },
	{ 1, 1, true, gradient_tile_kernel<low16, low16, true> },
	{ 1, 1, false, gradient_tile_kernel<low16, low16, false> },
	{ 1, 0, true, gradient_tile_kernel<low16, float, true> },
};

/* The row for a node whose tiles fit, or NULL. */
static const struct backward_tile *backward_tile_of(const struct node *nd, const struct cuda *cu, struct tile *t)
{
	const struct tensor *x = nd->src[BX];
	struct val dy = val_of(nd->src[DY]), from = val_of(x), more = val_of(nd->src[ADDEND]), dx = val_of(nd->dst[0]);
	int bytes = (int)type_bytes(x->type);
	*t = tile_of(cu, x, nd->args.norm.groups,
	             { bytes, bytes + (int)type_bytes(nd->src[DY]->type), gradient_terms::SUMS, N_LINES });
	bool fits = t->threads && dy.wide && from.wide && dx.wide && dx.low == from.low &&
	            (!more.p || (more.wide && more.low == from.low));
	for (const struct backward_tile &row : backward_tiles)
		if (fits && row.x == from.low && row.dy == dy.low && row.silu == nd->args.norm.silu)
			return &row;
	return NULL;
}

/* Scratch: partial sums, lines, each image's dw and db. */
struct backward_work {
	size_t lines, per_image, bytes;
};

static struct backward_work backward_work_of(const struct node *nd, const struct cuda *cu)
{
	const struct tensor *x = nd->src[BX];
	struct columns p = columns_of(cu, x->n, x->h * x->w, x->c, SUM_PIXELS);
	struct backward_work at;
	at.lines = piece((size_t)(p.images * p.chunks * gradient_terms::SUMS * p.c) * sizeof(float));
	at.per_image = at.lines + piece((size_t)(p.images * N_LINES * p.c) * sizeof(float));
	at.bytes = at.per_image + (size_t)(p.images * 3 * p.c) * sizeof(float);
	return at;
}

static size_t backward_prepare(struct node *nd, struct cuda *cu)
{
	struct tile t;
	const struct backward_tile *tile = backward_tile_of(nd, cu, &t);
	if (tile)
		tile_allow(cu, (const void *)tile->kernel);
	return backward_work_of(nd, cu).bytes;
}

static void backward_run(struct node *nd, struct cuda *cu)
{
	struct norm m = norm_of(nd, nd->src[BX], nd->src[BW], nd->src[BB], nd->src[BE]);
	struct backward_work at = backward_work_of(nd, cu);
	float *partial = nd->work->data, *lines = partial + at.lines / sizeof(float),
		  *per_image = partial + at.per_image / sizeof(float);
	struct val dy = val_of(nd->src[DY]), stats = val_of(nd->src[STATS]), dx = val_of(nd->dst[0]),
			   addend = val_of(nd->src[ADDEND]), de = val_of(nd->dst[3]),
			   sums[] = { val_of(nd->dst[1]), val_of(nd->dst[2]), val_of(nd->dst[DX_SUMS]) };
	struct draw draw = draw_of(cu, nd->args.norm.drop, nd->src[BX]);
	struct tile t;
	const struct backward_tile *tile = backward_tile_of(nd, cu, &t);
	if (tile) {
		LAUNCH(cu, tile->kernel, (unsigned)(m.images * t.tiles), (unsigned)t.threads, (size_t)t.shared, m, t, draw,
		       stats, dx, dy, addend, de, per_image);
	} else {
		struct columns p = columns_of(cu, m.images, m.pixels, m.c, SUM_PIXELS),
					   q = columns_of(cu, m.images, m.pixels, m.c, SWEEP_PIXELS);
		bool silu = nd->args.norm.silu;
		struct gradient_terms terms = { dy, m.x, lines, m.c, silu, draw, {}, {}, {} };
		struct apply_gradient gradient = { dx, dy, m.x, addend, lines, m.c, silu, draw, {}, {}, {}, {}, {} };
		LAUNCH(cu, gradient_lines_kernel, blocks_for((size_t)(m.images * m.c), BLOCK), BLOCK, 0, m, stats, lines);
		LAUNCH(cu, column_sums_kernel<gradient_terms>, columns_blocks(&p), BLOCK, 0, terms, p, partial);
		LAUNCH(cu, norm_gradient_kernel, (unsigned)(m.images * m.groups), group_threads(m.per), 0, m, stats, de, lines,
		       per_image, (const float *)partial, p.chunks);
		LAUNCH(cu, sweep_kernel<apply_gradient>, columns_blocks(&q), BLOCK, 0, gradient, q);
	}
	rows_sum_thirds(cu, sums, per_image, m.images, m.c);
}

extern "C" const struct cuda_op cuda_groupnorm_bwd = { backward_prepare, backward_run, NULL };
