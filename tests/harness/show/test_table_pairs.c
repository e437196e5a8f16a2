/* test_table_pairs.c - columns that compare: one metric by two extractors, paired differences with their intervals, and
 * verdicts, which must be those of the gate. */
#include "harness/show/chart.h"
#include "harness/study/gate_grid.h"
#include "tests/common/table_fixture.h"

#include <jansson.h>

static struct fixture_result all_done(int arm, int64_t seed)
{
	struct fixture_result r = fixture_default(arm, seed);
	r.state = "done", r.reason = "";
	return r;
}

static struct fixture_result one_nan(int arm, int64_t seed)
{
	struct fixture_result r = all_done(arm, seed);
	r.fid = arm == 1 && seed == 2 ? NAN : r.fid;
	return r;
}

/* fixture_grid with FID by two extractors, and another table and gates behind. Heap text. */
static char *two_extractors(const char *more)
{
	static const char fid[] = "name = \"fid\"\nsamples = 10000\nnfe = [1, 2]\n";
	const char *at_fid = strstr(fixture_grid, fid), *rest = at_fid + strlen(fid), *tables = strstr(rest, "[[table]]");
	return xstrfmt("%.*s%sextractor = \"inception-2015\"\n[[metric]]\n%sextractor = \"pixels\"\n%.*s%s",
	               (int)(at_fid - fixture_grid), fixture_grid, fid, fid, (int)(tables - rest), rest, more);
}

/* A hundred times less by pixels, and the arms in the opposite order. */
static void add_pixels(struct db *db, const struct plan *p)
{
	OK(db_begin(db, e));
	for (int i = 0; i < p->n_cells; i++) {
		char attempt[64];
		snprintf(attempt, sizeof attempt, "%08d-0000-4000-8000-000000000000", i);
		fixture_metric(db, attempt, "fid", 1, 1000, 101,
		               0.2 - 0.01 * p->cells[i].arm + 0.001 * (double)p->cells[i].seed,
		               "fid:pixels:none:u8:n10000:ref=cifar10-train");
	}
	OK(db_commit(db, e));
}

static struct setup setup_two(const char *more)
{
	SCOPED(free) char *toml = two_extractors(more);
	struct setup s = { .plan = fixture_plan(toml) };
	s.db = fixture_db("two.db", s.plan, all_done, 0);
	add_pixels(s.db, s.plan);
	OK(study_load(&s.study, s.plan, s.db, e));
	OK(published_read(&s.pub, NULL, e));
	return s;
}

/* Two metrics of one name were one column: whichever score the grid asked for last was shown under both. */
Test(table_pairs, two_extractors_of_one_metric_are_two_columns_titles_and_charts)
{
	struct setup s = setup_two("[[table]]\nname = \"two\"\npaper = \"arXiv:2310.14189\"\n"
	                           "cols = [\"fid/inception-2015@1\", \"delta\", \"fid/pixels@1\", \"delta\"]\n");
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, &s.plan->grid->tables[0], s.pub, "x", e));
	NEAR(at(t, 0, "fid/inception-2015@1")->value, 10.066666666666667, 1e-12);
	NEAR(at(t, 0, "fid/pixels@1")->value, 0.202, 1e-12);
	cr_assert(at(t, 0, "fid/inception-2015@1")->best && at(t, 3, "fid/pixels@1")->best);
	NEAR(at(t, 1, "delta")->value, 1.52, 1e-12);
	NEAR(at(t, 1, "delta:fid/pixels@1")->value, -0.01, 1e-12); /* keys of a JSON object differ */
	NEAR(at(t, 0, "paper")->value, 2.83, 0);
	int published = 0;
	for (int c = 0; c < t->n_cols; c++)
		published += !strncmp(t->cols[c].key, "paper", 5);
	cr_assert_eq(published, 2, "no paper scores with pixels");
	for (int c = 0; c < t->n_cols; c++)
		if (!strcmp(t->cols[c].key, "fid/pixels@1"))
			cr_assert_str_eq(t->cols[c].head, "FID-10k (pixels), 1 step");
	struct chart *c;
	OK(chart_build(
		&c, s.study,
		&(struct chart_ask){ .kind = "bars", .chain = "", .metric = "fid/pixels@1", .curve = "", .runs = "" }, e));
	NEAR(c->figure.panels[0].series[0].y[0], 0.202, 1e-12);
	cr_assert_str_eq(c->figure.panels[0].title, "FID-10k (pixels), 1 step");
	chart_free(c);
	done(&s);
}

