/* test_verify.c - a repetition is equal or the first difference is named; and what people type finds the record. */
#define _GNU_SOURCE
#include "harness/record/record_find.h"
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
	           "INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex, lo, hi, n, "
	           "computed_by) VALUES(?, 'fid', 1, 'ema', 10, 101, 'p', ?, ?, NULL, NULL, 10, NULL)",
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
