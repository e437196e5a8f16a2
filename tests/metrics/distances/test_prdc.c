/* test_prdc.c - density, coverage and the strict precision and recall against the definitions written out, with ties
 * and copies, where strict and inclusive balls differ. */
#include "metrics/distances/precision_recall.h"
#include "metrics/distances/prdc.h"
#include "metrics/math/jackknife.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static float *cloud(uint64_t seed, int n, int d, float scale, float shift)
{
	float *x = xmalloc(sizeof *x * (size_t)n * (size_t)d);
	rng_normal(x, (size_t)n * (size_t)d, seed, RNG_SYNTHETIC, 0, 0);
	for (int i = 0; i < n * d; i++)
		x[i] = scale * x[i] + shift;
	return x;
}

static double distance(const float *a, const float *b, int d)
{
	double s = 0;
	for (int k = 0; k < d; k++)
		s += ((double)a[k] - b[k]) * ((double)a[k] - b[k]);
	return s;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Squared radii: the (k+1)-th smallest of the distances to all of the set, itself included. */
static double *radii(const float *x, int n, int d, int k)
{
	double *radius = xmalloc(sizeof *radius * (size_t)n);
	SCOPED(free) double *all = xmalloc(sizeof *all * (size_t)n);
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < n; j++)
			all[j] = distance(x + i * d, x + j * d, d);
		qsort(all, (size_t)n, sizeof *all, ascending);
		radius[i] = all[k];
	}
	return radius;
}

/* Without the generated rows that are dealt to block `gone` (-1: with all), whose balls stay out of it, too: recall is
 * only right with all. */
static struct prdc brute(const float *x, int n, const float *y, int m, int d, int k, int gone)
{
	SCOPED(free) double *rx = radii(x, n, d, k);
	SCOPED(free) double *ry = radii(y, m, d, k);
	SCOPED(free) bool *covered = xcalloc((size_t)m, sizeof *covered);
	SCOPED(free) bool *recalled = xcalloc((size_t)m, sizeof *recalled);
	int64_t balls = 0, precise = 0, cover = 0, recall = 0, left = 0;
	for (int i = 0; i < n; i++) {
		int64_t mine = 0;
		if (jackknife_dealt(i, JACKKNIFE_BLOCKS) == gone)
			continue;
		for (int j = 0; j < m; j++) {
			double v = distance(x + i * d, y + j * d, d);
			mine += v < ry[j];
			covered[j] |= v < ry[j];
			recalled[j] |= v < rx[i];
		}
		balls += mine;
		precise += mine > 0;
		left++;
	}
	for (int j = 0; j < m; j++) {
		cover += covered[j];
		recall += recalled[j];
	}
	return (struct prdc){ .precision = (double)precise / (double)left,
		                  .recall = (double)recall / m,
		                  .density = (double)balls / ((double)left * k),
		                  .coverage = (double)cover / m };
}

/* Ties are the rule on whole numbers, and sets beyond a tile show its borders. */
Test(prdc, equals_the_definitions)
{
	static const struct {
		int n, m, d, k;
		bool whole;
	} cases[] = { { 6, 6, 1, 5, false },       { 40, 30, 2, 3, false },   { 700, 1100, 5, 5, false },
		          { 2049, 2600, 3, 5, false }, { 600, 2100, 3, 5, true }, { 513, 512, 4, 1, true } };
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		int n = cases[c].n, m = cases[c].m, d = cases[c].d, k = cases[c].k;
		SCOPED(free) float *x = cloud(1, n, d, 1, 0);
		SCOPED(free) float *y = cloud(2, m, d, 0.8F, 0.4F);
		for (int i = 0; cases[c].whole && i < n * d; i++)
			x[i] = roundf(2 * x[i]) + 100;
		for (int i = 0; cases[c].whole && i < m * d; i++)
			y[i] = roundf(2 * y[i]) + 100;
		struct prdc r, want = brute(x, n, y, m, d, k, -1);
		struct err e = ERR_INIT;
		cr_assert_eq(prdc(&r, x, n, y, m, d, k, &e), 0, "%s", e.msg);
		cr_assert_eq(r.precision, want.precision, "case %zu", c);
		cr_assert_eq(r.recall, want.recall, "case %zu", c);
		cr_assert_eq(r.density, want.density, "case %zu", c);
		cr_assert_eq(r.coverage, want.coverage, "case %zu", c);
		cr_assert(n < 100 || (r.precision > 0 && r.precision < 1 && r.recall > 0 && r.recall < 1 && r.coverage > 0 &&
		                      r.coverage < 1),
		          "case %zu proves little: %g %g %g", c, r.precision, r.recall, r.coverage);
	}
}

/* A set with itself: a real ball holds its centre and the k - 1 nearer neighbours, not the k-th on its border. One
 * rounding that differs between the pass that draws the radius and the pass that compares would show. */
