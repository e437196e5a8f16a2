/* test_table_reference.c - rows of an axis are compared within each of its values where the table names the reference,
 * and a table that names one that is not there says so. */
#include "harness/plan/row_label.h"
#include "harness/show/table.h"
#include "tests/common/study_fixture.h"

#define GRID(reference) \
	"schema = 1\n[grid]\nname = \"r\"\nseeds = { train = [1, 2, 3], eval = [101], paired = true }\n[base]\n" \
	"preset = \"ict-shapes8-ci\"\n[[axis]]\nkey = \"train.steps\"\nvalues = [10, 20]\n" \
	"[[axis]]\nkey = \"loss.kind\"\n" \
	"values = [\"l1\", \"l2\"]\nlabels = [\"one\", \"two\"]\n[[metric]]\nname = \"fid\"\nsamples = 10000\n" \
	"[[table]]\nname = \"t\"\ncols = [\"fid@1\", \"delta\", \"paired\"]\nreference = \"" reference "\"\n"

static struct fixture_result by_arm(int arm, int64_t seed)
{
	static const double mean[] = { 10, 12, 20, 27 }; /* 10 one, 10 two, 20 one, 20 two */
	struct fixture_result r = fixture_default(0, seed);
	r.state = "done", r.reason = "", r.fid = mean[arm] + 0.1 * (double)seed;
	return r;
}

Test(row_label, a_part_in_the_place_of_another)
{
	static const struct {
		const char *other, *label, *part;
		bool swaps;
	} cases[] = {
		{ "a=1, x", "a=1, y", "x", true },   { "a=1, x", "a=1, x", "x", true }, { "a=2, x", "a=1, y", "x", false },
		{ "x, a=1", "y, a=1", "x", true },   { "x", "y", "x", true },           { "a=1, x", "a=1, y, b", "x", false },
		{ "a=1, xx", "a=1, y", "x", false }, { "x, x", "a, b", "x", false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(row_label_swaps(cases[i].other, cases[i].label, cases[i].part), cases[i].swaps, "%s",
		             cases[i].label);
}

Test(table_reference, each_value_of_an_axis_has_its_own)
{
	struct plan *p = fixture_plan(GRID("one"));
	struct db *db = fixture_db("r.db", p, by_arm, 0);
	struct study *s;
	struct table *t;
	OK(study_load(&s, p, db, e));
	OK(table_build(&t, s, &p->grid->tables[0], NULL, "", e));
	static const char *const want[] = { "reference", "+2.00", "reference", "+7.00" };
	cr_assert_eq(t->n_rows, 4);
	for (int r = 0; r < 4; r++) {
		cr_expect_eq(strncmp(t->cells[r * t->n_cols + 1].text, want[r], 3), 0, "%d: %s", r,
		             t->cells[r * t->n_cols + 1].text);
		if (r % 2)
			cr_expect_float_eq(t->cells[r * t->n_cols + 2].value, r == 1 ? 2 : 7, 1e-9);
	}
	bool told = false;
	for (int i = 0; i < t->n_notes; i++)
		told |= strstr(t->notes[i], "row less the row of one,") != NULL;
	cr_expect(told);
	table_free(t);
	study_free(s);
	db_close(db);
	plan_free(p);
}

Test(table_reference, one_that_is_not_there_is_named)
{
	struct plan *p = fixture_plan(GRID("three"));
	struct db *db = fixture_db("r3.db", p, by_arm, 0);
	struct study *s;
	struct table *t;
	struct err why = ERR_INIT;
	OK(study_load(&s, p, db, e));
	cr_expect_eq(table_build(&t, s, &p->grid->tables[0], NULL, "", &why), -1);
	cr_expect(why.code == EXIT_USAGE && strstr(why.msg, "'three'"), "%s", why.msg);
	study_free(s);
	db_close(db);
	plan_free(p);
}
