/* groupnorm_jvp.cu - groupnorm_jvp.c on a device: sums per channel, four numbers of each, a sweep. */
#include "model/ops/groupnorm.cuh"

enum { D, X, W, B, STATS, E, DW, DB, DE };
enum { LINE_A, LINE_B, LINE_P, LINE_Q, LINES }; /* per image and channel: z = A u + B, dz = A d + P u + Q */

struct jvp {
	struct norm of;
	struct val d, dw, db, de; /* all but d may be absent */
	struct val stats;
};

static struct jvp jvp_of(const struct node *nd)
{
	struct jvp j = { norm_of(nd, nd->src[X], nd->src[W], nd->src[B], nd->src[E]),
		             val_of(nd->src[D]),
		             val_of(nd->src[DW]),
		             val_of(nd->src[DB]),
		             val_of(nd->src[DE]),
		             val_of(nd->src[STATS]) };
	return j;
}

/* x where u = 0 */
__device__ static inline float centre_of(const struct jvp &j, int64_t n, int64_t c)
{
	float mean = val_get(j.stats, (n * j.of.groups + c / j.of.per) * 2);
	return (float)((double)mean - (double)added(j.of, n, c));
}

/* Value `at` of image n's change of the embedding, in the given mode. */
__device__ static inline double change_of(const struct jvp &j, enum norm_mode mode, int64_t n, int64_t at)
{
	int64_t row = j.of.c * (mode == NORM_SCALE_SHIFT ? 2 : 1);
	return j.de.p && j.of.mode == mode ? (double)val_get(j.de, n * row + at) : 0;
}

__device__ static inline double value_of(struct val v, int64_t c)
{
	return v.p ? (double)val_get(v, c) : 0;
}

/* Sums of d, u d, u. */
struct jvp_terms {
	enum { SUMS = 3, RESIDENT = 3 };
	struct jvp j;
	float centre[VEC];
	__device__ void begin(int64_t n, int64_t c, int count)
	{
#pragma unroll
		for (int k = 0; k < VEC; k++)
			centre[k] = k < count ? centre_of(j, n, c + k) : 0;
	}
	__device__ void pixel(float (&sum)[3][VEC], int64_t at, int count) const
	{
		float x[VEC], d[VEC];
		val_load(x, j.of.x, at, count);
		val_load(d, j.d, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			float u = x[k] - centre[k];
			sum[0][k] += d[k];
			sum[1][k] += u * d[k];
			sum[2][k] += u;
		}
	}
};

/* A block: one group of one image. */
static __global__ void jvp_lines_kernel(struct jvp j, float *lines, const float *partial, int64_t chunks)
{
	SHARED(double, shared, WARP);
	const struct norm &m = j.of;
	int64_t n = blockIdx.x / m.groups, k = blockIdx.x % m.groups, last = (k + 1) * m.per;
	double mean = 0, along = 0, pixels = (double)m.pixels, count = pixels * (double)m.per,
		   rstd = (double)val_get(j.stats, (n * m.groups + k) * 2 + 1);
	for (int64_t c = k * m.per + threadIdx.x; c < last; c += blockDim.x) {
		double s[jvp_terms::SUMS] = { 0, 0, 0 }, add = change_of(j, NORM_ADD, n, c);
		for (int64_t i = 0; i < chunks; i++)
			for (int t = 0; t < jvp_terms::SUMS; t++)
				s[t] += (double)partial[((n * chunks + i) * jvp_terms::SUMS + t) * m.c + c];
		mean += s[0] + pixels * add;
		along += s[1] + add * s[2];
	}
	mean = block_sum(mean, shared) / count;
	along = block_sum(along, shared) * rstd / count;
	for (int64_t c = k * m.per + threadIdx.x; c < last; c += blockDim.x) {
		double w = (double)val_get(m.w, c), b = (double)val_get(m.b, c), s = (double)scale_of(m, n, c);
		double ds = change_of(j, NORM_SCALE_SHIFT, n, c), dt = change_of(j, NORM_SCALE_SHIFT, n, m.c + c);
		float *to = lines + n * LINES * m.c + c;
		to[LINE_A * m.c] = (float)(rstd * w * s);
		to[LINE_B * m.c] = (float)(b * s + (double)shift_of(m, n, c));
		to[LINE_P * m.c] = (float)(rstd * ((value_of(j.dw, c) - rstd * along * w) * s + w * ds));
		to[LINE_Q * m.c] = (float)((rstd * (change_of(j, NORM_ADD, n, c) - mean) * w + value_of(j.db, c)) * s + b * ds +
		                           dt);
	}
}

struct apply_jvp {
	enum { RESIDENT = 2 };
	struct val y;
	struct jvp j;
	const float *lines;
	bool silu;
	struct draw draw;
	float centre[VEC], line[LINES][VEC];
	__device__ void begin(int64_t n, int64_t c, int count)
	{
#pragma unroll
		for (int k = 0; k < VEC; k++)
			centre[k] = k < count ? centre_of(j, n, c + k) : 0;
#pragma unroll
		for (int i = 0; i < LINES; i++)
#pragma unroll
			for (int k = 0; k < VEC; k++)
				line[i][k] = k < count ? lines[(n * LINES + i) * j.of.c + c + k] : 0;
	}
	__device__ void pixel(int64_t at, int count) const
	{
		float x[VEC], d[VEC];
		val_load(x, j.of.x, at, count);
		val_load(d, j.d, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			float u = x[k] - centre[k];
			d[k] = line[LINE_A][k] * d[k] + (line[LINE_P][k] * u + line[LINE_Q][k]);
			if (silu) {
				float z = line[LINE_A][k] * u + line[LINE_B][k], s = sigmoid(z);
				d[k] *= s * (1 + z * (1 - s));
			}
		}
		drop(d, draw, at, count);
		val_store(y, at, count, d);
	}
};

static struct columns sums_of(const struct node *nd, const struct cuda *cu)
{
	const struct tensor *x = nd->src[X];
	return columns_of(cu, x->n, x->h * x->w, x->c, SUM_PIXELS);
}

static size_t lines_at(const struct columns *p)
{
	return piece((size_t)(p->images * p->chunks * jvp_terms::SUMS * p->c) * sizeof(float));
}

static size_t jvp_prepare(struct node *nd, struct cuda *cu)
{
	struct columns p = sums_of(nd, cu);
	return lines_at(&p) + (size_t)(p.images * LINES * p.c) * sizeof(float);
}

static void jvp_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[X];
	struct jvp j = jvp_of(nd);
	struct columns sums = sums_of(nd, cu), sweep = columns_of(cu, x->n, j.of.pixels, j.of.c, SWEEP_PIXELS);
	float *partial = nd->work->data, *lines = (float *)(void *)((char *)nd->work->data + lines_at(&sums));
	struct jvp_terms terms = { j, {} };
	struct apply_jvp apply = {
		val_of(nd->dst[0]), j, lines, nd->args.norm.silu, draw_of(cu, nd->args.norm.drop, x), {}, {}
	};
	LAUNCH(cu, column_sums_kernel<jvp_terms>, columns_blocks(&sums), BLOCK, 0, terms, sums, partial);
	LAUNCH(cu, jvp_lines_kernel, (unsigned)(x->n * j.of.groups), group_threads(j.of.per), 0, j, lines,
	       (const float *)partial, sums.chunks);
	LAUNCH(cu, sweep_kernel<apply_jvp>, columns_blocks(&sweep), BLOCK, 0, apply, sweep);
}

extern "C" const struct cuda_op cuda_groupnorm_jvp = { jvp_prepare, jvp_run, NULL };
