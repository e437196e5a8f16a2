/* pairs.c - see pairs.h. */
#include "metrics/distances/pairs.h"

#include "metrics/math/linalg.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS = 2048, COLUMNS = 512 }; /* of a tile: rows are converted to doubles once for all its columns */
#define NEAR 1e-9                    /* of |a|^2 + |b|^2: below, differences are summed instead */

/* --- sets --- */

static double element(const struct pairs_set *s, int64_t at)
{
	return s->g ? s->g[at] : (double)s->f[at];
}

static int set_init(struct pairs_set *out, const char *what, struct err *e)
{
	REQUIRE(out->n >= 1 && out->d >= 1);
	out->norm = xcalloc((size_t)out->n, sizeof *out->norm);
	for (int64_t i = 0; i < out->n; i++) {
		for (int64_t k = 0; k < out->d; k++)
			out->norm[i] += element(out, i * out->d + k) * element(out, i * out->d + k);
		if (!isfinite(out->norm[i])) {
			pairs_set_release(out);
			return err_set(e, "%s vector %lld is not finite", what, (long long)i);
		}
		out->widest = fmax(out->widest, out->norm[i]);
	}
	return 0;
}

int pairs_set_init(struct pairs_set *out, const float *x, int64_t n, int d, const char *what, struct err *e)
{
	*out = (struct pairs_set){ .f = x, .n = n, .d = d };
	return set_init(out, what, e);
}

int pairs_set_init_double(struct pairs_set *out, const double *x, int64_t n, int d, const char *what, struct err *e)
{
	*out = (struct pairs_set){ .g = x, .n = n, .d = d };
	return set_init(out, what, e);
}

void pairs_set_release(struct pairs_set *s)
{
	free(s->norm);
	s->norm = NULL;
}

void scoped_pairs_set(struct pairs_set *s)
{
	pairs_set_release(s);
}

/* --- tiles --- */

enum { LANES = 8 };

CPU_KERNEL static void add_squares_of_floats(double *lane, const float *a, const float *b, int64_t n)
{
	for (int64_t k = 0; k < n; k += LANES)
		for (int l = 0; l < LANES; l++) {
			double v = (double)a[k + l] - (double)b[k + l];
			lane[l] += v * v;
		}
}

double pairs_direct(const struct pairs_set *x, int64_t i, const struct pairs_set *y, int64_t j)
{
	REQUIRE(x->d == y->d);
	double lane[LANES] = { 0 }, sum = 0;
	int64_t d = x->d, whole = 0, a = i * d, b = j * d;
	if (!x->g && !y->g) {
		whole = d - d % LANES;
		add_squares_of_floats(lane, x->f + a, y->f + b, whole);
	}
	for (int l = 0; l < LANES; l++)
		sum += lane[l];
	for (int64_t k = whole; k < d; k++) {
		double v = element(x, a + k) - element(y, b + k);
		sum += v * v;
	}
	return sum;
}

struct work {
	const struct pairs_set *x, *y;
	double *a, *b, *d2;
	float *dots; /* of a rough visit; then there are no a and b */
	int64_t i0, j0;
	int n, m;
};

struct rows {
	double *out;
	const struct pairs_set *s;
	int64_t from;
};

static void take_some(void *ctx, int64_t first, int64_t last)
{
	const struct rows *r = ctx;
	int64_t d = r->s->d;
	for (int64_t k = first * d; k < last * d; k++)
		r->out[k] = element(r->s, r->from * d + k);
}

static void take_rows(double *out, const struct pairs_set *s, int64_t from, int n)
{
	cpu_split(n, 32, take_some, &(struct rows){ out, s, from });
}

/* Rows [first, last) of a tile: its products, -2 a.b, become distances. */
static void distances(void *ctx, int64_t first, int64_t last)
{
	const struct work *w = ctx;
	for (int64_t i = first; i < last; i++)
		for (int64_t j = 0; j < w->m; j++) {
			double sum = w->x->norm[w->i0 + i] + w->y->norm[w->j0 + j], v = w->d2[i * w->m + j] + sum;
			w->d2[i * w->m + j] = v > NEAR * sum ? v : pairs_direct(w->x, w->i0 + i, w->y, w->j0 + j);
		}
}

/* The same from products of floats. */
static void distances_roughly(void *ctx, int64_t first, int64_t last)
{
	const struct work *w = ctx;
	for (int64_t i = first; i < last; i++)
		for (int64_t j = 0; j < w->m; j++)
			w->d2[i * w->m + j] = w->x->norm[w->i0 + i] + w->y->norm[w->j0 + j] - 2 * (double)w->dots[i * w->m + j];
}

