/* groupnorm.c - group normalisation with its surroundings in a U-Net block folded in.
 *   h = x            (plain, scale-shift)  or  h = x + e[n,c]  (add)
 *   xhat = (h - mean) * rstd over the (C/groups) * H * W values of a group, biased variance, rstd = 1/sqrt(var + eps)
 *   z = xhat * w + b                       (plain, add)
 *   z = (xhat * w + b) * (1 + e[n,c]) + e[n,C+c]  (scale-shift, as in adm: model/README.md, "Networks")
 *   y = silu(z) or z, then dropout of it (dropout.h)
 * Sources: x, w, b, [e]. Destinations: y, stats (N,1,groups,2) = mean, rstd.
 * The backward node takes an optional addend to dx, so that a residual branch costs no pass of its own. */
#include "model/ops/dropout.h"
#include "model/ops/groupnorm_jvp.h"
#include "model/ops/norm_sweep.h"

#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/base/cpu.h"

#include <math.h>
#include <string.h>

enum { X, W, B, E };

struct tensor *graph_groupnorm(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b, struct tensor *e,
                               struct norm_args how)
{
	enum norm_mode mode = how.mode;
	int groups = how.groups;
	if (groups <= 0 || x->c % groups)
		BUG("groupnorm: %lld channels, %d groups", (long long)x->c, groups);
	if (mode != NORM_PLAIN && (!e || e->c != x->c * (mode == NORM_SCALE_SHIFT ? 2 : 1)))
		BUG("groupnorm: embedding does not fit %lld channels", (long long)x->c);
	struct tensor *dst[2] = { graph_like(g, x), graph_temp(g, x->n, 1, groups, 2) };
	(void)graph_node(g, OP_groupnorm, &(union op_args){ .norm = how }, 4,
	                 (struct tensor *[]){ x, w, b, mode == NORM_PLAIN ? NULL : e }, 2, dst);
	return dst[0];
}

/* ---- the specification ----------------------------------------------------------------------- */

static double embedding(const struct tensor *e, enum norm_mode mode, enum norm_mode want, int64_t n, int64_t at)
{
	return mode == want ? e->ref[n * e->c + at] : 0;
}

static void forward_ref(struct node *nd)
{
	const struct tensor *x = nd->src[X], *w = nd->src[W], *b = nd->src[B], *e = nd->src[E];
	struct tensor *y = nd->dst[0], *stats = nd->dst[1];
	enum norm_mode mode = nd->args.norm.mode;
	int64_t groups = nd->args.norm.groups, per = x->c / groups, pixels = x->h * x->w;
	for (int64_t n = 0; n < x->n; n++)
		for (int64_t k = 0; k < groups; k++) {
			double mean = 0, var = 0, count = (double)(per * pixels);
			for (int64_t i = 0; i < pixels; i++)
				for (int64_t c = k * per; c < (k + 1) * per; c++)
					mean += (x->ref[(n * pixels + i) * x->c + c] + embedding(e, mode, NORM_ADD, n, c)) / count;
			for (int64_t i = 0; i < pixels; i++)
				for (int64_t c = k * per; c < (k + 1) * per; c++) {
					double d = x->ref[(n * pixels + i) * x->c + c] + embedding(e, mode, NORM_ADD, n, c) - mean;
					var += d * d / count;
				}
			double rstd = 1 / sqrt(var + nd->args.norm.eps);
			stats->ref[(n * groups + k) * 2] = mean;
			stats->ref[(n * groups + k) * 2 + 1] = rstd;
			for (int64_t i = 0; i < pixels; i++)
				for (int64_t c = k * per; c < (k + 1) * per; c++) {
					int64_t at = (n * pixels + i) * x->c + c;
					double z = (x->ref[at] + embedding(e, mode, NORM_ADD, n, c) - mean) * rstd * w->ref[c] + b->ref[c];
					z = z * (1 + embedding(e, mode, NORM_SCALE_SHIFT, n, c)) +
					    embedding(e, mode, NORM_SCALE_SHIFT, n, x->c + c);
					y->ref[at] = (nd->args.norm.silu ? z / (1 + exp(-z)) : z) *
					             dropout_factor(nd, x, nd->args.norm.drop, (size_t)at);
				}
		}
}

