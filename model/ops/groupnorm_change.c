/* groupnorm_change.c - groupnorm of x + d minus groupnorm of x, for passes that carry changes (change.h).
 *   y = groupnorm(x + d; w', b', e') - groupnorm(x; w, b, e), mode, groups, eps, silu and dropout as in groupnorm.c
 * Sources: x, d, w, b, [e], w', b', [e'].
 *
 * The CPU's and the device's paths make nothing small as a difference of large numbers in float: sums are of d and of
 * what d adds to squares, lines of both norms are subtracted in double, and the sweep makes
 *   dz = a' d + (a' - a)(x - x0) + (b' - b),  x0 the channel's first pixel,  and silu's change from z and dz. */
#include "model/ops/dropout.h"
#include "model/ops/norm_sweep.h"

#include "model/base/err.h"
#include "model/base/cpu.h"

#include <math.h>
#include <string.h>

enum { X, D, W, B, E, W2, B2, E2 };

struct tensor *graph_groupnorm_change(struct graph *g, struct tensor *x, struct tensor *d,
                                      const struct norm_change *numbers, const union op_args *args)
{
	if (tensor_count(x) != tensor_count(d))
		BUG("groupnorm_change: %zu and %zu values", tensor_count(x), tensor_count(d));
	struct tensor *y = graph_like(g, x);
	(void)graph_node(g, OP_groupnorm_change, args, 8,
	                 (struct tensor *[]){ x, d, numbers->w[0], numbers->b[0], numbers->e[0], numbers->w[1],
	                                      numbers->b[1], numbers->e[1] },
	                 1, &y);
	return y;
}

/* ---- the specification ----------------------------------------------------------------------- */

/* One of the two norms, of one group of one image. */
struct group {
	const struct node *nd;
	int64_t n, first, per;
	bool second;
};

static double embedding(const struct group *k, enum norm_mode want, int64_t at)
{
	const struct tensor *e = k->nd->src[k->second ? E2 : E];
	return k->nd->args.norm.mode == want ? e->ref[k->n * e->c + at] : 0;
}

static double input(const struct group *k, int64_t pixel, int64_t c)
{
	const struct tensor *x = k->nd->src[X];
	int64_t at = (k->n * x->h * x->w + pixel) * x->c + c;
	return x->ref[at] + (k->second ? k->nd->src[D]->ref[at] : 0) + embedding(k, NORM_ADD, c);
}

static void add_norm(const struct group *k, double sign)
{
	const struct tensor *x = k->nd->src[X], *w = k->nd->src[k->second ? W2 : W], *b = k->nd->src[k->second ? B2 : B];
	int64_t pixels = x->h * x->w;
	double mean = 0, var = 0, count = (double)(k->per * pixels);
	for (int64_t i = 0; i < pixels; i++)
		for (int64_t c = k->first; c < k->first + k->per; c++)
			mean += input(k, i, c) / count;
	for (int64_t i = 0; i < pixels; i++)
		for (int64_t c = k->first; c < k->first + k->per; c++)
			var += (input(k, i, c) - mean) * (input(k, i, c) - mean) / count;
	double rstd = 1 / sqrt(var + k->nd->args.norm.eps);
	for (int64_t i = 0; i < pixels; i++)
		for (int64_t c = k->first; c < k->first + k->per; c++) {
			double z = (input(k, i, c) - mean) * rstd * w->ref[c] + b->ref[c];
			z = z * (1 + embedding(k, NORM_SCALE_SHIFT, c)) + embedding(k, NORM_SCALE_SHIFT, x->c + c);
			k->nd->dst[0]->ref[(k->n * pixels + i) * x->c + c] += sign *
			                                                      (k->nd->args.norm.silu ? z / (1 + exp(-z)) : z);
		}
}