static void compute(struct work *w)
{
	int64_t d = w->x->d;
	if (w->dots) {
		linalg_gemm_nt_float(w->dots, w->x->f + w->i0 * d, w->y->f + w->j0 * d, w->n, w->m, w->x->d);
		cpu_split(w->n, 16, distances_roughly, w);
		return;
	}
	take_rows(w->b, w->y, w->j0, w->m);
	linalg_gemm_nt(w->d2, w->a, w->b, w->n, w->m, w->x->d, -2, 0);
	cpu_split(w->n, 16, distances, w);
}

static int part_of(int64_t at, int64_t n, int most)
{
	return n - at < most ? (int)(n - at) : most;
}

/* Rows [first, last) of what w holds, as a tile of their own. */
static void give(const struct work *w, int first, int last, bool mirror, pairs_tile_fn *f, void *ctx)
{
	if (first < last)
		f(ctx, &(struct pairs_tile){ .d2 = w->d2 + (int64_t)first * w->m,
		                             .i0 = w->i0 + first,
		                             .j0 = w->j0,
		                             .n = last - first,
		                             .m = w->m,
		                             .mirror = mirror,
		                             .rough = w->dots != NULL });
}

static void visit(const struct pairs_set *x, const struct pairs_set *y, bool rough, pairs_tile_fn *f, void *ctx)
{
	REQUIRE(x->d == y->d);
	bool same = x == y;
	size_t d = (size_t)x->d;
	SCOPED(free) double *a = rough ? NULL : xmalloc(sizeof *a * ROWS * d);
	SCOPED(free) double *b = rough ? NULL : xmalloc(sizeof *b * COLUMNS * d);
	SCOPED(free) double *d2 = xmalloc(sizeof *d2 * ROWS * COLUMNS);
	SCOPED(free) float *dots = rough ? xmalloc(sizeof *dots * ROWS * COLUMNS) : NULL;
	struct work w = { .x = x, .y = y, .a = a, .b = b, .d2 = d2, .dots = dots };
	for (w.i0 = 0; w.i0 < x->n; w.i0 += ROWS) {
		int rows = part_of(w.i0, x->n, ROWS);
		if (!rough)
			take_rows(a, x, w.i0, rows);
		for (w.j0 = same ? w.i0 : 0; w.j0 < y->n; w.j0 += COLUMNS) {
			w.m = part_of(w.j0, y->n, COLUMNS);
			/* Of one set: rows below the square on the diagonal are mirrors of tiles given before. */
			int64_t above = same ? w.j0 - w.i0 : rows;
			int off = above < rows ? (int)above : rows;
			w.n = same && off + w.m < rows ? off + w.m : rows;
			compute(&w);
			give(&w, 0, off, same, f, ctx);
			give(&w, off, w.n, false, f, ctx);
		}
	}
}

void pairs_visit(const struct pairs_set *x, const struct pairs_set *y, pairs_tile_fn *f, void *ctx)
{
	visit(x, y, false, f, ctx);
}

/* Squared lengths up to which no product or sum of floats overflows; and the share of the mean distance that the slack
 * may be: each pair within it of a limit costs a direct sum. */
#define USUAL  1e30
#define LITTLE 0.01

/* Adds the mean row of s to `mean` [d], `times` it; returns the mean squared length. */
static double add_mean(double *mean, const struct pairs_set *s, double times)
{
	double length = 0;
	for (int64_t i = 0; i < s->n; i++) {
		length += s->norm[i] / (double)s->n;
		for (int64_t k = 0; k < s->d; k++)
			mean[k] += times * (double)s->f[i * s->d + k];
	}
	return length;
}

/* The mean distance is the mean lengths less twice the product of the mean rows. */
static bool rough_will_do(const struct pairs_set *x, const struct pairs_set *y)
{
	if (x->g || y->g || !(x->widest < USUAL && y->widest < USUAL))
		return false;
	SCOPED(free) double *a = xcalloc((size_t)x->d, sizeof *a);
	SCOPED(free) double *b = xcalloc((size_t)x->d, sizeof *b);
	double lengths = add_mean(a, x, 1.0 / (double)x->n), dot = 0;
	lengths += add_mean(b, y, 1.0 / (double)y->n);
	for (int64_t k = 0; k < x->d; k++)
		dot += a[k] * b[k];
	return pairs_slack(true, x->d, lengths, 0) < LITTLE * (lengths - 2 * dot);
}

void pairs_visit_roughly(const struct pairs_set *x, const struct pairs_set *y, pairs_tile_fn *f, void *ctx)
{
	visit(x, y, rough_will_do(x, y), f, ctx);
}

/* --- nearest --- */

struct nearest {
	const struct pairs_set *x, *y;
	const struct pairs_tile *t;
	int k;
	bool same;
	double *d2;     /* [n, k] ascending */
	int64_t *index; /* [n, k] */
};