/* --- paired differences and verdicts --- */

#define PAIRED_STUDY \
	"schema = 1\n[grid]\nname = \"pairs\"\nseeds = { train = [1, 2, 3, 4], paired = true }\n[base]\n" \
	"preset = \"ict-shapes8-ci\"\n[[axis]]\nkey = \"loss.c\"\nrange = { start = 1, stop = 30, step = 1 }\n" \
	"[[metric]]\nname = \"fid\"\nsamples = 10000\n[[metric]]\nname = \"pr\"\nsamples = 10000\n" \
	"[[table]]\nname = \"t\"\ncols = [\"fid@1\", \"paired\", \"verdict\", \"precision@1\", \"paired\", \"verdict\"]\n"

/* Differences of all sizes in a spread that leaves many of them open. */
static struct fixture_result of_all_sizes(int arm, int64_t seed)
{
	struct fixture_result r = all_done(arm, seed);
	uint32_t x = (uint32_t)(arm * 7919 + (int)seed * 104729);
	for (int i = 0; i < 3; i++)
		x = x * 1664525U + 1013904223U;
	r.fid = 10 + (arm ? 0.1 * (arm % 9 - 4) + 0.4 * ((double)(x >> 8) / (1 << 24) - 0.5) : 0);
	return r;
}

/* A table that says better where the gate says inconclusive is worth nothing: every verdict, its difference and its
 * bounds are those of `ablate gate`, also where more is better. */
Test(table_pairs, verdicts_and_intervals_are_those_of_the_gate)
{
	SCOPED(str) struct str toml = { 0 };
	str_add(&toml, PAIRED_STUDY);
	for (int m = 0; m < 2; m++)
		for (int i = 2; i <= 30; i++)
			str_addf(&toml,
			         "[[gate]]\nname = \"%s-%d\"\nmetric = \"%s@1\"\narm = \"loss.c=%d\"\nagainst = \"loss.c=1\"\n"
			         "test = \"superiority\"\nalpha = 0.025\n",
			         m ? "precision" : "fid", i, m ? "precision" : "fid", i);
	struct setup s = setup(str_text(&toml), of_all_sizes);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, &s.plan->grid->tables[0], NULL, "x", e));
	int n[3] = { 0 };
	static const char *const words[] = {
		[GATE_PASS] = "better", [GATE_FAIL] = "worse", [GATE_INCONCLUSIVE] = "cannot tell"
	};
	for (int m = 0; m < 2; m++) {
		for (int i = 2; i <= 30; i++) {
			SCOPED(free) char *name = xstrfmt("%s-%d", m ? "precision" : "fid", i);
			const char *const names[] = { name };
			struct gates g;
			OK(gates_judge(&g, s.study, &(struct gates_ask){ .baselines = "", .names = names, .n_names = 1 }, e));
			const struct gate_result *r = &g.results[0];
			cr_assert_neq(r->verdict, GATE_ERROR, "%s", r->why);
			const struct table_cell *verdict = at(t, i - 1, m ? "verdict:precision@1" : "verdict"),
									*paired = at(t, i - 1, m ? "paired:precision@1" : "paired");
			cr_assert_str_eq(verdict->text, words[r->verdict], "%s", r->why);
			cr_assert_str_eq(verdict->verdict, words[r->verdict]);
			cr_assert(paired->value == r->diff && paired->lo == r->lo && paired->hi == r->hi && paired->n == 4);
			cr_assert_eq(paired->lo > 0 || paired->hi < 0, r->verdict != GATE_INCONCLUSIVE);
			n[r->verdict] += !m;
			cr_assert(!m || r->verdict == GATE_PASS, "more precision is better");
			gates_release(&g);
		}
	}
	cr_assert(n[GATE_PASS] > 2 && n[GATE_FAIL] > 2 && n[GATE_INCONCLUSIVE] > 2, "%d %d %d", n[0], n[1], n[2]);
	done(&s);
}

#define PAIRED_COLS "cols = [\"fid@1\", \"paired\", \"verdict\"]\n"

/* fixture_grid with a table of pairs in place of its own and the seeds as given. Heap text. */
static char *with_pairs(const char *seeds)
{
	static const char train[] = "train = [1, 2, 3]", table[] = "[[table]]";
	const char *at_seeds = strstr(fixture_grid, train), *rest = at_seeds + strlen(train), *end = strstr(rest, table);
	return xstrfmt("%.*s%s%.*s[[table]]\nname = \"p\"\nchain = \"single\"\n" PAIRED_COLS,
	               (int)(at_seeds - fixture_grid), fixture_grid, seeds, (int)(end - rest), rest);
}