/* ---- the CPU path: per image (or group range), channel sums -> per-channel line -> one sweep --- */

/* Sums and sums of squares of `runs` runs of NV vectors of channels, which wait for each other's additions side by
 * side. */
ALWAYS_INLINE void sum_block(double *sum, double *square, const float *x, int64_t rows, int64_t stride, const int NV,
                             const int RUNS)
{
	vec a[4] = { 0 }, a2[4] = { 0 };
#pragma GCC unroll 4
	for (int j = 0; j < RUNS * NV; j++)
		a[j] = a2[j] = (vec){ 0 };
	for (int64_t i = 0; i < rows; i++) {
#pragma GCC unroll 4
		for (int j = 0; j < RUNS * NV; j++) {
			vec v = READ(x + (i + j / NV * RUN) * stride + j % NV * LANES);
			a[j] += v;
			a2[j] += v * v;
		}
	}
#pragma GCC unroll 4
	for (int j = 0; j < RUNS * NV; j++) {
		ADD_DOUBLE(sum + j % NV * LANES, a[j]);
		ADD_DOUBLE(square + j % NV * LANES, a2[j]);
	}
}

ALWAYS_INLINE void sum_columns(double *sum, double *square, const float *x, int64_t rows, int64_t stride, const int NV)
{
	int64_t i = 0;
	for (; NV < 4 && i + 4 / NV * RUN <= rows; i += 4 / NV * RUN)
		sum_block(sum, square, x + i * stride, RUN, stride, NV, 4 / NV);
	for (; i < rows; i += RUN)
		sum_block(sum, square, x + i * stride, i + RUN < rows ? RUN : rows - i, stride, NV, 1);
}

/* Per-channel sum and sum of squares over `rows` pixels of `n` channels. */
CPU_KERNEL static void channel_sums(double *restrict sum, double *restrict square, const float *restrict x,
                                    int64_t rows, int64_t stride, int64_t n)
{
	int64_t c = 0;
	memset(sum, 0, (size_t)n * sizeof *sum);
	memset(square, 0, (size_t)n * sizeof *square);
	for (; c + 4 * LANES <= n; c += 4 * LANES)
		sum_columns(sum + c, square + c, x + c, rows, stride, 4);
	for (; c + 2 * LANES <= n; c += 2 * LANES)
		sum_columns(sum + c, square + c, x + c, rows, stride, 2);
	for (; c + LANES <= n; c += LANES)
		sum_columns(sum + c, square + c, x + c, rows, stride, 1);
	for (int64_t first = 0; c < n && first < rows; first += RUN) {
		float a[LANES] = { 0 }, a2[LANES] = { 0 };
		for (int64_t i = first; i < rows && i < first + RUN; i++)
			for (int64_t j = c; j < n; j++) {
				a[j - c] += x[i * stride + j];
				a2[j - c] += x[i * stride + j] * x[i * stride + j];
			}
		for (int64_t j = c; j < n; j++) {
			sum[j] += (double)a[j - c];
			square[j] += (double)a2[j - c];
		}
	}
}

ALWAYS_INLINE void silu_of_line(float *restrict y, const float *restrict x, const float *restrict a,
                                const float *restrict b, int64_t n)
{
	for (int64_t c = 0; c < n; c++) {
		float z = x[c] * a[c] + b[c];
		y[c] = z * sigmoid_approx(z);
	}
}

CPU_KERNEL static void line_silu(float *restrict y, const float *restrict x, const float *restrict a,
                                 const float *restrict b, int64_t rows, int64_t stride, int64_t n)
{
	for (int64_t i = 0; i < rows; i++, x += stride, y += stride) {
		int64_t c = 0;
		for (; c + 2 * LANES <= n; c += 2 * LANES)
			silu_of_line(y + c, x + c, a + c, b + c, 2 * LANES);
		for (; c + LANES <= n; c += LANES)
			silu_of_line(y + c, x + c, a + c, b + c, LANES);
		silu_of_line(y + c, x + c, a + c, b + c, n - c);
	}
}

