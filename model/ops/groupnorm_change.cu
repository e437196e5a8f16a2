/* groupnorm_change.cu - groupnorm_change.c on a device, in groupnorm.cu's steps: sums per channel, both norms folded
 * into lines, a sweep; in one kernel that reads x and d once, or in three that read them twice.
 *
 * Nothing small is computed as a difference of large numbers in float: sums are of d and of what d adds to squares,
 * lines of both norms are subtracted in double, and the sweep makes  dz = a' d + (a' - a)(x - x0) + (b' - b)  and
 * silu's change from it. */
#include "model/cuda/group_tile.cuh"
#include "model/ops/dropout.cuh"

enum { X, D, W, B, E, W2, B2, E2 };
enum { SUM_PIXELS = 8, SWEEP_PIXELS = 4 };
enum { A_1, B_1, A_2, DELTA_A, DELTA_B, LINES }; /* per image and channel, of x - x0, x0 the channel's first pixel */

struct numbers {
	struct val w, b, e;
};
struct norm_pair {
	struct val x, d;
	struct numbers of[2];
	int64_t pixels, c, groups, per, mode;
	double eps;
}; /* mode: enum norm_mode */

static struct norm_pair pair_of(const struct node *nd)
{
	const struct tensor *x = nd->src[X];
	int64_t groups = nd->args.norm.groups;
	struct norm_pair m = { val_of(x),
		                   val_of(nd->src[D]),
		                   { { val_of(nd->src[W]), val_of(nd->src[B]), val_of(nd->src[E]) },
		                     { val_of(nd->src[W2]), val_of(nd->src[B2]), val_of(nd->src[E2]) } },
		                   x->h * x->w,
		                   x->c,
		                   groups,
		                   x->c / groups,
		                   nd->args.norm.mode,
		                   nd->args.norm.eps };
	return m;
}

/* Sums of u = x - x0, u^2, d, and (u + d)^2 - u^2. */
struct change_terms {
	enum { SUMS = 4, RESIDENT = 3 };
	struct val x, d;
	int64_t per_image;
	float x0[VEC];
	__device__ void begin(int64_t n, int64_t c, int count)
	{
		val_load(x0, x, n * per_image + c, count);
	}
	__device__ void pixel(float (&sum)[4][VEC], int64_t at, int count) const
	{
		float vx[VEC], vd[VEC];
		val_load(vx, x, at, count);
		val_load(vd, d, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++)
			add(sum, k, vx[k] - x0[k], vd[k]);
	}
	__device__ static void add(float (&sum)[4][VEC], int k, float u, float d)
	{
		sum[0][k] += u;
		sum[1][k] += u * u;
		sum[2][k] += d;
		sum[3][k] += d * (2 * u + d);
	}
};

/* A channel of an image: mean, sum of squared deviations from it, and what d changes of both. */
struct channel {
	double mean, square, d_mean, d_square;
};

__device__ static inline double embedding(const struct norm_pair &m, int which, enum norm_mode want, int64_t at)
{
	return m.mode == want ? (double)val_get(m.of[which].e, at) : 0;
}

/* s: the channel's sums. */
__device__ static inline struct channel channel_of(const struct norm_pair &m, const double s[change_terms::SUMS],
                                                   int64_t n, int64_t c)
{
	double pixels = (double)m.pixels, e = embedding(m, 0, NORM_ADD, n * m.c + c);
	struct channel r = { (double)val_get(m.x, n * m.pixels * m.c + c) + e + s[0] / pixels, s[1] - s[0] * s[0] / pixels,
		                 s[2] / pixels + embedding(m, 1, NORM_ADD, n * m.c + c) - e,
		                 s[3] - (2 * s[0] * s[2] + s[2] * s[2]) / pixels };
	return r;
}

/* z = (x - x0) a + b */
struct wide_line {
	double a, b;
};

