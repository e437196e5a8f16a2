/* test_study.c - which of the recorded scores are a plan's results: of the weights and the number of images that are
 * asked for, of one data set, with the value that was computed. */
#include "tests/common/study_fixture.h"

static struct fixture_result all_done(int arm, int64_t seed)
{
	struct fixture_result r = fixture_default(arm, seed);
	r.state = "done", r.reason = "";
	return r;
}

static const char cell_0[] = "00000000-0000-4000-8000-000000000000"; /* its attempt */

/* A further score of the first cell, of a later step than the others. */
static void add_score(struct db *db, const char *weights, int64_t n, double value, const char *hex)
{
	OK(db_exec(db, e,
	           "INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex, n) "
	           "VALUES(?, 'fid', 1, ?, 2000, 101, ?, ?, ?, ?)",
	           "sssdsi", cell_0, weights, fixture_default(0, 1).protocol, value, hex, n));
}

static double fid_of(struct study *s, const char *name)
{
	struct metric_ref ref;
	OK(grid_metric_ref(&ref, s->plan->grid, name, e));
	const struct study_score *x = study_score(s, &s->cells[0], &ref);
	cr_assert_not_null(x, "%s", name);
	return x->value;
}

/* Other weights, or fewer images, give other numbers: a later one of those is no newer result. */
Test(study, a_score_is_of_the_weights_and_the_number_that_are_asked_for)
{
	SCOPED(plan) struct plan *p = fixture_plan(fixture_grid);
	struct db *db = fixture_db("weights.db", p, all_done, 0);
	struct study *s;
	add_score(db, "student", 10000, 1, "0x1p+0");
	add_score(db, "ema", 5000, 2, "0x1p+1");
	OK(study_load(&s, p, db, e));
	cr_expect_float_eq(fid_of(s, "fid@1"), all_done(0, 1).fid + 0.05, 1e-12);
	cr_expect_eq(fid_of(s, "fid@1:student"), 1);
	study_free(s);
	db_close(db);
}

/* The hash below a table says whether anything in the results is different. */
Test(study, the_hash_of_results_is_over_their_values)
{
	SCOPED(plan) struct plan *p = fixture_plan(fixture_grid);
	char hashes[3][SHA256_HEX];
	for (int i = 0; i < 3; i++) {
		struct db *db = fixture_db(FMT("%d.db", i), p, all_done, 0);
		struct study *s;
		add_score(db, "ema", 10000, i ? 2 : 1, i ? "0x1p+1" : "0x1p+0");
		OK(study_load(&s, p, db, e));
		memcpy(hashes[i], s->results, SHA256_HEX);
		study_free(s);
		db_close(db);
	}
	cr_expect_str_neq(hashes[0], hashes[1]);
	cr_expect_str_eq(hashes[1], hashes[2]);
}

static void refused(struct plan *p, struct db *db, const char *why)
{
	struct study *s;
	struct err bad = ERR_INIT;
	cr_assert_eq(study_load(&s, p, db, &bad), -1);
	cr_expect_eq(bad.code, EXIT_RECORD);
	cr_expect_not_null(strstr(bad.msg, why), "%s", bad.msg);
	db_close(db);
}

/* Its exact form is what was computed: a decimal that somebody wrote beside it is not shown. */
Test(study, a_score_with_another_value_than_its_hex_is_refused)
{
	SCOPED(plan) struct plan *p = fixture_plan(fixture_grid);
	struct db *db = fixture_db("edited.db", p, all_done, 0);
	add_score(db, "ema", 10000, 1.5, "0x1p+1");
	refused(p, db, "fid@1");
}

/* Without the data set at hand its content cannot decide: the results of one would stand for those of another. */
Test(study, results_on_two_data_sets_are_not_mixed)
{
	static const char other[] = "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd";
	SCOPED(plan) struct plan *p = fixture_plan(fixture_grid);
	struct db *db = fixture_db("two.db", p, all_done, 0);
	OK(db_exec(db, e, "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(?, ?, ?, ?, 'another')", "ssii",
	           other, p->arms[p->cells[0].arm].hash, p->cells[0].seed, (int64_t)NUMERICS_VERSION));
	OK(db_exec(
		db, e,
		"INSERT INTO attempt(id, cell, n, state, started) VALUES('other', ?, 1, 'done', '2026-02-01T00:00:00.000Z')",
		"s", other));
	refused(p, db, "results on 2 data sets");
}
