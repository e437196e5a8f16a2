/* test_db.c - the database opens as ours or not at all; what is written stays; versions move only forwards and with a
 * copy; many writers lose nothing. */
#define _GNU_SOURCE
#include "harness/judge/gate.h"
#include "harness/record/db.h"
#include "harness/record/stage.h"
#include "harness/record/host.h"
#include "harness/record/record_state.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err e;

static const char arm[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char cell[] = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

static struct db *open_new(const char *path)
{
	struct db *db;
	OK(db_open(&db, path, DB_WRITE, &e));
	return db;
}

static void add_cell(struct db *db)
{
	OK(db_begin(db, &e));
	OK(db_exec(db, &e, "INSERT INTO arm VALUES(?, '{}')", "s", arm));
	OK(db_exec(db, &e, "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(?, ?, 1, 1, 'd')", "ss", cell,
	           arm));
	OK(db_commit(db, &e));
}

Test(db, creates_what_it_can_open_again)
{
	char *path = TMP("a.db");
	struct db *db = open_new(path);
	cr_assert(db_is_wal(db));
	cr_assert_str_eq(db_note(db), "");
	db_close(db);
	OK(db_open(&db, path, DB_READ, &e));
	int64_t id, version;
	OK(db_int_of(&id, 0, db, &e, "PRAGMA application_id", ""));
	OK(db_int_of(&version, 0, db, &e, "PRAGMA user_version", ""));
	cr_assert_eq(id, DB_APPLICATION_ID);
	cr_assert_eq(version, db_schema()->version);
	OK(db_check(db, &e));
	db_close(db);
	glob_t g;
	cr_assert_eq(glob(TMP("*.probe-*"), 0, NULL, &g), GLOB_NOMATCH, "the probe is removed");
}

Test(db, every_table_and_column_is_documented)
{
	struct db *db = open_new(TMP("doc.db"));
	struct db_rows rows;
	int n = 0;
	OK(db_query(&rows, db, &e,
	            "SELECT t.name, c.name, m.doc FROM sqlite_schema t JOIN pragma_table_info(t.name) c "
	            "LEFT JOIN meta m ON m.key = 'column:' || t.name || '.' || c.name WHERE t.type = 'table'",
	            ""));
	while (db_next(&rows)) {
		n++;
		cr_assert(db_text(&rows, 2) && *db_text(&rows, 2), "%s.%s has no documentation", db_text(&rows, 0),
		          db_text(&rows, 1));
	}
	OK(db_done(&rows, &e));
	cr_assert_gt(n, 100);
	int64_t missing;
	OK(db_int_of(&missing, -1, db, &e,
	             "SELECT count(*) FROM sqlite_schema t LEFT JOIN meta m ON m.key = 'table:' || t.name "
	             "WHERE t.type = 'table' AND coalesce(m.doc, '') = ''",
	             ""));
	cr_assert_eq(missing, 0);
	db_close(db);
}

/* schema.sql said "version 2" under a user_version of 3. */
Test(db, the_schema_names_its_own_version)
{
	SCOPED(free) char *text = db_schema_text();
	const char *word = "result database, version ", *at = strstr(text, word);
	cr_assert_not_null(at);
	cr_assert_eq(strtol(at + strlen(word), NULL, 10), db_schema()->version);
}

static void keep_tests(void *ctx, const char *table, const char *column, const char *type, const char *doc)
{
	(void)type;
	if (column && strcmp(table, "verdict") == 0 && strcmp(column, "test") == 0)
		str_add(ctx, doc);
}

/* The documentation listed tests that no gate has: "paired-t", "welch". */
Test(db, the_documented_tests_are_those_of_gates)
{
	SCOPED(str) struct str documented = { 0 }, known = { 0 };
	db_schema_docs(keep_tests, &documented);
	for (int t = GATE_NO_TEST + 1; t < GATE_TESTS; t++)
		str_addf(&known, "%s, ", gate_test_name((enum gate_test)t));
	str_add(&known, gate_test_name(GATE_NO_TEST));
	cr_assert_str_eq(str_text(&documented), str_text(&known));
}

/* Each state of the enum but pending is one that the column takes, and it takes no other. */
Test(db, the_states_of_an_attempt_are_those_of_the_enum)
{
	SCOPED(free) char *text = db_schema_text();
	const char *p = strstr(text, "state TEXT NOT NULL CHECK(state IN("), *end = p ? strchr(p, '\n') : NULL;
	bool seen[RECORD_UNKNOWN] = { false };
	int n = 0;
	cr_assert_not_null(end);
	for (p = strchr(p, '\''); p && p < end; p = strchr(p + 1, '\''), n++) {
		SCOPED(free) char *name = xstrndup(p + 1, strcspn(p + 1, "'"));
		enum record_state state = record_state_of(name);
		cr_assert(state != RECORD_UNKNOWN && state != RECORD_PENDING && !seen[state], "%s", name);
		cr_assert_str_eq(record_state_name(state), name);
		seen[state] = true;
		p += strlen(name) + 1;
	}
	cr_assert_eq(n, RECORD_UNKNOWN - 1);
	cr_assert_eq(record_state_of("asleep"), RECORD_UNKNOWN);
	cr_assert_eq(record_state_of(NULL), RECORD_PENDING);
}

Test(db, views_run)
{
	struct db *db = open_new(TMP("views.db"));
	static const char *const views[] = { "v_result", "v_attempt", "v_cell_status", "v_curve",
		                                 "v_arm",    "v_paper",   "v_schema",      "v_wide" };
	for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
		char *sql = FMT("SELECT count(*) FROM %s", views[i]);
		int64_t n;
		OK(db_int_of(&n, -1, db, &e, sql, ""));
		cr_assert_geq(n, 0);
	}
	db_close(db);
}