CPU_KERNEL static void line_plain(float *restrict y, const float *restrict x, const float *restrict a,
                                  const float *restrict b, int64_t rows, int64_t stride, int64_t n)
{
	for (int64_t i = 0; i < rows; i++)
		for (int64_t c = 0; c < n; c++)
			y[i * stride + c] = x[i * stride + c] * a[c] + b[c];
}

/* Channel c of image n as a line z = x * a + shift: norm, weights and embedding folded into two numbers. */
static void fold_line(float *line_a, float *line_b, float mean, float rstd, float w, float b, const struct tensor *e,
                      enum norm_mode mode, int64_t channels, int64_t n, int64_t c)
{
	float a = rstd * w, shift = b - mean * a;
	if (mode == NORM_ADD)
		shift += e->data[n * channels + c] * a;
	if (mode == NORM_SCALE_SHIFT) {
		float scale = 1 + e->data[n * 2 * channels + c];
		a *= scale;
		shift = shift * scale + e->data[n * 2 * channels + channels + c];
	}
	*line_a = a;
	*line_b = shift;
}

/* The mean and 1 / deviation of the groups from g0 on, from their channels' sums. */
static void find_stats(const struct node *nd, const double *sum, const double *square, int64_t n, int64_t g0,
                       int64_t g1)
{
	const struct tensor *x = nd->src[X], *e = nd->src[E];
	enum norm_mode mode = nd->args.norm.mode;
	int64_t groups = nd->args.norm.groups, per = x->c / groups, pixels = x->h * x->w, c0 = g0 * per;
	float *stats = nd->dst[1]->data + n * groups * 2;
	for (int64_t k = g0; k < g1; k++) {
		double s = 0, s2 = 0, count = (double)(per * pixels), p = (double)pixels;
		for (int64_t c = (k - g0) * per; c < (k - g0 + 1) * per; c++) {
			double add = mode == NORM_ADD ? (double)e->data[n * x->c + c0 + c] : 0;
			s2 += square[c] + 2 * add * sum[c] + p * add * add;
			s += sum[c] + p * add;
		}
		double mean = s / count, var = s2 / count - mean * mean;
		stats[k * 2] = (float)mean;
		stats[k * 2 + 1] = (float)(1 / sqrt((var > 0 ? var : 0) + nd->args.norm.eps));
	}
}

static void forward_item(struct node *nd, int64_t n, int64_t g0, int64_t g1)
{
	const struct tensor *x = nd->src[X], *e = nd->src[E];
	const float *w = nd->src[W]->data, *b = nd->src[B]->data, *stats = nd->dst[1]->data + n * nd->args.norm.groups * 2;
	int64_t per = x->c / nd->args.norm.groups, pixels = x->h * x->w, c0 = g0 * per, nc = (g1 - g0) * per;
	double *sum = (double *)(void *)nd->work->data + n * x->c * 2 + c0 * 2, *square = sum + nc;
	const float *image = x->data + n * pixels * x->c + c0;
	if (!nd->again) {
		channel_sums(sum, square, image, pixels, x->c, nc);
		find_stats(nd, sum, square, n, g0, g1);
	}
	float *line_a = (float *)(void *)sum,
		  *line_b = line_a + nc; /* the sums are used up: their place serves the lines */
	for (int64_t c = 0; c < nc; c++) {
		int64_t k = g0 + c / per, at = c0 + c;
		fold_line(&line_a[c], &line_b[c], stats[k * 2], stats[k * 2 + 1], w[at], b[at], e, nd->args.norm.mode, x->c, n,
		          at);
	}
	float *y = nd->dst[0]->data + n * pixels * x->c + c0;
	(nd->args.norm.silu ? line_silu : line_plain)(y, image, line_a, line_b, pixels, x->c, nc);
}

static size_t forward_prepare(struct node *nd)
{
	return (size_t)(nd->src[X]->n * nd->src[X]->c * 2) * sizeof(double);
}

static void forward_cpu(struct node *nd)
{
	float *y = nd->dst[0]->data;
	norm_sweep(nd, nd->src[X], forward_item);
	if (nd->args.norm.drop.p > 0)
		dropout_cpu(y, y, nd, nd->dst[0], nd->args.norm.drop);
}

