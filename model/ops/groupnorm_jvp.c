/* groupnorm_jvp.c - the first-order change of groupnorm (groupnorm.c), from what it has made: with h = x [+ e],
 * u = h - mean, xhat = u rstd, and dh = d [+ de],
 *   dxhat = rstd (dh - m(dh) - xhat m(dh xhat)),  m(.) the mean over a group
 *   dz = (dxhat w + xhat dw + db) (1 + scale) + (xhat w + b) dscale + dshift,  dy = act'(z) dz, then the dropout of y
 * Sources: d, x, w, b, stats (N,1,groups,2), [e], [dw], [db], [de]. Destination: dy.
 *
 * In each channel z and dz are linear in u and d: z = A u + B, dz = A d + P u + Q. So the CPU's and the device's paths
 * sum d, u d and u per channel, fold all else into the four numbers, and sweep once. */
#include "model/ops/groupnorm_jvp.h"

#include "model/graph/tangent.h"
#include "model/ops/dropout.h"
#include "model/ops/norm_sweep.h"

#include "model/base/cpu.h"
#include "model/base/err.h"

#include <math.h>
#include <string.h>

enum { D, X, W, B, STATS, E, DW, DB, DE };

struct tensor *groupnorm_jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	struct tensor *x = nd->src[0], *y = graph_like(g, x);
	(void)graph_node(g, OP_groupnorm_jvp, &nd->args, 9,
	                 (struct tensor *[]){ tangent_or_zeros(g, d[0], x), x, nd->src[1], nd->src[2], nd->dst[1],
	                                      nd->src[3], d[1], d[2], d[3] },
	                 1, &y);
	return y;
}

/* ---- the specification ----------------------------------------------------------------------- */

/* What of the embedding e, or of its change, is added before the norm, is the scale, is the shift. */
struct embedded {
	double add, scale, shift;
};

static struct embedded embedded_ref(const struct node *nd, const struct tensor *e, int64_t n, int64_t c)
{
	int64_t channels = nd->src[X]->c;
	struct embedded out = { 0 };
	if (!e)
		return out;
	if (nd->args.norm.mode == NORM_ADD)
		out.add = e->ref[n * e->c + c];
	if (nd->args.norm.mode == NORM_SCALE_SHIFT) {
		out.scale = e->ref[n * e->c + c];
		out.shift = e->ref[n * e->c + channels + c];
	}
	return out;
}

static double ref_of(const struct tensor *t, int64_t at)
{
	return t ? t->ref[at] : 0;
}

static void jvp_group_ref(struct node *nd, int64_t n, int64_t k)
{
	const struct tensor *x = nd->src[X];
	int64_t groups = nd->args.norm.groups, per = x->c / groups, pixels = x->h * x->w;
	double mean = nd->src[STATS]->ref[(n * groups + k) * 2], rstd = nd->src[STATS]->ref[(n * groups + k) * 2 + 1];
	double m = 0, along = 0, count = (double)(per * pixels);
	for (int64_t i = 0; i < pixels; i++)
		for (int64_t c = k * per; c < (k + 1) * per; c++) {
			int64_t at = (n * pixels + i) * x->c + c;
			double dh = nd->src[D]->ref[at] + embedded_ref(nd, nd->src[DE], n, c).add;
			m += dh / count;
			along += dh * (x->ref[at] + embedded_ref(nd, nd->src[E], n, c).add - mean) * rstd / count;
		}
	for (int64_t i = 0; i < pixels; i++)
		for (int64_t c = k * per; c < (k + 1) * per; c++) {
			int64_t at = (n * pixels + i) * x->c + c;
			struct embedded e = embedded_ref(nd, nd->src[E], n, c), de = embedded_ref(nd, nd->src[DE], n, c);
			double w = nd->src[W]->ref[c], b = nd->src[B]->ref[c], xhat = (x->ref[at] + e.add - mean) * rstd;
			double dxhat = rstd * (nd->src[D]->ref[at] + de.add - m - xhat * along);
			double z = (xhat * w + b) * (1 + e.scale) + e.shift, s = 1 / (1 + exp(-z));
			double dz = (dxhat * w + xhat * ref_of(nd->src[DW], c) + ref_of(nd->src[DB], c)) * (1 + e.scale) +
			            (xhat * w + b) * de.scale + de.shift;
			nd->dst[0]->ref[at] = (nd->args.norm.silu ? s * (1 + z * (1 - s)) : 1) * dz *
			                      dropout_factor(nd, x, nd->args.norm.drop, (size_t)at);
		}
}

static void jvp_ref(struct node *nd)
{
	for (int64_t n = 0; n < nd->src[X]->n; n++)
		for (int64_t k = 0; k < nd->args.norm.groups; k++)
			jvp_group_ref(nd, n, k);
}

/* ---- the CPU path: per image (or group range), channel sums -> four numbers a channel -> one sweep --- */

enum { OF_D, OF_UD, OF_U, SUMS };
enum { CENTRE, LINE_A, LINE_B, LINE_P, LINE_Q, LINES };

