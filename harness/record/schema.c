/* schema.c - schema.sql inside the program, its append-only triggers, and the comments in it as documentation. */
#define _GNU_SOURCE
#include "harness/record/db_private.h"

#include "harness/record/wide.h"
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

#define VERSION 5

/* Tables whose rows never change; attempt and cell have triggers of their own, artifact and grid keep the smallest of
 * several descriptions of the same content, meta is rewritten with a new version. */
static bool immutable(const char *table)
{
	static const char *const mutable[] = { "meta", "artifact", "grid", "attempt", "cell" };
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
	SCOPED(free) char *wide = wide_sql();
	str_addf(&s, "%s\n%s;\n", schema_sql, wide);
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

/* Adds the statements of schema.sql that begin with `head` and end with `end`; views are made anew, whatever columns
 * the old ones had. */
static void add_statements(struct str *s, const char *head, const char *end)
{
	for (const char *from = schema_sql; (from = strstr(from, head)); from++) {
		const char *to = strstr(from, end), *name = from + strlen(head);
		REQUIRE(to && (from == schema_sql || from[-1] == '\n'));
		if (strcmp(head, "CREATE VIEW ") == 0)
			str_addf(s, "DROP VIEW IF EXISTS %.*s;\n", (int)strcspn(name, " "), name);
		str_addf(s, "%.*s\n", (int)(to + strlen(end) - from), from);
	}
}

/* Of a table that schema.sql got in this version, with its triggers. */
static void add_table(struct str *s, const char *name)
{
	SCOPED(free) char *head = xstrfmt("CREATE TABLE %s(", name);
	add_statements(s, head, ";\n");
	add_triggers(s, name, NULL, NULL, NULL);
}

/* Version 4: stages, fingerprints, lives, signed statements. */
static char *stages_sql(void)
{
	struct str s = { 0 };
	str_add(&s, "ALTER TABLE cell ADD COLUMN training TEXT;\n"
	            "ALTER TABLE attempt ADD COLUMN fingerprint TEXT;\n"
	            "ALTER TABLE attempt ADD COLUMN generation INTEGER;\n"
	            "ALTER TABLE output ADD COLUMN sampling TEXT;\n"
	            "ALTER TABLE metric ADD COLUMN asked TEXT;\n"
	            "ALTER TABLE metric ADD COLUMN taken_from TEXT;\n"
	            "ALTER TABLE verify ADD COLUMN lives INTEGER;\n"
	            "ALTER TABLE verify ADD COLUMN unlike TEXT;\n"
	            "ALTER TABLE baseline ADD COLUMN fingerprint TEXT;\n");
	add_table(&s, "statement");
	add_table(&s, "pruned");
	str_add(&s, "DROP INDEX attempt_cell; DROP INDEX metric_name; DROP INDEX grid_cell_c;\n"
	            "DROP TRIGGER attempt_final; DROP TRIGGER attempt_sealed; DROP TRIGGER attempt_identity;\n"
	            "DROP TRIGGER cell_no_update;\n");
	add_statements(&s, "CREATE INDEX ", ";\n");
	add_statements(&s, "CREATE TRIGGER ", "END;\n");
	str_add(&s, "UPDATE cell SET training = " STAGE_TRAINING_SQL ";\n");
	return str_detach(&s);
}

/* Version 5: notes about cells. */
static char *notes_sql(void)
{
	struct str s = { 0 };
	add_table(&s, "cell_note");
	add_statements(&s, "CREATE VIEW ", ";\n");
	return str_detach(&s);
}

/* All of them run in one transaction, up to the present version: only the last one makes the views. */
const struct db_schema *db_schema(void)
{
	static struct db_migration migrations[] = { { 1, NULL }, { 2, NULL }, { 3, NULL }, { 4, NULL }, { 0, NULL } };
	static struct db_schema schema;
	if (!schema.sql) {
		migrations[0].sql =
			"ALTER TABLE grid ADD COLUMN made_of TEXT NOT NULL DEFAULT '{}' CHECK(json_valid(made_of));";
		migrations[1].sql = "ALTER TABLE metric ADD COLUMN computed_by TEXT;";
		SCOPED(free) char *notes = notes_sql();
		migrations[2].sql = stages_sql();
		migrations[3].sql = migration_sql(notes);
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
