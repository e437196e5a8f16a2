/* query_stage.h - what the record has of a training: attempts that made a part of it, samples of it, scores of those.
 * How questions are asked: query.h. Whoever takes what another attempt made asks here, so that one place decides what
 * counts: attempts of `run` alone, and results only of those that are done and sealed. */
#ifndef ABLATE_QUERY_STAGE_H
#define ABLATE_QUERY_STAGE_H

#include "harness/record/db.h"

/* Attempts that are over, at the cell and at all others of the training (""= none); those of the cell come last, else
 * in order of their start. config: of the attempt's arm; label: of its cell. */
struct training_row {
	const char *attempt, *cell, *config, *label, *state, *reason;
	int64_t seed;
};
MUST_CHECK int query_training(struct db_rows *rows, struct db *db, const char *training, const char *cell,
                              struct err *e);
bool query_training_next(struct training_row *out, struct db_rows *rows);

/* Does an attempt at another cell of the training run? */
MUST_CHECK int query_training_runs(bool *out, struct db *db, const char *training, const char *cell, struct err *e);
/* The attempt at another cell of the training that diverged first, not before `since` ("": at any time); at most one
 * row, with reason. */
MUST_CHECK int query_training_diverged(struct db_rows *rows, struct db *db, const char *training, const char *cell,
                                       const char *since, struct err *e);

/* Files of samples: key of the sampling; by key. */
struct sampling_row {
	const char *key, *cell, *attempt, *name, *sha256;
	int64_t n;
};
MUST_CHECK int query_samplings(struct db_rows *rows, struct db *db, const char *training, const char *cell,
                               struct err *e);
bool query_sampling_next(struct sampling_row *out, struct db_rows *rows);

/* Scores with the key of what was asked; attempt: which computed it. computed_by may be NULL, lo and hi NAN. */
struct known_row {
	const char *key, *attempt, *name, *weights, *protocol, *hex, *computed_by;
	double lo, hi;
	int64_t nfe, eval_seed, step, n;
};
MUST_CHECK int query_known(struct db_rows *rows, struct db *db, const char *training, const char *cell, struct err *e);
bool query_known_next(struct known_row *out, struct db_rows *rows);

#endif
