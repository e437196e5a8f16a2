/* query_show.c - see query_show.h. */
#include "harness/record/query_show.h"

#include "harness/record/dump.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

static const struct show_part parts[] = {
	{ .key = "cell", .one = true, .of_cell = true, .sql = "SELECT * FROM cell WHERE hash = ?" },
	{ .key = "labels",
	  .of_cell = true,
	  .sql = "SELECT g.name AS grid, gc.chain, gc.label FROM grid_cell gc JOIN grid g ON g.hash = gc.grid "
	         "WHERE gc.cell = ? ORDER BY 1, 2, 3" },
	{ .key = "tags", .of_cell = true, .sql = "SELECT tag, created FROM v_tag WHERE cell = ? ORDER BY tag" },
	{ .key = "notes",
	  .of_cell = true,
	  .sql =
	      "SELECT created, who, text FROM cell_note WHERE cell = ? AND kind = 'note' ORDER BY ordinal, created, id" },
	{ .key = "config",
	  .json = "config",
	  .of_cell = true,
	  .sql = "SELECT config FROM arm WHERE hash = (SELECT arm FROM cell WHERE hash = ?)" },
	{ .key = "training_shared_with",
	  .of_cell = true,
	  .sql = "SELECT c.hash AS cell, (SELECT min(label) FROM grid_cell WHERE cell = c.hash) AS label FROM cell c "
	         "WHERE c.training = (SELECT training FROM cell WHERE hash = ?1) AND c.hash <> ?1 ORDER BY 2, 1" },
	{ .key = "training_taken_from",
	  .sql = "SELECT b.id AS attempt, b.cell, (SELECT min(label) FROM grid_cell WHERE cell = b.cell) AS label, "
	         "a.resumed_step AS step FROM attempt a JOIN attempt b ON b.id = a.resumed_from "
	         "WHERE a.id = ? AND b.cell <> a.cell" },
	{ .key = "attempts",
	  .of_cell = true,
	  .sql = "SELECT id, n, purpose, state, reason, started, ended, step, resumed_from FROM attempt "
	         "WHERE cell = ? ORDER BY started, id" },
	{ .key = "attempt", .one = true, .sql = "SELECT * FROM attempt WHERE id = ?" },
	{ .key = "metrics",
	  .sql = "SELECT name, nfe, weights, step, eval_seed, value, hex, lo, hi, n, protocol, computed_by FROM metric "
	         "WHERE attempt = ? ORDER BY name, nfe, eval_seed" },
	{ .key = "curves",
	  .sql = "SELECT name, count(*) AS points, min(step) AS first, max(step) AS last FROM v_curve WHERE attempt = "
	         "? GROUP BY name ORDER BY name" },
	{ .key = "inputs",
	  .sql = "SELECT i.role, f.kind, f.name, f.hash FROM input i JOIN artifact f ON f.hash = i.artifact "
	         "WHERE i.attempt = ? ORDER BY i.role" },
	{ .key = "checkpoints",
	  .sql = "SELECT p.step, f.name, f.hash FROM checkpoint p JOIN artifact f ON f.hash = p.artifact "
	         "WHERE p.attempt = ? ORDER BY p.step" },
	{ .key = "outputs",
	  .sql = "SELECT o.role, f.name, f.hash FROM output o JOIN artifact f ON f.hash = o.artifact "
	         "WHERE o.attempt = ? ORDER BY o.role" },
	{ .key = "pruned", .sql = "SELECT name, bytes, created FROM pruned WHERE attempt = ? ORDER BY created, name" },
	{ .key = "environment",
	  .json = "json",
	  .sql = "SELECT v.json FROM attempt a JOIN env v ON v.hash = a.env WHERE a.id = ?" },
	{ .key = "verified",
	  .sql = "SELECT id, b AS repetition, equal, n, first_diff_step, first_diff, created FROM verify "
	         "WHERE a = ? ORDER BY created" },
};

const struct show_part *query_show_parts(int *n)
{
	*n = sizeof parts / sizeof *parts;
	return parts;
}

