/* export.c - see export.h: CSV and JSON lines. TensorBoard is in export_tb.c. */
#define _GNU_SOURCE
#include "harness/show/export.h"

#include "harness/record/journal.h"
#include "harness/record/query_show.h"
#include "harness/text/escape.h"
#include "harness/text/json_out.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void csv_row(struct str *s, const struct db_rows *rows)
{
	char buf[32];
	for (int c = 0; c < db_columns(rows); c++) {
		if (c)
			str_addc(s, ',');
		switch (db_column_type(rows, c)) {
		case DB_INTEGER: str_addf(s, "%lld", (long long)db_int(rows, c)); break;
		case DB_REAL: str_add(s, str_double(buf, db_real(rows, c))); break;
		case DB_TEXT: escape_csv(s, db_text(rows, c)); break;
		case DB_NULL: break;
		}
	}
	str_add(s, "\r\n");
}

static int json_row(struct str *s, const struct db_rows *rows, struct err *e)
{
	json_t *o = json_object();
	for (int c = 0; c < db_columns(rows); c++) {
		json_t *v = NULL;
		switch (db_column_type(rows, c)) {
		case DB_INTEGER: v = json_integer(db_int(rows, c)); break;
		case DB_REAL: v = journal_number(db_real(rows, c)); break;
		case DB_TEXT: v = json_string(db_text(rows, c)); break;
		case DB_NULL: continue;
		}
		if (json_object_set_new(o, db_column_name(rows, c), v)) {
			json_decref(o);
			return err_code(e, EXIT_RECORD, "column %s: a text that is not UTF-8", db_column_name(rows, c));
		}
	}
	int rc = json_record(s, o, JSON_COMPACT);
	json_decref(o);
	str_addc(s, '\n');
	return rc ? err_code(e, EXIT_RECORD, "a row that cannot be JSON") : 0;
}

int export_rows(struct db_rows *rows, enum export_format format, dump_sink *sink, void *ctx, struct err *e)
{
	SCOPED(str) struct str line = { 0 };
	int rc = 0;
	if (format == EXPORT_CSV) {
		for (int c = 0; c < db_columns(rows); c++)
			str_addf(&line, "%s%s", c ? "," : "", db_column_name(rows, c));
		str_add(&line, "\r\n");
		rc = sink(ctx, line.data, line.len, e);
	}
	while (!rc && db_next(rows)) {
		line.len = 0;
		if (format == EXPORT_CSV)
			csv_row(&line, rows);
		else
			rc = json_row(&line, rows, e);
		if (!rc)
			rc = sink(ctx, line.data, line.len, e);
	}
	return db_done(rows, rc ? NULL : e) || rc ? -1 : 0;
}

int export_results(struct db *db, enum export_format format, bool identity, dump_sink *sink, void *ctx, struct err *e)
{
	struct db_rows rows;
	return query_all_results(&rows, db, identity, e) ? -1 : export_rows(&rows, format, sink, ctx, e);
}
