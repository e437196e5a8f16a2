/* test_watch_screen.c - a study in a terminal of any size: no line is wider than it, what needs somebody is seen first,
 * and what is not seen is counted. */
#include "harness/text/columns.h"
#include "harness/watch/watch_screen.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double curve[] = { 9, 5, 3, 2, 1.5, 1.2, (double)NAN, 1 };
static const int widths[] = { 60, 80, 120, 200 };

static struct watch_cell cell_of(const char *label, enum record_state state, int64_t step)
{
	return (struct watch_cell){ .cell = "cccccccccccc",
		                        .label = label,
		                        .attempt = "a",
		                        .reason = "",
		                        .ended = "",
		                        .state = state,
		                        .seed = 1,
		                        .step = step,
		                        .steps = 1000,
		                        .rate = NAN,
		                        .eta_s = NAN,
		                        .seconds = NAN,
		                        .loss = NAN };
}

/* A study of n cells: two that run, one that failed, the rest to come. */
static void study(struct watch *w, int n)
{
	*w = (struct watch){ .title = "small",
		                 .cells = calloc((size_t)n, sizeof *w->cells),
		                 .n = n,
		                 .running = 2,
		                 .failed = 1,
		                 .waiting = n - 3,
		                 .share = 0.25,
		                 .eta_s = 3700,
		                 .picture = "ablate.db-runs/0123456789ab/a/samples@1.png",
		                 .busy = true };
	for (int i = 0; i < n; i++)
		w->cells[i] = cell_of("to come", RECORD_PENDING, 0);
	for (int i = 0; i < 2; i++) {
		w->cells[i] = cell_of(i ? "reversions/平方損失 e\xcc\x81" : "reversions/base", RECORD_RUNNING, 250);
		w->cells[i].rate = 12.345;
		w->cells[i].eta_s = 61;
		w->cells[i].loss = 0.01234;
		w->cells[i].curve = curve;
		w->cells[i].n_curve = sizeof curve / sizeof *curve;
	}
	w->cells[2] = cell_of("reversions/no metric", RECORD_FAILED, 3);
	w->cells[2].reason =
		"loss is not finite at step 3, and this is a reason that is longer than any terminal is wide, to "
		"its very end, which nobody sees there but in `ablate status --cells` and in the report";
	w->lines[w->n_lines++] = "ablate run small.toml, pid 12 on host since 2026-12-01T00:00:00.000Z";
}

/* Without what colours it. */
static void uncolored(struct str *out, const char *text)
{
	for (; *text; text++)
		if (*text == '\033')
			text = strchr(text, 'm');
		else
			str_addc(out, *text);
}

static bool says(const struct watch_lines *l, const char *what)
{
	for (int i = 0; i < l->n; i++)
		if (strstr(str_text(&l->v[i]), what))
			return true;
	return false;
}

static int line_with(const struct watch_lines *l, const char *what)
{
	for (int i = 0; i < l->n; i++)
		if (strstr(str_text(&l->v[i]), what))
			return i;
	return -1;
}

static void check_size(const struct watch_lines *l, const struct watch_view *view)
{
	cr_assert_leq(l->n, view->height, "%d lines on a screen of %d", l->n, view->height);
	for (int i = 0; i < l->n; i++) {
		struct str plain = { 0 };
		uncolored(&plain, str_text(&l->v[i]));
		cr_assert_leq(columns_wide(str_text(&plain)), view->width, "%d of %d: %s", columns_wide(str_text(&plain)),
		              view->width, str_text(&plain));
		str_release(&plain);
	}
}

Test(watch_screen, no_line_is_wider_than_the_screen)
{
	struct watch w;
	struct watch_lines l;
	study(&w, 40);
	w.n_gpus = 2;
	w.gpus[0] = (struct gpu){ "A card of a long name", 87, 6e9, 24e9, 61, 250.4 };
	w.gpus[1] = (struct gpu){ "", -1, NAN, NAN, -1, NAN };
	for (int height = 1; height <= 60; height += height < 14 ? 1 : 23)
		for (int width = 1; width <= 210; width++)
			for (int form = 0; form < 4; form++) {
				const struct watch_view view = { width, height, 0, form & 1, form & 2 };
				watch_screen(&l, &w, &view);
				check_size(&l, &view);
				watch_lines_release(&l);
			}
	free(w.cells);
}

