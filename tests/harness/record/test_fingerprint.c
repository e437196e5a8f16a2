/* test_fingerprint.c - which recorded numbers are of this build: own ones, those of others, and those that come from
 * both. */
#include "harness/record/fingerprint.h"
#include "harness/record/numerics.h"
#include "harness/record/query_build.h"
#include "model/base/mem.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct err e;
static char here[SHA256_HEX];

static void attempt(struct db *db, const char *id, const char *of, int n, const char *fingerprint, const char *from,
                    int generation)
{
	OK(db_exec(db, &e,
	           "INSERT INTO attempt(id, cell, n, state, started, fingerprint, resumed_from, generation) "
	           "VALUES(?, ?, ?, 'done', ?, ?, ?, ?)",
	           "ssisssi", id, of, n, id, fingerprint, from, generation));
}

static struct db *records(void)
{
	struct db *db;
	json_decref(fingerprint_parts(here, "cpu", NULL));
	OK(db_open(&db, TMP("f.db"), DB_WRITE, &e));
	OK(db_begin(db, &e));
	OK(db_script(db, &e, "INSERT INTO arm VALUES(hex(zeroblob(32)), '{}')"));
	for (int i = 0; i < 4; i++)
		OK(db_exec(db, &e,
		           "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(printf('%064d', ?), hex(zeroblob(32)), "
		           "?, 1, 'd')",
		           "ii", i, i));
	return db;
}

static const char *cell(int i)
{
	static char hash[4][SHA256_HEX];
	(void)snprintf(hash[i], sizeof hash[i], "%064d", i);
	return hash[i];
}

/* The latest generation is used, however late another attempt began; a cell that went on from another build is of
 * both. */
Test(fingerprint, of_each_cell_the_build_is_known)
{
	struct db *db = records();
	struct builds *b;
	attempt(db, "a1", cell(0), 1, "other", NULL, 0);
	attempt(db, "a2", cell(0), 2, here, NULL, 1);
	attempt(db, "a3", cell(0), 3, "other", NULL, 0);
	attempt(db, "b1", cell(1), 1, "other", NULL, 0);
	attempt(db, "c1", cell(2), 1, NULL, NULL, 0);
	attempt(db, "d1", cell(3), 1, NULL, "c1", 0);
	OK(db_commit(db, &e));
	OK(builds_read(&b, db, &e));
	OK(builds_read_cells(b, db, &e));
	cr_assert_null(builds_stale(b, cell(0)));
	cr_assert_str_eq(builds_stale(b, cell(1)), "other");
	cr_assert_str_eq(builds_stale(b, cell(2)), "", "a record of before");
	cr_assert_null(builds_stale(b, "no cell"));
	cr_assert(builds_is_ours(b, here) && !builds_is_ours(b, "other") && !builds_is_ours(b, ""));
	int64_t generation;
	OK(query_generation_done(&generation, db, cell(0), &e));
	cr_assert_eq(generation, 1);
	OK(query_generation_done(&generation, db, "no cell", &e));
	cr_assert_eq(generation, -1);
	builds_free(b);
	db_close(db);
}

/* Lives, and scores that were taken, make a number one of several builds; what they come from in turn, too. */
Test(fingerprint, what_numbers_come_from_counts)
{
	struct db *db = records();
	struct builds *b;
	bool ours;
	attempt(db, "a1", cell(0), 1, "x", NULL, 0);
	attempt(db, "a2", cell(0), 2, here, "a1", 0);
	attempt(db, "a3", cell(0), 3, here, "a2", 0);
	attempt(db, "b1", cell(1), 1, here, NULL, 0);
	attempt(db, "c1", cell(2), 1, here, "b1", 0);
	attempt(db, "d1", cell(3), 1, here, NULL, 0);
	OK(db_exec(db, &e,
	           "INSERT INTO metric(attempt, name, step, eval_seed, protocol, value, hex, taken_from) "
	           "VALUES('d1', 'fid', 1, 1, 'p', 1, '0x1p+0', 'a1')",
	           ""));
	OK(db_commit(db, &e));
	OK(builds_read(&b, db, &e));
	SCOPED(free) char *both = strcmp(here, "x") < 0 ? xstrfmt("%s+x", here) : xstrfmt("x+%s", here);
	cr_assert_str_eq(builds_of(b, "a1", "x"), "x");
	cr_assert_str_eq(builds_of(b, "a2", here), both);
	cr_assert_str_eq(builds_of(b, "a3", here), both, "through a life of ours");
	cr_assert_str_eq(builds_of(b, "d1", here), both, "a score that was taken");
	cr_assert_str_eq(builds_of(b, "c1", here), here);
	OK(builds_made_it(&ours, b, db, "c1", &e));
	cr_assert(ours);
	OK(builds_made_it(&ours, b, db, "a3", &e));
	cr_assert(!ours);
	builds_free(b);
	db_close(db);
}

/* What is read by people: a mistake here hides which build it was. */
Test(fingerprint, texts)
{
	const struct {
		const char *fingerprint, *text;
	} cases[] = {
		{ "", "not recorded" },
		{ "0123456789abcdef", "0123456789ab" },
		{ "0123456789abcdef+none", "0123456789ab and none" },
		{ "0123456789abcdef+1123456789abcdef+2123456789abcdef", "0123456789ab, 1123456789ab and 2123456789ab" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(free) char *text = builds_text(cases[i].fingerprint);
		cr_assert_str_eq(text, cases[i].text);
	}
	cr_assert_eq(strlen(numerics_build()), 64u);
	cr_assert_eq(strlen(numerics_kernels()), 64u);
}
