/* schema.c - schema.sql inside the program, its append-only triggers, and the comments in it as documentation. */
#define _GNU_SOURCE
#include "harness/record/db.h"

#include "model/base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char schema_sql[];
__asm__(".section .rodata\n"
        ".global schema_sql\n"
        "schema_sql:\n"
        ".incbin \"" ABLATE_SOURCE_DIR "/harness/record/schema.sql\"\n"
        ".byte 0\n"
        ".previous\n");

#define VERSION 3

/* Tables whose rows never change; attempt has triggers of its own, artifact and grid keep the smallest of several
 * descriptions of the same content, meta is rewritten with a new version. */
static bool immutable(const char *table)
{
	static const char *const mutable[] = { "meta", "artifact", "grid", "attempt" };
	for (size_t i = 0; i < sizeof mutable / sizeof *mutable; i++)
		if (strcmp(table, mutable[i]) == 0)
			return false;
	return true;
}

static void add_triggers(void *ctx, const char *table, const char *column, const char *type, const char *doc)
{
	(void)type, (void)doc;
	struct str *s = ctx;
	if (column || strcmp(table, "meta") == 0)
		return;
	str_addf(s,
	         "CREATE TRIGGER %s_no_delete BEFORE DELETE ON %s BEGIN SELECT RAISE(ABORT, '%s is append-only'); END;\n",
	         table, table, table);
	if (immutable(table))
		str_addf(
			s, "CREATE TRIGGER %s_no_update BEFORE UPDATE ON %s BEGIN SELECT RAISE(ABORT, '%s is append-only'); END;\n",
			table, table, table);
}

static void add_quoted(struct str *s, const char *text)
{
	str_addc(s, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			str_addc(s, '\'');
		str_addc(s, *text);
	}
	str_addc(s, '\'');
}

static void add_doc(void *ctx, const char *table, const char *column, const char *type, const char *doc)
{
	struct str *s = ctx;
	str_addf(s, "INSERT INTO meta VALUES('%s:%s%s%s', ", column ? "column" : "table", table, column ? "." : "",
	         column ? column : "");
	add_quoted(s, type);
	str_add(s, ", ");
	add_quoted(s, doc);
	str_add(s, ");\n");
}

char *db_schema_text(void)
{
	struct str s = { 0 };
	str_add(&s, schema_sql);
	str_add(&s, "\n-- append-only: a row that was written stays as it is\n");
	db_schema_docs(add_triggers, &s);
	return str_detach(&s);
}

char *db_schema_script(void)
{
	SCOPED(free) char *text = db_schema_text();
	return xstrfmt("PRAGMA application_id = %d; PRAGMA user_version = %d;\n%s", DB_APPLICATION_ID, VERSION, text);
}

static char *creation_sql(void)
{
	struct str s = { 0 };
	SCOPED(free) char *text = db_schema_text();
	str_add(&s, text);
	str_addf(&s, "INSERT INTO meta VALUES('schema_version', '%d', 'PRAGMA user_version');\n", VERSION);
	str_add(&s, "INSERT INTO meta VALUES('tool_version', '" ABLATE_VERSION "', 'the ablate that made this file');\n");
	db_schema_docs(add_doc, &s);
	return str_detach(&s);
}

/* The changes, and the current documentation. */
static char *migration_sql(const char *change)
{
	struct str s = { 0 };
	str_addf(&s, "%s\nDELETE FROM meta WHERE key GLOB 'table:*' OR key GLOB 'column:*';\n", change);
	db_schema_docs(add_doc, &s);
	return str_detach(&s);
}

/* The current statement that creates a view. */
static char *view_sql(const char *name)
{
	SCOPED(free) char *head = xstrfmt("CREATE VIEW %s AS ", name);
	const char *from = strstr(schema_sql, head), *to = from ? strstr(from, ";\n") : NULL;
	if (!to)
		BUG("schema.sql has no view %s", name);
	return xstrndup(from, (size_t)(to + 1 - from));
}

const struct db_schema *db_schema(void)
{
	static struct db_migration migrations[] = { { 1, NULL }, { 2, NULL }, { 0, NULL } };
	static struct db_schema schema;
	if (!schema.sql) {
		migrations[0].sql = migration_sql(
			"ALTER TABLE grid ADD COLUMN made_of TEXT NOT NULL DEFAULT '{}' CHECK(json_valid(made_of));");
		SCOPED(free) char *result = view_sql("v_result");
		SCOPED(free)
		char *computed_by = xstrfmt("ALTER TABLE metric ADD COLUMN computed_by TEXT;\nDROP VIEW v_result;\n%s", result);
		migrations[1].sql = migration_sql(computed_by);
		schema = (struct db_schema){ VERSION, creation_sql(), migrations };
	}
	return &schema;
}

/* The layout of schema.sql: "CREATE TABLE name( -- doc", then one "\tname TYPE ... -- doc" per line to ")". Lines
 * that begin otherwise (table constraints start with a capital) have no documentation. */
void db_schema_docs(db_doc_fn *row, void *ctx)
{
	char table[64] = "";
	for (const char *line = schema_sql; *line;) {
		size_t n = strcspn(line, "\n");
		const char *doc = memmem(line, n, " -- ", 4);
		SCOPED(free) char *doc_text = doc ? xstrndup(doc + 4, (size_t)(line + n - doc - 4)) : NULL;
		char name[64], type[64];
		if (n > 13 && strncmp(line, "CREATE TABLE ", 13) == 0 && sscanf(line + 13, "%63[a-z_]", table) == 1)
			row(ctx, table, NULL, "TABLE", doc_text ? doc_text : "");
		else if (*table && *line == '\t' && islower((unsigned char)line[1]) &&
		         sscanf(line, " %63s %63s", name, type) == 2) {
			type[strcspn(type, ",")] = '\0';
			row(ctx, table, name, type, doc_text ? doc_text : "");
		} else if (*line == ')')
			*table = '\0';
		line += n + (line[n] == '\n');
	}
}
