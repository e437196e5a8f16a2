/* test_query.c - questions to the database whose answers decide what is run again: what is finished, in which state,
 * and from which checkpoint it goes on. */
#include "harness/record/differing.h"
#include "harness/record/query.h"
#include "harness/record/query_grid.h"
#include "harness/record/query_stage.h"
#include "harness/record/score_key.h"
#include "harness/record/stage.h"
#include "model/base/mem.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct err e;
static const char cell[] = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
static const struct wanted_score fid[] = { { "fid", 1, 101, 100, "", "" } };

/* A database with one cell and no attempt. */
static struct db *one_cell(void)
{
	struct db *db;
	OK(db_open(&db, TMP("q.db"), DB_WRITE, &e));
	OK(db_begin(db, &e));
	OK(db_script(db, &e, "INSERT INTO arm VALUES(hex(zeroblob(32)), '{}')"));
	OK(db_exec(db, &e, "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(?, hex(zeroblob(32)), 1, 1, 'd')",
	           "s", cell));
	OK(db_commit(db, &e));
	return db;
}

static void attempt(struct db *db, const char *id, const char *state, const char *purpose, const char *started,
                    const char *from)
{
	OK(db_exec(
		db, &e,
		"INSERT INTO attempt(id, cell, n, state, reason, purpose, started, resumed_from) VALUES(?, ?, 1, ?, 'r', ?, ?, "
		"?)",
		"ssssss", id, cell, state, purpose, started, from));
}

static void score(struct db *db, const char *of, int64_t n)
{
	OK(db_exec(db, &e,
	           "INSERT INTO metric(attempt, name, nfe, step, eval_seed, protocol, value, hex, n) "
	           "VALUES(?, 'fid', 1, 10, 101, 'p', 1, '0x1p+0', ?)",
	           "si", of, n));
}

static bool finished(struct db *db, int n)
{
	bool yes;
	OK(query_finished(&yes, db, cell, fid, n, &e));
	return yes;
}

Test(query, a_cell_is_finished_by_a_done_attempt_and_every_score)
{
	struct db *db = one_cell();
	attempt(db, "verify", "done", "verify", "1", NULL);
	score(db, "verify", 100);
	cr_assert(!finished(db, 0), "a repetition is not a result");
	attempt(db, "failed", "failed", "run", "2", NULL);
	cr_assert(!finished(db, 0));
	attempt(db, "done", "done", "run", "3", NULL);
	cr_assert(finished(db, 0));
	cr_assert(!finished(db, 1), "the score is of a repetition");
	score(db, "done", 50);
	cr_assert(!finished(db, 1), "half of the images");
	score(db, "failed", 100);
	cr_assert(!finished(db, 1), "of an attempt that failed");
	attempt(db, "again", "done", "run", "4", NULL);
	score(db, "again", 100);
	cr_assert(finished(db, 1));
	db_close(db);
}

/* Each of what names a score: another evaluation seed, number of steps or metric is another score. */
Test(query, a_score_is_of_its_metric_steps_and_seed)
{
	static const struct wanted_score other[] = { { "fid", 2, 101, 100, "", "" },
		                                         { "fid", 1, 102, 100, "", "" },
		                                         { "kid", 1, 101, 100, "", "" } };
	struct db *db = one_cell();
	bool yes;
	attempt(db, "done", "done", "run", "1", NULL);
	score(db, "done", 100);
	cr_assert(finished(db, 1));
	for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
		OK(query_finished(&yes, db, cell, &other[i], 1, &e));
		cr_expect(!yes, "%s@%lld of seed %lld", other[i].name, (long long)other[i].nfe, (long long)other[i].eval_seed);
	}
	db_close(db);
}

