/* test_pairs.c - distances of all pairs and nearest neighbours against sums written out, at sizes beyond a tile. */
#include "metrics/distances/pairs.h"
#include "model/base/mem.h"
#include "model/base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *cloud(uint64_t seed, int64_t n, int d, float shift)
{
	float *x = xmalloc(sizeof *x * (size_t)n * (size_t)d);
	rng_normal(x, (size_t)n * (size_t)d, seed, RNG_SYNTHETIC, 0, 0);
	for (int64_t i = 0; i < n * d; i++)
		x[i] += shift;
	return x;
}

static double plain(const float *a, const float *b, int d)
{
	double sum = 0;
	for (int k = 0; k < d; k++)
		sum += ((double)a[k] - b[k]) * ((double)a[k] - b[k]);
	return sum;
}

struct seen {
	const float *x, *y;
	int64_t m;
	int d;
	unsigned char *times; /* [n, m] how often a pair came */
	double off;           /* the largest error relative to 1 + the distance */
};

static void see(void *ctx, const struct pairs_tile *t)
{
	struct seen *s = ctx;
	for (int64_t i = 0; i < t->n; i++)
		for (int64_t j = 0; j < t->m; j++) {
			double want = plain(s->x + (t->i0 + i) * s->d, s->y + (t->j0 + j) * s->d, s->d);
			s->off = fmax(s->off, fabs(t->d2[i * t->m + j] - want) / (1 + want));
			s->times[(t->i0 + i) * s->m + t->j0 + j]++;
			if (t->mirror)
				s->times[(t->j0 + j) * s->m + t->i0 + i]++;
		}
}

/* A sum over all pairs is wrong without a sign of it if a tile's border gives a pair twice or never. */
Test(pairs, each_pair_comes_once_with_its_distance)
{
	static const struct {
		int n, m, d;
	} cases[] = { { 1, 1, 1 }, { 5, 513, 9 }, { 2049, 1025, 3 }, { 2048, 512, 8 }, { 2600, 0, 5 }, { 512, 0, 2 } };
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		int n = cases[c].n, m = cases[c].m ? cases[c].m : n, d = cases[c].d; /* 0: the set with itself */
		SCOPED(free) float *f = cloud(1, n, d, 0);
		SCOPED(free) float *g = cloud(2, m, d, 0.5F);
		SCOPED(free) unsigned char *times = xcalloc((size_t)n * (size_t)m, 1);
		SCOPED(pairs_set) struct pairs_set x = { 0 }, y = { 0 };
		struct err e = ERR_INIT;
		bool same = !cases[c].m;
		cr_assert_eq(pairs_set_init(&x, f, n, d, "x", &e), 0, "%s", e.msg);
		cr_assert_eq(pairs_set_init(&y, g, m, d, "y", &e), 0, "%s", e.msg);
		struct seen s = { .x = f, .y = same ? f : g, .m = m, .d = d, .times = times };
		pairs_visit(&x, same ? &x : &y, see, &s);
		for (int64_t i = 0; i < (int64_t)n * m; i++)
			cr_assert_eq(times[i], 1, "case %zu: pair (%lld, %lld) came %d times", c, (long long)(i / m),
			             (long long)(i % m), times[i]);
		cr_assert(s.off < 1e-12, "case %zu: off by %g", c, s.off);
	}
}

struct close_pairs {
	const struct pairs_set *x;
	int n;
	double off; /* the largest error, relative to the distance itself */
};

static void see_close(void *ctx, const struct pairs_tile *t)
{
	struct close_pairs *s = ctx;
	for (int64_t i = 0; i < t->n; i++)
		for (int64_t j = 0; j < t->m; j++) {
			double want = pairs_direct(s->x, t->i0 + i, s->x, t->j0 + j), sum = 2 * s->x->norm[t->i0 + i];
			if (want < 1e-9 * sum) {
				s->off = fmax(s->off, fabs(t->d2[i * t->m + j] - want) / (want > 0 ? want : 1));
				s->n++;
			}
		}
}

/* |a|^2 + |b|^2 - 2ab loses all digits where a and b nearly agree, which rounding makes a distance below 0 as well:
 * there the differences are summed, and a distance of 1e-11 of the lengths has its digits, too. */
Test(pairs, those_that_nearly_agree_keep_their_digits)
{
	enum { N = 60, D = 40 };
	SCOPED(free) float *f = cloud(11, N, D, 0);
	SCOPED(free) double *g = xmalloc(sizeof *g * N * D);
	for (int64_t i = 0; i < (int64_t)N * D; i++) /* couples from 1e-3 to 1e-8 apart, and copies */
		g[i] = 100.0 + (double)f[i / D / 2 * 2 * D + i % D] +
		       (i / D % 2 && i / D / 2 % 10 ? pow(10, -3 - (double)(i / D % 6)) * (double)f[i] : 0);
	SCOPED(pairs_set) struct pairs_set x = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(pairs_set_init_double(&x, g, N, D, "x", &e), 0, "%s", e.msg);
	struct close_pairs s = { .x = &x };
	pairs_visit(&x, &x, see_close, &s);
	cr_assert(s.n > N + 10, "%d close pairs prove little", s.n);
	cr_assert(s.off < 1e-5, "off by %g", s.off);
}