Test(prdc, a_set_with_itself_has_density_one)
{
	enum { N = 900, D = 257 };
	SCOPED(free) float *x = cloud(3, N, D, 1, 20);
	struct prdc r;
	struct err e = ERR_INIT;
	cr_assert_eq(prdc(&r, x, N, x, N, D, 5, &e), 0, "%s", e.msg);
	cr_assert(r.precision == 1 && r.recall == 1 && r.density == 1 && r.coverage == 1, "%.17g %.17g %.17g %.17g",
	          r.precision, r.recall, r.density, r.coverage);
}

/* Every vector six times: with k = 5 all radii are 0, and nothing is inside anything, where balls with their border
 * hold everything. With k = 6 the balls reach to the next group. */
Test(prdc, a_ball_of_radius_zero_holds_nothing)
{
	enum { GROUPS = 30, TIMES = 6, N = GROUPS * TIMES, D = 65 };
	SCOPED(free) float *x = cloud(4, GROUPS, D, 1, 3);
	SCOPED(free) float *all = xmalloc(sizeof *all * N * D);
	for (int i = 0; i < N; i++)
		memcpy(all + (size_t)i * D, x + (size_t)(i % GROUPS) * D, sizeof *x * D);
	struct prdc r;
	struct precision_recall border;
	struct err e = ERR_INIT;
	cr_assert_eq(prdc(&r, all, N, all, N, D, 5, &e), 0, "%s", e.msg);
	cr_assert(r.precision == 0 && r.recall == 0 && r.density == 0 && r.coverage == 0);
	cr_assert_eq(precision_recall(&border, NULL, NULL, all, N, all, N, D, 5, &e), 0, "%s", e.msg);
	cr_assert(border.precision == 1 && border.recall == 1, "the other variant counts the border");
	cr_assert_eq(prdc(&r, all, N, all, N, D, 6, &e), 0, "%s", e.msg);
	cr_assert(r.precision == 1 && r.coverage == 1 && r.density == 1, "six copies in each of six balls, by k = 6");
}

/* On a line, by hand: real 0 1 3 7 15 with k = 1 has radii 1 1 2 4 8 and open balls (-1,1) (0,2) (1,5) (3,11)
 * (7,23). Of generated 1, 2.5, 4, 30: 1 lies in (0,2) alone, 2.5 in (1,5), 4 in (1,5) and (3,11), 30 in none:
 * density 4 / 4, precision 3/4; covered are 1, 3 and 7. Generated radii are 1.5 1.5 1.5 26, balls (-0.5,2.5) (1,4)
 * (2.5,5.5) (4,56): all of the real ones are in one: 0, 1 in the first, 3 in the second, 7 and 15 in the last. */
Test(prdc, by_hand_on_a_line)
{
	const float real[5] = { 0, 1, 3, 7, 15 }, generated[4] = { 1, 2.5F, 4, 30 };
	struct prdc r;
	struct err e = ERR_INIT;
	cr_assert_eq(prdc(&r, generated, 4, real, 5, 1, 1, &e), 0, "%s", e.msg);
	cr_assert_eq(r.precision, 0.75);
	cr_assert_eq(r.density, 1);
	cr_assert_eq(r.coverage, 0.6);
	cr_assert_eq(r.recall, 1);
	cr_assert(isnan(r.precision_half) && isnan(r.density_half) && isnan(r.coverage_half), "too few for an interval");
}

/* The half-widths follow from the scores without each block, which are written out here. Any number of threads. */
Test(prdc, half_widths_are_those_of_the_scores_without_each_block)
{
	enum { N = 130, M = 90, D = 3, K = 4, B = JACKKNIFE_BLOCKS };
	SCOPED(free) float *x = cloud(5, N, D, 1, 0);
	SCOPED(free) float *y = cloud(6, M, D, 0.8F, 0.4F);
	double p[B], density[B], coverage[B];
	for (int b = 0; b < B; b++) {
		struct prdc w = brute(x, N, y, M, D, K, b);
		p[b] = w.precision;
		density[b] = w.density;
		coverage[b] = w.coverage;
	}
	for (int threads = 1; threads <= 3; threads++) {
		struct prdc r;
		struct err e = ERR_INIT;
		cpu_set_threads(threads);
		cr_assert_eq(prdc(&r, x, N, y, M, D, K, &e), 0, "%s", e.msg);
		cr_assert_eq(r.precision_half, jackknife_half_width(p, B));
		cr_assert_eq(r.density_half, jackknife_half_width(density, B));
		cr_assert_eq(r.coverage_half, jackknife_half_width(coverage, B));
		cr_assert(r.coverage_half > 0 && r.density_half > 0 && r.precision_half > 0);
	}
}

Test(prdc, too_few_or_not_finite_is_an_error)
{
	float x[12] = { 0 };
	struct prdc r;
	struct err e = ERR_INIT;
	cr_assert_eq(prdc(&r, x, 6, x, 5, 2, 5, &e), -1);
	cr_assert(strstr(e.msg, "at least 6 real vectors, not 5"), "%s", e.msg);
	x[7] = NAN;
	cr_assert_eq(prdc(&r, x, 6, x, 6, 2, 5, &e), -1);
	cr_assert(strstr(e.msg, "generated vector 3 is not finite"), "%s", e.msg);
}
