/* test_stats.c - distributions against closed forms and printed tables, tests against worked examples. */
#include "harness/judge/stats.h"

#include <criterion/criterion.h>
#include <math.h>

#define NEAR(got, want, tol) \
	do { \
		double g_ = (got), w_ = (want); \
		cr_assert(fabs(g_ - w_) <= (tol), "%s = %.15g, want %.15g", #got, g_, w_); \
	} while (0)

Test(stats, t_distribution_agrees_with_its_closed_forms)
{
	for (double t = -40; t <= 40; t += 0.37) {
		NEAR(stats_t_cdf(t, 1), 0.5 + atan(t) / M_PI, 2e-14);
		NEAR(stats_t_cdf(t, 2), 0.5 + t / (2 * sqrt(2 + t * t)), 2e-14);
		double y = 1 + t * t / 4; /* df = 4 */
		NEAR(stats_t_cdf(t, 4), 0.5 + 0.375 * t / sqrt(y) * (1 - t * t / (12 * y)), 2e-14);
		NEAR(stats_t_cdf(t, INFINITY), 0.5 * erfc(-t / sqrt(2)), 1e-15);
	}
	NEAR(stats_t_cdf(1.5, 1e7), stats_normal_cdf(1.5), 1e-7);
	cr_assert(isnan(stats_t_cdf(NAN, 3)));
}

Test(stats, small_tails_keep_their_digits)
{
	double want = 0.5 - atan(1e6) / M_PI;                    /* 3.1831e-07 */
	cr_assert(fabs(stats_t_cdf(-1e6, 1) / want - 1) < 1e-9); /* atan itself loses the rest */
	cr_assert(fabs(stats_t_cdf(-1e3, 2) / 4.99999250001250e-07 - 1) < 1e-11);
}

Test(stats, t_quantiles_agree_with_printed_tables)
{
	static const struct {
		double p, df, t;
	} table[] = {
		{ 0.95, 1, 6.314 },   { 0.95, 2, 2.920 },  { 0.95, 3, 2.353 },  { 0.95, 4, 2.132 },        { 0.95, 9, 1.833 },
		{ 0.975, 1, 12.706 }, { 0.975, 2, 4.303 }, { 0.975, 4, 2.776 }, { 0.975, 10, 2.228 },      { 0.975, 30, 2.042 },
		{ 0.99, 5, 3.365 },   { 0.995, 8, 3.355 }, { 0.999, 7, 4.785 }, { 0.95, INFINITY, 1.645 }, { 0.05, 4, -2.132 },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		NEAR(stats_t_quantile(table[i].p, table[i].df), table[i].t, 0.0005 + 1e-9);
	for (double df = 0.7; df < 200; df *= 1.9)
		for (double p = 0.001; p < 1; p += 0.0313)
			NEAR(stats_t_cdf(stats_t_quantile(p, df), df), p, 1e-13);
	NEAR(stats_t_quantile(0.5, 3), 0, 1e-12);
}

Test(stats, noncentral_t_reduces_to_known_cases)
{
	for (double df = 1; df < 60; df = df * 2 + 1) {
		for (double t = -3; t <= 3; t += 0.5)
			NEAR(stats_noncentral_t_cdf(t, df, 0), stats_t_cdf(t, df), 2e-9);
		NEAR(stats_noncentral_t_cdf(0, df, 1.3), stats_normal_cdf(-1.3), 2e-9); /* the sign of Z + delta decides */
	}
	NEAR(stats_noncentral_t_cdf(2, INFINITY, 0.5), stats_normal_cdf(1.5), 1e-15);
}

Test(stats, incomplete_beta_has_its_symmetries)
{
	NEAR(stats_beta(0.3, 1, 1), 0.3, 1e-15);
	NEAR(stats_beta(0.3, 2, 1), 0.09, 1e-15);
	NEAR(stats_beta(0.3, 1, 3), 1 - 0.7 * 0.7 * 0.7, 1e-15);
	NEAR(stats_beta(0.42, 3.7, 8.1) + stats_beta(0.58, 8.1, 3.7), 1, 1e-14);
	NEAR(stats_beta(0, 2, 3), 0, 0);
	NEAR(stats_beta(1, 2, 3), 1, 0);
}

/* Ten patients' extra sleep under two drugs (Student 1908; Cushny and Peebles), the classic example of all these tests:
 * Welch t = -1.8608 with df 17.776, paired t = -4.0621 with df 9. */
static const double sleep1[] = { 0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0 };
static const double sleep2[] = { 1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4 };

Test(stats, student_sleep_data)
{
	struct stats_diff w = stats_welch(sleep1, 10, sleep2, 10, 1), p = stats_paired(sleep1, sleep2, 10, 1);
	NEAR(w.diff, -1.58, 1e-12);
	NEAR(w.diff / w.se, -1.8608, 5e-5);
	NEAR(w.df, 17.776, 5e-4);
	NEAR(2 * stats_p_less(&w, 0), 0.07939, 5e-6);
	NEAR(stats_lower(&w, 0.025), -3.3654832, 5e-7);
	NEAR(stats_upper(&w, 0.025), 0.2054832, 5e-7);
	NEAR(p.diff / p.se, -4.0621, 5e-5);
	NEAR(p.df, 9, 0);
	NEAR(2 * stats_p_less(&p, 0), 0.002833, 5e-7);
	NEAR(stats_lower(&p, 0.025), -2.4598858, 5e-7);
	NEAR(stats_upper(&p, 0.025), -0.7001142, 5e-7);
}

/* The MLPerf training rules' own example of reference convergence points: ten reference runs, top and bottom dropped,
 * three scored runs; the least acceptable mean is printed as 15.21 (and 19.93 for the second batch size). */
Test(stats, mlperf_worked_example)
{
	static const double ref128[] = { 14, 15, 15, 16, 16, 16, 16, 16, 16, 17 };
	static const double ref256[] = { 20, 20, 20, 20, 21, 21, 21, 21, 22, 22 };
	const double *refs[] = { ref128, ref256 };
	const double want[] = { 15.213, 19.929 }, mean[] = { 15.75, 20.75 };
	for (int i = 0; i < 2; i++) {
		const double *kept = refs[i] + 1;
		double m = stats_mean(kept, 8), sd = stats_sd(kept, 8) * sqrt(7.0 / 8); /* they divide by n */
		NEAR(m, mean[i], 1e-12);
		struct stats_diff d = stats_pooled(m, sd, 3, m, sd, 8);
		NEAR(d.df, 9, 0);
		NEAR(m + stats_lower(&d, 0.05), want[i], 0.0005);
	}
}

Test(stats, prediction_interval_is_wider_than_the_means)
{
	static const double b[] = { 1, 2, 3, 4, 5 };
	struct stats_diff d = stats_prediction(6, b, 5, 1);
	NEAR(d.diff, 3, 1e-15);
	NEAR(d.se, sqrt(2.5 * 1.2), 1e-15);
	NEAR(d.df, 4, 0);
	NEAR(stats_upper(&d, 0.05), 3 + 2.131846786 * sqrt(3), 1e-8);
}

Test(stats, smallest_permutation_p_is_one_of_all_relabelings)
{
	static const double low[] = { 1, 2, 3, 4, 5, 6, 7, 8 }, high[] = { 11, 12, 13, 14, 15, 16, 17, 18 };
	NEAR(stats_permutation_p(low, 3, high, 3, false, 0), 1.0 / 20, 1e-15);
	NEAR(stats_permutation_p(low, 4, high, 4, false, 0), 1.0 / 70, 1e-15);
	NEAR(stats_permutation_p(low, 6, high, 6, false, 0), 1.0 / 924, 1e-15);
	NEAR(stats_permutation_p(low, 5, high, 5, true, 0), 1.0 / 32, 1e-15);
	NEAR(stats_permutation_p(high, 5, low, 5, true, 0), 1, 0);
	NEAR(stats_permutation_p(low, 4, low, 4, true, 0), 1, 0);              /* ties count */
	NEAR(stats_permutation_p(high, 4, low, 4, true, 11), 1.0 / 16, 1e-15); /* theta shifts the hypothesis */
}

Test(stats, drawn_permutations_come_near_the_t_test)
{
	double a[24], b[24];
	for (int i = 0; i < 24; i++)
		a[i] = sin(i * 1.7), b[i] = 0.35 + sin(i * 2.3 + 1);
	struct stats_diff w = stats_welch(a, 24, b, 24, 1), p = stats_paired(a, b, 24, 1);
	NEAR(stats_permutation_p(a, 24, b, 24, false, 0), stats_p_less(&w, 0), 0.006);
	NEAR(stats_permutation_p(a, 24, b, 24, true, 0), stats_p_less(&p, 0), 0.006);
}

Test(stats, holm_steps_down)
{
	/* Holm 1979: compare sorted p with alpha/m, alpha/(m-1), ...; stop at the first that fails. */
	const double p[] = { 0.04, 0.01, 0.03, 0.005 }, alpha[] = { 0.05, 0.05, 0.05, 0.05 };
	bool s[4];
	stats_holm(s, p, alpha, 4);
	cr_assert(!s[0] && s[1] && !s[2] && s[3]);
	const double nan_p[] = { NAN };
	stats_holm(s, nan_p, alpha, 1);
	cr_assert(!s[0]);
	/* 0.025 and 0.04 are above Bonferroni's 0.05/3 and within Holm's 0.05/2, at which the first just is, and 0.05/1 */
	double q[] = { 0.04, 0.01, 0.025 }, level[] = { 0.05, 0.05, 0.05 };
	stats_holm(s, q, level, 3);
	cr_assert(s[0] && s[1] && s[2]);
}

Test(stats, power_rises_with_seeds_and_is_alpha_at_the_margin)
{
	NEAR(stats_power(2, 2, 1, 0, false, 5, 0.05, 1), 0.05, 1e-8);
	NEAR(stats_power(2, 2, 1, 0.5, true, 3, 0.05, 1), 0.05, 1e-8);
	cr_assert_eq(stats_seeds_for_power(0.8, 3, 1, 0, false, 0.05, 100, 1), 3);
	int n = stats_seeds_for_power(0.8, 1, 1, 0, false, 0.05, 100, 1);
	cr_assert(stats_power(1, 0, 1, 0, false, n, 0.05, 1) >= 0.8 &&
	          stats_power(1, 0, 1, 0, false, n - 1, 0.05, 1) < 0.8);
	cr_assert_eq(stats_seeds_for_power(0.8, 0.01, 1, 0, false, 0.05, 100, 1), 0);
	NEAR(stats_power(2, 0, 1, 1, true, 3, 0.05, 1), 1, 0); /* perfectly paired seeds: no noise left */
}

Test(stats, spread_of_a_sample)
{
	const double x[] = { 2, 4, 4, 4, 5, 5, 7, 9 }, y[] = { 1, 2, 2, 2, 2.5, 2.5, 3.5, 4.5 };
	NEAR(stats_mean(x, 8), 5, 0);
	NEAR(stats_sd(x, 8), sqrt(32.0 / 7), 1e-15);
	NEAR(stats_correlation(x, y, 8), 1, 1e-15);
	cr_assert(isnan(stats_sd(x, 1)) && isnan(stats_correlation(x, y, 2)));
	const double big[] = { 1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16 };
	NEAR(stats_sd(big, 4), sqrt(30), 1e-12);
}

/* Values that double precision holds, and whose squares, or squares of squares, it does not (found by fuzzing: the gate
 * ended in an assertion). */
Test(stats, values_of_any_size)
{
	static const double a[] = { 9.5, 8, 9.8, 10 }, b[] = { 10, 9.7, 10.4, 10.1, 12 };
	const struct stats_diff plain = stats_welch(a, 4, b, 5, 1);
	double va = pow(stats_sd(a, 4), 2) / 4, vb = pow(stats_sd(b, 5), 2) / 5;
	cr_expect_float_eq(plain.df, pow(va + vb, 2) / (va * va / 3 + vb * vb / 4), 1e-12); /* Welch and Satterthwaite */
	for (int power = -100; power <= 300; power += 50) {
		double scale = pow(10, power), x[4], y[5];
		for (int i = 0; i < 5; i++)
			y[i] = b[i] * scale, x[i < 4 ? i : 0] = a[i < 4 ? i : 0] * scale;
		struct stats_diff d = stats_welch(x, 4, y, 5, 1);
		if (power > 150) {
			cr_expect(isinf(d.se));
			cr_expect(isnan(stats_lower(&d, 0.05)) && isnan(stats_upper(&d, 0.05)) && isnan(stats_p_less(&d, 0)));
			continue;
		}
		cr_expect_float_eq(d.df, plain.df, 1e-12 * plain.df, "1e%d: %g degrees of freedom", power, d.df);
		cr_expect_float_eq(stats_lower(&d, 0.05) / scale, stats_lower(&plain, 0.05), 1e-12);
		cr_expect_float_eq(stats_upper(&d, 0.05) / scale, stats_upper(&plain, 0.05), 1e-12);
	}
}
