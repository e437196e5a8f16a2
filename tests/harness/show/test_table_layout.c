/* test_table_layout.c - tables fit where they are read: columns in blocks, labels without useless digits, LaTeX with a
 * caption that is a title. */
#include "harness/show/table_private.h"
#include "tests/common/table_fixture.h"

#include "harness/text/escape.h"

static struct fixture_result all_done(int arm, int64_t seed)
{
	struct fixture_result r = fixture_default(arm, seed);
	r.state = "done", r.reason = "";
	return r;
}

/* Too wide for a terminal, lines were wrapped in the middle of numbers. */
Test(table_layout, no_line_is_wider_than_the_terminal_and_no_column_is_lost)
{
	struct setup s = setup(fixture_grid, all_done);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, NULL, NULL, "x", e));
	t->columns = 110;
	SCOPED(free) char *narrow = written(t, "terminal");
	for (char *save = NULL, *line = strtok_r(narrow, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		cr_assert_leq(escape_width(line), 110, "%s", line);
		cr_assert_neq(line[strlen(line) - 1], ' ');
	}
	t->columns = 80;
	SCOPED(free) char *blocks = written(t, "terminal");
	t->columns = 0;
	SCOPED(free) char *whole = written(t, "terminal");
	int in_blocks = 0, in_whole = 0;
	for (const char *p = blocks; (p = strstr(p, "L2 ")); p++)
		in_blocks++;
	for (const char *p = whole; (p = strstr(p, "L2 ")); p++)
		in_whole++;
	cr_assert(in_whole == 1 && in_blocks > 1, "the label stands before each block: %s", blocks);
	t->columns = 60; /* the difference stands alone, so that it must say of what */
	SCOPED(free) char *least = written(t, "terminal");
	cr_assert_not_null(strstr(least, "\nFID-10k, 1 step:\n"), "%s", least);
	for (int c = 0; c < t->n_cols; c++)
		cr_assert_not_null(strstr(blocks, t->cols[c].head), "%s", t->cols[c].head);
	done(&s);
}

/* A caption with all notes, and no label to refer to, had to be rewritten by hand in every paper. */
Test(table_layout, latex_has_a_title_for_caption_a_label_and_the_record_in_comments)
{
	struct setup s = setup(fixture_grid, all_done);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, NULL, NULL, "x", e));
	t->latex_label = "tab:a_b c";
	SCOPED(free) char *tex = written(t, "latex");
	SCOPED(free) char *caption = xstrfmt("\\caption{%s}\n\\label{tab:a-b-c}\n", t->title);
	cr_assert_not_null(strstr(tex, caption), "%s", tex);
	cr_assert_not_null(strstr(tex, "\n% FID-10k, 1 step: protocol "), "%s", tex);
	cr_assert_not_null(strstr(tex, "\nMean $\\pm$ sample standard deviation"), "%s", tex);
	cr_assert_null(strstr(tex, "starred"));
	t->latex_notes = false;
	SCOPED(free) char *bare = written(t, "latex");
	cr_assert(!strstr(bare, "minipage") && strstr(bare, "\n% Mean "), "%s", bare);
	t->latex_width = 4000;
	SCOPED(free) char *wide = written(t, "latex");
	cr_assert(strstr(strstr(tex, "toprule") + 1, "toprule") && !strstr(strstr(wide, "toprule") + 1, "toprule"));
	done(&s);
}

/* A label had to be taken apart to plot a score over a setting. */
Test(table_layout, csv_has_a_column_for_each_setting_that_differs_and_none_else)
{
	struct setup s = setup(fixture_grid, all_done);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, NULL, NULL, "x", e));
	SCOPED(free) char *csv = written(t, "csv");
	const char *head_end = strchr(csv, '\n');
	SCOPED(free) char *head = xstrndup(csv, (size_t)(head_end - csv));
	cr_assert_not_null(strstr(head, ",loss.kind,"), "%s", head);
	cr_assert_not_null(strstr(head, ",teacher.ema,"), "%s", head);
	cr_assert_null(strstr(head, ",train.batch,"), "%s", head);
	cr_assert(strstr(csv, ",pseudo-huber,") && strstr(csv, ",l2,"), "%s", csv);
	done(&s);
}

static const char *shown(const char *a, const char *b)
{
	static char out[200];
	const char *labels[] = { a, b }, *sections[] = { "", "" };
	struct table t = { .labels = labels, .sections = sections, .n_rows = 2 };
	table_shown_labels(&t);
	snprintf(out, sizeof out, "%s", t.shown[0]);
	arena_release(&t.arena);
	return out;
}

Test(table_layout, long_fractions_in_labels_are_rounded_while_rows_stay_different)
{
	cr_assert_str_eq(shown("optim.lr=0.00170997594668", "optim.lr=0.01"), "optim.lr=0.00171");
	cr_assert_str_eq(shown("optim.lr=0.00170997594668", "optim.lr=0.0017099"), "optim.lr=0.00171");
	cr_assert_str_eq(shown("optim.lr=0.00170997594668", "optim.lr=0.00171"), "optim.lr=0.00170998");
	cr_assert_str_eq(shown("train.steps=123456, x", "y"), "train.steps=123456, x");
	cr_assert_str_eq(shown("v1.23456", "y"), "v1.23456", "a name is no number");
}