__device__ static inline struct wide_line line_of(const struct norm_pair &m, int which, double mean, double rstd,
                                                  int64_t n, int64_t c)
{
	double scale = 1 + embedding(m, which, NORM_SCALE_SHIFT, n * 2 * m.c + c),
		   x0 = (double)val_get(m.x, n * m.pixels * m.c + c);
	double a = rstd * (double)val_get(m.of[which].w, c),
		   b = (double)val_get(m.of[which].b, c) + (x0 + embedding(m, which, NORM_ADD, n * m.c + c) - mean) * a;
	struct wide_line l = { a * scale, b * scale + embedding(m, which, NORM_SCALE_SHIFT, n * 2 * m.c + m.c + c) };
	return l;
}

/* What a channel adds to its group's sum of squared deviations, and to d's share of it. */
__device__ static inline double square_of(const struct channel &at, double mean, double pixels)
{
	return at.square + pixels * (at.mean - mean) * (at.mean - mean);
}

__device__ static inline double d_square_of(const struct channel &at, double mean, double d_mean, double pixels)
{
	double off = at.mean - mean, d_off = at.d_mean - d_mean;
	return at.d_square + pixels * d_off * (2 * off + d_off);
}

/* A group: means and sums of squared deviations, with what d changes of them. Writes a channel's lines, `stride` floats
 * apart. */
__device__ static inline void put_lines(const struct norm_pair &m, const struct channel &group, float *to,
                                        int64_t stride, int64_t n, int64_t c)
{
	double count = (double)m.pixels * (double)m.per, square = group.square > 0 ? group.square : 0,
		   second = square + group.d_square > 0 ? square + group.d_square : 0;
	struct wide_line one = line_of(m, 0, group.mean, 1 / sqrt(square / count + m.eps), n, c),
					 two = line_of(m, 1, group.mean + group.d_mean, 1 / sqrt(second / count + m.eps), n, c);
	to[A_1 * stride] = (float)one.a;
	to[B_1 * stride] = (float)one.b;
	to[A_2 * stride] = (float)two.a;
	to[DELTA_A * stride] = (float)(two.a - one.a);
	to[DELTA_B * stride] = (float)(two.b - one.b);
}

/* A block: one group of one image. */
static __global__ void change_lines_kernel(struct norm_pair m, float *lines, const float *partial, int64_t chunks)
{
	SHARED(double, shared, WARP);
	int64_t n = blockIdx.x / m.groups, k = blockIdx.x % m.groups, last = (k + 1) * m.per;
	double pixels = (double)m.pixels;
	struct channel group = { 0, 0, 0, 0 };
	for (int pass = 0; pass < 2; pass++) { /* the means first: deviations are taken from them */
		double sum = 0, change = 0;
		for (int64_t c = k * m.per + threadIdx.x; c < last; c += blockDim.x) {
			double s[change_terms::SUMS] = { 0, 0, 0, 0 };
			for (int64_t i = 0; i < chunks; i++)
				for (int j = 0; j < change_terms::SUMS; j++)
					s[j] += (double)partial[((n * chunks + i) * change_terms::SUMS + j) * m.c + c];
			struct channel at = channel_of(m, s, n, c);
			sum += pass == 0 ? at.mean : square_of(at, group.mean, pixels);
			change += pass == 0 ? at.d_mean : d_square_of(at, group.mean, group.d_mean, pixels);
		}
		sum = block_sum(sum, shared);
		change = block_sum(change, shared);
		if (pass == 0)
			group.mean = sum / (double)m.per, group.d_mean = change / (double)m.per;
		else
			group.square = sum, group.d_square = change;
	}
	for (int64_t c = k * m.per + threadIdx.x; c < last; c += blockDim.x)
		put_lines(m, group, lines + n * LINES * m.c + c, m.c, n, c);
}

/* silu(z + d) - silu(z) of T's precision. */
template <class T> __device__ static inline float silu_change(float z, float d)
{
	float s = sigmoid_for<T>(z + d);
	if (fabsf(d) > 1)
		return (z + d) * s - z * sigmoid_for<T>(z);
	return d * s - z * s * sigmoid_for<T>(-z) * expm1f(-d);
}

