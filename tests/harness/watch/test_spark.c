/* test_spark.c - a curve in a line: its shape, and values that are no numbers. */
#include "harness/watch/spark.h"

#include <criterion/criterion.h>
#include <math.h>

#define DRAWS(want, width, utf8, ...) \
	do { \
		struct str s_ = { 0 }; \
		const double v_[] = { __VA_ARGS__ }; \
		(void)spark_add(&s_, v_, (int)(sizeof v_ / sizeof *v_), width, utf8); \
		cr_assert_str_eq(str_text(&s_), want); \
		str_release(&s_); \
	} while (0)

Test(spark, the_largest_is_full_and_the_smallest_is_not_empty)
{
	DRAWS("\xe2\x96\x88\xe2\x96\x81", 10, true, 1, 0);
	DRAWS("_.-~=+*#", 8, false, 0, 1, 2, 3, 4, 5, 6, 7);
}

/* A loss that falls by half, by half again, ...: each step of it is seen. */
Test(spark, positive_values_are_drawn_by_their_ratios)
{
	DRAWS("#=_", 3, false, 16, 4, 1);
	DRAWS("#-_", 3, false, 15, 3, -1);
}

Test(spark, a_narrow_line_has_means)
{
	DRAWS("#_", 2, false, 9, 11, 1, 3);
	DRAWS("", 0, false, 1, 2);
}

Test(spark, what_is_no_number_is_an_x)
{
	DRAWS("#x_", 3, false, 2, (double)NAN, 1);
	DRAWS("=xx", 3, false, 2, (double)INFINITY, (double)NAN); /* one value alone is flat */
	DRAWS("xx", 2, false, (double)NAN, (double)NAN);
}

Test(spark, a_flat_curve_is_in_the_middle)
{
	DRAWS("===", 3, false, 5, 5, 5);
	DRAWS("#_", 2, false, 1.7e308, -1.7e308);
}