Test(watch_screen, what_runs_and_what_failed_is_said_at_every_width)
{
	struct watch w;
	struct watch_lines l;
	study(&w, 40);
	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
		const struct watch_view view = { widths[i], 24, 0, true, false };
		watch_screen(&l, &w, &view);
		cr_assert(says(&l, "small: 40 cells: 2 running, 1 failed, 37 to come"), "%d", widths[i]);
		cr_assert(says(&l, "about 1h01m left") == (widths[i] >= 80), "%d", widths[i]);
		cr_assert(says(&l, "250/1000") && says(&l, "1m01s") && says(&l, "\xe2\x96\x88"), "%d", widths[i]);
		cr_assert(says(&l, "loss is not"), "%d", widths[i]);
		cr_assert(says(&l, " 12.3 ") == (widths[i] >= 80), "%d", widths[i]);
		cr_assert(says(&l, "0.01234") == (widths[i] >= 100), "%d", widths[i]);
		cr_assert(says(&l, "last failure: reversions/no metric seed 1: lo") && says(&l, "q leaves"), "%d", widths[i]);
		cr_assert_lt(line_with(&l, "failed "), line_with(&l, "pending "));
		watch_lines_release(&l);
	}
	free(w.cells);
}

/* Columns below each other although one label has wide and combining characters. */
Test(watch_screen, columns_stand_below_each_other)
{
	struct watch w;
	struct watch_lines l;
	study(&w, 4);
	const struct watch_view view = { 120, 24, 0, true, false };
	watch_screen(&l, &w, &view);
	int at[2];
	for (int i = 0; i < 2; i++) {
		const char *line = str_text(&l.v[line_with(&l, i ? "平方" : "reversions/base")]),
				   *step = strstr(line, "250/1000");
		char *before = strndup(line, (size_t)(step - line));
		at[i] = columns_wide(before);
		free(before);
	}
	cr_assert_eq(at[0], at[1]);
	watch_lines_release(&l);
	free(w.cells);
}

Test(watch_screen, cells_that_are_not_shown_are_counted_and_reached)
{
	struct watch w;
	struct watch_lines l;
	study(&w, 40);
	w.cells[39].label = "the last one";
	struct watch_view view = { 120, 20, 0, false, false };
	watch_screen(&l, &w, &view);
	cr_assert_eq(l.n, 20);
	cr_assert_eq(l.rows, 13);
	cr_assert(says(&l, "cells 1 to 13 of 40, 27 not shown"));
	cr_assert(!says(&l, "the last one"));
	watch_lines_release(&l);
	view.first = 1000;
	watch_screen(&l, &w, &view);
	cr_assert_eq(l.first, 27);
	cr_assert(says(&l, "cells 28 to 40 of 40") && says(&l, "the last one") && !says(&l, "reversions/base"));
	watch_lines_release(&l);
	free(w.cells);
}

Test(watch_screen, a_locale_without_utf8_gets_ascii)
{
	struct watch w;
	struct watch_lines l;
	study(&w, 3);
	w.cells[1].label = "plain";
	w.n_gpus = 1;
	w.gpus[0] = (struct gpu){ "A card", 87, 6e9, 24e9, 61, 250.4 };
	const struct watch_view view = { 60, 24, 0, false, false };
	watch_screen(&l, &w, &view);
	for (int i = 0; i < l.n; i++)
		for (const char *p = str_text(&l.v[i]); *p; p++)
			cr_assert(*p >= ' ' && *p <= '~', "%s", str_text(&l.v[i]));
	cr_assert(says(&l, "GPU 0   87 %  5.6 of 22.4 GiB  61 C  250 W  A card"));
	watch_lines_release(&l);
	free(w.cells);
}

/* A process that is gone is no progress, whatever its record says. */
Test(watch_screen, a_process_that_is_gone_says_so)
{
	struct watch w;
	struct watch_lines l;
	study(&w, 3);
	w.cells[0].gone = true;
	w.cells[0].reason = "pid 12 has ended";
	const struct watch_view view = { 80, 24, 0, true, true };
	watch_screen(&l, &w, &view);
	cr_assert(says(&l, "\033[31mgone    \033[0m") && says(&l, "pid 12 has ended"));
	watch_lines_release(&l);
	free(w.cells);
}
