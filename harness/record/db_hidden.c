/* db_hidden.c - a connection whose answers have no identity (hidden.h): temporary views of the same names as the tables
 * that hold some stand before them, and before the views over those. */
#include "harness/record/db_private.h"
#include "harness/record/hidden.h"
#include "harness/text/json_out.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

static void without_paths(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	(void)n;
	const char *text = (const char *)sqlite3_value_text(v[0]);
	struct str s = { 0 };
	if (!text)
		return;
	hidden_text(&s, text);
	sqlite3_result_text(ctx, str_text(&s), (int)s.len, SQLITE_TRANSIENT);
	str_release(&s);
}

static void without_json_paths(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	(void)n;
	const char *text = (const char *)sqlite3_value_text(v[0]);
	struct str s = { 0 };
	if (!text)
		return;
	hidden_paths(&s, text);
	sqlite3_result_text(ctx, str_text(&s), (int)s.len, SQLITE_TRANSIENT);
	str_release(&s);
}

/* grid.made_of without the folder that its files were in: paths relative to it, as it is written today. */
static void without_folder(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	(void)n;
	json_t *o = json_loads((const char *)sqlite3_value_text(v[0]), 0, NULL), *sources = json_object_get(o, "sources"),
		   *one;
	SCOPED(free) char *first = NULL;
	struct str s = { 0 };
	size_t i, cut = 0;
	json_array_foreach(sources, i, one)
	{
		const char *path = json_string_value(json_object_get(one, "file"));
		if (i == 0 && path && strrchr(path, '/')) {
			first = xstrdup(path);
			cut = (size_t)(strrchr(path, '/') + 1 - path);
		}
		if (cut && path && strncmp(path, first, cut) == 0)
			(void)json_object_set_new(one, "file", json_string(path + cut));
	}
	if (json_record(&s, o, JSON_COMPACT))
		sqlite3_result_value(ctx, v[0]);
	else
		sqlite3_result_text(ctx, str_text(&s), (int)s.len, SQLITE_TRANSIENT);
	str_release(&s);
	json_decref(o);
}

/* Columns that hold identity, and what is shown instead. */
static const struct {
	const char *table, *column, *instead;
} columns[] = {
	{ "attempt", "host", "NULL" },
	{ "attempt", "boot_id", "NULL" },
	{ "attempt", "reason", "without_paths(reason)" },
	{ "env", "json", "without_json_paths(json_remove(json, '$.host', '$.device_facts.uuid', '$.device_facts.bus'))" },
	{ "grid", "made_of", "without_folder(made_of)" },
	{ "artifact", "url", "without_paths(url)" },
	{ "cell_note", "who", "NULL" },
};
#define N_COLUMNS (sizeof columns / sizeof *columns)

static bool has_identity(const char *table)
{
	for (size_t i = 0; i < N_COLUMNS; i++)
		if (strcmp(columns[i].table, table) == 0)
			return true;
	return false;
}

struct views {
	struct str sql;
	bool open; /* a view's list of columns has begun */
	char table[64];
};

static void end_view(struct views *v)
{
	if (v->open)
		str_addf(&v->sql, " FROM main.%s;\n", v->table);
	v->open = false;
}

static void add_column(void *ctx, const char *table, const char *column, const char *type, const char *doc)
{
	(void)type, (void)doc;
	struct views *v = ctx;
	if (!column) {
		end_view(v);
		(void)snprintf(v->table, sizeof v->table, "%s", table);
		return;
	}
	if (!has_identity(table))
		return;
	str_addf(&v->sql, v->open ? ", " : "CREATE TEMP VIEW %s AS SELECT ", table);
	v->open = true;
	const char *value = column;
	for (size_t i = 0; i < N_COLUMNS; i++)
		if (strcmp(columns[i].table, table) == 0 && strcmp(columns[i].column, column) == 0)
			value = columns[i].instead;
	str_addf(&v->sql, "%s AS %s", value, column);
}

/* The database's own views again, in the order of their making, so that they see the tables as they are hidden. */
static int add_views(struct str *sql, struct db *db, struct err *e)
{
	static const char begin[] = "CREATE VIEW ";
	struct db_rows rows;
	if (db_query(&rows, db, e, "SELECT sql FROM main.sqlite_schema WHERE type = 'view' ORDER BY rowid", ""))
		return -1;
	while (db_next(&rows)) {
		const char *text = db_text(&rows, 0);
		if (strncmp(text, begin, sizeof begin - 1) == 0 && !strstr(text, "sqlite_schema"))
			str_addf(sql, "CREATE TEMP VIEW IF NOT EXISTS %s;\n", text + sizeof begin - 1);
	}
	return db_done(&rows, e);
}

int db_hide_identity(struct db *db, struct err *e)
{
	struct views v = { .open = false };
	static const struct {
		const char *name;
		void (*call)(sqlite3_context *ctx, int n, sqlite3_value **v);
	} functions[] = { { "without_paths", without_paths },
		              { "without_json_paths", without_json_paths },
		              { "without_folder", without_folder } };
	int rc = SQLITE_OK;
	for (size_t i = 0; i < sizeof functions / sizeof *functions && rc == SQLITE_OK; i++)
		rc = sqlite3_create_function(db->handle, functions[i].name, 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
		                             functions[i].call, NULL, NULL);
	if (rc != SQLITE_OK)
		return db_fail(db, rc, e);
	str_add(&v.sql, "PRAGMA query_only = OFF;\n");
	db_schema_docs(add_column, &v);
	end_view(&v);
	rc = add_views(&v.sql, db, e);
	str_add(&v.sql, "PRAGMA query_only = ON;\n");
	if (!rc)
		rc = db_script(db, e, str_text(&v.sql));
	str_release(&v.sql);
	return rc;
}