/* The sums over `rows` pixels of NV vectors of channels; centre: x of u = 0. */
ALWAYS_INLINE void sum_block(double *sum, const float *x, const float *d, const float *centre, int64_t rows,
                             int64_t channels, const int NV)
{
	vec s[2][SUMS] = { 0 };
	for (int64_t i = 0; i < rows; i++) {
#pragma GCC unroll 2
		for (int j = 0; j < NV; j++) {
			vec u = READ(x + i * channels + j * LANES) - READ(centre + j * LANES),
				v = READ(d + i * channels + j * LANES);
			s[j][OF_D] += v;
			s[j][OF_UD] += u * v;
			s[j][OF_U] += u;
		}
	}
#pragma GCC unroll 2
	for (int j = 0; j < NV; j++)
#pragma GCC unroll 3
		for (int k = 0; k < SUMS; k++)
			ADD_DOUBLE(sum + k * channels + j * LANES, s[j][k]);
}

/* The same of n < LANES channels. */
ALWAYS_INLINE void sum_rest(double *sum, const float *x, const float *d, const float *centre, int64_t rows,
                            int64_t channels, int64_t n)
{
	float s[SUMS][LANES] = { 0 };
	for (int64_t i = 0; i < rows; i++)
		for (int64_t c = 0; c < n; c++) {
			float u = x[i * channels + c] - centre[c], v = d[i * channels + c];
			s[OF_D][c] += v;
			s[OF_UD][c] += u * v;
			s[OF_U][c] += u;
		}
	for (int k = 0; k < SUMS; k++)
		for (int64_t c = 0; c < n; c++)
			sum[k * channels + c] += (double)s[k][c];
}

/* Of n channels over all pixels; sum: SUMS rows of `channels`. */
CPU_KERNEL static void channel_sums(double *restrict sum, const float *restrict x, const float *restrict d,
                                    const float *restrict centre, int64_t pixels, int64_t channels, int64_t n)
{
	for (int k = 0; k < SUMS; k++)
		memset(sum + k * channels, 0, (size_t)n * sizeof *sum);
	for (int64_t c = 0; c < n;) {
		int64_t left = n - c, wide = left >= 2 * LANES ? 2 * LANES : left >= LANES ? LANES : left;
		for (int64_t i = 0; i < pixels; i += RUN) {
			int64_t at = i * channels + c, rows = i + RUN < pixels ? RUN : pixels - i;
			if (wide == 2 * LANES)
				sum_block(sum + c, x + at, d + at, centre + c, rows, channels, 2);
			else if (wide == LANES)
				sum_block(sum + c, x + at, d + at, centre + c, rows, channels, 1);
			else
				sum_rest(sum + c, x + at, d + at, centre + c, rows, channels, wide);
		}
		c += wide;
	}
}

/* Of an image: its scratch's rows, and what embeds into it (NULL: nothing). */
struct image {
	const struct node *nd;
	int64_t channels, pixels;
	double *sum[SUMS];
	float *line[LINES];
	const float *stats, *e, *de;
};

static struct image image_of(const struct node *nd, int64_t n)
{
	const struct tensor *x = nd->src[X], *e = nd->src[E], *de = nd->src[DE];
	struct image m = { .nd = nd,
		               .channels = x->c,
		               .pixels = x->h * x->w,
		               .stats = nd->src[STATS]->data + n * nd->args.norm.groups * 2,
		               .e = e ? e->data + n * e->c : NULL,
		               .de = de ? de->data + n * de->c : NULL };
	double *sums = (double *)(void *)nd->work->data;
	float *lines = (float *)(void *)(sums + x->n * SUMS * x->c);
	for (int i = 0; i < SUMS; i++)
		m.sum[i] = sums + (n * SUMS + i) * x->c;
	for (int i = 0; i < LINES; i++)
		m.line[i] = lines + (n * LINES + i) * x->c;
	return m;
}

static struct embedded embedded_of(const struct image *m, const float *e, int64_t c)
{
	struct embedded out = { 0 };
	if (e && m->nd->args.norm.mode == NORM_ADD)
		out.add = (double)e[c];
	if (e && m->nd->args.norm.mode == NORM_SCALE_SHIFT) {
		out.scale = (double)e[c];
		out.shift = (double)e[m->channels + c];
	}
	return out;
}

static double value_of(const struct tensor *t, int64_t at)
{
	return t ? (double)t->data[at] : 0;
}

