/* test_cmmd.c - CMMD's distance against the kernel written out and against a closed form. */
#include "metrics/distances/cmmd.h"
#include "metrics/math/jackknife.h"
#include "model/base/mem.h"
#include "model/base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Vectors of length 1, as CLIP's. */
static float *unit(uint64_t seed, int n, int d, float shift)
{
	float *x = xmalloc(sizeof *x * (size_t)n * (size_t)d);
	rng_normal(x, (size_t)n * (size_t)d, seed, RNG_SYNTHETIC, 0, 0);
	for (int i = 0; i < n; i++) {
		double length = 0;
		for (int k = 0; k < d; k++) {
			x[i * d + k] += shift;
			length += (double)x[i * d + k] * x[i * d + k];
		}
		for (int k = 0; k < d; k++)
			x[i * d + k] = (float)(x[i * d + k] / sqrt(length));
	}
	return x;
}

/* In long double, from the definition, without the rows of either side that are dealt to block `gone` (-1: with all).
 */
static long double mean_k(const float *a, int n, const float *b, int m, int d, int gone)
{
	long double sum = 0, count = 0;
	for (int i = 0; i < n; i++)
		for (int j = 0; j < m; j++) {
			long double v = 0;
			if (jackknife_dealt(i, JACKKNIFE_BLOCKS) == gone || jackknife_dealt(j, JACKKNIFE_BLOCKS) == gone)
				continue;
			for (int k = 0; k < d; k++) {
				long double t = (long double)a[i * d + k] - b[j * d + k];
				v += t * t;
			}
			sum += expl(-v / 200);
			count++;
		}
	return sum / count;
}

static double brute(const float *x, int n, const float *y, int m, int d, int block)
{
	return (double)(1000 *
	                (mean_k(x, n, x, n, d, block) + mean_k(y, m, y, m, d, block) - 2 * mean_k(x, n, y, m, d, block)));
}

/* The value and the interval, of sets that differ in size, one of them beyond a tile. */
Test(cmmd, equals_the_kernel_written_out)
{
	static const struct {
		int n, m, d;
	} cases[] = { { 1, 1, 4 }, { 7, 3, 16 }, { 90, 130, 24 }, { 2100, 60, 5 } };
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		int n = cases[c].n, m = cases[c].m, d = cases[c].d;
		SCOPED(free) float *x = unit(1, n, d, 0);
		SCOPED(free) float *y = unit(2, m, d, 0.3F);
		struct cmmd r;
		struct err e = ERR_INIT;
		cr_assert_eq(cmmd(&r, x, n, y, m, d, &e), 0, "%s", e.msg);
		double want = brute(x, n, y, m, d, -1);
		cr_assert(fabs(r.value - want) < 1e-11, "case %zu: %.15g, not %.15g", c, r.value, want);
		if (n >= 40 && m >= 40) {
			double without[JACKKNIFE_BLOCKS];
			for (int b = 0; n < 1000 && b < JACKKNIFE_BLOCKS; b++)
				without[b] = brute(x, n, y, m, d, b);
			cr_assert(r.half > 0);
			cr_assert(n >= 1000 || fabs(r.half - jackknife_half_width(without, JACKKNIFE_BLOCKS)) < 1e-11);
		} else {
			cr_assert(isnan(r.half), "too few for blocks");
		}
	}
}

/* Two points at distance t, each any number of times: 2000 (1 - exp(-t^2 / 200)). */
Test(cmmd, two_points_have_a_closed_form)
{
	enum { N = 50, M = 20, D = 3 };
	for (int times = 0; times < 5; times++) {
		float x[N * D] = { 0 }, y[M * D] = { 0 };
		double t = pow(10, times - 3);
		for (int j = 0; j < M; j++)
			y[j * D + 1] = (float)t;
		struct cmmd r;
		struct err e = ERR_INIT;
		t = y[1];
		cr_assert_eq(cmmd(&r, x, N, y, M, D, &e), 0, "%s", e.msg);
		double want = -2000 * expm1(-t * t / 200);
		cr_assert(fabs(r.value - want) <= 1e-12 * want, "t = %g: %.17g, not %.17g", t, r.value, want);
	}
}

/* Biased: the diagonals stay in, so a set is at 0 from itself, and from itself twice. */
Test(cmmd, a_set_is_at_zero_from_itself_and_from_itself_twice)
{
	enum { N = 700, D = 32 };
	SCOPED(free) float *x = unit(3, N, D, 0);
	SCOPED(free) float *twice = xmalloc(sizeof *twice * 2 * N * D);
	memcpy(twice, x, sizeof *x * N * D);
	memcpy(twice + (size_t)N * D, x, sizeof *x * N * D);
	struct cmmd r;
	struct err e = ERR_INIT;
	cr_assert_eq(cmmd(&r, x, N, x, N, D, &e), 0, "%s", e.msg);
	cr_assert(fabs(r.value) < 1e-12, "%g", r.value);
	cr_assert_eq(cmmd(&r, x, N, twice, 2 * N, D, &e), 0, "%s", e.msg);
	cr_assert(fabs(r.value) < 1e-12, "%g", r.value);
}

Test(cmmd, none_or_not_finite_is_an_error)
{
	float x[4] = { 0, 1, NAN, 2 };
	struct cmmd r;
	struct err e = ERR_INIT;
	cr_assert_eq(cmmd(&r, x, 1, x, 0, 2, &e), -1);
	cr_assert(strstr(e.msg, "at least one vector on each side, not 1 and 0"), "%s", e.msg);
	cr_assert_eq(cmmd(&r, x, 1, x, 2, 2, &e), -1);
	cr_assert(strstr(e.msg, "real vector 1 is not finite"), "%s", e.msg);
}
