/* query_grid.h - the grids that were run, and their cells. How questions are asked: query.h. */
#ifndef ABLATE_QUERY_GRID_H
#define ABLATE_QUERY_GRID_H

#include "harness/record/db.h"
#include "harness/record/record_state.h"

/* Was a grid of that name run? Of that hash? With that cell under that label of that chain? */
MUST_CHECK int query_has_grid_named(bool *out, struct db *db, const char *name, struct err *e);
MUST_CHECK int query_has_grid(bool *out, struct db *db, const char *hash, struct err *e);
MUST_CHECK int query_has_grid_cell(bool *out, struct db *db, const char *grid, const char *cell, const char *chain,
                                   const char *label, struct err *e);

/* The grid of that name that was run last; at most one row. */
struct grid_row {
	const char *hash, *toml, *made_of;
};
MUST_CHECK int query_newest_grid(struct db_rows *rows, struct db *db, const char *name, struct err *e);
bool query_grid_next(struct grid_row *out, struct db_rows *rows);
/* The grids that have the cell, the newest first. */
struct grid_text_row {
	const char *name, *toml, *made_of;
};
MUST_CHECK int query_grids_of_cell(struct db_rows *rows, struct db *db, const char *cell, struct err *e);
bool query_grid_text_next(struct grid_text_row *out, struct db_rows *rows);
/* Hash of the newest grid of that name, or whose hash starts with it; NULL: of all. */
MUST_CHECK int query_grid_hash(char **out, struct db *db, const char *name, struct err *e);
/* Hash of the newest grid that has the cell; one of that name before all others. */
MUST_CHECK int query_grid_of_cell(char **out, struct db *db, const char *cell, const char *name, struct err *e);

struct grid_cell_row {
	const char *chain, *label, *cell, *arm;
	int64_t seed;
};
MUST_CHECK int query_grid_cells(struct db_rows *rows, struct db *db, const char *grid, struct err *e);
bool query_grid_cell_next(struct grid_cell_row *out, struct db_rows *rows);

/* For each grid (`only`: of that name, or whose hash starts with it; NULL: all), oldest first, and each state of its
 * cells: how many. A grid without cells is one row with n 0. */
struct grid_state_row {
	const char *grid, *name, *created;
	enum record_state state;
	int64_t n;
};
MUST_CHECK int query_grid_states(struct db_rows *rows, struct db *db, const char *only, struct err *e);
bool query_grid_state_next(struct grid_state_row *out, struct db_rows *rows);

/* One row per grid, chain and cell, in the grids' order. attempt and reason are "" where there is none. */
struct status_row {
	const char *label, *cell, *attempt, *reason, *chain;
	enum record_state state;
	int64_t seed;
};
MUST_CHECK int query_status(struct db_rows *rows, struct db *db, const char *only, struct err *e);
bool query_status_next(struct status_row *out, struct db_rows *rows);

/* One row per cell, in the grids' order, with the attempt used for it: what `ablate watch` shows. label: with its chain
 * ("CHAIN/LABEL"), of the first row that has the cell. Texts are "" where there is none; seconds: as its attempt says,
 * else between start and end, NAN before it is over. */
struct watch_row {
	const char *cell, *label, *attempt, *reason, *started, *ended, *heartbeat;
	enum record_state state;
	int64_t seed, step, steps, resumed_step;
	double seconds;
};
MUST_CHECK int query_watch(struct db_rows *rows, struct db *db, const char *only, struct err *e);
bool query_watch_next(struct watch_row *out, struct db_rows *rows);

#endif
