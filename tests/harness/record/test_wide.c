/* test_wide.c - view v_wide: whoever reads the file without the program finds each score beside every setting, with the
 * types of the settings, and no two scores in one row. */
#define _GNU_SOURCE
#include "harness/record/wide.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/config/config.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

/* Two arms of one seed: one with scores of two protocols, one that nobody has run. Asked for by two grids. */
static void fill(const char *path)
{
	struct db *db;
	OK(db_open(&db, path, DB_WRITE, &e));
	OK(db_begin(db, &e));
	static const char *const losses[] = { "pseudo-huber", "l2" };
	for (int i = 0; i < 2; i++) {
		struct run_config c;
		config_defaults(&c);
		OK(config_set_text(&c, "loss.kind", losses[i], &e));
		OK(config_set_text(&c, "optim.lr", "1", &e)); /* JSON has it as 1 */
		OK(config_finish(&c, &e));
		SCOPED(free) char *json = config_json(&c);
		SCOPED(free) char *cell = xstrfmt("%064d", i), *arm = xstrfmt("%064d", i + 10);
		OK(db_exec(db, &e, "INSERT INTO arm VALUES(?, ?)", "ss", arm, json));
		OK(db_exec(db, &e, "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(?, ?, 7, 4, 'd')", "ss", cell,
		           arm));
	}
	OK(db_script(
		db, &e,
		"INSERT INTO grid(hash, name, toml, created) VALUES('g', 'first', '', ''), ('h', 'second', '', '');\n"
		"INSERT INTO grid_cell(grid, cell, chain, ordinal, label) SELECT g.hash, c.hash, '', 0, g.name || ' l' "
		"FROM grid g, cell c;\n"
		"INSERT INTO attempt(id, cell, n, state, started) SELECT 'u', min(hash), 1, 'done', 's' FROM cell;\n"
		"INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex) VALUES\n"
		"('u', 'fid', 1, 'ema', 9, 1, 'p', 0.5, '0x1p-1'), ('u', 'fid', 1, 'ema', 9, 1, 'q', 2, '0x1p+1');"));
	OK(db_commit(db, &e));
	db_close(db);
}

/* By SQLite alone, as any other program reads it. */
static char *ask(const char *path, const char *sql)
{
	sqlite3 *plain;
	sqlite3_stmt *s;
	cr_assert_eq(sqlite3_open_v2(path, &plain, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(plain, sql, -1, &s, NULL), SQLITE_OK, "%s", sqlite3_errmsg(plain));
	cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
	char *out = xstrdup(sqlite3_column_text(s, 0) ? (const char *)sqlite3_column_text(s, 0) : "NULL");
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(plain);
	return out;
}

static void is(const char *path, const char *sql, const char *want)
{
	SCOPED(free) char *have = ask(path, sql);
	cr_assert_str_eq(have, want, "%s\n%s, not %s", sql, have, want);
}

Test(wide, has_a_row_per_score_and_one_for_a_cell_without)
{
	char *path = TMP("rows.db");
	fill(path);
	is(path,
	   "SELECT group_concat(coalesce(name || protocol || value, state), ' ') "
	   "FROM (SELECT * FROM v_wide ORDER BY 1, 2, 7)",
	   "fidp0.5 fidq2.0 pending");
	is(path, "SELECT group_concat(DISTINCT labels) || grids FROM v_wide", "first l; second lfirst; second");
	is(path,
	   "SELECT group_concat(m || kind, ' ') FROM (SELECT \"loss.kind\" kind, avg(value) m FROM v_wide "
	   "WHERE protocol = 'q' "
	   "GROUP BY 1)",
	   "2.0pseudo-huber");
}

/* A number that is whole must not become an integer in some rows, nor a flag the text "true". */
Test(wide, settings_have_their_types)
{
	char *path = TMP("types.db");
	fill(path);
	is(path,
	   "SELECT typeof(\"optim.lr\") || ' ' || typeof(\"data.flip\") || ' ' || \"data.flip\" "
	   "|| ' ' || typeof(\"train.batch\") "
	   "|| ' ' || typeof(\"loss.c\") || ' ' || \"net.attn\" FROM v_wide",
	   "real integer 1 integer real [16]");
}

Test(wide, has_every_setting_that_is_recorded)
{
	char *path = TMP("knobs.db");
	fill(path);
	int n;
	const struct knob *knobs = config_knobs(&n);
	for (int i = 0; i < n; i++) {
		SCOPED(free)
		char *sql = xstrfmt("SELECT count(*) FROM pragma_table_info('v_wide') WHERE name = '%s'", knobs[i].key);
		is(path, sql, knobs[i].placed ? "0" : "1");
		/* one that came later is not written at its default, and has it all the same */
		SCOPED(free) char *values = xstrfmt("SELECT count(\"%s\") FROM v_wide", knobs[i].key);
		if (!knobs[i].placed)
			is(path, values, "3");
	}
}

/* A program with other knobs, or none that knew the view, made the file: a reader must have its own view and leave the
 * file alone, and a writer put it right. */
Test(wide, follows_the_program_that_opens_the_file)
{
	char *path = TMP("stale.db"), before[SHA256_HEX], after[SHA256_HEX];
	struct db *db;
	int64_t n = 0;
	fill(path);
	SCOPED(free) char *gone = ask(path, "SELECT count(*) FROM v_wide");
	sqlite3 *plain;
	cr_assert_eq(sqlite3_open(path, &plain), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(plain, "DROP VIEW v_wide; CREATE VIEW v_wide AS SELECT 1 AS other", NULL, NULL, NULL), 0);
	(void)sqlite3_close(plain);
	OK(io_sha256_file(before, path, &e));
	OK(db_open(&db, path, DB_READ, &e));
	OK(db_int_of(&n, 0, db, &e, "SELECT count(\"loss.kind\") FROM v_wide", ""));
	cr_assert_eq(n, 3);
	cr_assert_eq(db_script(db, NULL, "DELETE FROM meta"), -1, "still for reading");
	db_close(db);
	OK(io_sha256_file(after, path, &e));
	cr_assert_str_eq(before, after);
	OK(db_open(&db, path, DB_WRITE, &e));
	db_close(db);
	SCOPED(free) char *want = wide_sql();
	is(path, "SELECT sql FROM sqlite_schema WHERE name = 'v_wide'", want);
}
