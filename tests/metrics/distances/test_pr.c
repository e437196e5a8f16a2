/* test_pr.c - precision and recall against brute force, with copies, ties and sizes beyond a tile. */
#include "tests/common/formula.h"
#include "metrics/distances/precision_recall.h"
#include "metrics/math/jackknife.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static double dist(const float *a, const float *b, int d)
{
	double s = 0;
	for (int k = 0; k < d; k++)
		s += ((double)a[k] - b[k]) * ((double)a[k] - b[k]);
	return sqrt(s);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double brute(const float *points, int n, const float *centres, int m, int d, int k)
{
	double *radius = xmalloc(sizeof *radius * (size_t)m), *all = xmalloc(sizeof *all * (size_t)m);
	int inside = 0;
	for (int i = 0; i < m; i++) {
		for (int j = 0; j < m; j++)
			all[j] = dist(centres + i * d, centres + j * d, d);
		qsort(all, (size_t)m, sizeof *all, ascending);
		radius[i] = all[k];
	}
	for (int i = 0; i < n; i++) {
		bool in = false;
		for (int j = 0; j < m && !in; j++)
			in = dist(points + i * d, centres + j * d, d) <= radius[j];
		inside += in;
	}
	free(radius);
	free(all);
	return (double)inside / n;
}

static float *cloud(const char *name, int n, int d, double scale, double shift)
{
	double *g = xmalloc(sizeof *g * (size_t)(n * d));
	float *x = xmalloc(sizeof *x * (size_t)(n * d));
	formula_ih12(g, name, n, d);
	for (int i = 0; i < n * d; i++)
		x[i] = (float)(scale * g[i] + shift);
	free(g);
	return x;
}

Test(precision_recall, equals_brute_force)
{
	static const struct {
		int n, m, d, k;
	} cases[] = {
		{ 20, 30, 2, 3 }, { 400, 350, 8, 1 }, { 700, 1100, 5, 3 }, { 513, 512, 4, 5 }, { 2049, 2600, 3, 3 }
	}; /* the last: more than one tile each way */
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int n = cases[i].n, m = cases[i].m, d = cases[i].d, k = cases[i].k;
		SCOPED(free) float *x = cloud("prX", n, d, 1.0, 0);
		SCOPED(free) float *y = cloud("prY", m, d, 0.8, 0.4);
		struct err e = ERR_INIT;
		struct precision_recall r;
		cr_assert_eq(precision_recall(&r, NULL, NULL, x, n, y, m, d, k, &e), 0, "%s", e.msg);
		cr_assert_eq(r.precision, brute(x, n, y, m, d, k), "case %zu", i);
		cr_assert_eq(r.recall, brute(y, m, x, n, d, k), "case %zu", i);
		cr_assert(r.precision > 0 && r.recall > 0 && r.precision + r.recall < 2, "case %zu proves little", i);
		double f1 = 2 / (1 / r.precision + 1 / r.recall);
		cr_assert(fabs(r.f1 - f1) < 1e-15 && r.precision != r.recall, "case %zu: %g, not %g", i, r.f1, f1);
	}
}

Test(precision_recall, copies_have_balls_of_radius_zero_and_still_contain_themselves)
{
	enum { N = 40, D = 300 };
	SCOPED(free) float *y = cloud("copies", N, D, 1.0, 100);
	SCOPED(free) float *x = xmalloc(sizeof *x * N * D);
	double radius[N];
	for (int i = 0; i < N; i++)
		memcpy(x + i * D, y, sizeof *x * D); /* all are the first real one */
	struct err e = ERR_INIT;
	struct precision_recall r;
	cr_assert_eq(precision_recall(&r, radius, NULL, x, N, y, N, D, 3, &e), 0, "%s", e.msg);
	cr_assert_eq(radius[0], 0);
	cr_assert_eq(r.precision, 1);
	cr_assert_eq(r.recall, 1.0 / N, "only the copied one");
}

/* Radii are given as distances, of the k-th nearest other vector of the own set. */
Test(precision_recall, radii_are_distances_to_the_kth_other)
{
	const float x[] = { 0, 3, 4, 10 }, y[] = { 5, 5, 7, 20, 22 };
	double of_x[4], of_y[5];
	struct err e = ERR_INIT;
	struct precision_recall r;
	cr_assert_eq(precision_recall(&r, of_x, of_y, x, 4, y, 5, 1, 2, &e), 0, "%s", e.msg);
	cr_assert_arr_eq(of_x, ((double[]){ 4, 3, 4, 7 }), sizeof of_x);
	cr_assert_arr_eq(of_y, ((double[]){ 2, 2, 2, 13, 15 }), sizeof of_y);
}

Test(precision_recall, of_sets_that_nowhere_meet_is_zero)
{
	enum { N = 12, D = 2 };
	SCOPED(free) float *x = cloud("apart", N, D, 1, 0), *y = cloud("away", N, D, 1, 1000);
	struct err e = ERR_INIT;
	struct precision_recall r;
	cr_assert_eq(precision_recall(&r, NULL, NULL, x, N, y, N, D, 3, &e), 0, "%s", e.msg);
	cr_assert(r.precision == 0 && r.recall == 0 && r.f1 == 0, "%g %g %g", r.precision, r.recall, r.f1);
}

Test(precision_recall, too_few_or_not_finite_is_an_error)
{
	float x[8] = { 0 };
	struct err e = ERR_INIT;
	struct precision_recall r;
	cr_assert_eq(precision_recall(&r, NULL, NULL, x, 3, x, 4, 2, 3, &e), -1);
	cr_assert(strstr(e.msg, "at least 4 generated"), "%s", e.msg);
	x[5] = NAN;
	cr_assert_eq(precision_recall(&r, NULL, NULL, x, 4, x, 4, 2, 3, &e), -1);
	cr_assert(strstr(e.msg, "vector 2 is not finite"), "%s", e.msg);
}

/* Precision is a mean of zeros and ones: with as many in each block, the jackknife is t times the standard error of the
 * blocks' means. Too few vectors, or none outside, give no interval instead of one of no width. */
Test(precision_recall, the_interval_of_precision_is_that_of_a_mean)
{
	enum { N = 80, M = 60, D = 2, B = 20 };
	SCOPED(free) float *g = cloud("pr-interval", N, D, 1.4, 0.3), *r = cloud("pr-real", M, D, 1, 0);
	struct precision_recall all;
	struct err e = ERR_INIT;
	cr_assert_eq(precision_recall(&all, NULL, NULL, g, N, r, M, D, 3, &e), 0, "%s", e.msg);
	double square = 0;
	for (int b = 0; b < B; b++) {
		float block[N / B * D];
		for (int i = 0, j = 0; i < N; i++)
			if (jackknife_dealt(i, B) == b)
				memcpy(block + D * j++, g + i * D, sizeof *g * D);
		double own = brute(block, N / B, r, M, D, 3);
		square += (own - all.precision) * (own - all.precision);
	}
	double want = 2.09302 * sqrt(square / (B - 1) / B);
	cr_assert(want > 0.02 && fabs(all.precision_half - want) <= 1e-9, "%g, not %g", all.precision_half, want);
	cr_assert_eq(precision_recall(&all, NULL, NULL, g, 39, r, M, D, 3, &e), 0);
	cr_assert(isnan(all.precision_half));
	cr_assert_eq(precision_recall(&all, NULL, NULL, r, M, r, M, D, 3, &e), 0);
	cr_assert(all.precision == 1 && isnan(all.precision_half));
}
