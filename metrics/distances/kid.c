/* kid.c - see kid.h. The pairs are visited in tiles whose borders include those of the jackknife blocks, and each tile
 * adds one number to the sums of its pair of blocks: the whole, and the whole without any block, follow from those. */
#include "metrics/distances/kid.h"

#include "metrics/math/jackknife.h"
#include "metrics/math/linalg.h"
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

/* Sums of k over pairs of blocks; diag: over pairs (i, i). */
struct sums {
	double pair[B][B], diag[B];
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

/* The kernel over rows [i0, i0 + n) of x and [j0, j0 + m) of y: its sum, and the sum over equal indices. */
static void tile(double *sum, double *diag, double *scratch[3], const struct set *x, int64_t i0, int n,
                 const struct set *y, int64_t j0, int m)
{
	take_rows(scratch[0], x, i0, n);
	take_rows(scratch[1], y, j0, m);
	linalg_gemm_nt(scratch[2], scratch[0], scratch[1], n, m, x->d, 1, 0);
	for (int64_t i = 0; i < n; i++) {
		double row = 0;
		for (int64_t j = 0; j < m; j++) {
			double k = kernel(scratch[2][i * m + j], x->d);
			row += k;
			*diag += i0 + i == j0 + j ? k : 0;
		}
		*sum += row;
	}
}

static void all_pairs(struct sums *out, const struct set *x, const struct set *y)
{
	bool same = x == y;
	double *scratch[3];
	for (int k = 0; k < 3; k++)
		scratch[k] = xmalloc(sizeof(double) * TILE * (size_t)(k == 2 || x->d < 1 ? TILE : x->d));
	*out = (struct sums){ 0 };
	for (int a = 0; a < B; a++)
		for (int b = same ? a : 0; b < B; b++) {
			int64_t i1 = jackknife_bound(x->n, a + 1, B), j1 = jackknife_bound(y->n, b + 1, B);
			for (int64_t i = jackknife_bound(x->n, a, B); i < i1; i += TILE)
				for (int64_t j = jackknife_bound(y->n, b, B); j < j1; j += TILE)
					tile(&out->pair[a][b], &out->diag[a], scratch, x, i, (int)(i1 - i < TILE ? i1 - i : TILE), y, j,
					     (int)(j1 - j < TILE ? j1 - j : TILE));
			if (same)
				out->pair[b][a] = out->pair[a][b];
		}
	for (int k = 0; k < 3; k++)
		free(scratch[k]);
}

/* Sum over all blocks but `gone` (-1: none). */
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
	return (double)(gone < 0 ? n : n - (jackknife_bound(n, gone + 1, B) - jackknife_bound(n, gone, B)));
}

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
	struct sums *s = xcalloc(3, sizeof *s), *xx = s, *yy = s + 1, *xy = s + 2;
	all_pairs(xx, x, x);
	all_pairs(yy, y, y);
	all_pairs(xy, x, y);
	double n = (double)x->n, m = (double)y->n, without[B];
	struct kid_full r = { .half = NAN, .ustat = NAN };
	r.unbiased = unbiased(xx, yy, xy, x->n, y->n, -1);
	r.biased = total(xx, -1) / (n * n) + total(yy, -1) / (m * m) - 2 * total(xy, -1) / (n * m);
	if (x->n == y->n)
		r.ustat = r.unbiased + 2 * total(xy, -1) / (n * m) - 2 * (total(xy, -1) - total_diag(xy, -1)) / (n * (n - 1));
	if (x->n >= 2 * B && y->n >= 2 * B) {
		for (int b = 0; b < B; b++)
			without[b] = unbiased(xx, yy, xy, x->n, y->n, b);
		r.half = jackknife_half_width(without, B);
	}
	free(s);
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
