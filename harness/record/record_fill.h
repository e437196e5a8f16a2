/* record_fill.h - a database filled with made-up rows, past the journals: only for measuring how fast it is read. */
#ifndef ABLATE_RECORD_FILL_H
#define ABLATE_RECORD_FILL_H

#include "harness/record/db.h"

/* A done attempt `id` at a cell, with one score and `points` points of a curve. */
struct filled_cell {
	const char *id, *cell, *arm, *config, *grid, *label, *when;
	int64_t seed, numerics, ordinal;
	int points;
};
/* Both belong between db_begin and db_commit. */
MUST_CHECK int record_fill_grid(struct db *db, const char *hash, const char *toml, const char *when, struct err *e);
MUST_CHECK int record_fill_cell(struct db *db, const struct filled_cell *c, struct err *e);
/* One transaction that writes one row. */
MUST_CHECK int record_fill_commit(struct db *db, const char *value, struct err *e);
/* Points of curves in the database. */
MUST_CHECK int record_fill_points(int64_t *out, struct db *db, struct err *e);

#endif