static void change_ref(struct node *nd)
{
	int64_t groups = nd->args.norm.groups, per = nd->src[X]->c / groups;
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->ref[i] = 0;
	for (int64_t n = 0; n < nd->src[X]->n; n++)
		for (int64_t k = 0; k < groups; k++) {
			add_norm(&(struct group){ nd, n, k * per, per, true }, 1);
			add_norm(&(struct group){ nd, n, k * per, per, false }, -1);
		}
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->ref[i] *= dropout_factor(nd, nd->dst[0], nd->args.norm.drop, i);
}

/* ---- the CPU path: per image (or group range), channel sums -> both norms' lines -> one sweep --- */

/* Per channel, over its pixels: sums of u = x - x0, u^2, d, and (u + d)^2 - u^2. */
enum { OF_U, OF_SQUARE, OF_D, OF_CHANGE, SUMS };
/* Per channel: z = a u + b, and dz = a2 d + delta_a u + delta_b. */
enum { A_1, B_1, A_2, DELTA_A, DELTA_B, LINES };

/* The sums of one run of two vectors of channels (NV = 2), or of two runs of one: additions wait less for each other.
 * channels: from a pixel, and from a row of sums, to the next. */
ALWAYS_INLINE void sum_block(double *sum, const float *x, const float *d, const float *x0, int64_t rows,
                             int64_t channels, const int NV)
{
	vec s[2][SUMS] = { 0 };
	for (int64_t i = 0; i < rows; i++) {
#pragma GCC unroll 2
		for (int j = 0; j < 2; j++) {
			int64_t at = (i + j / NV * RUN) * channels + j % NV * LANES;
			vec u = READ(x + at) - READ(x0 + j % NV * LANES), v = READ(d + at);
			s[j][OF_U] += u;
			s[j][OF_SQUARE] += u * u;
			s[j][OF_D] += v;
			s[j][OF_CHANGE] += v * (u + u + v);
		}
	}
#pragma GCC unroll 2
	for (int j = 0; j < 2; j++)
#pragma GCC unroll 4
		for (int k = 0; k < SUMS; k++)
			ADD_DOUBLE(sum + k * channels + j % NV * LANES, s[j][k]);
}

/* The same of n <= LANES channels. */
ALWAYS_INLINE void sum_rest(double *sum, const float *x, const float *d, const float *x0, int64_t rows,
                            int64_t channels, int64_t n)
{
	float s[SUMS][LANES] = { 0 };
	for (int64_t i = 0; i < rows; i++)
		for (int64_t c = 0; c < n; c++) {
			float u = x[i * channels + c] - x0[c], v = d[i * channels + c];
			s[OF_U][c] += u;
			s[OF_SQUARE][c] += u * u;
			s[OF_D][c] += v;
			s[OF_CHANGE][c] += v * (u + u + v);
		}
	for (int k = 0; k < SUMS; k++)
		for (int64_t c = 0; c < n; c++)
			sum[k * channels + c] += (double)s[k][c];
}

/* Of n channels over all pixels; sum: SUMS rows of `channels`. */
CPU_KERNEL static void channel_sums(double *restrict sum, const float *restrict x, const float *restrict d,
                                    int64_t pixels, int64_t channels, int64_t n)
{
	int64_t c = 0;
	for (int k = 0; k < SUMS; k++)
		memset(sum + k * channels, 0, (size_t)n * sizeof *sum);
	for (; c + 2 * LANES <= n; c += 2 * LANES)
		for (int64_t i = 0; i < pixels; i += RUN)
			sum_block(sum + c, x + i * channels + c, d + i * channels + c, x + c, i + RUN < pixels ? RUN : pixels - i,
			          channels, 2);
	for (; c < n; c += LANES) {
		int64_t i = 0, wide = n - c < LANES ? n - c : LANES;
		for (; wide == LANES && i + 2 * RUN <= pixels; i += 2 * RUN)
			sum_block(sum + c, x + i * channels + c, d + i * channels + c, x + c, RUN, channels, 1);
		for (; i < pixels; i += RUN)
			sum_rest(sum + c, x + i * channels + c, d + i * channels + c, x + c, i + RUN < pixels ? RUN : pixels - i,
			         channels, wide);
	}
}