static void backward(struct graph *g, struct node *nd)
{
	struct tensor *x = nd->src[X], *w = nd->src[W], *b = nd->src[B], *e = nd->src[E];
	struct tensor *addend = x->needs_grad ? graph_take_grad(x) : NULL;
	struct tensor *dst[4] = { graph_like(g, x), graph_grad_dst(g, w), graph_grad_dst(g, b),
		                      e ? graph_like(g, e) : NULL };
	(void)graph_node(g, OP_groupnorm_bwd, &nd->args, 7,
	                 (struct tensor *[]){ nd->dst[0]->grad, x, w, b, nd->dst[1], e, addend }, e ? 4 : 3, dst);
	graph_add_grad(g, x, dst[0]);
	graph_add_grad(g, w, dst[1]);
	graph_add_grad(g, b, dst[2]);
	if (e)
		graph_add_grad(g, e, dst[3]);
}

const struct op_row op_groupnorm = {
	.name = "groupnorm",
	.meaning = "y = act(norm(x [+ e]) * w + b), or with scale and shift from e; act = silu or identity",
	.ref = forward_ref,
	.prepare = forward_prepare,
	.cpu = forward_cpu,
	.backward = backward,
	.jvp = groupnorm_jvp,
	.low = true,
	.cheap = true,
};

/* ---- backward: dy, x, w, b, stats, [e], [addend] -> dx, dw, db, [de], [the sums of dx over pixels] ---
 * With v = dz * (1 + scale) * w (the gradient at xhat) and m(.) the mean over a group:
 *   dh = rstd * (v - m(v) - xhat * m(v * xhat)),  dx = dh + addend
 *   dw = sum dz (1 + scale) xhat,  db = sum dz (1 + scale)
 *   de = sum over pixels of dh (add);  dscale = sum dz (xhat w + b), dshift = sum dz (scale-shift) */

enum { DY, BX, BW, BB, STATS, BE, ADDEND };
enum { DX_SUMS = 4 };

static void backward_ref(struct node *nd)
{
	const struct tensor *dy = nd->src[DY], *x = nd->src[BX], *w = nd->src[BW], *b = nd->src[BB],
						*stats = nd->src[STATS];
	const struct tensor *e = nd->src[BE], *addend = nd->src[ADDEND];
	struct tensor *dx = nd->dst[0], *dw = nd->dst[1], *db = nd->dst[2], *de = nd->dst[3];
	enum norm_mode mode = nd->args.norm.mode;
	int64_t groups = nd->args.norm.groups, per = x->c / groups, pixels = x->h * x->w;
	memset(dw->ref, 0, tensor_count(dw) * sizeof *dw->ref);
	memset(db->ref, 0, tensor_count(db) * sizeof *db->ref);
	if (de)
		memset(de->ref, 0, tensor_count(de) * sizeof *de->ref);
	double *v = xcalloc((size_t)(per * pixels), sizeof *v), *xhat = xcalloc((size_t)(per * pixels), sizeof *xhat);
	for (int64_t n = 0; n < x->n; n++)
		for (int64_t k = 0; k < groups; k++) {
			double mean = stats->ref[(n * groups + k) * 2], rstd = stats->ref[(n * groups + k) * 2 + 1];
			double m1 = 0, m2 = 0, count = (double)(per * pixels);
			for (int64_t i = 0; i < pixels; i++)
				for (int64_t c = k * per; c < (k + 1) * per; c++) {
					int64_t at = (n * pixels + i) * x->c + c, j = i * per + c - k * per;
					xhat[j] = (x->ref[at] + embedding(e, mode, NORM_ADD, n, c) - mean) * rstd;
					double scale = 1 + embedding(e, mode, NORM_SCALE_SHIFT, n, c),
						   affine = xhat[j] * w->ref[c] + b->ref[c];
					double z = affine * scale + embedding(e, mode, NORM_SCALE_SHIFT, n, x->c + c);
					double s = 1 / (1 + exp(-z)), dz = dy->ref[at] * (nd->args.norm.silu ? s * (1 + z * (1 - s)) : 1) *
					                                   dropout_factor(nd, x, nd->args.norm.drop, (size_t)at);
					dw->ref[c] += dz * scale * xhat[j];
					db->ref[c] += dz * scale;
					if (mode == NORM_SCALE_SHIFT) {
						de->ref[n * 2 * x->c + c] += dz * affine;
						de->ref[n * 2 * x->c + x->c + c] += dz;
					}
					v[j] = dz * scale * w->ref[c];
					m1 += v[j] / count;
					m2 += v[j] * xhat[j] / count;
				}
			for (int64_t i = 0; i < pixels; i++)
				for (int64_t c = k * per; c < (k + 1) * per; c++) {
					int64_t at = (n * pixels + i) * x->c + c, j = i * per + c - k * per;
					double dh = rstd * (v[j] - m1 - xhat[j] * m2);
					dx->ref[at] = dh + (addend ? addend->ref[at] : 0);
					if (mode == NORM_ADD)
						de->ref[n * x->c + c] += dh;
				}
		}
	for (size_t i = 0; nd->dst[DX_SUMS] && i < tensor_count(dx); i++)
		nd->dst[DX_SUMS]->ref[i % (size_t)x->c] = (i < (size_t)x->c ? 0 : nd->dst[DX_SUMS]->ref[i % (size_t)x->c]) +
		                                          dx->ref[i];
	scoped_free(&v);
	scoped_free(&xhat);
}

