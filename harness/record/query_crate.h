/* query_crate.h - what an RO-Crate tells of a grid's run: its file, the attempts used for its cells, what they read,
 * wrote and scored. How questions are asked: query.h. */
#ifndef ABLATE_QUERY_CRATE_H
#define ABLATE_QUERY_CRATE_H

#include "harness/record/db.h"
#include "harness/record/record_state.h"

/* Of the grid with that hash; at most one row. cells: how many it has; done: of these. */
struct crate_grid_row {
	const char *name, *toml, *created, *made_of;
	int64_t cells, done;
};
MUST_CHECK int query_crate_grid(struct db_rows *rows, struct db *db, const char *hash, struct err *e);
bool query_crate_grid_next(struct crate_grid_row *out, struct db_rows *rows);

/* The attempts used for its cells that are over, those that never began left out, by cell. reason, ended, label, env
 * and fingerprint are "" where they are not known, numbers NAN and -1. */
struct crate_run_row {
	const char *attempt, *cell, *arm, *config, *label, *reason, *started, *ended, *env, *fingerprint;
	enum record_state state;
	int64_t seed, numerics, max_rss;
	double wall_s, cpu_s;
};
MUST_CHECK int query_crate_runs(struct db_rows *rows, struct db *db, const char *grid, struct err *e);
bool query_crate_run_next(struct crate_run_row *out, struct db_rows *rows);

/* Files of an attempt by content, what it read first, then what it wrote, by role. name, url and licence: "" = unknown;
 * bytes -1. */
struct crate_file_row {
	const char *role, *hash, *kind, *name, *url, *licence;
	int64_t bytes;
	bool read;
};
MUST_CHECK int query_crate_files(struct db_rows *rows, struct db *db, const char *attempt, struct err *e);
bool query_crate_file_next(struct crate_file_row *out, struct db_rows *rows);

#endif
