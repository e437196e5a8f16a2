/* query_build.h - which builds the recorded numbers are of. How questions are asked: query.h. */
#ifndef ABLATE_QUERY_BUILD_H
#define ABLATE_QUERY_BUILD_H

#include "harness/record/db.h"

/* Each recorded fingerprint, with the hashes of its build and of its device's kernels, "" where its environment does
 * not name them. */
struct build_row {
	const char *fingerprint, *build, *kernels;
};
MUST_CHECK int query_builds(struct db_rows *rows, struct db *db, struct err *e);
bool query_build_next(struct build_row *out, struct db_rows *rows);

/* Attempts whose numbers come from attempts of other fingerprints, too: lives that they resumed from, scores that they
 * took. A row for each fingerprint of such an attempt ("none" where it has none), by attempt, then fingerprint. */
struct mixed_row {
	const char *attempt, *fingerprint;
};
MUST_CHECK int query_mixed_builds(struct db_rows *rows, struct db *db, struct err *e);
bool query_mixed_build_next(struct mixed_row *out, struct db_rows *rows);

/* What is used for each cell that is done: the attempt, and its own fingerprint (NULL: none). */
struct used_build_row {
	const char *cell, *attempt, *fingerprint;
};
MUST_CHECK int query_used_builds(struct db_rows *rows, struct db *db, struct err *e);
bool query_used_build_next(struct used_build_row *out, struct db_rows *rows);

/* Hashes of a grid's cells, each once; query_text_next. */
MUST_CHECK int query_cells_of_grid(struct db_rows *rows, struct db *db, const char *grid, struct err *e);

/* Own fingerprint of an attempt; NULL where it has none. */
MUST_CHECK int query_fingerprint(char **out, struct db *db, const char *attempt, struct err *e);
/* How often a cell was made again: the highest attempt.generation of its done attempts; -1 where none is done. */
MUST_CHECK int query_generation_done(int64_t *out, struct db *db, const char *cell, struct err *e);

#endif