/* What gradient_sums reads and writes, at its first channel; dz may be dy. a, b: the forward's line z = x * a + b. */
struct gradient {
	float *dz;
	const float *dy, *x, *a, *b;
	double *sum, *dot, *sum_x;
	int64_t rows, stride;
};

ALWAYS_INLINE void dz_of_line(float *dz, const float *dy, const float *restrict x, const float *restrict a,
                              const float *restrict b, int64_t n, const int silu)
{
	CPU_TURNS_APART
	for (int64_t c = 0; c < n; c++) {
		if (silu) {
			float z = x[c] * a[c] + b[c], s = sigmoid_approx(z);
			dz[c] = dy[c] * s * (1.0f + z * (1.0f - s));
		} else {
			dz[c] = dy[c];
		}
	}
}

ALWAYS_INLINE void gradient_columns(const struct gradient *g, int64_t at, const int NV, const int silu)
{
	for (int64_t first = 0; first < g->rows; first += RUN) {
		int64_t end = first + RUN < g->rows ? first + RUN : g->rows;
		vec s1[4] = { 0 }, s2[4] = { 0 }, s3[4] = { 0 };
		for (int64_t i = first; i < end; i++) {
			const float *x = g->x + i * g->stride + at;
			float *dz = g->dz + i * g->stride + at;
			dz_of_line(dz, g->dy + i * g->stride + at, x, g->a + at, g->b + at, NV * LANES, silu);
#pragma GCC unroll 4
			for (int j = 0; j < NV; j++) {
				vec d = READ(dz + j * LANES), v = READ(x + j * LANES);
				s1[j] += d;
				s2[j] += d * v;
				s3[j] += v;
			}
		}
#pragma GCC unroll 4
		for (int j = 0; j < NV; j++) {
			ADD_DOUBLE(g->sum + at + j * LANES, s1[j]);
			ADD_DOUBLE(g->dot + at + j * LANES, s2[j]);
			ADD_DOUBLE(g->sum_x + at + j * LANES, s3[j]);
		}
	}
}

/* The same of n < LANES channels. */
ALWAYS_INLINE void gradient_rest(const struct gradient *g, int64_t at, int64_t n, const int silu)
{
	for (int64_t first = 0; n && first < g->rows; first += RUN) {
		float s1[LANES] = { 0 }, s2[LANES] = { 0 }, s3[LANES] = { 0 };
		for (int64_t i = first; i < g->rows && i < first + RUN; i++) {
			const float *x = g->x + i * g->stride + at;
			float *dz = g->dz + i * g->stride + at;
			dz_of_line(dz, g->dy + i * g->stride + at, x, g->a + at, g->b + at, n, silu);
			for (int64_t c = 0; c < n; c++) {
				s1[c] += dz[c];
				s2[c] += dz[c] * x[c];
				s3[c] += x[c];
			}
		}
		for (int64_t c = 0; c < n; c++) {
			g->sum[at + c] += (double)s1[c];
			g->dot[at + c] += (double)s2[c];
			g->sum_x[at + c] += (double)s3[c];
		}
	}
}

