/* test_segments.c - where the segments of multistep consistency end, which one a noise level is in, and by how many
 * evaluations pictures may be made. */
#include "model/consistency/segments.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct run_config of_segments(int n)
{
	struct run_config c;
	config_defaults(&c);
	c.multistep.segments = n;
	return c;
}

/* 80^(1/7) = 1.8702, 0.002^(1/7) = 0.4115. */
static double by_root(double share)
{
	double lo = pow(0.002, 1 / 7.0), hi = pow(80, 1 / 7.0);
	return pow(lo + share * (hi - lo), 7);
}

Test(segments, ends_are_even_in_the_seventh_root)
{
	for (int n = 1; n <= 64; n++) {
		struct run_config c = of_segments(n);
		cr_assert_eq(segment_end(&c, 0), 0);
		cr_assert_eq(segment_end(&c, n), 80);
		for (int j = 1; j < n; j++)
			cr_assert_float_eq(segment_end(&c, j) / by_root((double)j / n), 1, 1e-12);
	}
}

/* A level that is an end, by whichever sum it came about and in single precision, is in the segment below it: were it
 * in the one above, student and teacher would meet there with a weight of 1 / (t - r) of some 1e16. */
Test(segments, a_level_at_an_end_is_in_the_segment_below)
{
	for (int grid = GRID_DOUBLE; grid <= GRID_ROUNDED; grid++)
		for (int n = 2; n <= 16; n++) {
			struct run_config c = of_segments(n);
			c.sigma.grid = grid;
			int64_t points = (int64_t)n * 80 + 1;
			for (int j = 1; j <= n; j++) {
				double t = sigma_at(&c, points, (int64_t)j * 80),
					   above = j < n ? sigma_at(&c, points, (int64_t)j * 80 + 1) : 99;
				cr_assert_eq(segment_below(&c, t), segment_end(&c, j - 1), "%d of %d", j, n);
				cr_assert_eq(segment_below(&c, above), segment_end(&c, j < n ? j : n - 1), "above %d of %d", j, n);
			}
		}
}

Test(segments, the_teacher_stays_in_the_students)
{
	struct run_config c = of_segments(2), one = of_segments(1);
	double e = by_root(0.5);
	cr_expect_float_eq(segment_teacher(&c, 3, 2), e, 1e-12);
	cr_expect_eq(segment_teacher(&c, 4, 3), 3);
	cr_expect_eq(segment_teacher(&c, 1, 0), 0);
	cr_expect_eq(segment_teacher(&one, 80, 0), 0);
	cr_expect_eq(segment_below(&one, 80), 0);
}

Test(segments, pictures_take_an_evaluation_for_each)
{
	static const struct {
		int segments, nfe;
		double mid;
		const char *refused;
	} cases[] = {
		{ 1, 1, 0.821, NULL },
		{ 1, 7, 0.821, NULL },
		{ 2, 1, 0.821, "nfe = 1: a model of multistep.segments = 2 needs 2" },
		{ 2, 2, 0.821, NULL },
		{ 2, 3, 0.821, NULL },
		{ 2, 3, 3, "nfe = 3: beyond multistep.segments = 2 evaluations sample.sigma_mid = 3 must be in the lowest" },
		{ 4, 3, 0.821, "needs 4" },
		{ 4, 4, 0.821, NULL },
		{ 4, 5, 0.821, "sample.sigma_mid = 0.821 must be" },
		{ 4, 5, 0.1, NULL },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = ERR_INIT;
		struct run_config c = of_segments(cases[i].segments);
		c.sample.sigma_mid = cases[i].mid;
		cr_expect_eq(segments_allow(&c, cases[i].nfe, &e), cases[i].refused ? -1 : 0, "case %zu", i);
		cr_expect(!cases[i].refused || (e.code == EXIT_USAGE && strstr(e.msg, cases[i].refused)), "%s", e.msg);
	}
}
