/* query_build.c - see query_build.h. */
#include "harness/record/query_build.h"

int query_builds(struct db_rows *rows, struct db *db, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT f.fingerprint, coalesce(json_extract(v.json, '$.fingerprint_of.build'), ''), "
	                "coalesce(json_extract(v.json, '$.fingerprint_of.device.kernels'), '') "
	                "FROM (SELECT fingerprint, max(env) env FROM attempt WHERE fingerprint IS NOT NULL GROUP BY 1) f "
	                "LEFT JOIN env v ON v.hash = f.env ORDER BY 1",
	                "");
}

bool query_build_next(struct build_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out =
		(struct build_row){ .fingerprint = db_text(rows, 0), .build = db_text(rows, 1), .kernels = db_text(rows, 2) };
	return true;
}

int query_mixed_builds(struct db_rows *rows, struct db *db, struct err *e)
{
	return db_query(
		rows, db, e,
		"WITH RECURSIVE source(attempt, id) AS (SELECT id, resumed_from FROM attempt WHERE resumed_from IS NOT NULL "
		"UNION SELECT attempt, taken_from FROM metric WHERE taken_from IS NOT NULL "
		"UNION SELECT s.attempt, a.resumed_from FROM source s JOIN attempt a ON a.id = s.id "
		"WHERE a.resumed_from IS NOT NULL), "
		"mixed(attempt) AS (SELECT DISTINCT s.attempt FROM source s JOIN attempt a ON a.id = s.attempt "
		"JOIN attempt b ON b.id = s.id WHERE a.fingerprint IS NOT b.fingerprint) "
		"SELECT m.attempt, coalesce(a.fingerprint, 'none') FROM mixed m JOIN attempt a ON a.id = m.attempt "
		"UNION SELECT m.attempt, coalesce(b.fingerprint, 'none') FROM mixed m JOIN source s ON s.attempt = m.attempt "
		"JOIN attempt b ON b.id = s.id ORDER BY 1, 2",
		"");
}

bool query_mixed_build_next(struct mixed_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct mixed_row){ .attempt = db_text(rows, 0), .fingerprint = db_text(rows, 1) };
	return true;
}

int query_used_builds(struct db_rows *rows, struct db *db, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT v.cell, v.attempt, a.fingerprint FROM v_attempt v JOIN attempt a ON a.id = v.attempt "
	                "WHERE v.state = 'done'",
	                "");
}

bool query_used_build_next(struct used_build_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct used_build_row){ .cell = db_text(rows, 0),
		                            .attempt = db_text(rows, 1),
		                            .fingerprint = db_text(rows, 2) };
	return true;
}

int query_cells_of_grid(struct db_rows *rows, struct db *db, const char *grid, struct err *e)
{
	return db_query(rows, db, e, "SELECT DISTINCT cell FROM grid_cell WHERE grid = ?", "s", grid);
}

int query_fingerprint(char **out, struct db *db, const char *attempt, struct err *e)
{
	return db_text_of(out, db, e, "SELECT fingerprint FROM attempt WHERE id = ?", "s", attempt);
}

int query_generation_done(int64_t *out, struct db *db, const char *cell, struct err *e)
{
	return db_int_of(out, 0, db, e,
	                 "SELECT coalesce(max(coalesce(generation, 0)), -1) FROM attempt WHERE cell = ? AND state = 'done' "
	                 "AND purpose = 'run'",
	                 "s", cell);
}
