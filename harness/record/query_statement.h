/* query_statement.h - signed statements, and what of an attempt they are about. How questions are asked: query.h. */
#ifndef ABLATE_QUERY_STATEMENT_H
#define ABLATE_QUERY_STATEMENT_H

#include "harness/record/db.h"

/* Statements about an attempt (NULL: all), in order of their making; name may be NULL. seal: the attempt's own. */
struct statement_row {
	const char *id, *attempt, *kind, *key, *name, *envelope, *created;
};
MUST_CHECK int query_statements(struct db_rows *rows, struct db *db, const char *attempt, struct err *e);
bool query_statement_next(struct statement_row *out, struct db_rows *rows);
/* Is there any? Is that one there? */
MUST_CHECK int query_has_statements(bool *out, struct db *db, struct err *e);
MUST_CHECK int query_has_statement(bool *out, struct db *db, const char *id, struct err *e);
/* One of the kind "seal" about it by that key? */
MUST_CHECK int query_is_signed(bool *out, struct db *db, const char *attempt, const char *key, struct err *e);
/* Ids of sealed attempts that are not repetitions, by start; query_text_next. */
MUST_CHECK int query_sealed(struct db_rows *rows, struct db *db, struct err *e);

/* What a statement says about an attempt beside its scores; at most one row. Texts are NULL where it is not known;
 * journal: SHA-256 of the seal. */
struct sealed_row {
	const char *cell, *arm, *dataset, *training, *journal, *state, *purpose, *env, *fingerprint, *version, *commit;
	int64_t seed, numerics, step;
};
MUST_CHECK int query_sealed_facts(struct db_rows *rows, struct db *db, const char *attempt, struct err *e);
bool query_sealed_fact_next(struct sealed_row *out, struct db_rows *rows);
/* SHA-256 of its seal; NULL: not known here, or not sealed. */
MUST_CHECK int query_seal(char **out, struct db *db, const char *attempt, struct err *e);

/* Its scores, by key. n < 0: unknown; taken_from: the attempt that computed it for another cell, NULL = this one;
 * value, lo and hi NAN where there is none. */
struct said_score_row {
	const char *name, *weights, *protocol, *hex, *taken_from;
	int64_t nfe, step, eval_seed, n;
	double value, lo, hi;
};
MUST_CHECK int query_said_scores(struct db_rows *rows, struct db *db, const char *attempt, struct err *e);
bool query_said_score_next(struct said_score_row *out, struct db_rows *rows);

#endif