Test(db, finished_records_can_be_neither_changed_nor_deleted)
{
	struct db *db = open_new(TMP("append.db"));
	add_cell(db);
	OK(db_exec(db, &e, "INSERT INTO attempt(id, cell, n, state, started) VALUES('u', ?, 1, 'running', 'now')", "s",
	           cell));
	OK(db_exec(db, &e,
	           "INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex, lo, hi, n, "
	           "computed_by) VALUES('u', 'fid', 1, 'ema', 10, 101, 'p', 2.5, '0x1.4p+1', NULL, NULL, 10, NULL)",
	           ""));
	OK(db_exec(db, &e, "INSERT INTO curve VALUES('u', 'loss', 1, 0.5)", ""));
	OK(db_exec(db, &e, "UPDATE attempt SET step = 5 WHERE id = 'u'", ""));
	OK(db_exec(db, &e, "UPDATE attempt SET state = 'done' WHERE id = 'u'", ""));
	static const char *const refused[] = {
		"UPDATE attempt SET state = 'failed', reason = 'x' WHERE id = 'u'",
		"DELETE FROM attempt",
		"UPDATE metric SET value = 1",
		"DELETE FROM metric",
		"UPDATE curve SET value = 1",
		"DELETE FROM curve",
		"DELETE FROM cell",
		"UPDATE cell SET seed = 2",
		"UPDATE arm SET config = '[]'",
		"DELETE FROM arm",
		"DELETE FROM artifact WHERE 1 OR hash = ''",
		"INSERT OR REPLACE INTO curve VALUES('u', 'loss', 1, 0.25)",
	};
	OK(db_exec(db, &e, "INSERT INTO artifact(hash, kind) VALUES(?, 'log')", "s", arm));
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct err why = ERR_INIT;
		cr_assert(db_exec(db, &why, refused[i], ""), "accepted: %s", refused[i]);
		cr_assert(strstr(why.msg, "append-only") || strstr(why.msg, "immutable"), "%s", why.msg);
	}
	db_close(db);
}