/* dz, and per channel sum dz, sum dz * x and sum x. */
CPU_KERNEL static void gradient_sums(const struct gradient *g, int64_t n, bool silu)
{
	int64_t c = 0;
	memset(g->sum, 0, (size_t)n * sizeof *g->sum);
	memset(g->dot, 0, (size_t)n * sizeof *g->dot);
	memset(g->sum_x, 0, (size_t)n * sizeof *g->sum_x);
	for (; c + 4 * LANES <= n; c += 4 * LANES)
		silu ? gradient_columns(g, c, 4, 1) : gradient_columns(g, c, 4, 0);
	for (; c + 2 * LANES <= n; c += 2 * LANES)
		silu ? gradient_columns(g, c, 2, 1) : gradient_columns(g, c, 2, 0);
	for (; c + LANES <= n; c += LANES)
		silu ? gradient_columns(g, c, 1, 1) : gradient_columns(g, c, 1, 0);
	silu ? gradient_rest(g, c, n - c, 1) : gradient_rest(g, c, n - c, 0);
}

/* dx = p[c] * dz + q[c] * x + r[c] (+ addend) */
CPU_KERNEL static void gradient_line(float *restrict dx, const float *restrict x, const float *restrict addend,
                                     const float *restrict p, const float *restrict q, const float *restrict r,
                                     int64_t rows, int64_t stride, int64_t n)
{
	if (addend) {
		for (int64_t i = 0; i < rows; i++)
			for (int64_t c = 0; c < n; c++)
				dx[i * stride + c] = dx[i * stride + c] * p[c] + x[i * stride + c] * q[c] + r[c] +
				                     addend[i * stride + c];
	} else {
		for (int64_t i = 0; i < rows; i++)
			for (int64_t c = 0; c < n; c++)
				dx[i * stride + c] = dx[i * stride + c] * p[c] + x[i * stride + c] * q[c] + r[c];
	}
}

/* Scratch of one image: doubles and floats per channel. */
enum { D_SUM, D_DOT, D_X, D_DW, D_DB, N_D };
enum { F_A, F_B, F_P, F_Q, F_R, N_F };

static double *work_d(struct node *nd, int64_t n, int which)
{
	int64_t c = nd->src[BX]->c;
	return (double *)(void *)nd->work->data + (n * N_D + which) * c;
}

static float *work_f(struct node *nd, int64_t n, int which)
{
	int64_t c = nd->src[BX]->c, images = nd->src[BX]->n;
	return (float *)(void *)work_d(nd, images, 0) + (n * N_F + which) * c;
}