/* Of an image: its scratch's rows, x's first pixel, and what embeds into both norms. */
struct image {
	const struct node *nd;
	int64_t channels, pixels;
	double *sum[SUMS];
	float *line[LINES];
	const float *x0, *e[2]; /* e: this image's; NULL where the mode has none */
};

/* What the rows of sums become: per channel, its mean, the sum of squared deviations from it, and what d changes of
 * both; then its group's means and 1 / deviation, in both norms. */
enum { MEAN, SQUARE, D_MEAN, D_SQUARE };
enum { GROUP_MEAN, GROUP_RSTD, GROUP_MEAN2, GROUP_RSTD2 };

CPU_KERNEL static void moments(const struct image *m, int64_t first, int64_t last)
{
	double *restrict s0 = m->sum[OF_U], *restrict s1 = m->sum[OF_SQUARE], *restrict s2 = m->sum[OF_D],
					 *restrict s3 = m->sum[OF_CHANGE];
	const double part = 1 / (double)m->pixels;
	for (int64_t c = first; c < last; c++) {
		double u = s0[c] * part, d = s2[c] * part;
		s3[c] -= (2 * s0[c] + s2[c]) * d;
		s1[c] -= s0[c] * u;
		s0[c] = (double)m->x0[c] + u;
		s2[c] = d;
	}
	if (m->nd->args.norm.mode == NORM_ADD)
		for (int64_t c = first; c < last; c++) {
			s0[c] += (double)m->e[0][c];
			s2[c] += (double)m->e[1][c] - (double)m->e[0][c];
		}
}

/* Of one group. Means first: deviations are taken from them. */
static void group_moments(const struct image *m, int64_t first, int64_t per)
{
	double *const *of = m->sum, mean = 0, d_mean = 0, square = 0, d_square = 0;
	const double pixels = (double)m->pixels, eps = m->nd->args.norm.eps;
	for (int64_t c = first; c < first + per; c++) {
		mean += of[MEAN][c];
		d_mean += of[D_MEAN][c];
	}
	mean /= (double)per;
	d_mean /= (double)per;
	for (int64_t c = first; c < first + per; c++) {
		double off = of[MEAN][c] - mean, d_off = of[D_MEAN][c] - d_mean;
		square += of[SQUARE][c] + pixels * off * off;
		d_square += of[D_SQUARE][c] + pixels * d_off * (2 * off + d_off);
	}
	square = square > 0 ? square : 0;
	double count = pixels * (double)per, square2 = square + d_square > 0 ? square + d_square : 0;
	double rstd = 1 / sqrt(square / count + eps), rstd2 = 1 / sqrt(square2 / count + eps);
	for (int64_t c = first; c < first + per; c++) {
		of[GROUP_MEAN][c] = mean;
		of[GROUP_RSTD][c] = rstd;
		of[GROUP_MEAN2][c] = mean + d_mean;
		of[GROUP_RSTD2][c] = rstd2;
	}
}

/* z = a u + b of one of the norms, at channel c. */
struct wide_line {
	double a, b;
};

ALWAYS_INLINE struct wide_line line_of(const struct image *m, int which, int64_t c, const enum norm_mode mode)
{
	const float *w = m->nd->src[which ? W2 : W]->data, *b = m->nd->src[which ? B2 : B]->data, *e = m->e[which];
	double a = m->sum[which ? GROUP_RSTD2 : GROUP_RSTD][c] * (double)w[c],
		   off = (double)m->x0[c] - m->sum[which ? GROUP_MEAN2 : GROUP_MEAN][c];
	if (mode == NORM_ADD)
		off += (double)e[c];
	struct wide_line l = { a, (double)b[c] + off * a };
	if (mode == NORM_SCALE_SHIFT) {
		double scale = 1 + (double)e[c];
		l.a *= scale;
		l.b = l.b * scale + (double)e[m->channels + c];
	}
	return l;
}