Test(db, a_nan_is_null_and_not_a_number)
{
	struct db *db = open_new(TMP("nan.db"));
	struct db_rows rows;
	OK(db_query(&rows, db, &e, "SELECT ?, ?, ?, ?", "disn", NAN, (int64_t)1 << 40, NULL));
	cr_assert(db_next(&rows));
	cr_assert(db_is_null(&rows, 0) && isnan(db_real(&rows, 0)));
	cr_assert_eq(db_int(&rows, 1), (int64_t)1 << 40);
	cr_assert(db_is_null(&rows, 2) && db_is_null(&rows, 3));
	OK(db_done(&rows, &e));
	db_close(db);
}

static const struct db_migration two_steps[] = {
	{ 5, "ALTER TABLE arm ADD COLUMN note TEXT" },
	{ 6, "CREATE TABLE extra(x INTEGER) STRICT" },
	{ 0, NULL },
};
static const struct db_migration broken_step[] = { { 5, "ALTER TABLE arm ADD COLUMN note TEXT" },
	                                               { 6, "CREATE TABLE arm(x)" },
	                                               { 0, NULL } };

static void refused(const char *path, enum db_mode mode, const char *says)
{
	struct db *db = NULL;
	struct err why = ERR_INIT;
	cr_assert_eq(db_open(&db, path, mode, &why), -1);
	cr_assert_eq(err_exit_code(&why), EXIT_RECORD);
	cr_assert(strstr(why.msg, says), "'%s' does not say '%s'", why.msg, says);
	cr_assert_null(strchr(why.msg, '\n'));
}

Test(db, refuses_what_is_not_ours)
{
	refused(TMP("absent.db"), DB_READ, "no such database");
	OK(io_write_atomic(
		TMP("text.db"),
		"this is a text, long enough to have a header of one hundred bytes, which it needs for the test, I think", 103,
		&e));
	refused(TMP("text.db"), DB_WRITE, "not a database");
	OK(io_write_atomic(TMP("short.db"), "SQLite format 3", 16, &e));
	refused(TMP("short.db"), DB_WRITE, "not a database");
	struct db_schema other = { 0, "", two_steps };
	struct db *db;
	OK(db_open_schema(&db, TMP("other.db"), DB_WRITE, &other, &e));
	OK(db_script(db, &e, "CREATE TABLE t(x); PRAGMA application_id = 42;"));
	db_close(db);
	refused(TMP("other.db"), DB_WRITE, "not one of ablate");
	OK(db_open_schema(&db, TMP("plain.db"), DB_WRITE, &other, &e));
	OK(db_script(db, &e, "CREATE TABLE t(x); PRAGMA application_id = 0;"));
	db_close(db);
	refused(TMP("plain.db"), DB_READ, "not one of ablate"); /* running on it would not bring it up to date */
	refused(TMP("plain.db"), DB_WRITE, "not one of ablate");
	refused(TMP("no/such/folder/x.db"), DB_WRITE, "cannot open");
}

Test(db, refuses_a_newer_version_and_leaves_its_bytes_alone)
{
	char *path = TMP("newer.db"), before[SHA256_HEX], after[SHA256_HEX];
	struct db *db = open_new(path);
	OK(db_script(db, &e, "PRAGMA user_version = 6"));
	db_close(db);
	OK(io_sha256_file(before, path, &e));
	refused(path, DB_WRITE, "newer ablate");
	refused(path, DB_READ, "newer ablate");
	OK(io_sha256_file(after, path, &e));
	cr_assert_str_eq(before, after);
}

Test(db, an_older_version_is_copied_then_brought_up_to_date)
{
	char *path = TMP("old.db");
	struct db *db = open_new(path);
	add_cell(db);
	db_close(db);
	struct db_schema v7 = { 7, "", two_steps };
	OK(db_open_schema(&db, path, DB_WRITE, &v7, &e));
	int64_t version, arms;
	OK(db_int_of(&version, 0, db, &e, "PRAGMA user_version", ""));
	OK(db_int_of(&arms, 0, db, &e, "SELECT count(note IS NULL) FROM arm", ""));
	cr_assert_eq(version, 7);
	cr_assert_eq(arms, 1);
	cr_assert(strstr(db_note(db), ".bak"), "says where the copy is: %s", db_note(db));
	db_close(db);
	glob_t g;
	cr_assert_eq(glob(TMP("old.db.v5*.bak"), 0, NULL, &g), 0);
	OK(db_open(&db, g.gl_pathv[0], DB_READ, &e));
	OK(db_int_of(&arms, 0, db, &e, "SELECT count(*) FROM arm", ""));
	cr_assert_eq(arms, 1);
	db_close(db);
}

