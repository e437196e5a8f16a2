/* query_study.h - which cells there are, how they stand and what they scored; of one cell, or of all at once for large
 * plans. How questions are asked: query.h. */
#ifndef ABLATE_QUERY_STUDY_H
#define ABLATE_QUERY_STUDY_H

#include "harness/record/db.h"
#include "harness/record/record_state.h"

/* Cells of an arm and seed, on that data set or ("") on any; those with most done attempts first, then by hash. */
struct identity_row {
	const char *cell;
	int64_t done;
};
MUST_CHECK int query_identity(struct db_rows *rows, struct db *db, const char *arm, int64_t seed, int64_t numerics,
                              const char *dataset, struct err *e);
bool query_identity_next(struct identity_row *out, struct db_rows *rows);

/* All cells of a numerics version. */
struct cell_row {
	const char *arm, *cell, *dataset;
	int64_t seed;
};
MUST_CHECK int query_cells(struct db_rows *rows, struct db *db, int64_t numerics, struct err *e);
bool query_cell_next(struct cell_row *out, struct db_rows *rows);

/* The attempt used for the cell (NULL: for each cell). started and ended are "" where there is none; seconds: as the
 * attempt says, else between the two, else 0; attempts: how many the cell has. */
struct state_row {
	const char *cell, *reason, *attempt, *started, *ended,
		*fingerprint; /* fingerprint: the attempt's own; NULL = none */
	enum record_state state;
	int64_t step, attempts;
	double seconds;
};
MUST_CHECK int query_states(struct db_rows *rows, struct db *db, const char *cell, struct err *e);
bool query_state_next(struct state_row *out, struct db_rows *rows);

/* One score at one evaluation seed; value, lo and hi are NAN where there is none. good: its two forms say the same, and
 * lo is not above hi. */
struct score_row {
	const char *cell, *name, *weights, *protocol, *hex, *asked; /* asked: key of the score, "" where there is none */
	const char *attempt, *fingerprint; /* whose score it is; its own fingerprint, NULL = none */
	int64_t nfe, step, n, eval_seed;
	double value, lo, hi;
	bool good;
};
bool query_score_next(struct score_row *out, struct db_rows *rows);
/* The results of a cell (view v_result), by name, nfe, weights, step, evaluation seed and protocol. */
MUST_CHECK int query_results(struct db_rows *rows, struct db *db, const char *cell, struct err *e);
/* Scores of all done attempts. Of a cell with one done attempt they are its results, and the view, which sorts, is not
 * needed. */
MUST_CHECK int query_done_scores(struct db_rows *rows, struct db *db, struct err *e);
/* Cells with several done attempts, for which the view must be asked; query_text_next. */
MUST_CHECK int query_done_twice(struct db_rows *rows, struct db *db, struct err *e);

/* EXIT_RECORD about a score that is not good. Returns -1. */
int query_bad_score(struct err *e, const char *cell, const char *name, int64_t nfe, double value, const char *hex);
/* Looks at all scores of the database, or of one attempt; EXIT_RECORD naming the first that is not good. */
MUST_CHECK int query_check_scores(struct db *db, const char *attempt, struct err *e);

#endif
