/* merge_rows.c - see merge_rows.h. Each attempt's own rows follow its line, as in a journal. */
#define _GNU_SOURCE
#include "harness/record/merge_rows.h"

#include "harness/record/db.h"
#include "harness/record/dump.h"
#include "harness/record/journal.h"
#include "harness/text/json_out.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <stdlib.h>
#include <string.h>

static json_t *value(const struct db_rows *rows, int c)
{
	switch (db_column_type(rows, c)) {
	case DB_INTEGER: return json_integer(db_int(rows, c));
	case DB_REAL: return journal_number(db_real(rows, c));
	case DB_TEXT: return json_string(db_text(rows, c));
	case DB_NULL: break;
	}
	return NULL;
}

static int add_line(struct str *s, json_t *line, struct err *e)
{
	int rc = json_record(s, line, JSON_COMPACT);
	json_decref(line);
	if (rc)
		return err_code(e, EXIT_RECORD, "a text in it is not UTF-8");
	str_addc(s, '\n');
	return 0;
}

static int rows_of(struct str *s, struct db *db, const char *table, const char *sql, const char *attempt, struct err *e)
{
	struct db_rows rows;
	int rc = 0;
	if (attempt ? db_query(&rows, db, e, sql, "s", attempt) : db_query(&rows, db, e, sql, ""))
		return -1;
	while (!rc && db_next(&rows)) {
		json_t *line = json_pack("{s:s}", "t", table);
		for (int c = 0; c < db_columns(&rows); c++) {
			json_t *v = value(&rows, c);
			if (v)
				(void)json_object_set_new(line, db_column_name(&rows, c), v);
			else if (!db_is_null(&rows, c))
				rc = err_code(e, EXIT_RECORD, "%s: a text in it is not UTF-8", table);
		}
		if (!rc)
			rc = add_line(s, line, e);
		else
			json_decref(line);
	}
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

static int curve_of(struct str *s, struct db *db, const char *attempt, struct err *e)
{
	struct db_rows rows;
	json_t *values = NULL;
	int64_t step = 0;
	int rc = 0;
	if (db_query(&rows, db, e, "SELECT step, name, value FROM curve WHERE attempt = ? ORDER BY step, name", "s",
	             attempt))
		return -1;
	while (!rc) {
		bool more = db_next(&rows);
		if (values && (!more || db_int(&rows, 0) != step)) {
			rc = add_line(s, json_pack("{s:s, s:I, s:o}", "t", "curve", "step", (json_int_t)step, "values", values), e);
			values = NULL;
		}
		if (!more)
			break;
		step = db_int(&rows, 0);
		values = values ? values : json_object();
		(void)json_object_set_new(values, db_text(&rows, 1), journal_number(db_real(&rows, 2)));
	}
	json_decref(values);
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

static int attempts_of(struct str *s, struct db *db, struct err *e)
{
	static const char *const own[] = { "input", "checkpoint", "output", "metric" };
	struct db_rows rows;
	int rc = 0;
	if (db_query(&rows, db, e, "SELECT id FROM attempt ORDER BY id", ""))
		return -1;
	while (!rc && db_next(&rows)) {
		const char *id = db_text(&rows, 0);
		rc = rows_of(s, db, "attempt", "SELECT * FROM attempt WHERE id = ?", id, e);
		for (size_t i = 0; i < sizeof own / sizeof *own && !rc; i++) {
			SCOPED(free) char *sql = xstrfmt("SELECT * FROM %s WHERE attempt = ?", own[i]);
			rc = rows_of(s, db, own[i], sql, id, e);
		}
		if (!rc)
			rc = curve_of(s, db, id, e);
	}
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

int merge_rows_of(struct str *out, const char *path, struct err *e)
{
	static const char *const before[] = { "artifact", "env", "grid", "arm", "cell", "grid_cell" };
	static const char *const after[] = { "verify", "baseline",  "baseline_value", "verdict",  "paper_value",
		                                 "shard",  "statement", "pruned",         "cell_note" };
	SCOPED(db) struct db *db = NULL;
	if (db_open(&db, path, DB_READ, e) || db_check(db, e))
		return -1;
	for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
		SCOPED(free) char *sql = dump_query(before[i]);
		if (rows_of(out, db, before[i], sql, NULL, e))
			return err_in(e, "%s", path);
	}
	if (attempts_of(out, db, e))
		return err_in(e, "%s", path);
	for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
		SCOPED(free) char *sql = dump_query(after[i]);
		if (rows_of(out, db, after[i], sql, NULL, e))
			return err_in(e, "%s", path);
	}
	return 0;
}
