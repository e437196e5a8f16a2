/* dump.c - see dump.h. */
#define _GNU_SOURCE
#include "harness/record/dump.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TABLES_MAX 32

static void add_table(void *ctx, const char *table, const char *column, const char *type, const char *doc)
{
	(void)type, (void)doc;
	const char **list = ctx;
	int n = 0;
	while (list[n])
		n++;
	if (column)
		return;
	REQUIRE(n < TABLES_MAX - 1);
	list[n] = xstrdup(table);
}

const char *const *dump_tables(void)
{
	static const char *list[TABLES_MAX];
	if (!list[0])
		db_schema_docs(add_table, list);
	return list;
}

/* All tables are WITHOUT ROWID: their primary key is their order. */
char *dump_query(const char *table)
{
	static const struct {
		const char *table, *key;
	} keys[] = {
		{ "meta", "key" },
		{ "grid_cell", "grid, cell, chain, label" },
		{ "attempt", "id" },
		{ "input", "attempt, role" },
		{ "checkpoint", "attempt, step" },
		{ "output", "attempt, role" },
		{ "metric", "attempt, name, nfe, weights, step, eval_seed, protocol" },
		{ "curve", "attempt, name, step" },
		{ "verify", "id" },
		{ "baseline", "id" },
		{ "baseline_value", "baseline, seed" },
		{ "verdict", "id" },
		{ "paper_value", "paper, locus, label, metric, nfe" },
		{ "shard", "id" },
		{ "statement", "id" },
		{ "pruned", "attempt, name" },
		{ "cell_note", "cell, id" },
	};
	const char *key = "hash";
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (strcmp(keys[i].table, table) == 0)
			key = keys[i].key;
	return xstrfmt("SELECT * FROM %s ORDER BY %s", table, key);
}

static void add_value(struct str *s, const struct db_rows *rows, int c)
{
	char buf[32];
	switch (db_column_type(rows, c)) {
	case DB_NULL: str_add(s, "NULL"); return;
	case DB_INTEGER: str_addf(s, "%lld", (long long)db_int(rows, c)); return;
	case DB_REAL: {
		double x = db_real(rows, c);
		isinf(x) ? str_add(s, x > 0 ? "9e999" : "-9e999") : str_add(s, str_double(buf, x));
		if (isfinite(x) && !strpbrk(buf, ".e"))
			str_add(s, ".0");
		return;
	}
	case DB_TEXT: break;
	}
	str_addc(s, '\'');
	for (const char *p = db_text(rows, c); *p; p++) {
		if (*p == '\'')
			str_addc(s, '\'');
		str_addc(s, *p);
	}
	str_addc(s, '\'');
}

static int dump_one(struct db *db, const char *table, dump_sink *sink, void *ctx, struct err *e)
{
	SCOPED(free) char *sql = dump_query(table);
	struct db_rows rows;
	SCOPED(str) struct str line = { 0 };
	int rc = 0;
	if (db_query(&rows, db, e, sql, ""))
		return -1;
	while (!rc && db_next(&rows)) {
		line.len = 0;
		str_addf(&line, "INSERT INTO %s VALUES(", table);
		for (int c = 0; c < db_columns(&rows); c++) {
			str_add(&line, c ? "," : "");
			add_value(&line, &rows, c);
		}
		str_add(&line, ");\n");
		rc = sink(ctx, line.data, line.len, e);
	}
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

int dump_sql(struct db *db, const char *table, dump_sink *sink, void *ctx, struct err *e)
{
	if (table)
		return dump_one(db, table, sink, ctx, e);
	for (const char *const *t = dump_tables(); *t; t++)
		if (dump_one(db, *t, sink, ctx, e))
			return -1;
	return 0;
}

static int hash_piece(void *ctx, const char *text, size_t n, struct err *e)
{
	(void)e;
	sha256_add(ctx, text, n);
	return 0;
}

int dump_sha256(char hex[SHA256_HEX], struct db *db, struct err *e)
{
	struct sha256 ctx;
	sha256_init(&ctx);
	for (const char *const *t = dump_tables(); *t; t++)
		if (strcmp(*t, "meta") != 0 && dump_one(db, *t, hash_piece, &ctx, e))
			return -1;
	sha256_hex(hex, &ctx);
	return 0;
}

int dump_script(struct db *db, dump_sink *sink, void *ctx, struct err *e)
{
	/* triggers and views after the rows; the rows of meta hold the documentation */
	struct db_rows rows;
	SCOPED(str) struct str text = { 0 };
	str_addf(&text, "PRAGMA foreign_keys = OFF;\nBEGIN;\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;\n",
	         DB_APPLICATION_ID, db_schema()->version);
	if (db_query(&rows, db, e,
	             "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name", ""))
		return -1;
	while (db_next(&rows))
		str_addf(&text, "%s;\n", db_text(&rows, 0));
	if (db_done(&rows, e) || sink(ctx, text.data, text.len, e) || dump_sql(db, NULL, sink, ctx, e))
		return -1;
	text.len = 0;
	if (db_query(&rows, db, e,
	             "SELECT sql FROM sqlite_schema WHERE type <> 'table' AND sql IS NOT NULL ORDER BY type, name", ""))
		return -1;
	while (db_next(&rows))
		str_addf(&text, "%s;\n", db_text(&rows, 0));
	str_add(&text, "COMMIT;\n");
	return db_done(&rows, e) || sink(ctx, text.data, text.len, e) ? -1 : 0;
}