struct apply_change {
	enum { RESIDENT = 2 };
	struct val y, x, d;
	const float *lines;
	int64_t per_image, channels;
	bool silu;
	struct draw draw;
	float x0[VEC], line[LINES][VEC];
	__device__ void begin(int64_t n, int64_t c, int count)
	{
		val_load(x0, x, n * per_image + c, count);
#pragma unroll
		for (int i = 0; i < LINES; i++)
#pragma unroll
			for (int k = 0; k < VEC; k++)
				line[i][k] = k < count ? lines[(n * LINES + i) * channels + c + k] : 0;
	}
	__device__ void pixel(int64_t at, int count) const
	{
		float vx[VEC], vd[VEC];
		val_load(vx, x, at, count);
		val_load(vd, d, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			float u = vx[k] - x0[k], dz = line[A_2][k] * vd[k] + (line[DELTA_A][k] * u + line[DELTA_B][k]);
			vd[k] = silu ? silu_change<float>(u * line[A_1][k] + line[B_1][k], dz) : dz;
		}
		drop(vd, draw, at, count);
		val_store(y, at, count, vd);
	}
};

/* x and d are read once: see group_tile.cuh. */
template <class X, class Y, bool SILU>
static __global__ void __launch_bounds__(TILE_THREADS, 1)
	change_tile_kernel(struct norm_pair m, struct tile t, struct draw draw, struct val y)
{
	SHARED_BYTES(kept_bytes);
	X *kept_x = (X *)kept_bytes, *kept_d = kept_x + t.pixels * t.span;
	struct tile_place p = tile_place_of(t);
	struct tile_tables s = tile_tables_of(kept_d + t.pixels * t.span, t, change_terms::SUMS, LINES);
	float x0[VEC], sum[change_terms::SUMS][VEC] = {};
	tile_fetch(kept_x, (const X *)m.x.p, t, p);
	tile_fetch(kept_d, (const X *)m.d.p, t, p);
	load_wide(x0, (const X *)m.x.p + p.n * t.pixels * t.c + p.c);
	tile_wait();
	for (int i = p.lane; p.active && i < t.pixels; i += t.lanes) {
		float u[VEC], d[VEC];
		load_wide(u, kept_x + i * t.span + p.at);
		load_wide(d, kept_d + i * t.span + p.at);
#pragma unroll
		for (int k = 0; k < VEC; k++)
			change_terms::add(sum, k, u[k] - x0[k], d[k]);
	}
	tile_sums(s, sum, t, p);
	int64_t c0 = p.c - p.at;
	double pixels = (double)t.pixels, *means = s.part, *d_means = s.part + t.span, *squares = s.part + 2 * t.span,
		   *d_squares = s.part + 3 * t.span;
	static_assert(TILE_PARTS >= 4, "the tables above");
	for (int pass = 0; pass < 3; pass++) { /* means, squared deviations from their mean, lines */
		for (int c = (int)threadIdx.x; c < t.span; c += (int)blockDim.x) {
			double of[change_terms::SUMS];
			for (int j = 0; j < change_terms::SUMS; j++)
				of[j] = s.total[j * t.span + c];
			struct channel at = channel_of(m, of, p.n, c0 + c), group = { 0, 0, 0, 0 };
			if (pass == 0) {
				means[c] = at.mean;
				d_means[c] = at.d_mean;
				continue;
			}
			group.mean = group_sum(means, t, c) / (double)t.per;
			group.d_mean = group_sum(d_means, t, c) / (double)t.per;
			if (pass == 1) {
				squares[c] = square_of(at, group.mean, pixels);
				d_squares[c] = d_square_of(at, group.mean, group.d_mean, pixels);
				continue;
			}
			group.square = group_sum(squares, t, c);
			group.d_square = group_sum(d_squares, t, c);
			put_lines(m, group, s.line + c, t.span, p.n, c0 + c);
		}
		__syncthreads();
	}
	float line[LINES][VEC];
#pragma unroll
	for (int i = 0; i < LINES; i++)
		load_wide(line[i], s.line + i * t.span + p.at);
	for (int i = p.lane; p.active && i < t.pixels; i += t.lanes) {
		float u[VEC], d[VEC];
		load_wide(u, kept_x + i * t.span + p.at);
		load_wide(d, kept_d + i * t.span + p.at);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			u[k] -= x0[k];
			float dz = line[A_2][k] * d[k] + (line[DELTA_A][k] * u[k] + line[DELTA_B][k]);
			d[k] = SILU ? silu_change<Y>(u[k] * line[A_1][k] + line[B_1][k], dz) : dz;
		}
		drop(d, draw, p.first + i * t.c, VEC);
		store_wide((Y *)y.p + p.first + i * t.c, d);
	}
}