static void put_lines(const struct image *m, int64_t group, int64_t per)
{
	const struct node *nd = m->nd;
	double rstd = (double)m->stats[group * 2 + 1], count = (double)(per * m->pixels), mean = 0, along = 0;
	for (int64_t c = group * per; c < (group + 1) * per; c++) {
		double add = embedded_of(m, m->de, c).add;
		mean += (m->sum[OF_D][c] + (double)m->pixels * add) / count;
		along += (m->sum[OF_UD][c] + add * m->sum[OF_U][c]) * rstd / count;
	}
	for (int64_t c = group * per; c < (group + 1) * per; c++) {
		struct embedded e = embedded_of(m, m->e, c), de = embedded_of(m, m->de, c);
		double w = (double)nd->src[W]->data[c], b = (double)nd->src[B]->data[c], s = 1 + e.scale;
		m->line[LINE_A][c] = (float)(rstd * w * s);
		m->line[LINE_B][c] = (float)(b * s + e.shift);
		m->line[LINE_P][c] = (float)(rstd * ((value_of(nd->src[DW], c) - rstd * along * w) * s + w * de.scale));
		m->line[LINE_Q][c] = (float)((rstd * (de.add - mean) * w + value_of(nd->src[DB], c)) * s + b * de.scale +
		                             de.shift);
	}
}

/* Of n channels of a pixel; line: LINES rows, `row` floats apart. */
ALWAYS_INLINE void change_of_line(float *restrict y, const float *restrict x, const float *restrict d,
                                  const float *restrict line, int64_t row, int64_t n, const int silu)
{
	const float *centre = line + CENTRE * row, *a = line + LINE_A * row, *b = line + LINE_B * row,
				*p = line + LINE_P * row, *q = line + LINE_Q * row;
	for (int64_t c = 0; c < n; c++) {
		float u = x[c] - centre[c], dz = a[c] * d[c] + (p[c] * u + q[c]);
		if (silu) {
			float z = a[c] * u + b[c], s = sigmoid_approx(z);
			dz *= s * (1.0f + z * (1.0f - s));
		}
		y[c] = dz;
	}
}

/* Channels that are no whole vector are copied to one, so that their arithmetic is that of the others. */
ALWAYS_INLINE void change_of_pixels(float *restrict y, const float *restrict x, const float *restrict d,
                                    const float *restrict line, int64_t pixels, int64_t channels, int64_t n,
                                    const int silu)
{
	int64_t whole = n - n % LANES;
	size_t left = (size_t)(n - whole) * sizeof *x;
	float last[LINES][LANES] = { 0 }, from[2][LANES] = { 0 }, to[LANES];
	for (int64_t i = 0; i < LINES; i++)
		memcpy(last[i], line + i * channels + whole, left);
	for (int64_t i = 0; i < pixels; i++, x += channels, d += channels, y += channels) {
		int64_t c = 0;
		for (; c + 2 * LANES <= n; c += 2 * LANES)
			change_of_line(y + c, x + c, d + c, line + c, channels, 2 * LANES, silu);
		for (; c + LANES <= n; c += LANES)
			change_of_line(y + c, x + c, d + c, line + c, channels, LANES, silu);
		if (!left)
			continue;
		memcpy(from[0], x + c, left);
		memcpy(from[1], d + c, left);
		change_of_line(to, from[0], from[1], last[0], LANES, LANES, silu);
		memcpy(y + c, to, left);
	}
}

CPU_KERNEL static void sweep_pixels(float *restrict y, const float *restrict x, const float *restrict d,
                                    const float *restrict line, int64_t pixels, int64_t channels, int64_t n, bool silu)
{
	if (silu)
		change_of_pixels(y, x, d, line, pixels, channels, n, 1);
	else
		change_of_pixels(y, x, d, line, pixels, channels, n, 0);
}

static void jvp_item(struct node *nd, int64_t n, int64_t g0, int64_t g1)
{
	struct image m = image_of(nd, n);
	int64_t per = m.channels / nd->args.norm.groups, first = g0 * per, last = g1 * per;
	int64_t at = n * m.pixels * m.channels + first;
	const float *x = nd->src[X]->data + at, *d = nd->src[D]->data + at;
	for (int64_t c = first; c < last; c++)
		m.line[CENTRE][c] = (float)((double)m.stats[c / per * 2] - embedded_of(&m, m.e, c).add);
	channel_sums(m.sum[0] + first, x, d, m.line[CENTRE] + first, m.pixels, m.channels, last - first);
	for (int64_t k = g0; k < g1; k++)
		put_lines(&m, k, per);
	sweep_pixels(nd->dst[0]->data + at, x, d, m.line[0] + first, m.pixels, m.channels, last - first,
	             nd->args.norm.silu);
}

static size_t jvp_prepare(struct node *nd)
{
	const struct tensor *x = nd->src[X];
	return (size_t)(x->n * x->c) * (SUMS * sizeof(double) + LINES * sizeof(float));
}

static void jvp_cpu(struct node *nd)
{
	float *y = nd->dst[0]->data;
	norm_sweep(nd, nd->src[X], jvp_item);
	if (nd->args.norm.drop.p > 0)
		dropout_cpu(y, y, nd, nd->dst[0], nd->args.norm.drop);
}

const struct op_row op_groupnorm_jvp = {
	.name = "groupnorm_jvp",
	.meaning = "change of groupnorm from those of its sources",
	.ref = jvp_ref,
	.prepare = jvp_prepare,
	.cpu = jvp_cpu,
	.low = true,
};