/* Differences to the base: 10 10.1 9.9, 1 1.5 0.7 (t = 4.57, p = 0.0447), 5 -5 1. */
static struct fixture_result by_hand(int arm, int64_t seed)
{
	static const double diff[4][3] = { { 0 }, { 10, 10.1, 9.9 }, { 1, 1.5, 0.7 }, { 5, -5, 1 } };
	struct fixture_result r = all_done(arm, seed);
	r.fid = 20 + 3 * (double)seed + diff[arm][seed - 1];
	return r;
}

/* The table of pairs over these seeds. */
static struct table *pairs_of(struct setup *s, const char *seeds, fixture_fn *fn)
{
	SCOPED(free) char *toml = with_pairs(seeds);
	struct table *t;
	*s = setup(toml, fn);
	OK(table_build(&t, s->study, &s->plan->grid->tables[0], NULL, "x", e));
	return t;
}

/* Numbers worked out by hand; the second verdict is one that three comparisons do not bear, and the notes say so. */
Test(table_pairs, a_paired_difference_has_its_interval_and_the_notes_say_which_test)
{
	struct setup s;
	SCOPED(table) struct table *t = pairs_of(&s, "train = [1, 2, 3]", by_hand);
	cr_assert_str_eq(at(t, 0, "paired")->text, "reference");
	cr_assert_str_eq(at(t, 0, "verdict")->text, "reference");
	/* t(0.975, 2) = 4.302653: 1.0666667 +- 4.302653 * 0.4041452 / sqrt(3) */
	const struct table_cell *c = at(t, 2, "paired");
	NEAR(c->value, 3.2 / 3, 1e-12);
	NEAR(c->lo, 0.06271, 1e-4);
	NEAR(c->hi, 2.07062, 1e-4);
	cr_assert_str_eq(c->text, "+1.1 [+0.1, +2.1]");
	cr_assert_str_eq(at(t, 2, "verdict")->text, "worse");
	NEAR(at(t, 2, "verdict")->p, 0.0447, 2e-4);
	cr_assert(at(t, 1, "verdict")->holm && !at(t, 2, "verdict")->holm);
	cr_assert_str_eq(at(t, 3, "verdict")->text, "cannot tell");
	cr_assert(has_note(t, "over 3 pairs of seeds") && has_note(t, "Student's t") && has_note(t, "paired t test"));
	cr_assert(has_note(t, "number of verdicts, 3; by Holm's") && has_note(t, "become cannot tell: uniform noise"));
	t->latex_width = 700; /* one block */
	SCOPED(free)
	char *csv = written(t, "csv"), *json = written(t, "json"), *md = written(t, "md"), *tex = written(t, "latex");
	cr_assert_not_null(
		strstr(csv, ",paired,paired lo,paired hi,paired p,paired n,paired test,verdict,verdict p,verdict n,"), "%s",
		csv);
	cr_assert_not_null(strstr(csv, ",3,paired t,worse,0.04"), "%s", csv);
	cr_assert_not_null(strstr(md, "| +1.1 \\[+0.1, +2.1\\] | worse |"), "%s", md);
	cr_assert_not_null(strstr(tex, "+1.1 [+0.1, +2.1] & worse"), "%s", tex);
	struct json_error_t je;
	json_t *j = json_loads(json, 0, &je), *row = json_array_get(json_object_get(j, "rows"), 2),
		   *cells = json_object_get(row, "cells"), *paired = json_object_get(cells, "paired"),
		   *verdict = json_object_get(cells, "verdict");
	NEAR(json_real_value(json_object_get(paired, "lo")), c->lo, 0);
	NEAR(json_real_value(json_object_get(paired, "hi")), c->hi, 0);
	cr_assert_str_eq(json_string_value(json_object_get(verdict, "verdict")), "worse");
	cr_assert(json_is_false(json_object_get(verdict, "holm")));
	json_decref(j);
	done(&s);
}

/* p = 1 - t / sqrt(t^2 + 2) for two degrees of freedom: 0.01195 of the first arm, by itself below 0.05 / 3. */
static struct fixture_result one_of_three(int arm, int64_t seed)
{
	static const double diff[4][3] = { { 0 }, { 1, 1.1912, 0.8088 }, { 5, -5, 1 }, { 3, -4, 2 } };
	struct fixture_result r = all_done(arm, seed);
	r.fid = 20 + 3 * (double)seed + diff[arm][seed - 1];
	return r;
}

