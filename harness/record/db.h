/* db.h - the result database: opening it so that it is ours, whole and of our version, and a small typed way to talk
 * to SQLite. Everything a caller sees of SQLite is here.
 *
 * Opening for writing creates the file, or brings an older one up to date after a copy of it was made; both happen
 * under one exclusive transaction, so that two programs cannot collide. The journal mode is WAL where the file system
 * is local and a probe shows that WAL works there; else a rollback journal with an exclusive lock, which
 * db_note() says. synchronous is FULL everywhere. Every write happens between db_begin (BEGIN IMMEDIATE) and
 * db_commit; a lock held by another program is waited for (10 s), then reported.
 *
 * Statements take a format, one letter per '?': s text (NULL = SQL NULL), i int64_t, d double (a NaN becomes SQL
 * NULL), n SQL NULL (no argument), b bool as int. Statements are compiled once per SQL text and kept. */
#ifndef ABLATE_DB_H
#define ABLATE_DB_H

#include "model/base/err.h"
#include "model/base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct db;

enum db_mode {
	/* the file must exist; nothing is created or brought up to date: an older one is read through a copy in memory that
	 * is */
	DB_READ,
	DB_WRITE, /* created when absent, brought up to date when older */
};

#define DB_APPLICATION_ID 0x41424C54 /* "ABLT" */

/* Fails with EXIT_RECORD for: absent (DB_READ), not an ablate database, damaged, newer than this program, locked. */
MUST_CHECK int db_open(struct db **out, const char *path, enum db_mode mode, struct err *e);
/* Is there anything to read? An empty file, as mktemp leaves it, is as good as none. */
bool db_is_there(const char *path);
/* io_sync_file of a database or of a record beside it: EXIT_RECORD. */
MUST_CHECK int db_sync_file(const char *path, struct err *e);
void db_remove(const char *path); /* the file, which nobody has open, and what SQLite puts beside it */
void db_close(struct db *db);     /* rolls back what is not committed; accepts NULL */
void scoped_db(struct db **db);   /* SCOPED(db) struct db *db = NULL; */
const char *db_path(const struct db *db);
const char *db_note(const struct db *db); /* one line worth telling ("network file system: ..."), or "" */
bool db_is_wal(const struct db *db);

/* How long to wait for another program's lock; 10 s unless a test says otherwise. */
void db_set_busy_ms(int ms);
/* Who waits instead, for all databases of the process: called again and again while a statement meets a lock, that it
 * has met for waited_s; sleeps a little and returns true, or false to let the statement fail. NULL: nobody. */
typedef bool db_wait_fn(void *ctx, const char *path, double waited_s);
void db_set_wait(db_wait_fn *wait, void *ctx);
/* After a failure: was it such a lock? */
bool db_is_locked(const struct db *db);
/* Who holds it: "sqlite3 (pid 123)", or "another program" where that cannot be known. */
#define DB_HOLDER 80
void db_lock_holder(char out[DB_HOLDER], const char *path);

/* Before a transaction of very many rows: memory for the pages that it changes, so that few are written twice. */
MUST_CHECK int db_expect_many(struct db *db, struct err *e);
MUST_CHECK int db_begin(struct db *db, struct err *e);
/* For many questions at once: one state of the database, whose locks are taken once and not for each; db_rollback or
 * db_close ends it. Nothing can be written meanwhile. */
MUST_CHECK int db_begin_reading(struct db *db, struct err *e);
MUST_CHECK int db_commit(struct db *db, struct err *e);
/* Fails where the transaction's rows refer to rows that do not exist: what db_commit would refuse, before anything
 * depends on it. */
MUST_CHECK int db_settled(struct db *db, struct err *e);
void db_rollback(struct db *db); /* also when nothing is open */
/* Since db_begin, has the database itself failed (a lock, the disk, damage), and not a row that it refused? */
bool db_has_failed(const struct db *db);

/* Runs one statement without result rows. */
MUST_CHECK int db_exec(struct db *db, struct err *e, const char *sql, const char *format, ...);
/* The same with values that are only known at run time. */
enum db_type { DB_NULL, DB_INTEGER, DB_REAL, DB_TEXT };
struct db_value {
	enum db_type type;
	int64_t i;
	double d;
	const char *s;
};
MUST_CHECK int db_exec_values(struct db *db, struct err *e, const char *sql, const struct db_value *values, int n);
MUST_CHECK int db_int_of_values(int64_t *out, int64_t fallback, struct db *db, struct err *e, const char *sql,
                                const struct db_value *values, int n);
int64_t db_changes(const struct db *db); /* rows changed by the last db_exec */
/* Several statements without arguments. */
MUST_CHECK int db_script(struct db *db, struct err *e, const char *sql);

/* A running query:
 *     struct db_rows rows;
 *     if (db_query(&rows, db, e, "SELECT id, step FROM attempt WHERE cell = ?", "s", cell)) return -1;
 *     while (db_next(&rows)) use(db_text(&rows, 0), db_int(&rows, 1));
 *     if (db_done(&rows, e)) return -1;
 * db_done must be called, also after leaving the loop early. Texts live until the next db_next or db_done. */
struct db_rows {
	struct db *db;
	struct db_stmt *stmt;
	int rc;
};
MUST_CHECK int db_query(struct db_rows *rows, struct db *db, struct err *e, const char *sql, const char *format, ...);
bool db_next(struct db_rows *rows);
MUST_CHECK int db_done(struct db_rows *rows, struct err *e);
const char *db_text(const struct db_rows *rows, int column); /* NULL for SQL NULL */
int64_t db_int(const struct db_rows *rows, int column);
double db_real(const struct db_rows *rows, int column); /* NAN for SQL NULL */
bool db_is_null(const struct db_rows *rows, int column);
int db_columns(const struct db_rows *rows);
const char *db_column_name(const struct db_rows *rows, int column);
enum db_type db_column_type(const struct db_rows *rows, int column);

/* First column of the first row; `fallback` when there is no row. */
MUST_CHECK int db_int_of(int64_t *out, int64_t fallback, struct db *db, struct err *e, const char *sql,
                         const char *format, ...);
/* Heap text, NULL when there is no row or the value is NULL. */
MUST_CHECK int db_text_of(char **out, struct db *db, struct err *e, const char *sql, const char *format, ...);

/* PRAGMA integrity_check and foreign_key_check; the first complaint is the error (EXIT_RECORD). */
MUST_CHECK int db_check(struct db *db, struct err *e);

/* A schema for db_open_schema: what the program is built with, or what a test makes up. */
struct db_migration {
	int from;
	const char *sql;
}; /* brings version `from` to from + 1 */
struct db_schema {
	int version;
	const char *sql;                       /* creates version `version` in an empty file */
	const struct db_migration *migrations; /* ends with from 0 */
};
MUST_CHECK int db_open_schema(struct db **out, const char *path, enum db_mode mode, const struct db_schema *schema,
                              struct err *e);
const struct db_schema *db_schema(void);

/* The built-in schema as text (schema.sql with the append-only triggers); heap text. */
char *db_schema_text(void);
/* The same after the pragmas that make it a database of ours: a script that creates an empty one; heap text. */
char *db_schema_script(void);
/* Calls row(ctx, table, column, type, doc) for each table (column NULL) and column of the built-in schema, in order. */
typedef void db_doc_fn(void *ctx, const char *table, const char *column, const char *type, const char *doc);
void db_schema_docs(db_doc_fn *row, void *ctx);

#endif