int query_show(struct db_rows *rows, struct db *db, const struct show_part *part, const struct record *of,
               struct err *e)
{
	return db_query(rows, db, e, part->sql, "s", part->of_cell ? of->cell : of->attempt);
}

int query_shown_cells(struct db_rows *rows, struct db *db, struct err *e)
{
	return db_query(
		rows, db, e,
		"SELECT c.hash, c.seed, coalesce(a.state, 'pending'), a.attempt, coalesce((SELECT group_concat(name, "
		"'; ') FROM (SELECT DISTINCT CASE chain WHEN '' THEN label ELSE chain || '/' || label END AS name "
		"FROM grid_cell WHERE cell = c.hash ORDER BY 1)), '') FROM cell c LEFT JOIN v_attempt a "
		"ON a.cell = c.hash ORDER BY 5, c.seed, c.hash",
		"");
}

bool query_shown_cell_next(struct shown_cell *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct shown_cell){ db_text(rows, 0), db_text(rows, 2), db_text(rows, 3), db_text(rows, 4),
		                        db_int(rows, 1) };
	return true;
}

static const struct {
	const char *kind, *sql;
} words[] = {
	{ "cells", "SELECT hash FROM cell ORDER BY hash LIMIT 2000" },
	{ "attempts", "SELECT id FROM attempt ORDER BY id LIMIT 2000" },
	{ "labels", "SELECT DISTINCT label FROM grid_cell ORDER BY label LIMIT 2000" },
	{ "grids", "SELECT DISTINCT name FROM grid ORDER BY name LIMIT 2000" },
	{ "metrics", "SELECT DISTINCT name || '@' || nfe FROM metric ORDER BY 1 LIMIT 2000" },
};

static const char *words_sql(const char *kind)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].kind, kind) == 0)
			return words[i].sql;
	return NULL;
}

int query_words(struct db_rows *rows, struct db *db, const char *kind, struct err *e)
{
	const char *sql = words_sql(kind);
	REQUIRE(sql);
	return db_query(rows, db, e, sql, "");
}

int query_table(struct db_rows *rows, struct db *db, const char *table, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e,
	              "SELECT count(*) FROM pragma_table_info(?1) WHERE ?1 IN (SELECT name FROM "
	              "sqlite_schema UNION ALL SELECT name FROM sqlite_temp_schema)",
	              "s", table))
		return -1;
	if (!n)
		return err_code(e, EXIT_USAGE, "no table or view '%s'; `ablate schema` lists them", table);
	SCOPED(str) struct str sql = { 0 };
	if (strncmp(table, "v_", 2) == 0) { /* a view has no key: all of its columns give one order */
		str_addf(&sql, "SELECT * FROM %s ORDER BY 1", table);
		for (int64_t i = 2; i <= n; i++)
			str_addf(&sql, ", %lld", (long long)i);
	} else {
		SCOPED(free) char *query = dump_query(table);
		str_add(&sql, query);
	}
	return db_query(rows, db, e, str_text(&sql), "");
}

int query_all_results(struct db_rows *rows, struct db *db, bool identity, struct err *e)
{
#define COLUMNS \
	"r.cell, r.arm, r.seed, r.numerics, r.dataset, (SELECT group_concat(label, '; ') FROM (SELECT DISTINCT label " \
	"FROM grid_cell " \
	"WHERE cell = r.cell ORDER BY label)) labels, r.name, r.nfe, r.weights, r.step, r.eval_seed, r.value, r.hex, " \
	"r.lo, r.hi, r.n, " \
	"r.protocol, r.computed_by, (SELECT group_concat(tag, ' ') FROM (SELECT tag FROM v_tag WHERE cell = r.cell " \
	"ORDER BY tag)) tags, (SELECT group_concat(text, '; ') FROM (SELECT text FROM cell_note WHERE cell = r.cell AND " \
	"kind = 'note' ORDER BY ordinal, created, id)) notes " \
	"FROM v_result r ORDER BY r.cell, r.name, r.nfe, r.weights, r.step, r.eval_seed, r.protocol"
	return db_query(rows, db, e, identity ? "SELECT r.attempt, " COLUMNS : "SELECT " COLUMNS, "");
}
