/* kid.c - see kid.h. The pairs are visited in tiles, range by range, and each pair adds to two tables of sums: over
 * pairs of ranges, of which the whole is added up, and over pairs of jackknife blocks, for the whole without any block.
 */
#include "metrics/distances/kid.h"

#include "metrics/math/jackknife.h"
#include "metrics/math/linalg.h"
#include "metrics/math/ranges.h"
#include "model/base/mem.h"
#include "metrics/math/randomstate.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = 512, B = JACKKNIFE_BLOCKS };

/* One set of vectors, of either width. */
struct set {
	const float *f;
	const double *g;
	int64_t n;
	int d;
};

/* Sums of k over pairs of parts of the two sets; diag: over pairs (i, i). */
struct sums {
	double pair[B][B], diag[B];
};

struct both_sums {
	struct sums ranges, blocks;
};

/* Of all pairs of x and y, or of each pair of x once where y is x. */
struct pass {
	struct both_sums *out;
	const struct set *x, *y;
	int *block_x, *block_y;  /* of each row */
	double *of_x, *of_y, *k; /* of a tile: [TILE, d], [TILE, d], [TILE, TILE] */
};

static void take_rows(double *out, const struct set *s, int64_t from, int64_t n)
{
	for (int64_t i = 0; i < n * s->d; i++)
		out[i] = s->f ? (double)s->f[from * s->d + i] : s->g[from * s->d + i];
}

static double kernel(double dot, int d)
{
	double v = dot / d + 1;
	return v * v * v;
}

/* Row i of x with m rows of y from j0 on; a, b: their ranges; k [m]. */
static void add_row(struct pass *p, int a, int64_t i, int b, int64_t j0, const double *k, int m)
{
	struct sums *ranges = &p->out->ranges, *blocks = &p->out->blocks;
	double row = 0, by[B] = { 0 };
	int block = p->block_x[i];
	for (int64_t j = 0; j < m; j++) {
		row += k[j];
		by[p->block_y[j0 + j]] += k[j];
	}
	ranges->pair[a][b] += row;
	for (int c = 0; c < B; c++) {
		blocks->pair[block][c] += by[c];
		if (p->x == p->y && a != b)
			blocks->pair[c][block] += by[c];
	}
	if (i >= j0 && i < j0 + m) {
		ranges->diag[a] += k[i - j0];
		blocks->diag[block] += k[i - j0];
	}
}

/* Rows [i0, i0 + n) of x, of range a, with [j0, j0 + m) of y, of range b. */
static void tile(struct pass *p, int a, int64_t i0, int n, int b, int64_t j0, int m)
{
	take_rows(p->of_x, p->x, i0, n);
	take_rows(p->of_y, p->y, j0, m);
	linalg_gemm_nt(p->k, p->of_x, p->of_y, n, m, p->x->d, 1, 0);
	for (int64_t i = 0; i < (int64_t)n * m; i++)
		p->k[i] = kernel(p->k[i], p->x->d);
	for (int64_t i = 0; i < n; i++)
		add_row(p, a, i0 + i, b, j0, p->k + i * m, m);
}

static int at_most_a_tile(int64_t n)
{
	return n < TILE ? (int)n : TILE;
}

static void all_pairs(struct both_sums *out, const struct set *x, const struct set *y)
{
	bool same = x == y;
	size_t width = (size_t)(x->d < 1 ? 1 : x->d);
	SCOPED(free) int *block_x = jackknife_blocks(x->n, B), *block_y = jackknife_blocks(y->n, B);
	SCOPED(free) double *of_x = xmalloc(sizeof *of_x * TILE * width), *of_y = xmalloc(sizeof *of_y * TILE * width);
	SCOPED(free) double *k = xmalloc(sizeof *k * TILE * TILE);
	struct pass p = {
		.out = out, .x = x, .y = y, .block_x = block_x, .block_y = block_y, .of_x = of_x, .of_y = of_y, .k = k
	};
	*out = (struct both_sums){ 0 };
	for (int a = 0; a < B; a++)
		for (int b = same ? a : 0; b < B; b++) {
			int64_t i1 = range_bound(x->n, a + 1, B), j1 = range_bound(y->n, b + 1, B);
			for (int64_t i = range_bound(x->n, a, B); i < i1; i += TILE)
				for (int64_t j = range_bound(y->n, b, B); j < j1; j += TILE)
					tile(&p, a, i, at_most_a_tile(i1 - i), b, j, at_most_a_tile(j1 - j));
			if (same)
				out->ranges.pair[b][a] = out->ranges.pair[a][b];
		}
}

/* Sum over all parts but `gone` (-1: none). */
static double total(const struct sums *s, int gone)
{
	double sum = 0;
	for (int a = 0; a < B; a++)
		for (int b = 0; b < B; b++)
			sum += a == gone || b == gone ? 0 : s->pair[a][b];
	return sum;
}

static double total_diag(const struct sums *s, int gone)
{
	double sum = 0;
	for (int a = 0; a < B; a++)
		sum += a == gone ? 0 : s->diag[a];
	return sum;
}

static double count(int64_t n, int gone)
{
	return (double)(gone < 0 ? n : n - jackknife_dealt_to(n, B, gone));
}

