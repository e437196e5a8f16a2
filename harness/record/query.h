/* query.h - what plans, runs and commands ask of the database about cells and attempts. SQL is written in this room
 * alone: who needs something of the records asks one of these, or of query_grid.h (grids and their cells),
 * query_study.h (states and scores), query_attempt.h (what one attempt ran on, read, wrote and learnt), query_show.h
 * (rows to be shown as they are).
 *
 * A question with one answer puts it into *out; a text is the caller's to free, NULL where there is none. A question
 * with many answers is begun, read row by row, and ended: struct db_rows rows; struct running_row r; if
 * (query_running(&rows, db, e)) return -1; while (query_running_next(&r, &rows)) use(r.attempt); if (db_done(&rows, e))
 * return -1; Texts of a row live until the next one, and are NULL only where it is said. All return -1 with e as db.h
 * says. */
#ifndef ABLATE_QUERY_H
#define ABLATE_QUERY_H

#include "harness/record/db.h"
#include "harness/record/record_state.h"

/* One text a row. */
bool query_text_next(const char **out, struct db_rows *rows);

/* --- cells --- */

/* A score that a finished cell must have: nfe network evaluations per sample, n images; ref and extractor as in the
 * grid ("" or NULL: what belongs to the data set). */
struct wanted_score {
	const char *name;
	int64_t nfe, eval_seed, n;
	const char *ref, *extractor;
};

/* Is the cell finished: is an attempt of it done (one of verify does not count), and every wanted score there? A score
 * counts by the key of what was asked (metric.asked); one of before there were keys by name, numbers and the extractor
 * in its protocol. */
MUST_CHECK int query_finished(bool *out, struct db *db, const char *cell, const struct wanted_score *wanted, int n,
                              struct err *e);
/* Is a score with that key (or, where that is "", with that protocol) the wanted one of a cell? */
MUST_CHECK int query_score_is(bool *out, struct db *db, const char *cell, const struct wanted_score *wanted,
                              const char *asked, const char *protocol, struct err *e);
/* Of its attempts: done if one is, else running if one is, else the latest one's. */
MUST_CHECK int query_cell_state(enum record_state *out, struct db *db, const char *cell, struct err *e);
/* Is it blocked, and for this reason? */
MUST_CHECK int query_is_blocked_by(bool *out, struct db *db, const char *cell, const char *reason, struct err *e);
/* 1-based number of the next attempt at it. */
MUST_CHECK int query_next_n(int64_t *out, struct db *db, const char *cell, struct err *e);
/* Of the newest `last` attempts of the database: how many were stopped on the step that they began at, before
 * `steps`. */
MUST_CHECK int query_stopped_idle(int64_t *out, struct db *db, int last, int64_t steps, struct err *e);
/* Mean seconds of the done attempts of an arm that began from nothing; *out stays where there is none. */
MUST_CHECK int query_arm_seconds(double *out, struct db *db, const char *arm, struct err *e);

/* What a repetition needs to know of a cell; at most one row. */
struct repeat_row {
	const char *arm, *config, *dataset, *label;
	int64_t seed, numerics, steps;
};
MUST_CHECK int query_repeat(struct db_rows *rows, struct db *db, const char *cell, struct err *e);
bool query_repeat_next(struct repeat_row *out, struct db_rows *rows);

/* Cells whose attempt is done, by hash. */
struct done_row {
	const char *cell, *attempt, *arm;
	int64_t seed;
};
MUST_CHECK int query_done_cells(struct db_rows *rows, struct db *db, struct err *e);
bool query_done_cell_next(struct done_row *out, struct db_rows *rows);

/* --- attempts --- */

MUST_CHECK int query_has_attempt(bool *out, struct db *db, const char *attempt, struct err *e);
MUST_CHECK int query_attempt_is_done(bool *out, struct db *db, const char *attempt, struct err *e);
MUST_CHECK int query_count_in_state(int64_t *out, struct db *db, enum record_state state, struct err *e);
/* How it ended; both stay as they are where the attempt is not known. */
MUST_CHECK int query_end(enum record_state *state, char reason[512], struct db *db, const char *attempt, struct err *e);
/* Ids of the attempts at a cell that are over, those of verify left out, in order of their start; query_text_next. */
MUST_CHECK int query_over(struct db_rows *rows, struct db *db, const char *cell, struct err *e);
/* Of the attempt, and of those at the cell (NULL: of none), the one that runs; the last to begin where several do. */
MUST_CHECK int query_running_of(char **out, struct db *db, const char *attempt, const char *cell, struct err *e);

/* All that run, in order of their start. host, boot_id and heartbeat may be NULL; heartbeat_boot_s NAN. */
struct running_row {
	const char *attempt, *cell, *host, *boot_id, *heartbeat, *label, *purpose;
	int64_t pid, step, steps, seed;
	double heartbeat_boot_s;
};
MUST_CHECK int query_running(struct db_rows *rows, struct db *db, struct err *e);
bool query_running_next(struct running_row *out, struct db_rows *rows);

/* Is the checkpoint of that step in the journal of this attempt or of a life it resumed from? Only then is everything
 * before it recorded, too: a process killed between the two leaves a file, but not the last points of its curves. */
MUST_CHECK int query_has_checkpoint(bool *out, struct db *db, const char *attempt, int64_t step, struct err *e);
/* "CELL12/ATTEMPT/NAME" of the newest checkpoint of the attempts, or cells, whose id, or hash, starts with it, or of
 * the lives they resumed from, which may be another cell's; done ones first, pruned ones last. */
MUST_CHECK int query_checkpoint_place(char **out, struct db *db, const char *beginning, struct err *e);
/* Canonical JSON of the arm of those attempts, or cells: what a checkpoint is to be sampled as, whoever trained it. */
MUST_CHECK int query_config_named(char **out, struct db *db, const char *beginning, struct err *e);

#endif
