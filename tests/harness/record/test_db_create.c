/* test_db_create.c - a database's name shows nothing or a whole one, however its creation ended: a kill between
 * SQLite's header and the tables left a file that no command would open again. */
#include "harness/record/db.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err e;

/* What a program left that was killed after it had asked for a WAL and before it made the tables. */
static const char *interrupted(const char *name)
{
	const char *path = TMP(name);
	sqlite3 *db;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
	struct stat st;
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_gt(st.st_size, 0);
	return path;
}

static void is_whole(const char *path)
{
	struct db *db;
	cr_assert(db_is_there(path));
	OK(db_open(&db, path, DB_READ, &e));
	OK(db_check(db, &e));
	int64_t version;
	OK(db_int_of(&version, 0, db, &e, "PRAGMA user_version", ""));
	cr_assert_eq(version, db_schema()->version);
	db_close(db);
}

static void make(const char *path)
{
	struct db *db;
	OK(db_open(&db, path, DB_WRITE, &e));
	db_close(db);
}

static void nothing_beside(const char *path)
{
	glob_t g;
	cr_assert_eq(glob(FMT("%s.*", path), 0, NULL, &g), GLOB_NOMATCH, "%s is left", g.gl_pathv[0]);
}

Test(db_create, one_without_tables_is_as_good_as_none)
{
	const char *path = interrupted("a.db");
	struct db *db;
	cr_assert_not(db_is_there(path));
	e = ERR_INIT;
	cr_assert_eq(db_open(&db, path, DB_READ, &e), -1);
	cr_assert(strstr(e.msg, "no such database"), "%s", e.msg);
	cr_assert_not(strstr(e.msg, "--rebuild"), "there are no records: %s", e.msg);
	make(path);
	is_whole(path);
}

/* Its records are there: then that is the way. */
Test(db_create, a_message_names_the_records_that_could_make_it_anew)
{
	static const char *const names[] = { "absent.db", "empty.db", "zeros.db" };
	OK(io_write_atomic(TMP("empty.db"), "", 0, &e));
	OK(io_write_atomic(TMP("zeros.db"), (char[4096]){ 0 }, 4096, &e)); /* as a lost power leaves a new page */
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct db *db;
		OK(io_mkdirs(FMT("%s/%s-runs/0123456789ab/attempt", tmpdir(), names[i]), &e));
		OK(io_write_atomic(FMT("%s/%s-runs/0123456789ab/attempt/journal.jsonl", tmpdir(), names[i]), "{}\n", 3, &e));
		e = ERR_INIT;
		cr_assert_eq(db_open(&db, TMP(names[i]), DB_READ, &e), -1);
		cr_assert(strstr(e.msg, FMT("`ablate merge --rebuild --db %s`", TMP(names[i]))), "%s", e.msg);
		cr_assert_eq(e.code, EXIT_RECORD);
	}
}

/* As mktemp makes one, with rights of its own. */
Test(db_create, an_empty_file_keeps_its_rights)
{
	const char *path = TMP("private.db");
	struct stat st;
	OK(io_write_atomic(path, "", 0, &e));
	cr_assert_eq(chmod(path, 0600), 0);
	make(path);
	is_whole(path);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	nothing_beside(path);
}

/* A link to where the disk is large, with or without a file there, stays one. */
Test(db_create, a_link_is_followed)
{
	struct stat st;
	OK(io_mkdirs(TMP("large"), &e));
	cr_assert_eq(symlink("large/there.db", TMP("link.db")), 0);
	make(TMP("link.db"));
	cr_assert_eq(lstat(TMP("link.db"), &st), 0);
	cr_assert(S_ISLNK(st.st_mode));
	is_whole(TMP("large/there.db"));
	is_whole(TMP("link.db"));
}

Test(db_create, what_dead_programs_left_is_removed)
{
	const char *path = TMP("left.db");
	pid_t dead = fork();
	if (dead == 0)
		_exit(0);
	cr_assert_eq(waitpid(dead, NULL, 0), dead);
	OK(io_write_atomic(FMT("%s.tmp-%d", path, (int)dead), "half", 4, &e));
	make(path);
	is_whole(path);
	nothing_beside(path);
}

/* None may put its empty tables in place of another's rows. */
Test(db_create, of_many_at_once_none_loses_a_row, .timeout = 120)
{
	enum { ROUNDS = 10, WRITERS = 6 };
	for (int round = 0; round < ROUNDS; round++) {
		const char *path = FMT("%s/race%d.db", tmpdir(), round);
		pid_t pid[WRITERS];
		for (int w = 0; w < WRITERS; w++)
			if ((pid[w] = fork()) == 0) {
				struct db *db;
				_exit(db_open(&db, path, DB_WRITE, &e) || db_begin(db, &e) ||
				      db_exec(db, &e, "INSERT INTO arm VALUES(?, '{}')", "s", FMT("%064d", w)) || db_commit(db, &e));
			}
		for (int w = 0; w < WRITERS; w++) {
			int status;
			cr_assert_eq(waitpid(pid[w], &status, 0), pid[w]);
			cr_assert_eq(status, 0);
		}
		struct db *db;
		int64_t n;
		OK(db_open(&db, path, DB_READ, &e));
		OK(db_int_of(&n, 0, db, &e, "SELECT count(*) FROM arm", ""));
		cr_assert_eq(n, WRITERS);
		db_close(db);
	}
}