/* Puts (v, at) into a list that is ascending by both, if it belongs there. */
static void insert(double *d2, int64_t *index, int k, double v, int64_t at)
{
	int to = k - 1;
	if (v > d2[to] || (v == d2[to] && at > index[to]))
		return;
	for (; to > 0 && (d2[to - 1] > v || (d2[to - 1] == v && index[to - 1] > at)); to--) {
		d2[to] = d2[to - 1];
		index[to] = index[to - 1];
	}
	d2[to] = v;
	index[to] = at;
}

/* The k-th smallest of v[n], INFINITY where fewer are at most `limit`; skip: an index that does not count. */
static double kth(const double *v, int n, int64_t skip, int k, double limit, double *few)
{
	for (int l = 0; l < k; l++)
		few[l] = INFINITY;
	for (int j = 0; j < n; j++) {
		if (v[j] > limit || v[j] >= few[k - 1] || j == skip)
			continue;
		int to = k - 1;
		for (; to > 0 && few[to - 1] > v[j]; to--)
			few[to] = few[to - 1];
		few[to] = v[j];
	}
	return few[k - 1];
}

/* Row `row` of x, with v[n] its distances to rows [from, from + n) of y. Those that could be among the k nearest are
 * summed directly: some k of a tile, however the rows are ordered. */
static void offer(const struct nearest *s, int64_t row, const double *v, int n, int64_t from, double *few)
{
	double *d2 = s->d2 + row * s->k, slack = pairs_slack(s->t->rough, s->x->d, s->x->norm[row], s->y->widest);
	int64_t *index = s->index + row * s->k, skip = s->same ? row - from : -1;
	double limit = d2[s->k - 1] + slack, best = INFINITY;
	for (int j = 0; j < n; j++)
		best = v[j] < best ? v[j] : best;
	if (best > limit)
		return;
	limit = fmin(limit, kth(v, n, skip, s->k, limit, few) + 2 * slack);
	for (int j = 0; j < n; j++)
		if (v[j] <= limit && j != skip)
			insert(d2, index, s->k, pairs_direct(s->x, row, s->y, from + j), from + j);
}

static void offer_rows(void *ctx, int64_t first, int64_t last)
{
	const struct nearest *s = ctx;
	const struct pairs_tile *t = s->t;
	SCOPED(free) double *few = xmalloc(sizeof *few * (size_t)s->k);
	for (int64_t i = first; i < last; i++)
		offer(s, t->i0 + i, t->d2 + i * t->m, t->m, t->j0, few);
}

/* The tile's columns as rows, 8 at a time: a cache line of each of its rows. */
static void offer_columns(void *ctx, int64_t first, int64_t last)
{
	enum { WIDE = 8 };
	const struct nearest *s = ctx;
	const struct pairs_tile *t = s->t;
	SCOPED(free) double *few = xmalloc(sizeof *few * (size_t)s->k);
	SCOPED(free) double *column = xmalloc(sizeof *column * WIDE * (size_t)t->n);
	for (int64_t j = first; j < last; j += WIDE) {
		int wide = part_of(j, last, WIDE);
		for (int64_t i = 0; i < t->n; i++)
			for (int64_t l = 0; l < wide; l++)
				column[l * t->n + i] = t->d2[i * t->m + j + l];
		for (int64_t l = 0; l < wide; l++)
			offer(s, t->j0 + j + l, column + l * t->n, t->n, t->i0, few);
	}
}

static void nearest_tile(void *ctx, const struct pairs_tile *t)
{
	struct nearest *s = ctx;
	s->t = t;
	cpu_split(t->n, 16, offer_rows, s);
	if (t->mirror)
		cpu_split(t->m, 16, offer_columns, s);
}

void pairs_nearest(double *d2, int64_t *index, int k, const struct pairs_set *x, const struct pairs_set *y)
{
	bool same = x == y;
	REQUIRE(k >= 1 && k <= y->n - same);
	SCOPED(free) int64_t *own = index ? NULL : xmalloc(sizeof *own * (size_t)x->n * (size_t)k);
	struct nearest s = { .x = x, .y = y, .k = k, .same = same, .d2 = d2, .index = index ? index : own };
	for (int64_t i = 0; i < x->n * k; i++) {
		d2[i] = INFINITY;
		s.index[i] = INT64_MAX;
	}
	pairs_visit_roughly(x, y, nearest_tile, &s);
}

void pairs_radii(double *radius, const struct pairs_set *s, int k)
{
	SCOPED(free) double *near = xmalloc(sizeof *near * (size_t)s->n * (size_t)k);
	pairs_nearest(near, NULL, k, s, s);
	for (int64_t i = 0; i < s->n; i++)
		radius[i] = near[i * k + k - 1];
}