/* Without block `gone` of either set; with all (-1), the sums are of ranges. */
static double unbiased(const struct sums *xx, const struct sums *yy, const struct sums *xy, int64_t n_x, int64_t n_y,
                       int gone)
{
	double n = count(n_x, gone), m = count(n_y, gone);
	return (total(xx, gone) - total_diag(xx, gone)) / (n * (n - 1)) +
	       (total(yy, gone) - total_diag(yy, gone)) / (m * (m - 1)) - 2 * total(xy, gone) / (n * m);
}

static int full(struct kid_full *out, const struct set *x, const struct set *y, struct err *e)
{
	if (x->n < 2 || y->n < 2)
		return err_set(e, "KID needs at least 2 vectors on each side, not %lld and %lld", (long long)x->n,
		               (long long)y->n);
	SCOPED(free) struct both_sums *s = xcalloc(3, sizeof *s);
	all_pairs(&s[0], x, x);
	all_pairs(&s[1], y, y);
	all_pairs(&s[2], x, y);
	const struct sums *xx = &s[0].ranges, *yy = &s[1].ranges, *xy = &s[2].ranges;
	double n = (double)x->n, m = (double)y->n, without[B];
	struct kid_full r = { .half = NAN, .ustat = NAN };
	r.unbiased = unbiased(xx, yy, xy, x->n, y->n, -1);
	r.biased = total(xx, -1) / (n * n) + total(yy, -1) / (m * m) - 2 * total(xy, -1) / (n * m);
	if (x->n == y->n)
		r.ustat = r.unbiased + 2 * total(xy, -1) / (n * m) - 2 * (total(xy, -1) - total_diag(xy, -1)) / (n * (n - 1));
	if (x->n >= 2 * B && y->n >= 2 * B) {
		for (int b = 0; b < B; b++)
			without[b] = unbiased(&s[0].blocks, &s[1].blocks, &s[2].blocks, x->n, y->n, b);
		r.half = jackknife_half_width(without, B);
	}
	*out = r;
	return 0;
}

int kid_full(struct kid_full *out, const float *x, int64_t n, const float *y, int64_t m, int d, struct err *e)
{
	return full(out, &(struct set){ .f = x, .n = n, .d = d }, &(struct set){ .f = y, .n = m, .d = d }, e);
}

int kid_full_double(struct kid_full *out, const double *x, int64_t n, const double *y, int64_t m, int d, struct err *e)
{
	return full(out, &(struct set){ .g = x, .n = n, .d = d }, &(struct set){ .g = y, .n = m, .d = d }, e);
}

/* Sum of k over all pairs of rows of a and b, both [n, d] in double; *diag: over equal rows. */
static double gram_sum(double *diag, const double *a, const double *b, int n, int d, double *gram)
{
	double sum = 0;
	*diag = 0;
	linalg_gemm_nt(gram, a, b, n, n, d, 1, 0);
	for (int64_t i = 0; i < n; i++) {
		double row = 0;
		for (int64_t j = 0; j < n; j++)
			row += kernel(gram[i * n + j], d);
		sum += row;
		*diag += kernel(gram[i * (n + 1)], d);
	}
	return sum;
}

static void draw(double *out, const struct set *s, struct randomstate *r, int64_t *index, int size)
{
	randomstate_choice(r, index, s->n, size);
	for (int64_t i = 0; i < size; i++)
		take_rows(out + i * s->d, s, index[i], 1);
}

int kid_subsets(struct kid_subsets *out, const float *x, int64_t n, const float *y, int64_t m, int d, int subsets,
                int size, uint32_t seed, struct err *e)
{
	if (size > n || size > m || size < 2 || subsets < 1)
		return err_code(e, EXIT_USAGE,
		                "KID subsets of %d vectors cannot be drawn from %lld and %lld; choose a size from 2 to %lld",
		                size, (long long)n, (long long)m, (long long)(n < m ? n : m));
	struct set a = { .f = x, .n = n, .d = d }, b = { .f = y, .n = m, .d = d };
	size_t width = (size_t)size * (size_t)d;
	SCOPED(free) double *xs = xmalloc(sizeof *xs * width);
	SCOPED(free) double *ys = xmalloc(sizeof *ys * width);
	SCOPED(free) double *gram = xmalloc(sizeof *gram * (size_t)size * (size_t)size);
	SCOPED(free) double *value = xmalloc(sizeof *value * (size_t)subsets);
	SCOPED(free) int64_t *index = xmalloc(sizeof *index * (size_t)size);
	struct randomstate r;
	randomstate_seed(&r, seed);
	double mean = 0, var = 0, s = size;
	for (int k = 0; k < subsets; k++) {
		double dx, dy, dxy;
		draw(xs, &a, &r, index, size);
		draw(ys, &b, &r, index, size);
		double xx = gram_sum(&dx, xs, xs, size, d, gram), yy = gram_sum(&dy, ys, ys, size, d, gram);
		double xy = gram_sum(&dxy, xs, ys, size, d, gram);
		value[k] = (xx - dx + yy - dy) / (s * (s - 1)) - 2 * xy / (s * s);
		mean += value[k] / subsets;
	}
	for (int k = 0; k < subsets; k++)
		var += (value[k] - mean) * (value[k] - mean) / subsets;
	*out = (struct kid_subsets){ .mean = mean, .std = sqrt(var), .subsets = subsets, .size = size };
	return 0;
}
