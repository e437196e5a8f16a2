/* query_history.h - what builds of the program made which scores, in order of time. How questions are asked: query.h.
 */
#ifndef ABLATE_QUERY_HISTORY_H
#define ABLATE_QUERY_HISTORY_H

#include "harness/record/db.h"

/* Of each attempt that is done and each of its scores the mean over evaluation seeds, by start of the attempt, name and
 * protocol. Those of verify count: they are repetitions, often by another build. Scores that were taken from another
 * attempt are that one's alone. commit and fingerprint: "" where they are not recorded. */
struct history_row {
	const char *attempt, *arm, *commit, *fingerprint, *started, *name, *weights, *protocol;
	int64_t seed, nfe, step;
	double value;
};
MUST_CHECK int query_history(struct db_rows *rows, struct db *db, struct err *e);
bool query_history_next(struct history_row *out, struct db_rows *rows);

#endif