/* A verdict is of two sides, each at 2.5 %: Holm's rule divides their 5 %. */
Test(table_pairs, holm_divides_the_level_of_both_sides)
{
	struct setup s;
	SCOPED(table) struct table *t = pairs_of(&s, "train = [1, 2, 3]", one_of_three);
	NEAR(at(t, 1, "verdict")->p, 0.01195, 1e-4);
	cr_assert_str_eq(at(t, 1, "verdict")->text, "worse");
	cr_assert(at(t, 1, "verdict")->holm);
	cr_assert_not(has_note(t, "become cannot tell"));
	done(&s);
}

static struct fixture_result first_missing(int arm, int64_t seed)
{
	struct fixture_result r = by_hand(arm, seed);
	if (arm == 2 && seed == 1)
		r.state = "failed", r.reason = "told to";
	return r;
}

/* Pairs are of one seed, wherever it stands among those that are there: differences 1.5 and 0.7. */
Test(table_pairs, a_pair_is_of_the_same_seed)
{
	struct setup s;
	SCOPED(table) struct table *t = pairs_of(&s, "train = [1, 2, 3]", first_missing);
	cr_assert_eq(at(t, 2, "paired")->n, 2);
	NEAR(at(t, 2, "paired")->value, 1.1, 1e-12);
	done(&s);
}

/* Two numbers have a difference, but no spread that could judge it. */
Test(table_pairs, one_pair_has_a_difference_and_no_verdict)
{
	struct setup s;
	SCOPED(table) struct table *t = pairs_of(&s, "train = [2]", by_hand);
	cr_assert_str_eq(at(t, 2, "verdict")->text, "too few seeds");
	cr_assert(!strncmp(at(t, 2, "paired")->text, "+1.5", 4) && !strchr(at(t, 2, "paired")->text, '['), "%s",
	          at(t, 2, "paired")->text);
	cr_assert_not(has_note(t, "paired t test"));
	done(&s);
}

/* A seed that one side lacks is left out and said; a row without a value says nothing. */
Test(table_pairs, a_missing_seed_is_left_out_of_the_pairs_and_said)
{
	struct setup s;
	SCOPED(table) struct table *t = pairs_of(&s, "train = [1, 2, 3]", fixture_default);
	cr_assert_not_null(strstr(at(t, 2, "paired")->text, "] (2 of 3)"), "%s", at(t, 2, "paired")->text);
	cr_assert_str_eq(at(t, 3, "verdict")->text, "");
	cr_assert_str_eq(at(t, 3, "paired")->text, "");
	cr_assert(has_note(t, "over 2 to 3 pairs of seeds"));
	done(&s);
}

/* What diverged is not worse by a number. */
Test(table_pairs, a_nan_has_no_paired_difference)
{
	struct setup s;
	SCOPED(table) struct table *t = pairs_of(&s, "train = [1, 2, 3]", one_nan);
	cr_assert_str_eq(at(t, 1, "verdict")->text, "diverged");
	cr_assert_str_eq(at(t, 1, "paired")->text, "");
	done(&s);
}

static struct fixture_result one_seed(int arm, int64_t seed)
{
	struct fixture_result r = all_done(arm, seed);
	if (seed > 1)
		r.state = "failed", r.reason = "why";
	return r;
}

/* A difference without its interval says more than is known: a paired one where the seeds are the same, Welch's, by its
 * name, where a row lacks some, and none of one seed, which is said. */
Test(table_pairs, a_difference_has_the_interval_that_its_seeds_allow)
{
	struct setup s = setup(fixture_grid, fixture_default);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, &s.plan->grid->tables[0], s.pub, "x", e));
	const struct table_cell *paired = at(t, 1, "delta"), *welch = at(t, 2, "delta");
	cr_assert_str_eq(paired->test, TABLE_PAIRED_T);
	cr_assert(paired->n == 3 && paired->lo < paired->value && paired->value < paired->hi && paired->p < 0.001);
	cr_assert_str_eq(welch->test, TABLE_WELCH_T);
	cr_assert(welch->n == 2 && welch->lo < welch->value && welch->value < welch->hi && welch->p > paired->p);
	cr_assert(strstr(welch->text, "(Welch)") && !strstr(paired->text, "Welch"), "%s", welch->text);
	cr_assert(has_note(t, "unpaired, by Welch's t test"));
	SCOPED(free) char *csv = written(t, "csv"), *json = written(t, "json");
	cr_assert_not_null(strstr(csv, ",delta,delta lo,delta hi,delta p,delta n,delta test,"), "%s", csv);
	cr_assert(strstr(csv, ",3,paired t,") && strstr(csv, ",2,welch t,"), "%s", csv);
	cr_assert_not_null(strstr(json, "\"test\": \"welch t\""), "%s", json);
	done(&s);
}

