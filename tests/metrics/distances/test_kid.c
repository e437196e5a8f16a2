/* test_kid.c - KID against torch-fidelity's own numbers in double, and small sets by hand. */
#include "tests/common/formula.h"
#include "metrics/distances/kid.h"
#include "metrics/math/jackknife.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *rounded(const char *tag, int n, int d)
{
	double *x = xmalloc(sizeof *x * (size_t)(n * d));
	float *f = xmalloc(sizeof *f * (size_t)(n * d));
	formula_set(x, tag, n, d);
	for (int i = 0; i < n * d; i++)
		f[i] = (float)x[i];
	free(x);
	return f;
}

Test(kid, agrees_with_torch_fidelity)
{
	struct err e = ERR_INIT;
	struct kid_full full;
	struct kid_subsets s;
	SCOPED(free) float *x = rounded("kidXp", 500, 32);
	SCOPED(free) float *y = rounded("kidYp", 500, 32);
	cr_assert_eq(kid_full(&full, x, 500, y, 500, 32, &e), 0, "%s", e.msg);
	cr_assert(fabs(full.unbiased - 2.8887996540208203) <= 1e-10, "%.17g", full.unbiased);
	cr_assert(fabs(full.biased - 2.9095306902655995) <= 1e-10, "%.17g", full.biased);
	cr_assert(fabs(full.ustat - 2.888750104465474) <= 1e-10, "%.17g", full.ustat);
	cr_assert(full.half > 0 && full.half < 1, "%g", full.half);
	cr_assert_eq(kid_subsets(&s, x, 500, y, 500, 32, 20, 200, 2020, &e), 0, "%s", e.msg);
	cr_assert(fabs(s.mean - 2.876086676516561) <= 1e-10 && fabs(s.std - 0.09577727514252378) <= 1e-10, "%.17g %.17g",
	          s.mean, s.std);
	cr_assert_eq(kid_subsets(&s, x, 500, y, 500, 32, 20, 1000, 2020, &e), -1);
	cr_assert(strstr(e.msg, "1000") && strstr(e.msg, "500"), "%s", e.msg);
}

Test(kid, unequal_sizes_by_hand)
{
	/* d = 1: k(a, b) = (ab + 1)^3. */
	float x[3] = { 0, 1, 2 }, y[2] = { 1, -1 };
	struct err e = ERR_INIT;
	struct kid_full r;
	double xx = 2 * (1 + 1 + 27) / 6.0, yy = 2 * 0 / 2.0, xy = (1 + 1 + 8 + 0 + 27 - 1) / 6.0;
	cr_assert_eq(kid_full(&r, x, 3, y, 2, 1, &e), 0, "%s", e.msg);
	cr_assert(fabs(r.unbiased - (xx + yy - 2 * xy)) <= 1e-14, "%.17g", r.unbiased);
	cr_assert(isnan(r.ustat) && isnan(r.half));
	cr_assert_eq(kid_full(&r, x, 1, y, 2, 1, &e), -1);
}

/* The largest subset that there is has no luck: each draw is the whole, in another order. */
Test(kid, a_subset_of_all_is_the_whole)
{
	enum { N = 40, D = 3 };
	SCOPED(free) float *x = rounded("wholeX", N, D);
	SCOPED(free) float *y = rounded("wholeY", N, D);
	struct err e = ERR_INIT;
	struct kid_full all;
	struct kid_subsets r;
	cr_assert_eq(kid_full(&all, x, N, y, N, D, &e), 0, "%s", e.msg);
	cr_assert_eq(kid_subsets(&r, x, N, y, N, D, 4, N, 2020, &e), 0, "%s", e.msg);
	cr_assert(fabs(r.mean - all.unbiased) < 1e-12 && r.std < 1e-12, "%g +- %g, not %g", r.mean, r.std, all.unbiased);
	cr_assert_eq(kid_subsets(&r, x, N, y, N, D, 4, N + 1, 2020, &e), -1);
}

/* More than one tile per block and sizes that divide by nothing. */
Test(kid, tiles_do_not_matter)
{
	enum { N = 1501, M = 11000, D = 3 };
	SCOPED(free) float *x = rounded("tileX", N, D);
	SCOPED(free) float *y = rounded("tileY", M, D);
	struct err e = ERR_INIT;
	struct kid_full r;
	double sum[3] = { 0 };
	const float *set[2] = { x, y };
	int n[2] = { N, M };
	for (int which = 0; which < 3; which++)
		for (int i = 0; i < n[which == 1]; i++)
			for (int j = 0; j < n[which > 0]; j++) {
				const float *a = set[which == 1] + i * D, *b = set[which > 0] + j * D;
				double k = ((double)a[0] * b[0] + (double)a[1] * b[1] + (double)a[2] * b[2]) / D + 1;
				sum[which] += which < 2 && i == j ? 0 : k * k * k;
			}
	double want = sum[0] / N / (N - 1) + sum[1] / M / (M - 1) - 2 * sum[2] / N / M;
	cr_assert_eq(kid_full(&r, x, N, y, M, D, &e), 0, "%s", e.msg);
	cr_assert(fabs(r.unbiased - want) <= 1e-10, "%.17g, want %.17g", r.unbiased, want);
}

/* The sums of x^0 to x^3 over the rows of other blocks, and of (x^2 + 1)^3. */
static void powers(double p[4], double *diag, const float *x, int n, int gone)
{
	memset(p, 0, sizeof *p * 4);
	*diag = 0;
	for (int i = 0; i < n; i++) {
		if (jackknife_dealt(i, JACKKNIFE_BLOCKS) == gone)
			continue;
		for (int k = 0; k < 4; k++)
			p[k] += pow(x[i], k);
		*diag += pow((double)x[i] * x[i] + 1, 3);
	}
}

static double pairs(const double p[4], const double q[4])
{
	return p[3] * q[3] + 3 * p[2] * q[2] + 3 * p[1] * q[1] + p[0] * q[0];
}

/* In one dimension sums of (xy + 1)^3 over pairs follow from the sums of powers, so a set whose ranges are of several
 * tiles can be done without each block. */
Test(kid, the_interval_beyond_a_tile_is_that_of_sums_of_powers)
{
	enum { N = 11003, M = 157, B = JACKKNIFE_BLOCKS };
	SCOPED(free) float *x = rounded("powersX", N, 1), *y = rounded("powersY", M, 1);
	struct err e = ERR_INIT;
	struct kid_full r;
	double without[B];
	for (int b = 0; b < B; b++) {
		double p[4], q[4], diag_x, diag_y;
		powers(p, &diag_x, x, N, b);
		powers(q, &diag_y, y, M, b);
		without[b] = (pairs(p, p) - diag_x) / (p[0] * (p[0] - 1)) + (pairs(q, q) - diag_y) / (q[0] * (q[0] - 1)) -
		             2 * pairs(p, q) / (p[0] * q[0]);
	}
	cr_assert_eq(kid_full(&r, x, N, y, M, 1, &e), 0, "%s", e.msg);
	double want = jackknife_half_width(without, B);
	cr_assert(fabs(r.half - want) <= 1e-9 * want, "%.15g, not %.15g", r.half, want);
}
