/* record_fill.c - see record_fill.h. */
#include "harness/record/record_fill.h"

#include <stdio.h>

int record_fill_grid(struct db *db, const char *hash, const char *toml, const char *when, struct err *e)
{
	return db_exec(db, e, "INSERT INTO grid(hash, name, toml, created) VALUES(?, 'bench', ?, ?)", "sss", hash, toml,
	               when);
}

int record_fill_cell(struct db *db, const struct filled_cell *c, struct err *e)
{
	char hex[40];
	(void)snprintf(hex, sizeof hex, "%a", (double)c->ordinal);
	if (db_exec(db, e, "INSERT INTO arm VALUES(?, ?) ON CONFLICT DO NOTHING", "ss", c->arm, c->config) ||
	    db_exec(db, e, "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(?, ?, ?, ?, '')", "ssii", c->cell,
	            c->arm, c->seed, c->numerics) ||
	    db_exec(db, e, "INSERT INTO grid_cell VALUES(?, ?, '', ?, ?, NULL)", "ssis", c->grid, c->cell, c->ordinal,
	            c->label) ||
	    db_exec(db, e, "INSERT INTO attempt(id, cell, n, state, started, ended) VALUES(?, ?, 1, 'done', ?, ?)", "ssss",
	            c->id, c->cell, c->when, c->when) ||
	    db_exec(db, e,
	            "INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex, n) VALUES(?, "
	            "'fid', 1, 'ema', 100, 101, 'p', ?, ?, 1000)",
	            "sds", c->id, (double)c->ordinal, hex))
		return -1;
	for (int k = 0; k < c->points; k++)
		if (db_exec(db, e, "INSERT INTO curve VALUES(?, 'loss', ?, ?)", "sid", c->id, (int64_t)k, 0.5))
			return -1;
	return 0;
}

int record_fill_commit(struct db *db, const char *value, struct err *e)
{
	return db_begin(db, e) ||
	               db_exec(db, e,
	                       "INSERT INTO meta VALUES('bench', ?, NULL) ON CONFLICT DO UPDATE SET value = "
	                       "excluded.value",
	                       "s", value) ||
	               db_commit(db, e)
	           ? -1
	           : 0;
}

int record_fill_points(int64_t *out, struct db *db, struct err *e)
{
	return db_int_of(out, 0, db, e, "SELECT count(*) FROM curve", "");
}