/* A database with one score in it, as the program of that version made it. */
static void make_older(const char *path, int version)
{
	static const struct db_schema nothing = { 0, "", two_steps };
	struct db *db;
	SCOPED(str) struct str script = { 0 };
	OK(io_read(&script, FMT(FIXTURES "/databases/v%d.sql", version), 1 << 20, &e));
	OK(db_open_schema(&db, path, DB_WRITE, &nothing, &e));
	OK(db_script(db, &e, str_text(&script)) ||
	   db_script(
		   db, &e,
		   "INSERT INTO grid(hash, name, toml, created) VALUES('h', 'n', 't', 'c'); INSERT INTO arm "
		   "VALUES(hex(zeroblob(32)), '{}'); INSERT INTO cell(hash, arm, seed, numerics, dataset) "
		   "VALUES(hex(zeroblob(32)), hex(zeroblob(32)), 1, 1, 'd'); "
		   "INSERT INTO attempt(id, cell, n, state, started) VALUES('u', hex(zeroblob(32)), 1, 'done', 's'); INSERT "
		   "INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex) VALUES('u', 'fid', 1, "
		   "'ema', 1, 1, 'p', 0.5, '0x1p-1'); INSERT INTO verify(id, a, b, scope, equal, n, "
		   "first_diff_step, first_diff, max_ulp, created) "
		   "VALUES('v', 'u', 'u', 'bits', 1, 7, NULL, NULL, NULL, 'now')"));
	db_close(db);
}

/* Settings that no version wrote must not keep a database from being opened: their cells have no training to share. */
Test(db, settings_that_cannot_be_read_do_not_stop_the_migration)
{
	struct db *db;
	int64_t n;
	make_older(TMP("odd.db"), 3);
	static const struct db_schema nothing = { 3, "", two_steps };
	OK(db_open_schema(&db, TMP("odd.db"), DB_WRITE, &nothing, &e));
	OK(db_script(db, &e,
	             "INSERT INTO arm VALUES(hex(randomblob(32)), '[1]'); INSERT INTO cell SELECT hex(randomblob(32)), "
	             "hash, 1, 1, 'd' FROM arm WHERE config = '[1]'"));
	db_close(db);
	OK(db_open(&db, TMP("odd.db"), DB_WRITE, &e));
	OK(db_int_of(&n, 0, db, &e, "SELECT count(*) FROM cell WHERE training IS NULL", ""));
	cr_assert_eq(n, 1);
	OK(db_int_of(&n, 0, db, &e, "SELECT count(*) FROM cell WHERE training IS NOT NULL", ""));
	cr_assert_eq(n, 1);
	/* filled once, and never changed */
	cr_assert_eq(db_script(db, NULL, "UPDATE cell SET training = 'x' WHERE training IS NOT NULL"), -1);
	cr_assert_eq(db_script(db, NULL, "UPDATE cell SET training = 'x', seed = 2 WHERE training IS NULL"), -1);
	db_close(db);
}

