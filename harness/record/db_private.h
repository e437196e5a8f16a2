/* db_private.h - what db.c, db_create.c, db_file.c, db_stages.c, db_stmt.c and schema.c share; nobody else includes it
 * but ingest.c, for what it keeps, and db_hidden.c, for a function of SQL. */
#ifndef ABLATE_DB_PRIVATE_H
#define ABLATE_DB_PRIVATE_H

#include "harness/record/db.h"

#include <sqlite3.h>

struct db_stmt {
	struct db_stmt *next;
	sqlite3_stmt *handle;
	bool busy; /* in use by a query */
	char *sql;
};

struct db {
	sqlite3 *handle;
	struct db_stmt *stmts;
	char *path;
	char note[600];
	bool wal, busy;    /* busy: the last failure was a lock of another program */
	double busy_since; /* monotonic: when the statement that waits met the lock */
	bool failed;       /* db_has_failed */
	void *kept; /* ingest.c's statements, made at the first line that is taken; freed by db_close with free_kept */
	void (*free_kept)(void *kept);
};

/* stage_training(config, dataset, numerics, seed) on this connection: stage_training_key, NULL where the config cannot
 * be read; and same_number(value, hex): 1 where both forms of a score say the same. The database itself does not use
 * them. */
MUST_CHECK int db_add_stages(struct db *db, struct err *e);
/* The key of a row of table cell. */
#define STAGE_TRAINING_SQL "stage_training((SELECT config FROM arm WHERE hash = cell.arm), dataset, numerics, seed)"

/* Makes the database where there is none or an empty file (db_create.c). Another program that does the same meanwhile
 * is waited for, and what it made is taken. */
MUST_CHECK int db_create(const char *path, const struct db_schema *schema, struct err *e);
/* The tables, application id and version, within the caller's transaction. */
MUST_CHECK int db_create_schema(struct db *db, const struct db_schema *schema, struct err *e);

MUST_CHECK int db_open_handle(struct db *db, int flags, struct err *e); /* of db->path; flags are SQLite's */
/* An empty file beside `stem`, which SQLite takes for a new database: made here, as SQLite would follow a link that
 * somebody put in its place. Heap text: its name, io_temporary's. Removes those of programs that were killed. */
MUST_CHECK int db_make_empty(char **out, const char *stem, struct err *e);

/* SQLite's busy handler; ctx is the struct db. */
int db_on_busy(void *ctx, int times);
/* A lock has been waited for so long: sleeps a little and returns true, or false: no longer. */
bool db_waits_on(const struct db *db, double waited_s);
void db_finish(struct db *db); /* closes the handle and all statements */
/* err_code with SQLite's message turned into a remedy. Returns -1. */
int db_fail(struct db *db, int rc, struct err *e);

#endif
