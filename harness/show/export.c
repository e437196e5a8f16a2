/* export.c - see export.h: CSV, JSON lines, SQL. TensorBoard is in export_tb.c. */
#define _GNU_SOURCE
#include "harness/show/export.h"

#include "harness/record/journal.h"
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

int export_query(struct db *db, const char *sql, enum export_format format, dump_sink *sink, void *ctx, struct err *e)
{
	struct db_rows rows;
	SCOPED(str) struct str line = { 0 };
	int rc = 0;
	if (db_query(&rows, db, e, sql, ""))
		return -1;
	if (format == EXPORT_CSV) {
		for (int c = 0; c < db_columns(&rows); c++)
			str_addf(&line, "%s%s", c ? "," : "", db_column_name(&rows, c));
		str_add(&line, "\r\n");
		rc = sink(ctx, line.data, line.len, e);
	}
	while (!rc && db_next(&rows)) {
		line.len = 0;
		if (format == EXPORT_CSV)
			csv_row(&line, &rows);
		else
			rc = json_row(&line, &rows, e);
		if (!rc)
			rc = sink(ctx, line.data, line.len, e);
	}
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

int export_results(struct db *db, enum export_format format, bool identity, dump_sink *sink, void *ctx, struct err *e)
{
#define COLUMNS "r.cell, r.arm, r.seed, r.numerics, r.dataset, (SELECT group_concat(label, '; ') FROM (SELECT DISTINCT label FROM grid_cell " \
	"WHERE cell = r.cell ORDER BY label)) labels, r.name, r.nfe, r.weights, r.step, r.eval_seed, r.value, r.hex, r.lo, r.hi, r.n, r.protocol, r.computed_by"
#define ORDER " FROM v_result r ORDER BY r.cell, r.name, r.nfe, r.weights, r.step, r.eval_seed, r.protocol"
	return export_query(db, identity ? "SELECT r.attempt, " COLUMNS ORDER : "SELECT " COLUMNS ORDER, format, sink, ctx, e);
}

int export_sql(struct db *db, dump_sink *sink, void *ctx, struct err *e)
{
	/* triggers and views after the rows; the rows of meta hold the documentation */
	struct db_rows rows;
	SCOPED(str) struct str text = { 0 };
	str_addf(&text, "PRAGMA foreign_keys = OFF;\nBEGIN;\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;\n", DB_APPLICATION_ID,
	         db_schema()->version);
	if (db_query(&rows, db, e, "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name", ""))
		return -1;
	while (db_next(&rows))
		str_addf(&text, "%s;\n", db_text(&rows, 0));
	if (db_done(&rows, e) || sink(ctx, text.data, text.len, e) || dump_sql(db, NULL, sink, ctx, e))
		return -1;
	text.len = 0;
	if (db_query(&rows, db, e, "SELECT sql FROM sqlite_schema WHERE type <> 'table' AND sql IS NOT NULL ORDER BY type, name", ""))
		return -1;
	while (db_next(&rows))
		str_addf(&text, "%s;\n", db_text(&rows, 0));
	str_add(&text, "COMMIT;\n");
	return db_done(&rows, e) || sink(ctx, text.data, text.len, e) ? -1 : 0;
}