/* An attempt with samples of step 1 and a score, done; sealed or not. */
static void with_results(struct db *db, const char *id, const char *purpose, bool is_sealed)
{
	static const char file[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
	attempt(db, id, "done", purpose, id, NULL);
	OK(db_exec(db, &e,
	           "INSERT INTO artifact(hash, kind, name, n_items) VALUES(?, 'samples', 'samples@1.npy', 100) "
	           "ON CONFLICT DO NOTHING",
	           "s", file));
	OK(db_exec(db, &e, "INSERT INTO output(attempt, artifact, role, sampling) VALUES(?, ?, 'samples', 'a key')", "ss",
	           id, file));
	OK(db_exec(db, &e,
	           "INSERT INTO metric(attempt, name, nfe, step, eval_seed, protocol, value, hex, n, asked) "
	           "VALUES(?, 'fid', 1, 10, 101, 'p', 1, '0x1p+0', 100, ?)",
	           "ss", id, FMT("asked of %s", id)));
	if (is_sealed)
		OK(db_exec(db, &e, "UPDATE attempt SET journal = ? WHERE id = ?", "ss", file, id));
}

/* What another attempt takes instead of computing it is what was sealed by a run: an unsealed journal may still be cut
 * off, and a repetition is to be compared, not used. */
Test(query, samples_and_scores_are_taken_from_sealed_runs_alone)
{
	struct db *db = one_cell();
	struct db_rows rows;
	struct sampling_row f;
	struct known_row k;
	struct training_row t;
	with_results(db, "open", "run", false);
	with_results(db, "repetition", "verify", true);
	with_results(db, "sealed", "run", true);
	OK(query_samplings(&rows, db, "", cell, &e));
	cr_assert(query_sampling_next(&f, &rows));
	cr_expect_str_eq(f.attempt, "sealed");
	cr_expect_not(query_sampling_next(&f, &rows));
	OK(db_done(&rows, &e));
	OK(query_known(&rows, db, "", cell, &e));
	cr_assert(query_known_next(&k, &rows));
	cr_expect_str_eq(k.attempt, "sealed");
	cr_expect_not(query_known_next(&k, &rows));
	OK(db_done(&rows, &e));
	/* nor does a training go on from a repetition */
	OK(query_training(&rows, db, "", cell, &e));
	while (query_training_next(&t, &rows))
		cr_expect_str_neq(t.attempt, "repetition");
	OK(db_done(&rows, &e));
	db_close(db);
}

/* A row that says what was asked: fid of 100 images against this reference, by this extractor. */
static void keyed_score(struct db *db, const char *of, const char *ref, const char *extractor)
{
	const struct score_request r = { .data = "", .ref = ref, .extractor = extractor, .n = 100 };
	char sampling[SHA256_HEX], key[SHA256_HEX];
	OK(stage_sampling_key(sampling, cell, "{}", 1, 101, &e));
	score_request_key(key, sampling, "fid", &r);
	OK(db_exec(db, &e,
	           "INSERT INTO metric(attempt, name, nfe, step, eval_seed, protocol, value, hex, n, asked) "
	           "VALUES(?, 'fid', 1, 10, 101, ?, 1, '0x1p+0', 100, ?)",
	           "sss", of, FMT("fid:%s:%s", extractor, ref), key));
}

static bool finished_as(struct db *db, const char *ref, const char *extractor)
{
	const struct wanted_score w = { "fid", 1, 101, 100, ref, extractor };
	bool yes;
	OK(query_finished(&yes, db, cell, &w, 1, &e));
	return yes;
}

/* A grid whose [[metric]] got another reference or extractor was told "cached", with the numbers of the old one. */
Test(query, a_score_is_the_one_that_was_asked_for)
{
	struct db *db = one_cell();
	OK(db_exec(db, &e, "UPDATE cell SET training = ?", "s", cell));
	attempt(db, "done", "done", "run", "1", NULL);
	keyed_score(db, "done", "a.npz", "pixels");
	cr_expect(finished_as(db, "a.npz", "pixels"));
	cr_expect(!finished_as(db, "b.npz", "pixels"), "another reference");
	cr_expect(!finished_as(db, "a.npz", "classifier"), "another extractor");
	keyed_score(db, "done", "b.npz", "pixels");
	cr_expect(finished_as(db, "a.npz", "pixels") && finished_as(db, "b.npz", "pixels"), "both are there");
	db_close(db);
}

/* Rows of before there were keys: nothing is run again but what their protocol shows to be of another extractor. */
Test(query, an_old_score_counts_by_its_protocol)
{
	struct db *db = one_cell();
	OK(db_exec(db, &e, "UPDATE cell SET training = ?", "s", cell));
	attempt(db, "done", "done", "run", "1", NULL);
	OK(db_exec(
		db, &e,
		"INSERT INTO metric(attempt, name, nfe, step, eval_seed, protocol, value, hex, n) VALUES('done', 'fid', 1, "
		"10, 101, 'fid:pixels@1a2b3c4d:none:u8-round:n100:ref=0f3a9c41d2b7', 1, '0x1p+0', 100)",
		""));
	cr_expect(finished_as(db, "", "pixels") && finished_as(db, "a.npz", "pixels") && finished_as(db, "", ""));
	cr_expect(!finished_as(db, "", "inception-2015"));
	db_close(db);
}

static enum record_state state(struct db *db)
{
	enum record_state s;
	OK(query_cell_state(&s, db, cell, &e));
	return s;
}

Test(query, the_state_of_a_cell_is_done_or_running_or_the_latest)
{
	struct db *db = one_cell();
	cr_assert_eq(state(db), RECORD_PENDING);
	attempt(db, "a", "failed", "run", "1", NULL);
	attempt(db, "b", "diverged", "run", "2", NULL);
	attempt(db, "c", "killed", "verify", "3", NULL);
	cr_assert_eq(state(db), RECORD_DIVERGED);
	attempt(db, "d", "running", "run", "0", NULL);
	cr_assert_eq(state(db), RECORD_RUNNING);
	attempt(db, "e", "done", "run", "0", NULL);
	cr_assert_eq(state(db), RECORD_DONE);
	db_close(db);
}

/* A life inherits the checkpoints of those it resumed from, and of no other. */
Test(query, checkpoints_are_those_of_all_lives)
{
	struct db *db = one_cell();
	bool has;
	attempt(db, "first", "stopped", "run", "1", NULL);
	attempt(db, "second", "stopped", "run", "2", "first");
	attempt(db, "other", "stopped", "run", "3", NULL);
	OK(db_exec(db, &e, "INSERT INTO artifact(hash, kind) VALUES(?, 'checkpoint')", "s", cell));
	OK(db_exec(db, &e, "INSERT INTO checkpoint VALUES('first', 25, ?)", "s", cell));
	static const struct {
		const char *attempt;
		int64_t step;
		bool has;
	} cases[] = { { "first", 25, true }, { "second", 25, true }, { "second", 26, false }, { "other", 25, false } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		OK(query_has_checkpoint(&has, db, cases[i].attempt, cases[i].step, &e));
		cr_assert_eq(has, cases[i].has, "%s at %lld", cases[i].attempt, (long long)cases[i].step);
	}
	db_close(db);
}

Test(query, what_runs_is_found_by_attempt_or_cell)
{
	struct db *db = one_cell();
	attempt(db, "old", "stopped", "run", "1", NULL);
	attempt(db, "early", "running", "run", "2", NULL);
	attempt(db, "late", "running", "run", "3", NULL);
	static const struct {
		const char *attempt;
		bool by_cell;
		const char *want;
	} cases[] = { { "old", false, NULL }, { "early", false, "early" }, { "old", true, "late" } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(free) char *id = NULL;
		OK(query_running_of(&id, db, cases[i].attempt, cases[i].by_cell ? cell : NULL, &e));
		cr_assert(cases[i].want ? id && !strcmp(id, cases[i].want) : !id, "%s: %s", cases[i].attempt, id ? id : "none");
	}
	db_close(db);
}

Test(query, a_grid_is_found_by_name_or_beginning_and_the_newest_by_nothing)
{
	struct db *db = one_cell();
	OK(db_script(db, &e,
	             "INSERT INTO grid(hash, name, toml, created) VALUES('ab1', 'one', '', '1'), ('ab2', 'two', '', '2'), "
	             "('cd3', 'one', '', '3')"));
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ NULL, "cd3" }, { "one", "cd3" }, { "two", "ab2" }, { "ab", "ab2" }, { "ab1", "ab1" }, { "b", NULL }
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(free) char *hash = NULL;
		OK(query_grid_hash(&hash, db, cases[i].text, &e));
		cr_assert(cases[i].want ? hash && !strcmp(hash, cases[i].want) : !hash, "%s: %s",
		          cases[i].text ? cases[i].text : "NULL", hash ? hash : "none");
	}
	db_close(db);
}