/* The types that training has: d is stored as x is. */
static const struct change_tile {
	int x, y; /* bf16 */
	bool silu;
	void (*kernel)(struct norm_pair, struct tile, struct draw, struct val);
} change_tiles[] = {
	{ 0, 0, true, change_tile_kernel<float, float, true> }, { 0, 0, false, change_tile_kernel<float, float, false> },
	{ 1, 1, true, change_tile_kernel<low16, low16, true> }, { 1, 1, false, change_tile_kernel<low16, low16, false> },
	{ 1, 0, true, change_tile_kernel<low16, float, true> },
};

/* The row for a node whose tiles fit, or NULL. */
static const struct change_tile *change_tile_of(const struct node *nd, const struct cuda *cu, struct tile *t)
{
	struct val x = val_of(nd->src[X]), d = val_of(nd->src[D]), y = val_of(nd->dst[0]);
	int bytes = (int)type_bytes(nd->src[X]->type);
	*t = tile_of(cu, nd->src[X], nd->args.norm.groups, { bytes, 2 * bytes, change_terms::SUMS, LINES });
	for (const struct change_tile &row : change_tiles)
		if (t->threads && x.wide && d.wide && y.wide && d.low == x.low && row.x == x.low && row.y == y.low &&
		    row.silu == nd->args.norm.silu)
			return &row;
	return NULL;
}

static struct columns sums_of(const struct node *nd, const struct cuda *cu)
{
	const struct tensor *x = nd->src[X];
	return columns_of(cu, x->n, x->h * x->w, x->c, SUM_PIXELS);
}

static size_t lines_at(const struct columns *p)
{
	return piece((size_t)(p->images * p->chunks * change_terms::SUMS * p->c) * sizeof(float));
}

static size_t change_prepare(struct node *nd, struct cuda *cu)
{
	struct columns p = sums_of(nd, cu);
	struct tile t;
	const struct change_tile *tile = change_tile_of(nd, cu, &t);
	if (tile)
		tile_allow(cu, (const void *)tile->kernel);
	return lines_at(&p) + (size_t)(p.images * LINES * p.c) * sizeof(float);
}

static void change_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[X];
	struct norm_pair m = pair_of(nd);
	int64_t per_image = m.pixels * m.c;
	struct draw draw = draw_of(cu, nd->args.norm.drop, x);
	struct tile t;
	const struct change_tile *tile = change_tile_of(nd, cu, &t);
	if (tile) {
		LAUNCH(cu, tile->kernel, (unsigned)(x->n * t.tiles), (unsigned)t.threads, (size_t)t.shared, m, t, draw,
		       val_of(nd->dst[0]));
		return;
	}
	struct columns sums = sums_of(nd, cu), sweep = columns_of(cu, x->n, m.pixels, m.c, SWEEP_PIXELS);
	float *partial = nd->work->data, *lines = (float *)(void *)((char *)nd->work->data + lines_at(&sums));
	struct change_terms terms = { m.x, m.d, per_image, {} };
	struct apply_change apply = {
		val_of(nd->dst[0]), m.x, m.d, lines, per_image, m.c, nd->args.norm.silu, draw, {}, {}
	};
	LAUNCH(cu, column_sums_kernel<change_terms>, columns_blocks(&sums), BLOCK, 0, terms, sums, partial);
	LAUNCH(cu, change_lines_kernel, (unsigned)(x->n * m.groups), m.per > WARP ? BLOCK / 2 : WARP, 0, m, lines,
	       (const float *)partial, sums.chunks);
	LAUNCH(cu, sweep_kernel<apply_change>, columns_blocks(&sweep), BLOCK, 0, apply, sweep);
}

extern "C" const struct cuda_op cuda_groupnorm_change = { change_prepare, change_run, NULL };
