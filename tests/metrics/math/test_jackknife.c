/* test_jackknife.c - intervals: Student's points by their own definition, the jackknife's factor by a mean, Wilson's
 * interval by the equation that it solves. The suites of the distances use all three, but in bounds wide enough for a
 * wrong digit. */
#include "metrics/math/jackknife.h"
#include "metrics/math/wilson.h"
#include "tests/common/formula.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

/* P(|T| <= t) of Student's distribution: Simpson's rule on its density. */
static double within(double t, int df)
{
	enum { CUTS = 20000 };
	double scale = exp(lgamma((df + 1) / 2.0) - lgamma(df / 2.0)) / sqrt(df * M_PI), sum = 0;
	for (int i = 0; i <= CUTS; i++) {
		double x = t * i / CUTS, weight = i == 0 || i == CUTS ? 1 : i % 2 ? 4 : 2;
		sum += weight * scale * pow(1 + x * x / df, -(df + 1) / 2.0);
	}
	return 2 * sum * t / CUTS / 3;
}

/* A table typed in: one wrong digit would widen or narrow every interval of that many blocks. */
Test(jackknife, points_of_student_hold_95_percent)
{
	for (int df = 1; df < JACKKNIFE_MAX_BLOCKS; df++) {
		double p = within(jackknife_t975(df), df);
		cr_assert(fabs(p - 0.95) < 7e-7, "%d degrees: %.9g", df, p);
	}
}

/* Of a mean the jackknife's standard error is s / sqrt(n), whatever n: that fixes the factor (n - 1) / n. */
Test(jackknife, of_a_mean_is_the_standard_error_of_a_mean_for_any_number_of_blocks)
{
	for (int n = 2; n <= JACKKNIFE_MAX_BLOCKS; n++) {
		double x[JACKKNIFE_MAX_BLOCKS], without[JACKKNIFE_MAX_BLOCKS], sum = 0, square = 0;
		for (int i = 0; i < n; i++)
			sum += x[i] = formula_u("jackknife", (uint64_t)i);
		for (int i = 0; i < n; i++) {
			without[i] = (sum - x[i]) / (n - 1);
			square += (x[i] - sum / n) * (x[i] - sum / n);
		}
		double want = jackknife_t975(n - 1) * sqrt(square / (n - 1) / n), got = jackknife_half_width(without, n);
		cr_assert(fabs(got - want) <= 1e-12 * want, "%d blocks: %.17g, not %.17g", n, got, want);
	}
}

/* Scores divide by how many a block took: the count has to be that of the dealing, also of a last run cut short. */
Test(jackknife, every_run_gives_one_to_each_block_and_the_counts_agree)
{
	enum { B = JACKKNIFE_BLOCKS, MOST = 7 * B + 3 };
	int count[B] = { 0 }, in_turn = 0;
	for (int64_t n = 1; n <= MOST; n++) {
		int block = jackknife_dealt(n - 1, B);
		cr_assert(block >= 0 && block < B);
		count[block]++;
		in_turn += block == (n - 1) % B;
		for (int b = 0; b < B; b++) {
			cr_assert_eq(count[b], jackknife_dealt_to(n, B, b), "block %d of %lld", b, (long long)n);
			cr_assert(n % B || count[b] == n / B);
		}
	}
	cr_assert(in_turn < MOST / 2, "runs begin at one block");
	int *all = jackknife_blocks(MOST, B);
	for (int64_t i = 0; i < MOST; i++)
		cr_assert_eq(all[i], jackknife_dealt(i, B));
	free(all);
}

/* The ends of Wilson's interval are the shares q from which p is 1.96 of q's own standard errors away. */
Test(wilson, the_wider_side_solves_its_equation)
{
	static const double percents[] = { 0, 0.5, 10, 50, 97, 100 };
	static const int64_t sizes[] = { 1, 7, 300, 50000 };
	for (size_t i = 0; i < sizeof percents / sizeof *percents; i++)
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
			double p = percents[i] / 100, n = (double)sizes[k], half = wilson_half_width(percents[i], sizes[k]) / 100;
			double q = p <= 0.5 ? p + half : p - half, want = 1.959963984540054 * sqrt(q * (1 - q) / n);
			cr_assert(half > 0 && fabs(half - want) < 1e-12, "%g %% of %g: %.17g, not %.17g", percents[i], n, half,
			          want);
		}
}
