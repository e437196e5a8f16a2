/* test_chart_finish.c - what all charts have in common: the average of a smoothed line by hand, notes said once. */
#include "harness/show/chart_private.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* A line of four points, one of them missing. */
static struct figure_panel *panel(struct chart *c)
{
	static const double x[] = { 1, 2, 3, 4 }, y[] = { 1, 2, NAN, 4 }, lo[] = { 0, 1, NAN, 3 };
	struct figure_panel *p = chart_panel(c, 2);
	*chart_series(p, 0) = (struct figure_series){ .label = "loss", .n = 4, .x = x, .y = y, .lo = lo, .hi = y };
	p->n_series = 1;
	return p;
}

/* With weight 1/2: 1; (1/4 + 2/2) / (3/4); a gap; (1.25/2 + 4/2) / (7/8). A biased average begins at 1/2. */
Test(chart_finish, a_smoothed_line_is_the_unbiased_exponential_mean)
{
	struct chart c = { 0 };
	struct figure_panel *p = panel(&c);
	chart_smooth(&c, p, 0.5);
	cr_assert_eq(p->n_series, 2);
	const struct figure_series *raw = &p->series[0], *smooth = &p->series[1];
	cr_assert(raw->faint && !smooth->faint && smooth->as == 1 && !raw->label && !raw->lo && !smooth->lo);
	cr_expect_str_eq(smooth->label, "loss");
	const double want[] = { 1, 1.25 / 0.75, NAN, 2.625 / 0.875 };
	for (int i = 0; i < 4; i++)
		cr_expect(isnan(want[i]) ? isnan(smooth->y[i]) : fabs(smooth->y[i] - want[i]) < 1e-15, "%d: %g", i,
		          smooth->y[i]);
	cr_expect_float_eq(raw->y[1], 2, 0);
	cr_expect_not_null(strstr(c.figure.note, "weight 0.5"));
	arena_release(&c.arena);
}

Test(chart_finish, a_note_is_said_once)
{
	struct chart c = { 0 };
	struct figure_panel *p = panel(&c);
	chart_banded(&c, p);
	chart_banded(&c, p);
	chart_note(&c, "another");
	cr_expect_str_eq(c.figure.note, "line: mean over seeds; band: one standard deviation on both sides; another");
	arena_release(&c.arena);
}