static void becomes_new(int version)
{
	char *path = TMP("old.db"), *fresh = TMP("fresh.db");
	struct db *db;
	char key[SHA256_HEX];
	make_older(path, version);
	if (version >= 4) { /* which filled it when it took the row */
		static const struct db_schema as_it_is = { 4, "", two_steps };
		OK(stage_training_key(key, "{}", "d", 1, 1, &e));
		OK(db_open_schema(&db, path, DB_WRITE, &as_it_is, &e));
		OK(db_exec(db, &e, "UPDATE cell SET training = ?", "s", key));
		db_close(db);
	}
	SCOPED(free) char *made = NULL, *training = NULL;
	char before[SHA256_HEX], after[SHA256_HEX];
	int64_t read = 0;
	OK(io_sha256_file(before, path, &e));
	OK(db_open(&db, path, DB_READ, &e)); /* as it would be, and left as it is */
	cr_assert(strstr(db_note(db), "`ablate run` brings it up to date"), "%s", db_note(db));
	OK(db_int_of(
		&read, 0, db, &e,
		"SELECT count(*) FROM v_result v, grid g WHERE v.value = 0.5 AND computed_by IS NULL AND g.made_of = '{}'",
		""));
	cr_assert_eq(read, 1);
	cr_assert_eq(db_script(db, NULL, "DELETE FROM meta"), -1, "a copy for reading");
	db_close(db);
	OK(io_sha256_file(after, path, &e));
	cr_assert_str_eq(before, after);
	OK(db_open(&db, path, DB_WRITE, &e));
	OK(db_text_of(&made, db, &e, "SELECT made_of FROM grid WHERE hash = 'h'", ""));
	cr_assert_str_eq(made, "{}");
	/* without the key of its training, a cell's checkpoint would be another's training done again */
	OK(db_text_of(&training, db, &e, "SELECT training FROM cell", ""));
	OK(stage_training_key(key, "{}", "d", 1, 1, &e));
	cr_assert_str_eq(training, key);
	db_close(open_new(fresh));
	SCOPED(free) char *attach = xstrfmt("ATTACH '%s' AS f", fresh);
	OK(db_script(db, &e, attach));
	int64_t differ = -1;
	OK(db_int_of(
		&differ, -1, db, &e,
		"SELECT (SELECT count(*) FROM (SELECT * FROM meta EXCEPT SELECT * FROM f.meta) WHERE key <> 'tool_version') + "
		"(SELECT count(*) FROM (SELECT * FROM f.meta EXCEPT SELECT * FROM meta) WHERE key <> 'tool_version') + "
		"(SELECT count(*) FROM (SELECT "
		"m.name, t.name, t.type, t.cid FROM sqlite_schema m, pragma_table_info(m.name) t EXCEPT SELECT m.name, t.name, "
		"t.type, t.cid FROM f.sqlite_schema m, pragma_table_info(m.name, 'f') t)) + (SELECT count(*) FROM (SELECT "
		"name, sql FROM f.sqlite_schema WHERE type <> 'table' EXCEPT SELECT name, sql FROM sqlite_schema)) + "
		"(SELECT count(*) FROM (SELECT name FROM sqlite_schema EXCEPT SELECT name FROM f.sqlite_schema))",
		""));
	cr_assert_eq(differ, 0);
	int64_t scores = 0;
	OK(db_int_of(&scores, 0, db, &e, "SELECT count(*) FROM v_result WHERE value = 0.5 AND computed_by IS NULL", ""));
	cr_assert_eq(scores, 1);
	db_close(db);
}

/* Brought up to date, a database differs from a new one in nothing that a reader sees. */
Test(db, version_1_becomes_what_a_new_database_is)
{
	becomes_new(1);
}

Test(db, version_2_becomes_what_a_new_database_is)
{
	becomes_new(2);
}

Test(db, version_3_becomes_what_a_new_database_is)
{
	becomes_new(3);
}

Test(db, version_4_becomes_what_a_new_database_is)
{
	becomes_new(4);
}

Test(db, a_failing_migration_leaves_the_old_version)
{
	char *path = TMP("broken.db");
	db_close(open_new(path));
	struct db_schema v7 = { 7, "", broken_step };
	struct db *db = NULL;
	cr_assert_eq(db_open_schema(&db, path, DB_WRITE, &v7, &e), -1);
	OK(db_open(&db, path, DB_READ, &e));
	int64_t n;
	OK(db_int_of(&n, -1, db, &e, "SELECT count(*) FROM pragma_table_info('arm')", ""));
	cr_assert_eq(n, 2);
	db_close(db);
}