ALWAYS_INLINE void lines_of(const struct image *m, int64_t first, int64_t last, const enum norm_mode mode)
{
	float *restrict a1 = m->line[A_1], *restrict b1 = m->line[B_1], *restrict a2 = m->line[A_2],
					*restrict delta_a = m->line[DELTA_A], *restrict delta_b = m->line[DELTA_B];
	for (int64_t c = first; c < last; c++) {
		struct wide_line one = line_of(m, 0, c, mode), two = line_of(m, 1, c, mode);
		a1[c] = (float)one.a;
		b1[c] = (float)one.b;
		a2[c] = (float)two.a;
		delta_a[c] = (float)(two.a - one.a);
		delta_b[c] = (float)(two.b - one.b);
	}
}

CPU_KERNEL static void put_lines(const struct image *m, int64_t first, int64_t last)
{
	switch (m->nd->args.norm.mode) {
	case NORM_PLAIN: lines_of(m, first, last, NORM_PLAIN); break;
	case NORM_ADD: lines_of(m, first, last, NORM_ADD); break;
	case NORM_SCALE_SHIFT: lines_of(m, first, last, NORM_SCALE_SHIFT); break;
	}
}

/* x, no further from 0 than keeps products of two exponentials within floats. Of its bits, as integers: of comparisons
 * gcc makes paths, one a case. */
ALWAYS_INLINE float bounded(float x)
{
	const float most = 43.0f;
	int32_t bits, bound;
	memcpy(&bits, &x, sizeof bits);
	memcpy(&bound, &most, sizeof bound);
	int32_t size = bits & INT32_MAX;
	bits = (size < bound ? size : bound) | (bits & INT32_MIN);
	memcpy(&x, &bits, sizeof x);
	return x;
}

/* silu(z + d) - silu(z) = (d (1 + F) - z (G - F)) / ((1 + F)(1 + G)), F = exp(-z), G = exp(-z - d), where G - F is
 * F expm1(-d). Of |d| > 1 the numerator is (z + d)(1 + F) - z (1 + G). */
ALWAYS_INLINE float silu_change(float z, float d)
{
	bool far = fabsf(d) > 1.0f;
	float t = far ? z + d : d, f = exp_within(-bounded(z)), base = far ? 1.0f : f;
	float more = base * expm1_within(-bounded(t)), g = 1.0f + (base + more);
	f += 1.0f;
	return (t * f - z * (far ? g : more)) / (f * g);
}

/* Of n channels of a pixel; line: LINES rows, `row` floats apart. */
ALWAYS_INLINE void change_of_line(float *restrict y, const float *restrict x, const float *restrict d,
                                  const float *restrict x0, const float *restrict line, int64_t row, int64_t n,
                                  const int silu)
{
	const float *a = line + A_1 * row, *b = line + B_1 * row, *a2 = line + A_2 * row, *delta_a = line + DELTA_A * row,
				*delta_b = line + DELTA_B * row;
	for (int64_t c = 0; c < n; c++) {
		float u = x[c] - x0[c], dz = a2[c] * d[c] + (delta_a[c] * u + delta_b[c]);
		y[c] = silu ? silu_change(a[c] * u + b[c], dz) : dz;
	}
}

/* Channels that are no whole vector are copied to one: silu_change of single floats would be compiled to branches, and
 * rounds otherwise then, so that bits would depend on where a thread's channels end. */