/* Nearest neighbours of row i by sums written out: the k-th smallest (distance, index). */
static void brute(double *d2, int64_t *index, int k, const float *x, int64_t i, const float *y, int64_t m, int d,
                  bool same)
{
	for (int l = 0; l < k; l++)
		d2[l] = INFINITY;
	for (int64_t j = 0; j < m; j++) {
		double v = plain(x + i * d, y + j * d, d);
		int to = k;
		for (; to > 0 && v < d2[to - 1]; to--)
			if (to < k && !(same && i == j)) {
				d2[to] = d2[to - 1];
				index[to] = index[to - 1];
			}
		if (to < k && !(same && i == j)) {
			d2[to] = v;
			index[to] = j;
		}
	}
}

/* Small whole numbers: all sums are exact, and most distances are shared by many pairs and rows have copies, so what
 * comes first among equals decides. Far from the origin, so that products of large numbers cancel. */
Test(pairs, nearest_are_the_first_among_equals)
{
	static const struct {
		int n, m, d, k;
	} cases[] = { { 1, 1, 1, 1 }, { 700, 2600, 3, 4 }, { 2300, 0, 3, 1 }, { 2300, 0, 4, 6 }, { 2, 0, 2, 1 } };
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		int n = cases[c].n, m = cases[c].m ? cases[c].m : n, d = cases[c].d, k = cases[c].k;
		bool same = !cases[c].m;
		SCOPED(free) float *f = cloud(3, n, d, 0);
		SCOPED(free) float *g = cloud(4, m, d, 0);
		for (int64_t i = 0; i < (int64_t)n * d; i++)
			f[i] = roundf(3 * f[i]) + 1000;
		for (int64_t i = 0; i < (int64_t)m * d; i++)
			g[i] = roundf(3 * g[i]) + 1000;
		SCOPED(pairs_set) struct pairs_set x = { 0 }, y = { 0 };
		struct err e = ERR_INIT;
		cr_assert_eq(pairs_set_init(&x, f, n, d, "x", &e), 0, "%s", e.msg);
		cr_assert_eq(pairs_set_init(&y, g, m, d, "y", &e), 0, "%s", e.msg);
		SCOPED(free) double *d2 = xmalloc(sizeof *d2 * (size_t)(n * k));
		SCOPED(free) int64_t *index = xmalloc(sizeof *index * (size_t)(n * k));
		pairs_nearest(d2, index, k, &x, same ? &x : &y);
		for (int i = 0; i < n; i++) {
			double want[8];
			int64_t at[8];
			brute(want, at, k, f, i, same ? f : g, m, d, same);
			for (int l = 0; l < k; l++)
				cr_assert(d2[i * k + l] == want[l] && index[i * k + l] == at[l],
				          "case %zu, row %d, neighbour %d: %lld at %g, not %lld at %g", c, i, l,
				          (long long)index[i * k + l], d2[i * k + l], (long long)at[l], want[l]);
		}
	}
}

/* Where rows are sorted so that each is nearer than all before, every tile holds the nearest so far. */
Test(pairs, nearest_of_rows_that_come_ever_nearer)
{
	enum { N = 3000, D = 7, K = 3 };
	SCOPED(free) float *f = cloud(5, 1, D, 0);
	SCOPED(free) float *g = xmalloc(sizeof *g * N * D);
	for (int64_t j = 0; j < N; j++)
		for (int64_t k = 0; k < D; k++)
			g[j * D + k] = f[k] + (float)(N - j) / N;
	SCOPED(pairs_set) struct pairs_set x = { 0 }, y = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(pairs_set_init(&x, f, 1, D, "x", &e), 0, "%s", e.msg);
	cr_assert_eq(pairs_set_init(&y, g, N, D, "y", &e), 0, "%s", e.msg);
	double d2[K];
	int64_t index[K];
	pairs_nearest(d2, index, K, &x, &y);
	for (int l = 0; l < K; l++)
		cr_assert_eq(index[l], N - 1 - l);
}

/* How many rows of y come before row j, at `v` from row i of x, by the direct sums. */
static int before(const struct pairs_set *x, int64_t i, const struct pairs_set *y, int64_t j, double v)
{
	int n = 0;
	for (int64_t k = 0; k < y->n; k++) {
		double other = pairs_direct(x, i, y, k);
		n += other < v || (other == v && k < j);
	}
	return n;
}