Test(db, says_that_another_program_holds_the_lock)
{
	char *path = TMP("locked.db");
	struct db *a = open_new(path), *b = open_new(path);
	db_set_busy_ms(50);
	struct db *c = open_new(path);
	OK(db_begin(a, &e));
	struct err why = ERR_INIT;
	cr_assert_eq(db_begin(c, &why), -1);
	cr_assert(strstr(why.msg, "locked by another program"), "%s", why.msg);
	cr_assert_eq(err_exit_code(&why), EXIT_RECORD);
	OK(db_commit(a, &e));
	OK(db_begin(c, &e));
	OK(db_commit(c, &e));
	db_close(a);
	db_close(b);
	db_close(c);
}

Test(db, eight_writers_lose_nothing, .timeout = 60)
{
	char *path = TMP("eight.db");
	struct db *db = open_new(path);
	add_cell(db);
	OK(db_exec(db, &e, "INSERT INTO attempt(id, cell, n, state, started) VALUES('u', ?, 1, 'running', 'now')", "s",
	           cell));
	db_close(db);
	enum { WRITERS = 8, EACH = 20 };
	pid_t pid[WRITERS];
	for (int w = 0; w < WRITERS; w++)
		if ((pid[w] = fork()) == 0) {
			struct db *mine;
			if (db_open(&mine, path, DB_WRITE, &e))
				_exit(1);
			char *name = FMT("w%d", w);
			for (int i = 0; i < EACH; i++)
				if (db_begin(mine, &e) ||
				    db_exec(mine, &e, "INSERT INTO curve VALUES('u', ?, ?, 1.0)", "si", name, (int64_t)i) ||
				    db_commit(mine, &e))
					_exit(2);
			db_close(mine);
			_exit(0);
		}
	for (int w = 0; w < WRITERS; w++) {
		int status;
		cr_assert_eq(waitpid(pid[w], &status, 0), pid[w]);
		cr_assert_eq(status, 0);
	}
	OK(db_open(&db, path, DB_READ, &e));
	int64_t n;
	OK(db_int_of(&n, -1, db, &e, "SELECT count(*) FROM curve", ""));
	cr_assert_eq(n, WRITERS * EACH);
	db_close(db);
}

Test(db, programs_that_create_it_at_once_agree, .timeout = 60)
{
	char *path = TMP("race.db");
	pid_t pid[6];
	for (int w = 0; w < 6; w++)
		if ((pid[w] = fork()) == 0) {
			struct db *mine;
			_exit(db_open(&mine, path, DB_WRITE, &e) ? 1 : 0);
		}
	for (int w = 0; w < 6; w++) {
		int status;
		cr_assert_eq(waitpid(pid[w], &status, 0), pid[w]);
		cr_assert_eq(status, 0);
	}
	struct db *db;
	OK(db_open(&db, path, DB_READ, &e));
	OK(db_check(db, &e));
	db_close(db);
}

Test(db, the_mean_and_spread_of_an_arm_are_over_training_seeds)
{
	struct db *db = open_new(TMP("arm.db"));
	OK(db_exec(db, &e, "INSERT INTO arm VALUES(?, '{}')", "s", arm));
	static const double values[3][2] = { { 1e8 + 1, 1e8 + 3 },
		                                 { 1e8 + 4, 1e8 + 4 },
		                                 { 1e8 + 5, 1e8 + 7 } }; /* means 2, 4, 6 */
	for (int s = 0; s < 3; s++) {
		char hash[SHA256_HEX], *id = FMT("u%d", s);
		io_sha256(hash, &s, sizeof s);
		OK(db_exec(db, &e, "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(?, ?, ?, 1, 'd')", "ssi", hash,
		           arm, (int64_t)s));
		OK(db_exec(db, &e, "INSERT INTO attempt(id, cell, n, state, started) VALUES(?, ?, 1, 'done', 'now')", "ss", id,
		           hash));
		for (int v = 0; v < 2; v++)
			OK(db_exec(
				db, &e,
				"INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex, lo, hi, n, "
				"computed_by) VALUES(?, 'fid', 1, 'ema', 10, ?, 'p', ?, 'x', NULL, NULL, 10, NULL)",
				"sid", id, (int64_t)v, values[s][v]));
	}
	struct db_rows rows;
	OK(db_query(&rows, db, &e, "SELECT seeds, mean, sd FROM v_arm", ""));
	cr_assert(db_next(&rows));
	cr_assert_eq(db_int(&rows, 0), 3);
	cr_assert(fabs(db_real(&rows, 1) - (1e8 + 4)) <= 1e-6);
	cr_assert(fabs(db_real(&rows, 2) - 2.0) <= 1e-6);
	cr_assert_not(db_next(&rows));
	OK(db_done(&rows, &e));
	db_close(db);
}

