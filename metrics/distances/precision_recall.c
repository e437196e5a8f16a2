/* precision_recall.c - see precision_recall.h. Squared distances are |a|^2 + |b|^2 - 2 a.b in double, which is exact
 * enough here: float32 features leave 29 bits of the product to spare. Where the difference cancels almost all of it
 * (copies of one picture) the distance is summed directly, so that equal vectors are at distance 0. */
#include "metrics/distances/precision_recall.h"

#include "metrics/math/linalg.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 2048, COLUMNS = 512, MAX_K = 64 }; /* of a tile: rows are converted to doubles once for all its columns */
#define NEAR 1e-9                                /* of |a|^2 + |b|^2 */

struct side {
	const float *x;
	int64_t n;
	int d;
	double *norm, *near, *radius;
	bool *inside;
}; /* near[n][k + 1]; radius: the last of each, squared */

static void take_rows(double *out, const struct side *s, int64_t from, int64_t n)
{
	for (int64_t i = 0; i < n * s->d; i++)
		out[i] = s->x[from * s->d + i];
}

/* Keeps the k + 1 smallest distances that vector i is given, ascending. */
static void offer(struct side *s, int64_t i, int k1, double v)
{
	if (!(v < s->radius[i]))
		return;
	double *near = s->near + i * k1;
	int at = k1 - 1;
	for (; at > 0 && near[at - 1] > v; at--)
		near[at] = near[at - 1];
	near[at] = v;
	s->radius[i] = near[k1 - 1];
}

struct work {
	double *a, *b, *dots;
};

static double direct(const struct side *x, int64_t i, const struct side *y, int64_t j)
{
	double sum = 0;
	for (int64_t k = 0; k < x->d; k++) {
		double v = (double)x->x[i * x->d + k] - y->x[j * x->d + k];
		sum += v * v;
	}
	return sum;
}

/* Squared distances of rows [i0, i0 + n) of x to [j0, j0 + m) of y in w->dots. */
static void distances(struct work *w, const struct side *x, int64_t i0, int n, const struct side *y, int64_t j0, int m)
{
	take_rows(w->b, y, j0, m);
	linalg_gemm_nt(w->dots, w->a, w->b, n, m, x->d, -2, 0);
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < m; j++) {
			double v = w->dots[i * m + j] + x->norm[i0 + i] + y->norm[j0 + j];
			if (!(v > NEAR * (x->norm[i0 + i] + y->norm[j0 + j])))
				v = direct(x, i0 + i, y, j0 + j);
			w->dots[i * m + j] = v;
		}
}

static int part_of(int64_t at, int64_t n, int most)
{
	return n - at < most ? (int)(n - at) : most;
}

/* Radii of the balls. A tile off the diagonal serves its columns, too. */
static void radii(struct side *s, struct work *w, int k1)
{
	for (int64_t i = 0; i < s->n * k1; i++)
		s->near[i] = INFINITY;
	for (int64_t i = 0; i < s->n; i++)
		s->radius[i] = INFINITY;
	for (int64_t i0 = 0; i0 < s->n; i0 += ROWS) {
		int n = part_of(i0, s->n, ROWS);
		take_rows(w->a, s, i0, n);
		for (int64_t j0 = i0; j0 < s->n; j0 += COLUMNS) {
			int m = part_of(j0, s->n, COLUMNS);
			bool both = j0 >= i0 + n;
			distances(w, s, i0, n, s, j0, m);
			for (int64_t i = 0; i < n; i++)
				for (int64_t j = 0; j < m; j++) {
					offer(s, i0 + i, k1, w->dots[i * m + j]);
					if (both)
						offer(s, j0 + j, k1, w->dots[i * m + j]);
				}
		}
	}
}

/* Which vectors of each side lie in a ball of the other. */
static void cross(struct side *x, struct side *y, struct work *w)
{
	for (int64_t i0 = 0; i0 < x->n; i0 += ROWS) {
		int n = part_of(i0, x->n, ROWS);
		take_rows(w->a, x, i0, n);
		for (int64_t j0 = 0; j0 < y->n; j0 += COLUMNS) {
			int m = part_of(j0, y->n, COLUMNS);
			distances(w, x, i0, n, y, j0, m);
			for (int64_t i = 0; i < n; i++)
				for (int64_t j = 0; j < m; j++) {
					double v = w->dots[i * m + j];
					x->inside[i0 + i] |= v <= y->radius[j0 + j];
					y->inside[j0 + j] |= v <= x->radius[i0 + i];
				}
		}
	}
}

static int side_init(struct side *s, const float *x, int64_t n, int d, int k1, const char *what, struct err *e)
{
	if (n < k1)
		return err_set(e, "precision and recall with k = %d need at least %d %s vectors, not %lld", k1 - 1, k1, what,
		               (long long)n);
	*s = (struct side){ .x = x,
		                .n = n,
		                .d = d,
		                .norm = xcalloc((size_t)n, sizeof *s->norm),
		                .near = xmalloc(sizeof *s->near * (size_t)n * (size_t)k1),
		                .radius = xcalloc((size_t)n, sizeof *s->radius),
		                .inside = xcalloc((size_t)n, sizeof *s->inside) };
	for (int64_t i = 0; i < n; i++)
		for (int j = 0; j < d; j++)
			s->norm[i] += (double)x[i * d + j] * x[i * d + j];
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(s->norm[i]))
			return err_set(e, "%s vector %lld is not finite", what, (long long)i);
	return 0;
}

static void side_release(struct side *s)
{
	free(s->norm);
	free(s->near);
	free(s->radius);
	free(s->inside);
}

static double share(const struct side *s)
{
	int64_t n = 0;
	for (int64_t i = 0; i < s->n; i++)
		n += s->inside[i];
	return (double)n / (double)s->n;
}

static void give_radii(double *out, const struct side *s)
{
	for (int64_t i = 0; out && i < s->n; i++)
		out[i] = sqrt(s->radius[i]);
}

int precision_recall(struct precision_recall *out, double *radius_generated, double *radius_real,
                     const float *generated, int64_t n, const float *real, int64_t m, int d, int k, struct err *e)
{
	REQUIRE(k >= 1 && k < MAX_K);
	int k1 = k + 1, bad;
	struct side g = { 0 }, r = { 0 };
	bad = side_init(&g, generated, n, d, k1, "generated", e) || side_init(&r, real, m, d, k1, "real", e);
	if (!bad) {
		struct work w = { xmalloc(sizeof(double) * ROWS * (size_t)d), xmalloc(sizeof(double) * COLUMNS * (size_t)d),
			              xmalloc(sizeof(double) * ROWS * COLUMNS) };
		radii(&g, &w, k1);
		radii(&r, &w, k1);
		cross(&g, &r, &w);
		double p = share(&g), c = share(&r);
		*out = (struct precision_recall){ .precision = p, .recall = c, .f1 = p + c > 0 ? 2 * p * c / (p + c) : 0 };
		give_radii(radius_generated, &g);
		give_radii(radius_real, &r);
		free(w.a);
		free(w.b);
		free(w.dots);
	}
	side_release(&g);
	side_release(&r);
	return bad ? -1 : 0;
}
