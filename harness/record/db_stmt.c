/* db_stmt.c - statements of db.h: compiled once, bound by a format, their failures made readable. */
#include "harness/record/db_private.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int db_fail(struct db *db, int rc, struct err *e)
{
	db->busy = (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED;
	db->failed |= (rc & 0xff) != SQLITE_CONSTRAINT && (rc & 0xff) != SQLITE_TOOBIG && (rc & 0xff) != SQLITE_MISMATCH;
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_code(e, EXIT_RECORD,
		                "%s: locked by another program; nothing was written: wait for it or stop it, then run again",
		                db->path);
	case SQLITE_FULL:
		return err_code(e, EXIT_RECORD,
		                "%s: no space left; what is finished is in the journals: make room, then run again", db->path);
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return err_code(e, EXIT_RECORD, "%s: cannot be written (%s)", db->path, sqlite3_errmsg(db->handle));
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_code(e, EXIT_RECORD, "%s: damaged (%s); `ablate merge --rebuild` rebuilds it from the journals",
		                db->path, sqlite3_errmsg(db->handle));
	default: return err_code(e, EXIT_RECORD, "%s: %s", db->path, sqlite3_errmsg(db->handle));
	}
}

static void stmt_free(struct db_stmt *s)
{
	(void)sqlite3_finalize(s->handle);
	free(s->sql);
	free(s);
}

void db_finish(struct db *db)
{
	while (db->stmts) {
		struct db_stmt *next = db->stmts->next;
		stmt_free(db->stmts);
		db->stmts = next;
	}
	(void)sqlite3_close(db->handle);
	db->handle = NULL;
}

static int stmt_get(struct db_stmt **out, struct db *db, const char *sql, struct err *e)
{
	for (struct db_stmt **at = &db->stmts; *at; at = &(*at)->next)
		if (!(*at)->busy && strcmp((*at)->sql, sql) == 0) {
			struct db_stmt *s = *at; /* to the front: what is used in a loop is found at once */
			*at = s->next;
			s->next = db->stmts;
			db->stmts = s;
			*out = s;
			return 0;
		}
	struct db_stmt *s = xcalloc(1, sizeof *s);
	int rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->handle, NULL);
	if (rc != SQLITE_OK) {
		free(s);
		return db_fail(db, rc, e);
	}
	s->sql = xstrdup(sql);
	s->next = db->stmts;
	db->stmts = s;
	*out = s;
	return 0;
}

static int bind_one(sqlite3_stmt *h, int i, char kind, va_list *ap)
{
	switch (kind) {
	case 's': return sqlite3_bind_text(h, i, va_arg(*ap, const char *), -1, SQLITE_STATIC);
	case 'i': return sqlite3_bind_int64(h, i, va_arg(*ap, int64_t));
	case 'b': return sqlite3_bind_int(h, i, va_arg(*ap, int) != 0);
	case 'd': {
		double x = va_arg(*ap, double);
		return isnan(x) ? sqlite3_bind_null(h, i) : sqlite3_bind_double(h, i, x);
	}
	case 'n': return sqlite3_bind_null(h, i);
	default: BUG("statement format '%c'", kind);
	}
}

static int start(struct db_stmt **out, struct db *db, struct err *e, const char *sql, const char *format, va_list *ap)
{
	struct db_stmt *s = NULL;
	if (stmt_get(&s, db, sql, e))
		return -1;
	int n = (int)strlen(format);
	if (n != sqlite3_bind_parameter_count(s->handle))
		BUG("%d arguments for %d parameters: %s", n, sqlite3_bind_parameter_count(s->handle), sql);
	for (int i = 0; i < n; i++) {
		int rc = bind_one(s->handle, i + 1, format[i], ap);
		if (rc != SQLITE_OK)
			return db_fail(db, rc, e);
	}
	s->busy = true;
	*out = s;
	return 0;
}

static int start_values(struct db_stmt **out, struct db *db, struct err *e, const char *sql,
                        const struct db_value *values, int n)
{
	struct db_stmt *s = NULL;
	if (stmt_get(&s, db, sql, e))
		return -1;
	if (n != sqlite3_bind_parameter_count(s->handle))
		BUG("%d values for %d parameters: %s", n, sqlite3_bind_parameter_count(s->handle), sql);
	for (int i = 0; i < n; i++) {
		const struct db_value *v = &values[i];
		int rc = v->type == DB_TEXT                   ? sqlite3_bind_text(s->handle, i + 1, v->s, -1, SQLITE_STATIC)
		         : v->type == DB_INTEGER              ? sqlite3_bind_int64(s->handle, i + 1, v->i)
		         : v->type == DB_REAL && !isnan(v->d) ? sqlite3_bind_double(s->handle, i + 1, v->d)
		                                              : sqlite3_bind_null(s->handle, i + 1);
		if (rc != SQLITE_OK)
			return db_fail(db, rc, e);
	}
	s->busy = true;
	*out = s;
	return 0;
}

static int stop(struct db_stmt *s)
{
	int rc = sqlite3_reset(s->handle);
	(void)sqlite3_clear_bindings(s->handle);
	s->busy = false;
	return rc;
}

static int run_to_end(struct db *db, struct db_stmt *s, struct err *e)
{
	int rc;
	while ((rc = sqlite3_step(s->handle)) == SQLITE_ROW)
		;
	if (rc == SQLITE_DONE) {
		(void)stop(s);
		return 0;
	}
	(void)db_fail(db, rc, e);
	(void)stop(s);
	return -1;
}

