/* test_store.c - who is alive: the lock of a journal, the boot, and the age of the last sign of life. */
#define _GNU_SOURCE
#include "harness/record/host.h"
#include "harness/record/store.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static struct err e;
static const char cell[] = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

/* "2026-01-01T00:00:00.000Z", so many seconds from now. */
static char *moment(int64_t seconds)
{
	char text[32];
	time_t at = time(NULL) + seconds;
	struct tm utc;
	cr_assert_gt(strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r(&at, &utc)), 0);
	return FMT("%s", text);
}

/* An attempt of another machine is known by its signs of life alone: while one is younger than the lease of 120 s, its
 * cell is not trained a second time beside it; and not ten times as long, or a grid stands still for 20 minutes. */
Test(store, an_attempt_elsewhere_lives_for_its_lease)
{
	static const struct {
		int64_t seconds;
		enum liveness want;
	} cases[] = { { 0, ATTEMPT_UNKNOWN }, { -100, ATTEMPT_UNKNOWN }, { 100, ATTEMPT_UNKNOWN }, { -140, ATTEMPT_GONE },
		          { 140, ATTEMPT_GONE },  { -1000, ATTEMPT_GONE },   { -100000, ATTEMPT_GONE } };
	SCOPED(store) struct store s = STORE_INIT;
	char why[256];
	OK(store_open(&s, TMP("a.db"), STORE_WRITE, "test", &e));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum liveness got = store_liveness(why, &s, cell, "id", "elsewhere", "another boot", 1,
		                                   moment(cases[i].seconds), NAN);
		cr_expect_eq(got, cases[i].want, "%lld s: %s", (long long)cases[i].seconds, why);
		cr_expect(strstr(why, "from elsewhere, lease 120 s"), "%s", why);
	}
	cr_expect_eq(store_liveness(why, &s, cell, "id", NULL, NULL, 1, NULL, NAN), ATTEMPT_GONE);
	cr_expect(strstr(why, "at an unknown time"), "%s", why);
}

/* The clocks of two nodes may differ by more than the lease: what the file system says of the journal counts as well,
 * or a cell would be trained a second time beside the first. */
Test(store, a_clock_that_is_wrong_ends_nothing)
{
	SCOPED(store) struct store s = STORE_INIT;
	char why[256];
	struct timespec old[2] = { { .tv_sec = time(NULL) - 1000 }, { .tv_sec = time(NULL) - 1000 } };
	OK(store_open(&s, TMP("skew.db"), STORE_WRITE, "test", &e));
	SCOPED(free) char *journal = store_journal(&s, cell, "id");
	OK(store_make_attempt_dir(&s, cell, "id", &e));
	OK(io_write_atomic(journal, "{}\n", 3, &e));
	for (int minutes = -60; minutes <= 60; minutes += 30)
		cr_expect_eq(store_liveness(why, &s, cell, "id", "elsewhere", "another boot", 1, moment(60 * minutes), NAN),
		             ATTEMPT_UNKNOWN, "%d minutes: %s", minutes, why);
	cr_assert_eq(utimensat(AT_FDCWD, journal, old, 0), 0);
	cr_expect_eq(store_liveness(why, &s, cell, "id", "elsewhere", "another boot", 1, moment(-1000), NAN), ATTEMPT_GONE,
	             "%s", why);
	cr_expect_eq(store_liveness(why, &s, cell, "id", "elsewhere", "another boot", 1, moment(-10), NAN), ATTEMPT_UNKNOWN,
	             "%s", why);
}

/* A runner and its worker die right after the journal began, before the database heard of it. Who reconciles finds it,
 * as merging the shard of a Slurm task does, whose runner looks at it no more. */
Test(store, reconciling_finds_journals_that_the_database_never_knew)
{
	SCOPED(store) struct store s = STORE_INIT;
	char id[HOST_UUID];
	int alive, lost;
	struct journal *j;
	struct journal_head h = { .attempt = host_uuid(id),
		                      .cell = cell,
		                      .arm = cell,
		                      .config = "{}",
		                      .dataset = "none",
		                      .seed = 1,
		                      .numerics = 1,
		                      .n = 1,
		                      .purpose = "run" };
	OK(store_open(&s, TMP("unknown.db"), STORE_RUN, "test", &e));
	OK(store_make_attempt_dir(&s, cell, id, &e));
	SCOPED(free) char *path = store_journal(&s, cell, id);
	OK(journal_create(&j, path, &h, &e));
	journal_close(j);
	OK(store_reconcile(&s, &alive, &lost, &e));
	cr_expect_eq(lost, 1);
	cr_expect_eq(alive, 0);
	SCOPED(free) char *state = NULL;
	OK(db_text_of(&state, s.db, &e, "SELECT state FROM attempt WHERE id = ?", "s", id));
	cr_expect_str_eq(state, "lost");
}
