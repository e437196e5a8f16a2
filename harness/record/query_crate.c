/* query_crate.c - see query_crate.h. */
#include "harness/record/query_crate.h"

int query_crate_grid(struct db_rows *rows, struct db *db, const char *hash, struct err *e)
{
	return db_query(
		rows, db, e,
		"SELECT name, toml, created, made_of, (SELECT count(DISTINCT cell) FROM grid_cell WHERE grid = g.hash), "
		"(SELECT count(DISTINCT gc.cell) FROM grid_cell gc JOIN attempt a ON a.cell = gc.cell "
		"WHERE gc.grid = g.hash AND a.state = 'done' AND a.purpose = 'run') FROM grid g WHERE hash = ?",
		"s", hash);
}

bool query_crate_grid_next(struct crate_grid_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct crate_grid_row){ .name = db_text(rows, 0),
		                            .toml = db_text(rows, 1),
		                            .created = db_text(rows, 2),
		                            .made_of = db_text(rows, 3),
		                            .cells = db_int(rows, 4),
		                            .done = db_int(rows, 5) };
	return true;
}

int query_crate_runs(struct db_rows *rows, struct db *db, const char *grid, struct err *e)
{
	return db_query(
		rows, db, e,
		"SELECT a.id, c.hash, c.arm, m.config, coalesce((SELECT min(label) FROM grid_cell WHERE grid = ?1 AND "
		"cell = c.hash), ''), coalesce(a.reason, ''), a.started, coalesce(a.ended, ''), coalesce(a.env, ''), "
		"coalesce(a.fingerprint, ''), a.state, c.seed, c.numerics, "
		"coalesce(a.max_rss, -1), a.wall_s, a.cpu_s FROM v_attempt v JOIN attempt a ON a.id = v.attempt "
		"JOIN cell c ON c.hash = a.cell JOIN arm m ON m.hash = c.arm WHERE c.hash IN (SELECT cell FROM "
		"grid_cell WHERE grid = ?1) AND a.state NOT IN ('running', 'blocked') ORDER BY c.hash",
		"s", grid);
}

bool query_crate_run_next(struct crate_run_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct crate_run_row){ .attempt = db_text(rows, 0),
		                           .cell = db_text(rows, 1),
		                           .arm = db_text(rows, 2),
		                           .config = db_text(rows, 3),
		                           .label = db_text(rows, 4),
		                           .reason = db_text(rows, 5),
		                           .started = db_text(rows, 6),
		                           .ended = db_text(rows, 7),
		                           .env = db_text(rows, 8),
		                           .fingerprint = db_text(rows, 9),
		                           .state = record_state_of(db_text(rows, 10)),
		                           .seed = db_int(rows, 11),
		                           .numerics = db_int(rows, 12),
		                           .max_rss = db_int(rows, 13),
		                           .wall_s = db_real(rows, 14),
		                           .cpu_s = db_real(rows, 15) };
	return true;
}

int query_crate_files(struct db_rows *rows, struct db *db, const char *attempt, struct err *e)
{
#define FILE_OF(read, role, table) \
	"SELECT " read " AS reads, " role " AS role, f.hash, f.kind, coalesce(f.name, '') AS name, coalesce(f.url, ''), " \
	"coalesce(f.licence, ''), coalesce(f.bytes, -1) FROM " table " t JOIN artifact f ON f.hash = t.artifact " \
	"WHERE t.attempt = ?1 "
	return db_query(rows, db, e,
	                FILE_OF("1", "t.role", "input") "UNION ALL " FILE_OF(
						"0", "'checkpoint at step ' || t.step",
						"checkpoint") "UNION ALL " FILE_OF("0", "t.role", "output") "ORDER BY reads DESC, role, name",
	                "s", attempt);
}

bool query_crate_file_next(struct crate_file_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct crate_file_row){ .read = db_int(rows, 0) != 0,
		                            .role = db_text(rows, 1),
		                            .hash = db_text(rows, 2),
		                            .kind = db_text(rows, 3),
		                            .name = db_text(rows, 4),
		                            .url = db_text(rows, 5),
		                            .licence = db_text(rows, 6),
		                            .bytes = db_int(rows, 7) };
	return true;
}