int db_exec(struct db *db, struct err *e, const char *sql, const char *format, ...)
{
	struct db_stmt *s;
	va_list ap;
	va_start(ap, format);
	int failed = start(&s, db, e, sql, format, &ap);
	va_end(ap);
	return failed ? -1 : run_to_end(db, s, e);
}

int db_exec_values(struct db *db, struct err *e, const char *sql, const struct db_value *values, int n)
{
	struct db_stmt *s;
	return start_values(&s, db, e, sql, values, n) ? -1 : run_to_end(db, s, e);
}

static int first_int(int64_t *out, int64_t fallback, struct db_rows *rows, struct err *e)
{
	int64_t x = db_next(rows) && !db_is_null(rows, 0) ? db_int(rows, 0) : fallback;
	if (db_done(rows, e))
		return -1;
	*out = x;
	return 0;
}

int db_int_of_values(int64_t *out, int64_t fallback, struct db *db, struct err *e, const char *sql,
                     const struct db_value *values, int n)
{
	struct db_rows rows = { .db = db, .rc = SQLITE_ROW };
	return start_values(&rows.stmt, db, e, sql, values, n) ? -1 : first_int(out, fallback, &rows, e);
}

int64_t db_changes(const struct db *db)
{
	return sqlite3_changes64(db->handle);
}

int db_script(struct db *db, struct err *e, const char *sql)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : db_fail(db, rc, e);
}

int db_begin_reading(struct db *db, struct err *e)
{
	return db_exec(db, e, "BEGIN", "");
}

int db_expect_many(struct db *db, struct err *e)
{
	/* in KiB, as much as is needed of it; and what a savepoint would bring back is kept in memory, too */
	return db_script(db, e, "PRAGMA cache_size = -262144; PRAGMA temp_store = MEMORY");
}

int db_begin(struct db *db, struct err *e)
{
	db->busy = false;
	db->failed = false;
	return db_exec(db, e, "BEGIN IMMEDIATE", "");
}

bool db_has_failed(const struct db *db)
{
	return db->failed;
}

int db_settled(struct db *db, struct err *e)
{
	int open = 0, most;
	(void)sqlite3_db_status(db->handle, SQLITE_DBSTATUS_DEFERRED_FKS, &open, &most, 0);
	return open
	           ? err_code(e, EXIT_RECORD, "%s: rows would refer to rows that do not exist; nothing was taken", db->path)
	           : 0;
}

int db_commit(struct db *db, struct err *e)
{
	if (!db_exec(db, e, "COMMIT", ""))
		return 0;
	db_rollback(db);
	return -1;
}

void db_rollback(struct db *db)
{
	if (!sqlite3_get_autocommit(db->handle))
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int db_query(struct db_rows *rows, struct db *db, struct err *e, const char *sql, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	*rows = (struct db_rows){ .db = db, .rc = SQLITE_ROW };
	int failed = start(&rows->stmt, db, e, sql, format, &ap);
	va_end(ap);
	return failed;
}

bool db_next(struct db_rows *rows)
{
	if (rows->rc == SQLITE_ROW)
		rows->rc = sqlite3_step(rows->stmt->handle);
	return rows->rc == SQLITE_ROW;
}

int db_done(struct db_rows *rows, struct err *e)
{
	bool ok = rows->rc == SQLITE_ROW || rows->rc == SQLITE_DONE;
	if (!ok)
		(void)db_fail(rows->db, rows->rc, e);
	(void)stop(rows->stmt);
	return ok ? 0 : -1;
}

const char *db_text(const struct db_rows *rows, int column)
{
	return (const char *)sqlite3_column_text(rows->stmt->handle, column);
}

int64_t db_int(const struct db_rows *rows, int column)
{
	return sqlite3_column_int64(rows->stmt->handle, column);
}

double db_real(const struct db_rows *rows, int column)
{
	return db_is_null(rows, column) ? NAN : sqlite3_column_double(rows->stmt->handle, column);
}

bool db_is_null(const struct db_rows *rows, int column)
{
	return sqlite3_column_type(rows->stmt->handle, column) == SQLITE_NULL;
}

int db_columns(const struct db_rows *rows)
{
	return sqlite3_column_count(rows->stmt->handle);
}

const char *db_column_name(const struct db_rows *rows, int column)
{
	return sqlite3_column_name(rows->stmt->handle, column);
}

enum db_type db_column_type(const struct db_rows *rows, int column)
{
	switch (sqlite3_column_type(rows->stmt->handle, column)) {
	case SQLITE_INTEGER: return DB_INTEGER;
	case SQLITE_FLOAT: return DB_REAL;
	case SQLITE_NULL: return DB_NULL;
	default: return DB_TEXT;
	}
}

int db_int_of(int64_t *out, int64_t fallback, struct db *db, struct err *e, const char *sql, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	struct db_rows rows = { .db = db, .rc = SQLITE_ROW };
	int failed = start(&rows.stmt, db, e, sql, format, &ap);
	va_end(ap);
	if (failed)
		return -1;
	return first_int(out, fallback, &rows, e);
}

int db_text_of(char **out, struct db *db, struct err *e, const char *sql, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	struct db_rows rows = { .db = db, .rc = SQLITE_ROW };
	int failed = start(&rows.stmt, db, e, sql, format, &ap);
	va_end(ap);
	if (failed)
		return -1;
	char *text = db_next(&rows) && db_text(&rows, 0) ? xstrdup(db_text(&rows, 0)) : NULL;
	if (db_done(&rows, e)) {
		free(text);
		return -1;
	}
	*out = text;
	return 0;
}
