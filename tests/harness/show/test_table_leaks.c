/* test_table_leaks.c - how tables mark a score by the network that the row's own loss was made of. Which rows these are
 * is answered here, in place of harness/show/table_leaks.c. */
#include "harness/show/table_private.h"
#include "tests/common/table_fixture.h"

#include <jansson.h>

static int leaky;

bool table_leaks(const struct build *b, int arm, const struct metric_ref *ref)
{
	(void)b;
	return arm == leaky && strcmp(ref->name, "fid") == 0;
}

/* The second variant has by far the least FID. */
static struct fixture_result too_good(int arm, int64_t seed)
{
	struct fixture_result r = fixture_default(arm, seed);
	r.state = "done", r.reason = "";
	r.fid = (arm == 2 ? 1 : 10 + arm) + 0.1 * (double)(seed * (arm + 1) % 3);
	return r;
}

static struct table *build_table(struct setup *s, int arm)
{
	SCOPED(free)
	char *toml = xstrfmt("%s[[table]]\nname = \"leaks\"\nchain = \"single\"\n"
	                     "cols = [\"fid@1\", \"delta\", \"paired\", \"verdict\", \"precision@1\", \"seeds\"]\n",
	                     fixture_grid);
	struct table *t;
	leaky = arm;
	*s = setup(toml, too_good);
	OK(table_build(&t, s->study, &s->plan->grid->tables[1], NULL, "x", e));
	return t;
}

static const struct table_cell *cell_of(const struct table *t, int row, int col)
{
	return &t->cells[row * t->n_cols + col];
}

static bool is_marked(const struct table_cell *c)
{
	return strstr(c->text, DAGGER) != NULL;
}

/* Marked in every column about the metric and in every format, and never the best, however good. */
Test(table_leaks, a_leak_is_marked_everywhere_and_never_the_best)
{
	struct setup s;
	SCOPED(table) struct table *t = build_table(&s, 2);
	for (int c = 0; c < 4; c++)
		for (int r = 0; r < 4; r++)
			cr_assert_eq(is_marked(cell_of(t, r, c)), r == 2, "row %d, %s: %s", r, t->cols[c].key,
			             cell_of(t, r, c)->text);
	cr_assert_not(is_marked(cell_of(t, 2, 4)), "another metric does not leak");
	cr_assert_not(is_marked(cell_of(t, 2, 5)), "seeds are no score");
	cr_assert(cell_of(t, 0, 0)->best && !cell_of(t, 2, 0)->best);
	SCOPED(free)
	char *md = written(t, "md"), *tex = written(t, "latex"), *csv = written(t, "csv"), *json = written(t, "json");
	cr_assert_not_null(strstr(md, DAGGER ": scored by the network that its loss was made of"), "%s", md);
	cr_assert_not_null(strstr(tex, "$\\dagger$"), "%s", tex);
	cr_assert_not_null(strstr(csv, ",3,leak,"), "%s", csv);
	json_t *j = json_loads(json, 0, NULL), *rows = json_object_get(j, "rows");
	for (size_t r = 0; r < 4; r++) {
		json_t *cells = json_object_get(json_array_get(rows, r), "cells");
		cr_assert_eq(json_is_true(json_object_get(json_object_get(cells, "fid@1"), "leaks")), r == 2);
		cr_assert_eq(json_is_true(json_object_get(json_object_get(cells, "verdict"), "leaks")), r == 2);
	}
	json_decref(j);
	done(&s);
}

/* What is compared with a leak is no better founded than the leak. */
Test(table_leaks, comparisons_with_a_leaking_first_row_are_marked)
{
	struct setup s;
	SCOPED(table) struct table *t = build_table(&s, 0);
	for (int r = 0; r < 4; r++) {
		cr_assert_eq(is_marked(cell_of(t, r, 0)), r == 0);
		for (int c = 1; c < 4; c++)
			cr_assert_eq(is_marked(cell_of(t, r, c)), r != 0, "row %d, %s: %s", r, t->cols[c].key,
			             cell_of(t, r, c)->text);
	}
	done(&s);
}

/* Without a leak nothing is marked, and no note speaks of one. */
Test(table_leaks, nothing_is_marked_where_nothing_leaks)
{
	struct setup s;
	SCOPED(table) struct table *t = build_table(&s, -1);
	SCOPED(free) char *md = written(t, "md");
	cr_assert_null(strstr(md, DAGGER), "%s", md);
	cr_assert(cell_of(t, 2, 0)->best);
	done(&s);
}