/* Rows that differ by less than a product's rounding: which is nearest is what the direct sums say, not the products.
 * Several lengths, since the rounding of one squared length shifts all distances to one side. */
Test(pairs, nearest_are_those_of_the_direct_sums)
{
	enum { N = 8, M = 1200, D = 301, K = 3 };
	for (uint64_t seed = 10; seed < 16; seed++) {
		SCOPED(free) float *f = cloud(seed, N + M, D, 7 * (float)(seed - 9));
		SCOPED(free) double *g = xmalloc(sizeof *g * (N + M) * D);
		for (int64_t i = 0; i < (int64_t)(N + M) * D; i++)
			g[i] = i < (int64_t)N * D ? (double)f[i] : (double)f[N * D + i % D] + 1e-13 * (double)f[i];
		SCOPED(pairs_set) struct pairs_set x = { 0 }, y = { 0 };
		struct err e = ERR_INIT;
		cr_assert_eq(pairs_set_init_double(&x, g, N, D, "x", &e), 0, "%s", e.msg);
		cr_assert_eq(pairs_set_init_double(&y, g + (size_t)N * D, M, D, "y", &e), 0, "%s", e.msg);
		double d2[N * K];
		int64_t index[N * K];
		pairs_nearest(d2, index, K, &x, &y);
		for (int i = 0; i < N; i++)
			for (int l = 0; l < K; l++) {
				int at = i * K + l;
				cr_assert_eq(d2[at], pairs_direct(&x, i, &y, index[at]));
				cr_assert_eq(before(&x, i, &y, index[at], d2[at]), l, "row %d, neighbour %d", i, l);
			}
	}
}

/* The same vectors as floats and as doubles give the same neighbours; doubles beyond float's digits are kept. */
Test(pairs, doubles_are_not_rounded_to_floats)
{
	double g[3] = { 1, 1 + 1e-12, 1 + 3e-12 }, d2[3];
	int64_t index[3];
	SCOPED(pairs_set) struct pairs_set x = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(pairs_set_init_double(&x, g, 3, 1, "x", &e), 0, "%s", e.msg);
	pairs_nearest(d2, index, 1, &x, &x);
	cr_assert(index[0] == 1 && index[1] == 0 && index[2] == 1);
	cr_assert(fabs(d2[2] - 4e-24) < 1e-27, "%g", d2[2]);
}

/* A comparison with the distance of the very pair must see equality, whichever tile the pair came in. */
struct settled {
	const struct pairs_set *x;
	int rough; /* tiles */
};

static void settle(void *ctx, const struct pairs_tile *t)
{
	struct settled *s = ctx;
	s->rough += t->rough;
	for (int64_t i = 0; i < t->n; i++)
		for (int64_t j = 0; j < t->m; j++) {
			double limit = pairs_direct(s->x, t->j0 + j, s->x, t->i0 + i), v = t->d2[i * t->m + j];
			double slack = pairs_slack(t->rough, s->x->d, s->x->norm[t->i0 + i], s->x->norm[t->j0 + j]);
			cr_assert(fabs(v - limit) <= slack, "%g is farther than %g from %g", v, slack, limit);
			cr_assert_eq(pairs_settled(t, i, j, limit, s->x, s->x), limit);
			cr_assert_eq(pairs_settled(t, i, j, limit + 3 * slack, s->x, s->x), v, "the tile's serves");
		}
}

/* Products of floats serve where distances are far above their rounding, and not far from the origin nor where they
 * overflow. */
Test(pairs, a_comparison_does_not_hang_on_rounding)
{
	enum { N = 600, D = 301 };
	for (int far = 0; far < 3; far++) {
		SCOPED(free) float *f = cloud(6, N, D, far == 1 ? 30 : 0.5F);
		for (int64_t i = 0; i < (int64_t)N * D; i++)
			f[i] *= far == 2 ? 1e18F : 1;
		SCOPED(pairs_set) struct pairs_set x = { 0 };
		struct err e = ERR_INIT;
		cr_assert_eq(pairs_set_init(&x, f, N, D, "x", &e), 0, "%s", e.msg);
		struct settled s = { .x = &x };
		pairs_visit(&x, &x, settle, &s);
		cr_assert_eq(s.rough, 0);
		pairs_visit_roughly(&x, &x, settle, &s);
		cr_assert_eq(s.rough > 0, far == 0, "case %d", far);
	}
}

Test(pairs, what_is_not_finite_is_named)
{
	float f[6] = { 0, 1, 2, 3, INFINITY, 5 };
	struct pairs_set x;
	struct err e = ERR_INIT;
	cr_assert_eq(pairs_set_init(&x, f, 3, 2, "generated", &e), -1);
	cr_assert_str_eq(e.msg, "generated vector 2 is not finite");
}
