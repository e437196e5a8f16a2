/* groupnorm_change.cu - groupnorm_change.c on a device, in groupnorm.cu's three steps: sums per channel, a block per
 * group that folds both norms into lines, a sweep. It reads x and d twice and writes y once.
 *
 * Nothing small is computed as a difference of large numbers in float: sums are of d and of what d adds to squares,
 * lines of both norms are
 * subtracted in double, and the sweep makes  dz = a' d + (a' - a)(x - x0) + (b' - b)  and silu's change from it. */
#include "model/cuda/kernel.cuh"

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
		for (int k = 0; k < VEC; k++) {
			float u = vx[k] - x0[k];
			sum[0][k] += u;
			sum[1][k] += u * u;
			sum[2][k] += vd[k];
			sum[3][k] += vd[k] * (2 * u + vd[k]);
		}
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

__device__ static inline struct channel channel_of(const struct norm_pair &m, const float *partial, int64_t chunks,
                                                   int64_t n, int64_t c)
{
	double s[4] = { 0, 0, 0, 0 }, pixels = (double)m.pixels, e = embedding(m, 0, NORM_ADD, n * m.c + c);
	for (int64_t i = 0; i < chunks; i++)
		for (int k = 0; k < 4; k++)
			s[k] += (double)partial[((n * chunks + i) * 4 + k) * m.c + c];
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

/* A block: one group of one image. */
static __global__ void change_lines_kernel(struct norm_pair m, float *lines, const float *partial, int64_t chunks)
{
	SHARED(double, shared, WARP);
	int64_t n = blockIdx.x / m.groups, k = blockIdx.x % m.groups, last = (k + 1) * m.per;
	double pixels = (double)m.pixels, count = pixels * (double)m.per, mean = 0, d_mean = 0, square = 0, d_square = 0;
	for (int pass = 0; pass < 2; pass++) { /* the means first: deviations are taken from them */
		double sum = 0, change = 0;
		for (int64_t c = k * m.per + threadIdx.x; c < last; c += blockDim.x) {
			struct channel at = channel_of(m, partial, chunks, n, c);
			double off = at.mean - mean, d_off = at.d_mean - d_mean;
			sum += pass == 0 ? at.mean : at.square + pixels * off * off;
			change += pass == 0 ? at.d_mean : at.d_square + pixels * d_off * (2 * off + d_off);
		}
		sum = block_sum(sum, shared);
		change = block_sum(change, shared);
		if (pass == 0)
			mean = sum / (double)m.per, d_mean = change / (double)m.per;
		else
			square = sum > 0 ? sum : 0, d_square = change;
	}
	double second = square + d_square, rstd = 1 / sqrt(square / count + m.eps),
		   rstd2 = 1 / sqrt((second > 0 ? second : 0) / count + m.eps);
	for (int64_t c = k * m.per + threadIdx.x; c < last; c += blockDim.x) {
		struct wide_line one = line_of(m, 0, mean, rstd, n, c), two = line_of(m, 1, mean + d_mean, rstd2, n, c);
		float *to = lines + n * LINES * m.c + c;
		to[A_1 * m.c] = (float)one.a;
		to[B_1 * m.c] = (float)one.b;
		to[A_2 * m.c] = (float)two.a;
		to[DELTA_A * m.c] = (float)(two.a - one.a);
		to[DELTA_B * m.c] = (float)(two.b - one.b);
	}
}

/* silu(z + d) - silu(z) */
__device__ static inline float silu_change(float z, float d)
{
	float s = sigmoid(z + d);
	if (fabsf(d) > 1)
		return (z + d) * s - z * sigmoid(z);
	return d * s - z * s * sigmoid(-z) * expm1f(-d);
}

struct apply_change {
	enum { RESIDENT = 3 };
	struct val y, x, d;
	const float *lines;
	int64_t per_image, channels;
	bool silu;
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
			vd[k] = silu ? silu_change(u * line[A_1][k] + line[B_1][k], dz) : dz;
		}
		val_store(y, at, count, vd);
	}
};

static struct columns sums_of(const struct node *nd, const struct cuda *cu)
{
	const struct tensor *x = nd->src[X];
	return columns_of(cu, x->n, x->h * x->w, x->c, SUM_PIXELS);
}

static size_t lines_at(const struct columns *p)
{
	return piece((size_t)(p->images * p->chunks * 4 * p->c) * sizeof(float));
}

static size_t change_prepare(struct node *nd, struct cuda *cu)
{
	struct columns p = sums_of(nd, cu);
	return lines_at(&p) + (size_t)(p.images * LINES * p.c) * sizeof(float);
}

static void change_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[X];
	struct norm_pair m = pair_of(nd);
	int64_t per_image = m.pixels * m.c;
	struct columns sums = sums_of(nd, cu), sweep = columns_of(cu, x->n, m.pixels, m.c, SWEEP_PIXELS);
	float *partial = nd->work->data, *lines = (float *)(void *)((char *)nd->work->data + lines_at(&sums));
	struct change_terms terms = { m.x, m.d, per_image, {} };
	struct apply_change apply = { val_of(nd->dst[0]), m.x, m.d, lines, per_image, m.c, nd->args.norm.silu, {}, {} };
	LAUNCH(cu, column_sums_kernel<change_terms>, columns_blocks(&sums), BLOCK, 0, terms, sums, partial);
	LAUNCH(cu, change_lines_kernel, (unsigned)(x->n * m.groups), m.per > WARP ? BLOCK / 2 : WARP, 0, m, lines,
	       (const float *)partial, sums.chunks);
	LAUNCH(cu, sweep_kernel<apply_change>, columns_blocks(&sweep), BLOCK, 0, apply, sweep);
}

extern "C" const struct cuda_op cuda_groupnorm_change = { change_prepare, change_run, NULL };