ALWAYS_INLINE void change_of_pixels(float *restrict y, const float *restrict x, const float *restrict d,
                                    const float *restrict line, int64_t pixels, int64_t channels, int64_t n,
                                    const int silu)
{
	const float *x0 = x;
	const size_t left = (size_t)(n % LANES) * sizeof *x;
	float last[LINES + 1][LANES] = { 0 }, from[2][LANES] = { 0 }, to[LANES];
	for (int64_t i = 0; i < LINES; i++)
		memcpy(last[i], line + i * channels + n - n % LANES, left);
	memcpy(last[LINES], x0 + n - n % LANES, left);
	for (int64_t i = 0; i < pixels; i++, x += channels, d += channels, y += channels) {
		int64_t c = 0;
		for (; c + 2 * LANES <= n; c += 2 * LANES)
			change_of_line(y + c, x + c, d + c, x0 + c, line + c, channels, 2 * LANES, silu);
		for (; c + LANES <= n; c += LANES)
			change_of_line(y + c, x + c, d + c, x0 + c, line + c, channels, LANES, silu);
		if (c == n)
			continue;
		memcpy(from[0], x + c, left);
		memcpy(from[1], d + c, left);
		change_of_line(to, from[0], from[1], last[LINES], last[0], LANES, LANES, silu);
		memcpy(y + c, to, left);
	}
}

/* n channels of an image, from their first pixel on; line: LINES rows of `channels`. */
CPU_KERNEL static void sweep_pixels(float *restrict y, const float *restrict x, const float *restrict d,
                                    const float *restrict line, int64_t pixels, int64_t channels, int64_t n, bool silu)
{
	if (silu)
		change_of_pixels(y, x, d, line, pixels, channels, n, 1);
	else
		change_of_pixels(y, x, d, line, pixels, channels, n, 0);
}

/* Scratch: rows of sums of all images, then rows of lines. */
static struct image image_of(const struct node *nd, int64_t n)
{
	const struct tensor *x = nd->src[X];
	struct image m = { .nd = nd, .channels = x->c, .pixels = x->h * x->w, .x0 = x->data + n * x->h * x->w * x->c };
	double *sums = (double *)(void *)nd->work->data;
	float *lines = (float *)(void *)(sums + x->n * SUMS * x->c);
	for (int i = 0; i < SUMS; i++)
		m.sum[i] = sums + (n * SUMS + i) * x->c;
	for (int i = 0; i < LINES; i++)
		m.line[i] = lines + (n * LINES + i) * x->c;
	for (int i = 0; i < 2 && nd->args.norm.mode != NORM_PLAIN; i++)
		m.e[i] = nd->src[i ? E2 : E]->data + n * nd->src[E]->c;
	return m;
}

static void change_item(struct node *nd, int64_t n, int64_t g0, int64_t g1)
{
	struct image m = image_of(nd, n);
	int64_t per = m.channels / nd->args.norm.groups, first = g0 * per, last = g1 * per;
	int64_t at = n * m.pixels * m.channels + first;
	const float *x = nd->src[X]->data + at, *d = nd->src[D]->data + at;
	channel_sums(m.sum[0] + first, x, d, m.pixels, m.channels, last - first);
	moments(&m, first, last);
	for (int64_t c = first; c < last; c += per)
		group_moments(&m, c, per);
	put_lines(&m, first, last);
	sweep_pixels(nd->dst[0]->data + at, x, d, m.line[0] + first, m.pixels, m.channels, last - first,
	             nd->args.norm.silu);
}

static size_t change_prepare(struct node *nd)
{
	const struct tensor *x = nd->src[X];
	return (size_t)(x->n * x->c) * (SUMS * sizeof(double) + LINES * sizeof(float));
}

static void change_cpu(struct node *nd)
{
	float *y = nd->dst[0]->data;
	norm_sweep(nd, nd->src[X], change_item);
	if (nd->args.norm.drop.p > 0)
		dropout_cpu(y, y, nd, nd->dst[0], nd->args.norm.drop);
}

const struct op_row op_groupnorm_change = {
	.name = "groupnorm_change",
	.meaning = "groupnorm(x + d) - groupnorm(x)",
	.ref = change_ref,
	.prepare = change_prepare,
	.cpu = change_cpu,
	.low = true,
};