/* Equal seeds are no pairs where the grid does not say so: a gate of the same grid would not take them for pairs. */
Test(table_pairs, a_difference_is_paired_only_where_the_grid_pairs_its_seeds)
{
	struct setup s = setup(fixture_grid, all_done);
	SCOPED(table) struct table *t = NULL;
	s.plan->grid->seeds.paired = false;
	OK(table_build(&t, s.study, &s.plan->grid->tables[0], NULL, "x", e));
	cr_assert_str_eq(at(t, 1, "delta")->test, TABLE_WELCH_T);
	done(&s);
}

/* One value of one seed, in its last bit. */
Test(table_pairs, the_hash_is_of_every_value)
{
	struct setup s = setup(fixture_grid, all_done);
	SCOPED(table) struct table *t = NULL, *other = NULL;
	OK(table_build(&t, s.study, &s.plan->grid->tables[0], NULL, "x", e));
	for (int i = 0; i < s.study->cells[0].n_scores; i++)
		s.study->cells[0].scores[i].value = nextafter(s.study->cells[0].scores[i].value, INFINITY);
	OK(table_build(&other, s.study, &s.plan->grid->tables[0], NULL, "x", e));
	cr_assert_str_neq(t->results, other->results);
	done(&s);
}

Test(table_pairs, a_difference_of_one_seed_has_no_interval_and_says_so)
{
	struct setup s = setup(fixture_grid, one_seed);
	SCOPED(table) struct table *one = NULL;
	OK(table_build(&one, s.study, &s.plan->grid->tables[0], s.pub, "x", e));
	cr_assert_str_eq(at(one, 1, "delta")->test, TABLE_NO_TEST);
	cr_assert(isnan(at(one, 1, "delta")->lo) && isnan(at(one, 1, "delta")->p));
	cr_assert_not_null(strstr(at(one, 1, "delta")->text, "(one seed)"));
	cr_assert_not(has_note(one, "interval and p"));
	done(&s);
}

/* The hash is of what the table shows: a score of a metric that it does not show leaves it, one that it shows does not.
 * A file of before that says so, instead of naming a line. */
Test(table_pairs, a_committed_table_outlives_a_metric_added_to_its_grid)
{
	struct setup s = setup(fixture_grid, all_done);
	SCOPED(table) struct table *t = NULL, *other = NULL, *changed = NULL;
	struct study *again;
	struct err bad = ERR_INIT;
	OK(table_build(&t, s.study, &s.plan->grid->tables[0], NULL, "x", e));
	char *path = TMP("t.md"), *attempt = "00000000-0000-4000-8000-000000000000";
	SCOPED(free) char *md = written(t, "md");
	OK(io_write_atomic(path, md, strlen(md), e));
	OK(db_begin(s.db, e));
	fixture_metric(s.db, attempt, "inception-score", 1, 1000, 101, 3, "is:x");
	OK(db_commit(s.db, e));
	OK(study_load(&again, s.plan, s.db, e));
	cr_assert_str_neq(again->results, s.study->results);
	OK(table_build(&other, again, &s.plan->grid->tables[0], NULL, "x", e));
	OK(table_check(other, path, e));
	OK(db_begin(s.db, e));
	fixture_metric(s.db, attempt, "fid", 1, 1001, 101, 10.0000001,
	               "fid:inception-2015:tf-bilinear:u8:n10000:ref=cifar10-train");
	OK(db_commit(s.db, e));
	study_free(again);
	OK(study_load(&again, s.plan, s.db, e));
	OK(table_build(&changed, again, &s.plan->grid->tables[0], NULL, "x", e));
	cr_assert_str_neq(changed->results, t->results);
	const char earlier[] = "<!-- made by: x; results sha256:00 -->\n";
	OK(io_write_atomic(path, earlier, strlen(earlier), e));
	cr_assert_eq(table_check(t, path, &bad), -1);
	cr_assert(bad.code == EXIT_RECORD && strstr(bad.msg, "written by an earlier ablate"), "%s", bad.msg);
	study_free(again);
	done(&s);
}
