/* db.c - see db.h: opening, bringing up to date, journal mode. The statements are in db_stmt.c. */
#define _GNU_SOURCE
#include "harness/record/db_private.h"

#include "harness/record/host.h"
#include "harness/record/locks.h"
#include "harness/record/journal.h"
#include "harness/record/wide.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a message about a database that cannot be read adds where its records could make it anew; else "". Heap text. */
static char *rebuild_hint(const char *path)
{
	SCOPED(free) char *runs = xstrfmt("%s-runs", path);
	return journal_any(runs)
	           ? xstrfmt("; `ablate merge --rebuild --db %s` makes it from the records in %s-runs", path, path)
	           : xstrdup("");
}

static int no_such_database(const char *path, struct err *e)
{
	SCOPED(free) char *hint = rebuild_hint(path);
	return err_code(e, EXIT_RECORD, "%s: no such database; `ablate run GRID.toml --db %s` creates one%s", path, path,
	                hint);
}

/* The 100-byte header, read without SQLite: so that a file that is not ours, or of a newer version, is not touched. */
static int check_header(const char *path, const struct db_schema *schema, bool *empty, struct err *e)
{
	SCOPED(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would wait for its writer */
	struct stat st;
	*empty = true;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_code(e, EXIT_RECORD, "%s: cannot open: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_code(e, EXIT_RECORD, "%s: not a regular file, so not a database", path);
	unsigned char h[100];
	ssize_t n = read(fd, h, sizeof h);
	if (n < 0)
		return err_code(e, EXIT_RECORD, "%s: cannot read: %s", path, strerror(errno));
	if (n == 0)
		return 0;
	*empty = false;
	if (n < (ssize_t)sizeof h || memcmp(h, "SQLite format 3", 16) != 0) {
		SCOPED(free) char *hint = rebuild_hint(path);
		return err_code(e, EXIT_RECORD, "%s: not a database of ablate (no SQLite header)%s", path, hint);
	}
	long version = (long)h[60] << 24 | h[61] << 16 | h[62] << 8 | h[63];
	unsigned long id = (unsigned long)h[68] << 24 | (unsigned long)h[69] << 16 | (unsigned long)h[70] << 8 | h[71];
	if (id && id != DB_APPLICATION_ID)
		return err_code(e, EXIT_RECORD, "%s: an SQLite database, but not one of ablate (application id 0x%08lx)", path,
		                id);
	if (version > schema->version)
		return err_code(
			e, EXIT_RECORD,
			"%s: made by a newer ablate (schema %ld, this program knows %d); nothing was changed: update ablate", path,
			version, schema->version);
	return 0;
}

#define PAGE_MAX     65536 /* bytes; a database without tables is one page */
#define COUNT_TABLES "SELECT count(*) FROM sqlite_schema"

static int pragma_int(int64_t *out, struct db *db, const char *sql, struct err *e)
{
	return db_int_of(out, 0, db, e, sql, "");
}

/* Does WAL work here? It can report success and fail at the first write, so: write, close, open again, read. */
static bool wal_works(const char *path)
{
	struct db probe = { 0 };
	SCOPED(free) char *stem = xstrfmt("%s.probe", path);
	if (db_make_empty(&probe.path, stem, NULL))
		return false;
	bool ok = false;
	char *mode = NULL;
	int64_t x = 0;
	if (!db_open_handle(&probe, SQLITE_OPEN_READWRITE, NULL) &&
	    !db_text_of(&mode, &probe, NULL, "PRAGMA journal_mode = WAL", "") && mode && strcmp(mode, "wal") == 0 &&
	    !db_script(&probe, NULL, "CREATE TABLE t(x); INSERT INTO t VALUES(42);")) {
		db_finish(&probe);
		ok = !db_open_handle(&probe, SQLITE_OPEN_READWRITE, NULL) && !pragma_int(&x, &probe, "SELECT x FROM t", NULL) &&
		     x == 42;
	}
	free(mode);
	db_finish(&probe);
	db_remove(probe.path);
	free(probe.path);
	return ok;
}

static int set_journal(struct db *db, struct err *e)
{
	SCOPED(free) char *mode = NULL;
	struct host_fs fs;
	host_fs(&fs, db->path);
	if (db_text_of(&mode, db, e, "PRAGMA journal_mode", ""))
		return -1;
	bool is_wal = mode && strcmp(mode, "wal") == 0;
	bool want = !fs.network && (is_wal || wal_works(db->path));
	if (want != is_wal) {
		SCOPED(free) char *now = NULL;
		if (db_text_of(&now, db, e, want ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = DELETE", ""))
			return -1;
		is_wal = now && strcmp(now, "wal") == 0;
	}
	db->wal = is_wal;
	if (!is_wal) {
		(void)snprintf(db->note, sizeof db->note,
		               "%s: %s: using a rollback journal and an exclusive lock instead of WAL", db->path,
		               fs.network ? fs.name : "WAL does not work on this file system");
		char why[128];
		size_t n = strlen(db->note);
		if (!locks_reach_others(why, db->path))
			(void)snprintf(
				db->note + n, sizeof db->note - n,
				"; locks do not reach other machines (%s): see to it that one program at a time writes to it", why);
		return db_script(db, e, "PRAGMA locking_mode = EXCLUSIVE");
	}
	return 0;
}

/* View v_wide follows the knobs and no version (wide.h); a schema that a test makes up has none. */
static bool has_wide(const struct db_schema *schema)
{
	return schema == db_schema();
}

static int migrate(struct db *db, const struct db_schema *schema, int64_t from, struct err *e)
{
	for (int64_t v = from; v < schema->version; v++) {
		const struct db_migration *m = schema->migrations;
		while (m->from && m->from != v)
			m++;
		if (!m->from)
			return err_code(e, EXIT_RECORD, "%s: schema %lld is too old for this ablate", db->path, (long long)v);
		SCOPED(free) char *sql = xstrfmt("PRAGMA user_version = %lld;", (long long)v + 1);
		if (db_script(db, e, m->sql) || db_script(db, e, sql))
			return err_in(e, "schema %lld to %lld", (long long)v, (long long)v + 1);
	}
	return db_exec(db, e, "UPDATE meta SET value = ? WHERE key = 'schema_version'", "i", (int64_t)schema->version) ||
	               (has_wide(schema) && wide_make(db, e))
	           ? -1
	           : 0;
}

/* Of a database of our version that a program with other knobs made. */
static int renew_wide(struct db *db, const struct db_schema *schema, struct err *e)
{
	bool made = true;
	if (!has_wide(schema) || (!wide_is_made(&made, db, e) && made))
		return 0;
	return made || db_begin(db, e) || wide_make(db, e) || db_commit(db, e) ? -1 : 0;
}

/* A copy beside the database, before anything of it changes: written under another name, which a kill may leave, and
 * named once it is whole. An earlier copy is not overwritten. */
static int back_up(char **made, struct db *db, int64_t version, struct err *e)
{
	SCOPED(free) char *stem = xstrfmt("%s.v%lld.bak", db->path, (long long)version), *part = NULL;
	if (db_make_empty(&part, stem, e))
		return err_in(e, "cannot back up before bringing the schema up to date");
	int rc = db_exec(db, e, "VACUUM INTO ?", "s", part) || db_sync_file(part, e) ? -1 : 0;
	for (int k = 1; !rc && !*made; k++) {
		SCOPED(free)
		char *name = k == 1 ? xstrfmt("%s.v%lld.bak", db->path, (long long)version)
		                    : xstrfmt("%s.v%lld-%d.bak", db->path, (long long)version, k);
		if (io_exists(name))
			continue;
		if (rename(part, name))
			rc = err_code(e, EXIT_RECORD, "%s: cannot rename: %s", part, strerror(errno));
		else
			*made = xstrdup(name);
	}
	if (rc) {
		db_remove(part);
		return err_in(e, "cannot back up before bringing the schema up to date");
	}
	return 0;
}

/* The old file as it was, or the new one: everything happens in one transaction. */
static int create_or_migrate(bool *migrated, struct db *db, const struct db_schema *schema, struct err *e)
{
	int64_t version, tables;
	if (db_script(db, e, "BEGIN EXCLUSIVE") || pragma_int(&version, db, "PRAGMA user_version", e) ||
	    pragma_int(&tables, db, COUNT_TABLES, e))
		return -1;
	*migrated = version && version != schema->version;
	int rc = version == schema->version ? 0
	         : version == 0 && tables
	             ? err_code(e, EXIT_RECORD,
	                        "%s: an SQLite database, but not one of ablate (it has tables and no version)", db->path)
	         : version == 0 ? db_create_schema(db, schema, e)
	                        : migrate(db, schema, version, e);
	return rc || db_commit(db, e) ? -1 : 0;
}

static int prepare_for_writing(struct db *db, const struct db_schema *schema, struct err *e)
{
	int64_t version;
	if (set_journal(db, e) ||
	    db_script(db, e, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON") ||
	    pragma_int(&version, db, "PRAGMA user_version", e))
		return -1;
	if (version == schema->version)
		return renew_wide(db, schema, e);
	SCOPED(free) char *copy = NULL;
	bool migrated = false;
	if (version && back_up(&copy, db, version, e))
		return -1;
	if (create_or_migrate(&migrated, db, schema, e)) {
		db_rollback(db);
		if (copy)
			(void)unlink(copy); /* the database is what it was */
		return -1;
	}
	if (copy && !migrated)
		(void)unlink(copy); /* another program was faster: what was copied may be its work */
	else if (copy)
		(void)snprintf(db->note, sizeof db->note, "%s: schema brought from %lld up to date; the old file is %s",
		               db->path, (long long)version, copy);
	return 0;
}

/* SQLite fails on some locks at once, without waiting (a change to WAL while others open the file), so we wait
 * ourselves. All that prepare_for_writing does can be repeated. */
static int prepare_patiently(struct db *db, const struct db_schema *schema, struct err *e)
{
	double start = monotonic_s();
	struct err mine = ERR_INIT;
	while (prepare_for_writing(db, schema, &mine)) {
		if (!db->busy || !db_waits_on(db, monotonic_s() - start)) {
			if (e)
				*e = mine;
			return -1;
		}
		db_rollback(db);
		db->busy = false;
		mine = (struct err)ERR_INIT;
	}
	return 0;
}

/* A database in a folder that cannot be written: WAL needs a file beside it, unless nobody writes. */
static int open_immutable(struct db *db, struct err *e)
{
	struct str uri = { 0 };
	str_add(&uri, "file:");
	for (const char *p = db->path; *p; p++)
		strchr("?#%", *p) ? str_addf(&uri, "%%%02x", (unsigned)*p) : str_addc(&uri, *p);
	str_add(&uri, "?immutable=1");
	char *path = db->path;
	db_finish(db);
	db->path = uri.data;
	int rc = db_open_handle(db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, e);
	db->path = path;
	str_release(&uri);
	return rc;
}

/* An older database is read through a copy in memory that is brought up to date: the file stays unchanged, for the
 * program that made it. */
static int read_older(struct db *db, const struct db_schema *schema, int64_t version, struct err *e)
{
	sqlite3 *copy = NULL;
	if (sqlite3_open(":memory:", &copy) != SQLITE_OK) {
		(void)sqlite3_close(copy);
		return err_set(e, "%s: not enough memory for a copy of it", db->path);
	}
	sqlite3_backup *backup = sqlite3_backup_init(copy, "main", db->handle, "main");
	int rc = backup ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;
	if (backup)
		(void)sqlite3_backup_finish(backup);
	if (rc != SQLITE_DONE) {
		(void)sqlite3_close(copy);
		return err_code(e, EXIT_RECORD, "%s: cannot be copied for reading: %s", db->path, sqlite3_errstr(rc));
	}
	db_finish(db);
	db->handle = copy;
	(void)snprintf(db->note, sizeof db->note, "%s: of schema %lld, read as %d; `ablate run` brings it up to date",
	               db->path, (long long)version, schema->version);
	return db_add_stages(db, e) || migrate(db, schema, version, e) || db_script(db, e, "PRAGMA query_only = ON") ? -1
	                                                                                                             : 0;
}

static int check_for_reading(struct db *db, const struct db_schema *schema, struct err *e)
{
	int64_t version;
	/* opened for writing, so that what a killed writer left is put right first; but nothing else is written */
	if (db_script(db, e, "PRAGMA query_only = ON; PRAGMA cache_size = -65536") ||
	    pragma_int(&version, db, "PRAGMA user_version", e)) {
		if (open_immutable(db, e) || pragma_int(&version, db, "PRAGMA user_version", e))
			return -1;
	}
	if (version == 0) {
		int64_t tables;
		if (pragma_int(&tables, db, COUNT_TABLES, e))
			return -1;
		return tables ? err_code(e, EXIT_RECORD, "%s: an SQLite database, but not one of ablate (it has no version)",
		                         db->path)
		              : no_such_database(db->path, e);
	}
	if (version > schema->version)
		return err_code(e, EXIT_RECORD, "%s: schema %lld, this program reads %d; nothing was changed: update ablate",
		                db->path, (long long)version, schema->version);
	if (version < schema->version)
		return read_older(db, schema, version, e);
	bool made = true;
	if (has_wide(schema) && wide_is_made(&made, db, e))
		return -1;
	return made ? 0 : wide_make_temporary(db, e);
}

/* SQLite takes paths up to a limit of its own, with the folders before a relative one, and says no more than "unable to
 * open" of a longer one. */
#define BESIDE_MAX 64 /* the most that is added to the name for what lies beside it */

static int check_length(const char *path, struct err *e)
{
	SCOPED(free) char *copy = xstrdup(path);
	char folder[PATH_MAX];
	const sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	const char *name = strrchr(path, '/');
	if (!realpath(dirname(copy), folder) || !vfs)
		return 0; /* opening says why */
	size_t n = strlen(folder) + 1 + strlen(name ? name + 1 : path), most = (size_t)vfs->mxPathname - BESIDE_MAX;
	return n <= most
	           ? 0
	           : err_code(e, EXIT_RECORD,
	                      "%s: a database's path may have %zu characters, and this has %zu with its folders; name "
	                      "a shorter one by --db",
	                      path, most, n);
}

int db_open_schema(struct db **out, const char *path, enum db_mode mode, const struct db_schema *schema, struct err *e)
{
	bool empty;
	if (check_header(path, schema, &empty, e) || check_length(path, e))
		return -1;
	if (empty && mode == DB_READ)
		return no_such_database(path, e);
	if (empty && db_create(path, schema, e))
		return -1;
	struct db *db = xcalloc(1, sizeof *db);
	db->path = xstrdup(path);
	if (db_open_handle(db, SQLITE_OPEN_READWRITE, e) ||
	    (mode == DB_READ ? check_for_reading(db, schema, e) : prepare_patiently(db, schema, e))) {
		if (e && !e->code)
			e->code = EXIT_RECORD;
		db_close(db);
		return -1;
	}
	*out = db;
	return 0;
}

/* A file with SQLite's header and nothing else: the creation of an earlier program ended there. */
static bool has_no_tables(const char *path)
{
	struct db db = { .path = (char *)path };
	int64_t tables = 1;
	bool none = !db_open_handle(&db, SQLITE_OPEN_READWRITE, NULL) && !pragma_int(&tables, &db, COUNT_TABLES, NULL) &&
	            tables == 0;
	db_finish(&db);
	return none;
}

bool db_is_there(const char *path)
{
	struct stat st;
	if (stat(path, &st))
		return errno != ENOENT;
	return !S_ISREG(st.st_mode) || (st.st_size > 0 && (st.st_size > PAGE_MAX || !has_no_tables(path)));
}

int db_open(struct db **out, const char *path, enum db_mode mode, struct err *e)
{
	return db_open_schema(out, path, mode, db_schema(), e);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	db_finish(db);
	if (db->kept)
		db->free_kept(db->kept);
	free(db->path);
	free(db);
}

void scoped_db(struct db **db)
{
	db_close(*db);
}

const char *db_path(const struct db *db)
{
	return db->path;
}

const char *db_note(const struct db *db)
{
	return db->note;
}

bool db_is_wal(const struct db *db)
{
	return db->wal;
}

int db_check(struct db *db, struct err *e)
{
	SCOPED(free) char *first = NULL;
	if (db_text_of(&first, db, e, "PRAGMA integrity_check(1)", ""))
		return -1;
	if (!first || strcmp(first, "ok") != 0)
		return err_code(e, EXIT_RECORD, "%s: damaged (%s); `ablate merge --rebuild` rebuilds it from the journals",
		                db->path, first ? first : "no answer");
	SCOPED(free) char *table = NULL;
	if (db_text_of(&table, db, e, "SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1", ""))
		return -1;
	return table ? err_code(e, EXIT_RECORD, "%s: table %s refers to a row that does not exist", db->path, table) : 0;
}