/* What the views take, of attempts that began in the same millisecond, and of a score that the first one lacks. */
Test(query, of_two_done_attempts_one_speaks_for_cell_and_score)
{
	struct db *db = one_cell();
	SCOPED(differing) struct differing_list l = { 0 };
	SCOPED(free) char *used = NULL, *result = NULL;
	attempt(db, "b", "done", "run", "1", NULL);
	attempt(db, "a", "done", "run", "1", NULL);
	attempt(db, "c", "done", "run", "2", NULL);
	attempt(db, "v", "done", "verify", "0", NULL);
	score(db, "b", 100);
	score(db, "c", 100);
	score(db, "v", 100);
	OK(differing_find(&l, db, NULL, 0, &e));
	cr_expect_eq(l.all, 0, "the same bits");
	OK(db_exec(db, &e,
	           "INSERT INTO metric(attempt, name, nfe, step, eval_seed, protocol, value, hex, n) VALUES('c', 'fid', 1, "
	           "10, 102, 'p', 1, '0x1p+0', 100), ('b', 'fid', 1, 10, 102, 'p', 2, '0x1p+1', 100), "
	           "('v', 'fid', 1, 10, 102, 'p', 4, '0x1p+2', 100)",
	           ""));
	OK(db_text_of(&used, db, &e, "SELECT attempt FROM v_attempt", ""));
	OK(db_text_of(&result, db, &e, "SELECT attempt FROM v_result WHERE eval_seed = 102", ""));
	cr_expect_str_eq(used, "a");
	cr_expect_str_eq(result, "b", "a has no scores");
	OK(differing_find(&l, db, NULL, 0, &e));
	cr_assert_eq(l.all, 1);
	cr_expect_str_eq(l.v[0].speaks, "b");
	cr_expect_str_eq(l.v[0].other, "c");
	cr_expect(l.v[0].for_scores && !l.v[0].at_once);
	cr_expect_eq(l.v[0].scores, 2);
	cr_expect_eq(l.v[0].differ, 1);
	cr_expect_str_eq(l.v[0].score, "fid@1 of seed 102");
	differing_release(&l);
	/* the curve of the one that speaks for the cell, and of another one; and a score that all of them have */
	OK(db_exec(db, &e,
	           "INSERT INTO curve VALUES('a', 'loss', 1, 1), ('a', 'loss', 2, 3), ('b', 'loss', 1, 1), "
	           "('b', 'loss', 2, 4)",
	           ""));
	OK(db_exec(db, &e,
	           "INSERT INTO metric(attempt, name, nfe, step, eval_seed, protocol, value, hex, n) VALUES('a', 'fid', 1, "
	           "10, 103, 'p', 1, '0x1p+0', 100), ('b', 'fid', 1, 10, 103, 'p', 2, '0x1p+1', 100), "
	           "('c', 'fid', 1, 10, 103, 'p', 4, '0x1p+2', 100)",
	           ""));
	OK(differing_of_cell(&l, db, cell, &e));
	cr_assert_eq(l.all, 3);
	cr_expect_str_eq(l.v[0].speaks, "a");
	cr_expect(l.v[0].at_once && !l.v[0].for_scores);
	cr_expect_eq(l.v[0].step, 2);
	cr_expect_str_eq(l.v[1].speaks, "a");
	cr_expect_str_eq(l.v[2].speaks, "b");
	cr_expect_eq(l.v[2].differ, 1, "for the score of seed 103 a speaks");
	differing_release(&l);
	/* made again: the older generation is nobody's */
	OK(db_exec(db, &e, "INSERT INTO attempt(id, cell, n, state, started, generation) VALUES('d', ?, 1, 'done', '3', 1)",
	           "s", cell));
	OK(differing_find(&l, db, NULL, 0, &e));
	cr_expect_eq(l.all, 0);
	db_close(db);
}
