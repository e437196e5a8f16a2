/* runner_fixture.h - a plan of cells for the runner, whose worker trains by arithmetic (fake-worker.c). */
#ifndef ABLATE_TESTS_RUNNER_FIXTURE_H
#define ABLATE_TESTS_RUNNER_FIXTURE_H

#include "harness/record/host.h"
#include "harness/record/store.h"
#include "harness/run/runner.h"
#include "model/base/io.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static struct err e;

enum { CELLS_MAX = 40 };
static struct run_cell cells[CELLS_MAX];
static struct run_row rows[CELLS_MAX];
static char hashes[CELLS_MAX][2][SHA256_HEX];
static const struct wanted_score scores[] = { { "fid", 1, 101, 100, "", "" } };
static struct run_plan plan;
static struct run_options options;
static struct str said;

static inline void hear(void *ctx, const char *line, bool amiss)
{
	(void)amiss;
	(void)ctx;
	str_addf(&said, "%s\n", line);
}

static inline char *beside_me(const char *name)
{
	static char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	cr_assert_gt(n, 0);
	exe[n] = '\0';
	strrchr(exe, '/')[1] = '\0';
	return FMT("%s%s", exe, name);
}

/* Appends a cell with this config; the same config and seed give the same hashes. */
static inline void cell(const char *config, int64_t seed)
{
	int i = plan.n_cells++;
	char *text = FMT("%s %lld", config, (long long)seed);
	io_sha256(hashes[i][0], text, strlen(text));
	io_sha256(hashes[i][1], config, strlen(config));
	cells[i] = (struct run_cell){ .cell = hashes[i][0],
		                          .arm = hashes[i][1],
		                          .config = config,
		                          .dataset = "none",
		                          .seed = seed,
		                          .numerics = 1,
		                          .label = "arm",
		                          .steps = 10 };
	rows[i] = (struct run_row){ .cell = i, .chain = "", .label = "arm", .ordinal = i };
	plan.n_rows = plan.n_cells;
	plan.hash = FMT("plan-of-%d-%s", plan.n_cells, hashes[i][0]);
}

static inline void setup(void)
{
	plan =
		(struct run_plan){ .name = "test", .toml = "", .cells = cells, .rows = rows, .scores = scores, .n_scores = 1 };
	options = (struct run_options){
		.db = TMP("a.db"), .what = "test run", .program = beside_me("fake-worker"), .jobs = 2, .threads = 1, .say = hear
	};
}

static inline struct run_result run(void)
{
	struct run_result r;
	OK(runner_run(&r, &plan, &options, &e));
	return r;
}

static inline int64_t count(const char *sql)
{
	struct db *db;
	int64_t n;
	OK(db_open(&db, options.db, DB_READ, &e));
	OK(db_int_of(&n, -1, db, &e, sql, ""));
	db_close(db);
	return n;
}

static inline char *text(const char *sql)
{
	struct db *db;
	char *t;
	OK(db_open(&db, options.db, DB_READ, &e));
	OK(db_text_of(&t, db, &e, sql, ""));
	db_close(db);
	return tmpdir_keep(t);
}

#endif