static void backward_item(struct node *nd, int64_t n, int64_t g0, int64_t g1)
{
	const struct tensor *x = nd->src[BX], *e = nd->src[BE], *addend = nd->src[ADDEND];
	const float *w = nd->src[BW]->data, *b = nd->src[BB]->data,
				*stats = nd->src[STATS]->data + n * nd->args.norm.groups * 2;
	const float *dy = nd->args.norm.drop.p > 0 ? nd->dst[0]->data : nd->src[DY]->data;
	float *de = nd->dst[3] ? nd->dst[3]->data : NULL;
	enum norm_mode mode = nd->args.norm.mode;
	int64_t per = x->c / nd->args.norm.groups, pixels = x->h * x->w, c0 = g0 * per, c1 = g1 * per,
			image = n * pixels * x->c;
	float *la = work_f(nd, n, F_A), *lb = work_f(nd, n, F_B), *lp = work_f(nd, n, F_P), *lq = work_f(nd, n, F_Q),
		  *lr = work_f(nd, n, F_R);
	double *sum = work_d(nd, n, D_SUM), *dot = work_d(nd, n, D_DOT), *sum_x = work_d(nd, n, D_X),
		   *dw = work_d(nd, n, D_DW), *db = work_d(nd, n, D_DB);
	for (int64_t c = c0; c < c1; c++)
		fold_line(&la[c], &lb[c], stats[c / per * 2], stats[c / per * 2 + 1], w[c], b[c], e, mode, x->c, n, c);
	const struct gradient g = { .dz = nd->dst[0]->data + image + c0,
		                        .dy = dy + image + c0,
		                        .x = x->data + image + c0,
		                        .a = la + c0,
		                        .b = lb + c0,
		                        .sum = sum + c0,
		                        .dot = dot + c0,
		                        .sum_x = sum_x + c0,
		                        .rows = pixels,
		                        .stride = x->c };
	gradient_sums(&g, c1 - c0, nd->args.norm.silu);
	for (int64_t k = g0; k < g1; k++) {
		double mean = (double)stats[k * 2], rstd = (double)stats[k * 2 + 1], count = (double)(per * pixels), m1 = 0,
			   m2 = 0;
		for (int64_t c = k * per; c < (k + 1) * per; c++) {
			double add = mode == NORM_ADD ? (double)e->data[n * x->c + c] : 0;
			double scale = mode == NORM_SCALE_SHIFT ? 1 + (double)e->data[n * 2 * x->c + c] : 1;
			double dz_xhat = (dot[c] + (add - mean) * sum[c]) * rstd; /* sum of dz * xhat */
			dw[c] = dz_xhat * scale;
			db[c] = sum[c] * scale;
			if (mode == NORM_SCALE_SHIFT) {
				de[n * 2 * x->c + c] = (float)(dz_xhat * (double)w[c] + sum[c] * (double)b[c]);
				de[n * 2 * x->c + x->c + c] = (float)sum[c];
			}
			m1 += db[c] * (double)w[c] / count; /* the mean of v: dz (1 + scale) w */
			m2 += dw[c] * (double)w[c] / count;
		}
		for (int64_t c = k * per; c < (k + 1) * per; c++) {
			double add = mode == NORM_ADD ? (double)e->data[n * x->c + c] : 0;
			double scale = mode == NORM_SCALE_SHIFT ? 1 + (double)e->data[n * 2 * x->c + c] : 1;
			double p = rstd * scale * (double)w[c], q = -rstd * rstd * m2, r = -rstd * m1 - q * (mean - add);
			lp[c] = (float)p;
			lq[c] = (float)q;
			lr[c] = (float)r;
			if (mode == NORM_ADD) /* the sum of dh over the pixels */
				de[n * x->c + c] = (float)(p * sum[c] + q * sum_x[c] + r * (double)pixels);
		}
	}
	gradient_line(nd->dst[0]->data + image + c0, x->data + image + c0, addend ? addend->data + image + c0 : NULL,
	              lp + c0, lq + c0, lr + c0, pixels, x->c, c1 - c0);
}

static size_t backward_prepare(struct node *nd)
{
	const struct tensor *x = nd->src[BX];
	return (size_t)(x->n * x->c) * (N_D * sizeof(double) + N_F * sizeof(float));
}

static void backward_cpu(struct node *nd)
{
	const struct tensor *x = nd->src[BX];
	REQUIRE(!nd->dst[DX_SUMS]);
	if (nd->args.norm.drop.p > 0)
		dropout_cpu(nd->dst[0]->data, nd->src[DY]->data, nd, x, nd->args.norm.drop);
	norm_sweep(nd, x, backward_item);
	for (int64_t c = 0; c < x->c; c++) { /* images in order: the same bits with any number of threads */
		double dw = 0, db = 0;
		for (int64_t n = 0; n < x->n; n++) {
			dw += work_d(nd, n, D_DW)[c];
			db += work_d(nd, n, D_DB)[c];
		}
		nd->dst[1]->data[c] = (float)dw;
		nd->dst[2]->data[c] = (float)db;
	}
}

/* They follow from the sums that are made anyway, unless something is added to dx. */
static int backward_sums(const struct node *nd)
{
	return nd->src[ADDEND] ? 0 : DX_SUMS;
}

const struct op_row op_groupnorm_bwd = {
	.name = "groupnorm_bwd",
	.meaning = "dx [+ addend], dw, db, [de] of groupnorm",
	.ref = backward_ref,
	.prepare = backward_prepare,
	.cpu = backward_cpu,
	.sums = backward_sums,
	.low = true,
	.inplace_cpu = true,
};
