/* query_grid.c - see query_grid.h. */
#include "harness/record/query_grid.h"

/* A grid by what a person types, or any for NULL. */
#define IS_MEANT "?1 IS NULL OR g.name = ?1 OR substr(g.hash, 1, length(?1)) = ?1"

int query_has_grid_named(bool *out, struct db *db, const char *name, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e, "SELECT count(*) FROM grid WHERE name = ?", "s", name))
		return -1;
	*out = n > 0;
	return 0;
}

int query_has_grid(bool *out, struct db *db, const char *hash, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e, "SELECT count(*) FROM grid WHERE hash = ?", "s", hash))
		return -1;
	*out = n > 0;
	return 0;
}

int query_has_grid_cell(bool *out, struct db *db, const char *grid, const char *cell, const char *chain,
                        const char *label, struct err *e)
{
	int64_t n;
	if (db_int_of(&n, 0, db, e,
	              "SELECT count(*) FROM grid_cell WHERE grid = ? AND cell = ? AND chain = ? AND label = ?", "ssss",
	              grid, cell, chain, label))
		return -1;
	*out = n > 0;
	return 0;
}

int query_newest_grid(struct db_rows *rows, struct db *db, const char *name, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT hash, toml, made_of FROM grid WHERE name = ? ORDER BY created DESC, hash LIMIT 1", "s",
	                name);
}

bool query_grid_next(struct grid_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct grid_row){ .hash = db_text(rows, 0), .toml = db_text(rows, 1), .made_of = db_text(rows, 2) };
	return true;
}

int query_grids_of_cell(struct db_rows *rows, struct db *db, const char *cell, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT name, toml, made_of FROM grid WHERE hash IN (SELECT grid FROM grid_cell WHERE cell = ?) "
	                "ORDER BY created DESC, hash",
	                "s", cell);
}

bool query_grid_text_next(struct grid_text_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct grid_text_row){ .name = db_text(rows, 0), .toml = db_text(rows, 1), .made_of = db_text(rows, 2) };
	return true;
}

int query_grid_hash(char **out, struct db *db, const char *name, struct err *e)
{
	return db_text_of(
		out, db, e, "SELECT g.hash FROM grid g WHERE " IS_MEANT " ORDER BY g.created DESC, g.hash LIMIT 1", "s", name);
}

int query_grid_of_cell(char **out, struct db *db, const char *cell, const char *name, struct err *e)
{
	return db_text_of(out, db, e,
	                  "SELECT g.hash FROM grid_cell gc JOIN grid g ON g.hash = gc.grid WHERE gc.cell = ? "
	                  "ORDER BY g.name = ? DESC, g.created DESC, g.hash LIMIT 1",
	                  "ss", cell, name);
}

int query_grid_cells(struct db_rows *rows, struct db *db, const char *grid, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT g.chain, g.label, c.hash, c.arm, c.seed "
	                "FROM grid_cell g JOIN cell c ON c.hash = g.cell "
	                "WHERE g.grid = ?",
	                "s", grid);
}

bool query_grid_cell_next(struct grid_cell_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct grid_cell_row){ .chain = db_text(rows, 0),
		                           .label = db_text(rows, 1),
		                           .cell = db_text(rows, 2),
		                           .arm = db_text(rows, 3),
		                           .seed = db_int(rows, 4) };
	return true;
}

int query_grid_states(struct db_rows *rows, struct db *db, const char *only, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT g.hash, g.name, g.created, x.state, count(x.cell) FROM grid g LEFT JOIN "
	                "(SELECT DISTINCT grid, cell, state FROM v_cell_status) x ON x.grid = g.hash WHERE " IS_MEANT
	                " GROUP BY g.hash, x.state ORDER BY g.created, g.hash, x.state",
	                "s", only);
}

bool query_grid_state_next(struct grid_state_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct grid_state_row){ .grid = db_text(rows, 0),
		                            .name = db_text(rows, 1),
		                            .created = db_text(rows, 2),
		                            .state = record_state_of(db_text(rows, 3)),
		                            .n = db_int(rows, 4) };
	return true;
}

int query_status(struct db_rows *rows, struct db *db, const char *only, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT x.label, x.seed, x.state, x.cell, coalesce(x.attempt, ''), coalesce(x.reason, ''), "
	                "x.chain "
	                "FROM v_cell_status x JOIN grid g ON g.hash = x.grid WHERE " IS_MEANT " ORDER BY g.created, "
	                "g.hash, x.ordinal, x.chain, x.seed",
	                "s", only);
}

bool query_status_next(struct status_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct status_row){ .label = db_text(rows, 0),
		                        .seed = db_int(rows, 1),
		                        .state = record_state_of(db_text(rows, 2)),
		                        .cell = db_text(rows, 3),
		                        .attempt = db_text(rows, 4),
		                        .reason = db_text(rows, 5),
		                        .chain = db_text(rows, 6) };
	return true;
}

/* The bare columns are those of the row that min() takes. */
int query_watch(struct db_rows *rows, struct db *db, const char *only, struct err *e)
{
	return db_query(rows, db, e,
	                "SELECT x.cell, CASE WHEN x.chain = '' THEN x.label ELSE x.chain || '/' || x.label END, "
	                "coalesce(x.attempt, ''), coalesce(x.reason, ''), coalesce(a.started, ''), coalesce(a.ended, ''), "
	                "coalesce(a.heartbeat, ''), x.state, x.seed, coalesce(x.step, 0), "
	                "coalesce(json_extract(r.config, '$.\"train.steps\"'), 0), coalesce(a.resumed_step, 0), "
	                "coalesce(a.wall_s, (julianday(a.ended) - julianday(a.started)) * 86400), "
	                "min(g.created || g.hash || printf('%012d', x.ordinal) || x.chain || printf('%012d', x.seed)) "
	                "FROM v_cell_status x JOIN grid g ON g.hash = x.grid JOIN arm r ON r.hash = x.arm "
	                "LEFT JOIN attempt a ON a.id = x.attempt WHERE " IS_MEANT " GROUP BY x.cell ORDER BY 14",
	                "s", only);
}

bool query_watch_next(struct watch_row *out, struct db_rows *rows)
{
	if (!db_next(rows))
		return false;
	*out = (struct watch_row){ .cell = db_text(rows, 0),
		                       .label = db_text(rows, 1),
		                       .attempt = db_text(rows, 2),
		                       .reason = db_text(rows, 3),
		                       .started = db_text(rows, 4),
		                       .ended = db_text(rows, 5),
		                       .heartbeat = db_text(rows, 6),
		                       .state = record_state_of(db_text(rows, 7)),
		                       .seed = db_int(rows, 8),
		                       .step = db_int(rows, 9),
		                       .steps = db_int(rows, 10),
		                       .resumed_step = db_int(rows, 11),
		                       .seconds = db_real(rows, 12) };
	return true;
}
