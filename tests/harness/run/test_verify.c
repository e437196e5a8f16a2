/* test_verify.c - a repetition is equal or the first difference is named; and what people type finds the record. */
#define _GNU_SOURCE
#include "harness/record/record_find.h"
#include "harness/run/lives.h"
#include "harness/run/verify.h"
#include "model/base/io.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct err e;
static struct store s = STORE_INIT;
static const char hash[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void add_attempt(const char *id, const char *from)
{
	OK(db_exec(s.db, &e, "INSERT INTO attempt(id, cell, n, state, started, resumed_from) VALUES(?, ?, 1, 'done', ?, ?)",
	           "ssss", id, hash, id, from));
}

static void point(const char *id, int64_t step, double value)
{
	OK(db_exec(s.db, &e, "INSERT INTO curve VALUES(?, 'loss', ?, ?)", "sid", id, step, value));
}

static void metric(const char *id, double value)
{
	char hex[40];
	(void)snprintf(hex, sizeof hex, "%a", value);
	OK(db_exec(s.db, &e,
	           "INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex, n) "
	           "VALUES(?, 'fid', 1, 'ema', 10, 101, 'p', ?, ?, 10)",
	           "sds", id, value, hex));
}

static void setup(void)
{
	OK(store_open(&s, TMP("a.db"), STORE_WRITE, "test", &e));
	OK(db_exec(s.db, &e, "INSERT INTO arm VALUES(?, '{}')", "s", hash));
	OK(db_exec(s.db, &e, "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(?, ?, 1, 1, 'd')", "ss", hash,
	           hash));
	add_attempt("1111-a", NULL);
	add_attempt("2222-b", NULL);
	for (int64_t k = 1; k <= 5; k++)
		point("1111-a", k, k == 3 ? NAN : 1.0 / (double)k);
	metric("1111-a", 0.5);
}
TestSuite(verify, .init = setup);

static struct verify_result compare(void)
{
	struct verify_result r;
	OK(verify_compare(&r, s.db, "1111-a", "2222-b", &e));
	return r;
}

Test(verify, equal_bits_pass)
{
	for (int64_t k = 1; k <= 5; k++)
		point("2222-b", k, k == 3 ? NAN : 1.0 / (double)k);
	metric("2222-b", 0.5);
	struct verify_result r = compare();
	cr_assert(r.equal);
	cr_assert_eq(r.n, 6);
	cr_assert_eq(r.max_ulp, 0);
	cr_assert_eq(r.first_step, -1);
	OK(verify_record(&s, &r, "1111-a", "2222-b", &e));
	int64_t n;
	OK(db_int_of(&n, 0, s.db, &e, "SELECT count(*) FROM verify WHERE equal = 1 AND n = 6 AND first_diff_step IS NULL",
	             ""));
	cr_assert_eq(n, 1);
}

Test(verify, the_first_difference_is_named)
{
	for (int64_t k = 1; k <= 5; k++)
		point("2222-b", k, k == 3 ? NAN : k >= 4 ? nextafter(1.0 / (double)k, 9) : 1.0 / (double)k);
	metric("2222-b", 0.25);
	struct verify_result r = compare();
	cr_assert_not(r.equal);
	cr_assert_eq(r.first_step, 4);
	cr_assert(strstr(r.first, "loss at step 4: 0.25, then 0.2500000000000000"), "%s", r.first);
	cr_assert_gt(r.max_ulp, 1);
}

Test(verify, a_nan_is_no_number_and_a_missing_value_is_a_difference)
{
	point("2222-b", 1, 1.0);
	point("2222-b", 2, 0.5);
	point("2222-b", 3, 0.0);
	struct verify_result r = compare();
	cr_assert_not(r.equal);
	cr_assert_eq(r.first_step, 3);
	cr_assert_eq(r.max_ulp, INT64_MAX);
}

/* A training that ended early, or went on for longer, is no repetition of the other, however equal it was before. */
Test(verify, a_value_that_only_one_has_is_a_difference)
{
	struct verify_result r;
	add_attempt("3333-c", NULL);
	for (int64_t k = 1; k <= 6; k++) {
		if (k <= 3)
			point("2222-b", k, k == 3 ? NAN : 1.0 / (double)k);
		point("3333-c", k, k == 3 ? NAN : 1.0 / (double)k);
	}
	metric("2222-b", 0.5), metric("3333-c", 0.5);
	OK(verify_compare(&r, s.db, "1111-a", "2222-b", &e));
	cr_expect(!r.equal && r.first_step == 4 && r.n == 6, "%s", r.first);
	cr_expect(strstr(r.first, "loss at step 4: a value, then none"), "%s", r.first);
	OK(verify_compare(&r, s.db, "1111-a", "3333-c", &e));
	cr_expect(!r.equal && r.first_step == 6 && r.n == 7, "%s", r.first);
	cr_expect(strstr(r.first, "loss at step 6: none, then a value"), "%s", r.first);
}

Test(verify, a_resumed_attempt_is_compared_as_a_whole)
{
	add_attempt("3333-first", NULL);
	add_attempt("4444-second", "3333-first");
	for (int64_t k = 1; k <= 3; k++)
		point("3333-first", k, k == 3 ? NAN : 1.0 / (double)k);
	for (int64_t k = 3; k <= 5; k++)
		point("4444-second", k, k == 3 ? NAN : 1.0 / (double)k);
	metric("4444-second", 0.5);
	struct verify_result r;
	OK(verify_compare(&r, s.db, "1111-a", "4444-second", &e));
	cr_assert(r.equal, "%s", r.first);
}

/* --- lives --- */

static int numerics = 4; /* of the program that the lives below ran on */

/* An attempt of this state that went on from another at `step` (-1: not on record), on so many threads. */
static void add_life(const char *id, const char *from, const char *state, int64_t step, int threads)
{
	const char *json = FMT("{\"numerics\":%d,\"threads\":%d}", numerics, threads);
	char env[SHA256_HEX];
	io_sha256(env, json, strlen(json));
	OK(db_exec(s.db, &e, "INSERT INTO env VALUES(?, ?) ON CONFLICT DO NOTHING", "ss", env, json));
	OK(db_exec(s.db, &e,
	           "INSERT INTO attempt(id, cell, n, state, reason, started, resumed_from, resumed_step, env) "
	           "VALUES(?, ?, 1, ?, 'r', ?, ?, nullif(?, -1), ?)",
	           "sssssis", id, hash, state, id, from, step, env));
}

static void checkpoint(const char *id, int64_t step)
{
	char sha[SHA256_HEX];
	io_sha256(sha, id, strlen(id));
	OK(db_exec(s.db, &e, "INSERT INTO artifact(hash, kind) VALUES(?, 'checkpoint') ON CONFLICT DO NOTHING", "s", sha));
	OK(db_exec(s.db, &e, "INSERT INTO checkpoint VALUES(?, ?, ?)", "sis", id, step, sha));
}

/* "1:0-6 3:6-" */
static char *parts_of(const char *attempt)
{
	SCOPED(lives) struct lives l = { 0 };
	struct str text = { 0 };
	OK(lives_read(&l, s.db, attempt, &e));
	for (int i = 0; i < l.n; i++) {
		str_addf(&text, "%s%d:%lld-", i ? " " : "", l.v[i].number, (long long)l.v[i].from);
		if (l.v[i].to != INT64_MAX)
			str_addf(&text, "%lld", (long long)l.v[i].to);
		str_add(&text, l.v[i].known ? "" : "?");
	}
	return tmpdir_keep(str_detach(&text));
}

Test(verify, each_life_has_the_steps_that_came_out_of_it)
{
	add_life("a1", NULL, "killed", -1, 1);
	checkpoint("a1", 3), checkpoint("a1", 6);
	point("a1", 8, 1);
	cr_expect_str_eq(parts_of("a1"), "1:0-");
	add_life("a2", "a1", "done", 3, 1); /* the newer checkpoint was damaged */
	cr_expect_str_eq(parts_of("a2"), "1:0-3 2:3-");
	add_life("a3", "a1", "killed", -1, 1); /* where it began can be told by what it did */
	point("a3", 7, 1);
	cr_expect_str_eq(parts_of("a3"), "1:0-6 2:6-");
	add_life("a4", "a3", "done", 6, 1); /* a3 left nothing that was used */
	cr_expect_str_eq(parts_of("a4"), "1:0-6 3:6-");
	add_life("a5", "a1", "killed", -1, 1); /* did nothing */
	add_life("a6", "a5", "done", 6, 1);
	cr_expect_str_eq(parts_of("a6"), "1:0-6 3:6-");
	add_life("a7", "a1", "done", -1, 1); /* every checkpoint was refused */
	cr_expect_str_eq(parts_of("a7"), "2:0-");
	add_life("a8", "elsewhere", "done", 5, 1);
	cr_expect_str_eq(parts_of("a8"), "1:0-5? 2:5-");
}

/* a2 trained to step 3 with 1 thread and then with 2; of those with 1, the first differs from step 4 on, the
 * second at step 3, and the third in its score alone; b4 has none. */
static void add_two_lives(void)
{
	add_life("a1", NULL, "stopped", -1, 1);
	add_life("a2", "a1", "done", 3, 2);
	add_life("b1", NULL, "done", -1, 1);
	add_life("b2", NULL, "done", -1, 1);
	add_life("b3", NULL, "done", -1, 1);
	add_life("b4", NULL, "done", -1, 1);
	for (int64_t k = 1; k <= 5; k++) {
		point(k <= 3 ? "a1" : "a2", k, 1);
		point("b1", k, k > 3 ? 2 : 1);
		point("b2", k, k == 3 ? 2 : 1);
		point("b3", k, 1);
		point("b4", k, 1);
	}
	metric("a2", 0.5), metric("b1", 0.5), metric("b2", 0.5), metric("b3", 0.25);
}

/* In a record of an older program threads are such a difference. One in the first life is a failure. */
Test(verify, a_difference_of_environments_is_no_failure_and_hides_none)
{
	struct verify_result r;
	numerics = 3;
	add_two_lives();
	OK(verify_compare(&r, s.db, "a2", "b1", &e));
	cr_expect(!r.equal && r.inconclusive, "%s", r.first);
	cr_expect_str_eq(r.unlike, "life 2 of 2: 2 threads, then 1");
	cr_expect_eq(r.lives, 2);
	OK(verify_record(&s, &r, "a2", "b1", &e));
	int64_t n;
	OK(db_int_of(&n, 0, s.db, &e, "SELECT count(*) FROM verify WHERE lives = 2 AND unlike LIKE 'life 2%'", ""));
	cr_expect_eq(n, 1);
	OK(verify_compare(&r, s.db, "a2", "b2", &e));
	cr_expect(!r.equal && !r.inconclusive, "%s", r.unlike);
	OK(verify_compare(&r, s.db, "a2", "b3", &e));
	cr_expect(!r.equal && r.inconclusive, "scores come after all training: %s", r.first);
	cr_expect_str_eq(r.unlike, "life 2 of 2: 2 threads, then 1");
	OK(verify_compare(&r, s.db, "b1", "b3", &e));
	cr_expect(!r.equal && !r.inconclusive && !*r.unlike);
}

/* A training has the same bits on any number of threads: another number explains no difference in it, but one in a
 * score. Where training differs, too, the score's cause is not known. */
Test(verify, other_threads_explain_a_score_and_no_training)
{
	struct verify_result r;
	add_two_lives();
	OK(verify_compare(&r, s.db, "a2", "b1", &e));
	cr_expect(!r.equal && !r.inconclusive && !*r.unlike, "%s", r.unlike);
	cr_expect_eq(r.first_step, 4);
	OK(verify_compare(&r, s.db, "a2", "b3", &e));
	cr_expect(!r.equal && r.inconclusive, "%s", r.first);
	cr_expect_str_eq(r.unlike, "fid@1 of seed 101: 2 threads, then 1");
	OK(verify_compare(&r, s.db, "b1", "b3", &e));
	cr_expect(!r.equal && !r.inconclusive && !*r.unlike);
	OK(verify_compare(&r, s.db, "a2", "b4", &e));
	cr_expect(!r.equal && !r.inconclusive && !*r.unlike, "no number of threads leaves a score out: %s", r.unlike);
}

/* Of a life it is compared what was used of it: the checkpoint of step 6 was made again by the next one. */
Test(verify, checkpoints_beyond_a_life_are_not_compared)
{
	struct verify_result r;
	add_life("a1", NULL, "killed", -1, 1);
	checkpoint("a1", 6);
	add_life("a2", "a1", "done", 3, 1);
	add_life("b1", NULL, "done", -1, 1);
	checkpoint("b1", 6);
	point("a2", 6, 1), point("b1", 6, 1);
	OK(verify_compare(&r, s.db, "a2", "b1", &e));
	cr_expect(r.equal, "%s", r.first);
	checkpoint("a2", 6);
	OK(verify_compare(&r, s.db, "a2", "b1", &e));
	cr_expect(!r.equal && !r.inconclusive && strstr(r.first, "checkpoint at step 6"), "%s", r.first);
}

/* A cell may begin with the training of another cell, whose checkpoints have that cell's settings in them: the bytes
 * are other ones, and no difference. */
Test(verify, checkpoints_of_another_cell_are_not_compared)
{
	static const char other[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	struct verify_result r;
	OK(db_exec(s.db, &e, "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(?, ?, 2, 1, 'd')", "ss", other,
	           hash));
	OK(db_exec(s.db, &e, "INSERT INTO attempt(id, cell, n, state, started) VALUES('o1', ?, 1, 'done', 'o1')", "s",
	           other));
	checkpoint("o1", 3);
	add_life("a1", "o1", "done", 3, 1);
	add_life("b1", NULL, "done", -1, 1);
	checkpoint("b1", 3);
	point("o1", 3, 1), point("b1", 3, 1);
	OK(verify_compare(&r, s.db, "a1", "b1", &e));
	cr_expect(r.equal && r.n == 1, "%s", r.first);
}

/* A score that was taken from an attempt of another environment says nothing against this one. */
Test(verify, a_score_that_was_taken_is_that_of_its_maker)
{
	struct verify_result r;
	add_life("m1", NULL, "done", -1, 2);
	add_life("a1", NULL, "done", -1, 1);
	add_life("b1", NULL, "done", -1, 1);
	metric("b1", 0.5);
	OK(db_exec(
		s.db, &e,
		"INSERT INTO metric SELECT 'a1', name, nfe, weights, step, eval_seed, protocol, 0.25, '0x1p-2', lo, hi, n, "
		"computed_by, asked, 'm1' FROM metric WHERE attempt = 'b1'",
		""));
	OK(verify_compare(&r, s.db, "a1", "b1", &e));
	cr_expect(!r.equal && r.inconclusive, "%s", r.first);
	cr_expect_str_eq(r.unlike, "fid@1 of seed 101, taken from m1: 2 threads, then 1");
}

Test(verify, nothing_to_compare_is_no_pass)
{
	struct verify_result r;
	add_attempt("5555-empty", NULL);
	e = ERR_INIT;
	cr_assert_eq(verify_compare(&r, s.db, "5555-empty", "2222-b", &e), -1);
	cr_assert_eq(err_exit_code(&e), EXIT_USAGE);
}

Test(verify, units_in_the_last_place)
{
	cr_assert_eq(verify_ulp(1, 1), 0);
	cr_assert_eq(verify_ulp(1, nextafter(1, 2)), 1);
	cr_assert_eq(verify_ulp(-1, nextafter(-1, -2)), 1);
	cr_assert_eq(verify_ulp(5e-324, -5e-324), 2);
	cr_assert_eq(verify_ulp(NAN, NAN), 0);
	cr_assert_eq(verify_ulp(NAN, 0), INT64_MAX);
	cr_assert_eq(verify_ulp(-INFINITY, INFINITY) > 0, 1);
}

Test(verify, records_are_found_by_their_beginning)
{
	struct record r;
	OK(record_find(&r, s.db, "1111", &e));
	cr_assert_str_eq(r.attempt, "1111-a");
	cr_assert_str_eq(r.cell, hash);
	OK(record_find(&r, s.db, "aaaaaaaa", &e));
	cr_assert(r.is_cell);
	cr_assert_str_eq(r.attempt, "1111-a", "the first done attempt is used");
	OK(db_exec(s.db, &e, "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(?, ?, 2, 1, 'd')", "ss",
	           "aaaa"
	           "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
	           hash));
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "aaaa", "several" },
		{ "ffff", "starts with 'ffff'" },
		{ "abc", "at least 4" },
		{ "%_%_", "neither an attempt" },
		{ "*aaa", "neither an attempt" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		e = ERR_INIT;
		cr_assert_eq(record_find(&r, s.db, bad[i].text, &e), -1, "%s", bad[i].text);
		cr_assert(strstr(e.msg, bad[i].says), "%s", e.msg);
		cr_assert_eq(err_exit_code(&e), EXIT_USAGE);
	}
}