Test(db, network_file_systems_are_known)
{
	struct host_fs fs;
	static const struct {
		unsigned long type;
		const char *name;
		bool network;
	} cases[] = {
		{ 0x6969, "nfs", true },      { 0xff534d42, "cifs", true },   { 0x0bd00bd0, "lustre", true },
		{ 0x47504653, "gpfs", true }, { 0x65735546, "fuse", true },   { 0x01021997, "9p", true },
		{ 0xef53, "ext4", false },    { 0x01021994, "tmpfs", false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		host_fs_of_type(&fs, cases[i].type);
		cr_assert_str_eq(fs.name, cases[i].name);
		cr_assert_eq(fs.network, cases[i].network, "%s", fs.name);
	}
}

static unsigned long pretended; /* the type of every file system, if not 0 */

/* In the place of libc's, which host_fs asks. */
int statfs_here(const char *path, struct statfs *out) __asm__("statfs");
int statfs_here(const char *path, struct statfs *out)
{
	if (syscall(SYS_statfs, path, out))
		return -1;
	out->f_type = pretended ? (__fsword_t)pretended : out->f_type;
	return 0;
}

/* WAL shares memory between its users, which those of a network file system on two machines do not have: there a
 * database has a rollback journal, also one that was made elsewhere, and its user is told. */
Test(db, no_wal_on_a_network_file_system)
{
	SCOPED(free) char *mode = NULL, *before = NULL;
	struct db *db = open_new(TMP("net.db"));
	OK(db_text_of(&before, db, &e, "PRAGMA journal_mode", ""));
	cr_expect_str_eq(*db_note(db) ? "wal" : before, "wal", "%s", db_note(db));
	db_close(db);
	pretended = 0x6969;
	db = open_new(TMP("net.db"));
	OK(db_text_of(&mode, db, &e, "PRAGMA journal_mode", ""));
	cr_expect_str_eq(mode, "delete");
	cr_expect(strstr(db_note(db), "nfs: using a rollback journal and an exclusive lock instead of WAL"), "%s",
	          db_note(db));
	add_cell(db);
	db_close(db);
	pretended = 0;
}

Test(db, is_read_in_a_folder_that_cannot_be_written)
{
	OK(io_mkdirs(TMP("ro?#%"), &e));
	char *path = TMP("ro?#%/a.db");
	struct db *db = open_new(path);
	add_cell(db);
	db_close(db);
	cr_assert_eq(chmod(path, 0444), 0);
	cr_assert_eq(chmod(TMP("ro?#%"), 0555), 0);
	/* root may write anywhere, so another user looks */
	pid_t pid = fork();
	if (pid == 0) {
		int64_t n = 0;
		if (geteuid() == 0 && (chmod(tmpdir(), 0755) || seteuid(65534)))
			_exit(9);
		_exit(db_open(&db, path, DB_READ, &e) || db_int_of(&n, 0, db, &e, "SELECT count(*) FROM cell", "") || n != 1
		          ? 1
		          : 0);
	}
	int status;
	(void)waitpid(pid, &status, 0);
	cr_assert_eq(status, 0);
	(void)chmod(TMP("ro?#%"), 0755);
}
