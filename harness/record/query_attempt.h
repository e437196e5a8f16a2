/* query_attempt.h - what one attempt ran on, read, wrote and learnt. How questions are asked: query.h. */
#ifndef ABLATE_QUERY_ATTEMPT_H
#define ABLATE_QUERY_ATTEMPT_H

#include "harness/record/db.h"
#include "harness/record/record_state.h"

/* --- curves --- */

/* A point: the value at a training step, NAN where it was not a number. */
struct curve_row {
	const char *name;
	int64_t step;
	double value;
};
bool query_curve_next(struct curve_row *out, struct db_rows *rows);
/* The names of the curves that the cells of grids of that name have; query_text_next. */
MUST_CHECK int query_curve_names(struct db_rows *rows, struct db *db, const char *grid, struct err *e);
/* The curve of that name (NULL: all), through the earlier lives that the attempt resumed from; by name and step. */
MUST_CHECK int query_curve(struct db_rows *rows, struct db *db, const char *attempt, const char *name, struct err *e);
/* The same points of all curves, by step and name. */
MUST_CHECK int query_curve_by_step(struct db_rows *rows, struct db *db, const char *attempt, struct err *e);

/* --- what it ran on --- */

/* Its environment as JSON, or that of a hash. */
MUST_CHECK int query_env(char **json, struct db *db, const char *attempt, struct err *e);
MUST_CHECK int query_env_of_hash(char **json, struct db *db, const char *hash, struct err *e);
/* Hash of its environment, and the commit of the program in it. */
MUST_CHECK int query_origin(char **env, char **commit, struct db *db, const char *attempt, struct err *e);
/* Host and hash of the environment, "" where it is not known; at most one row. */
struct ran_on_row {
	const char *host, *env;
};
MUST_CHECK int query_ran_on(struct db_rows *rows, struct db *db, const char *attempt, struct err *e);
bool query_ran_on_next(struct ran_on_row *out, struct db_rows *rows);

/* --- lives: an attempt and the earlier ones that it resumed from, one from the other --- */

/* The oldest first, the attempt itself last. state: RECORD_PENDING where it is not in this database, and then all that
 * follows is unknown. env: JSON, may be NULL. resumed_step: of the checkpoint that it began with, -1 where that is not
 * recorded; first: the first step that it recorded a point or a checkpoint of, -1 none. */
struct life_row {
	const char *attempt, *env;
	enum record_state state;
	int64_t resumed_step, first;
	bool resumed;
};
MUST_CHECK int query_lives(struct db_rows *rows, struct db *db, const char *attempt, struct err *e);
bool query_life_next(struct life_row *out, struct db_rows *rows);
/* Step of the last checkpoint before step `below` that an earlier life wrote; 0 if there is none. */
MUST_CHECK int query_checkpoint_below(int64_t *out, struct db *db, const char *attempt, int64_t below, struct err *e);

/* --- files --- */

/* What it read and wrote: role ("dataset", "checkpoint at step 100", "samples@1"), base name or "", SHA-256; by role.
 */
struct file_row {
	const char *role, *name, *hash;
};
MUST_CHECK int query_files(struct db_rows *rows, struct db *db, const char *attempt, struct err *e);
bool query_file_next(struct file_row *out, struct db_rows *rows);
/* The pictures of its training on the way (during@STEPS/STEP), through the lives that it resumed from: of each the
 * latest life's. */
struct during_row {
	const char *role, *name, *hash, *attempt, *cell;
};
MUST_CHECK int query_during(struct db_rows *rows, struct db *db, const char *attempt, struct err *e);
bool query_during_next(struct during_row *out, struct db_rows *rows);
/* Name of its picture at `nfe` evaluations (below 0: of the first one that there is). */
MUST_CHECK int query_picture(char **name, struct db *db, const char *attempt, int nfe, struct err *e);

/* "CELL12/ATTEMPT/NAME" of the picture that was made last; NULL where there is none. grid: as query_status's. */
MUST_CHECK int query_last_picture(char **place, struct db *db, const char *grid, struct err *e);

/* --- scores and comparisons --- */

/* Attempts that are used for their cells, blocked ones left out, by cell; label: of the cell, else of its arm's hash.
 */
struct used_row {
	const char *attempt, *started, *cell, *label;
	int64_t seed;
};
MUST_CHECK int query_used(struct db_rows *rows, struct db *db, struct err *e);
bool query_used_next(struct used_row *out, struct db_rows *rows);

/* Scores of an attempt, mean over evaluation seeds, by step and name. */
struct mean_row {
	const char *name, *weights;
	const char *protocol; /* "" where the attempt has no other of that name */
	int64_t nfe, step;
	double value;
};
MUST_CHECK int query_means(struct db_rows *rows, struct db *db, const char *attempt, struct err *e);
bool query_mean_next(struct mean_row *out, struct db_rows *rows);

/* What attempts a and b at one cell have both: checkpoints of the same step above `above` and up to `upto`; a and b are
 * their SHA-256. Those of two cells that share a training differ in their averages, and there are no rows. */
struct same_checkpoint_row {
	int64_t step;
	const char *a, *b;
};
MUST_CHECK int query_same_checkpoints(struct db_rows *rows, struct db *db, const char *a, const char *b, int64_t above,
                                      int64_t upto, struct err *e);
bool query_same_checkpoint_next(struct same_checkpoint_row *out, struct db_rows *rows);
/* Scores of an attempt, one by one; interval: it has one. */
struct measured_row {
	const char *name, *protocol;
	int64_t nfe, eval_seed, n;
	bool interval;
};
MUST_CHECK int query_measured(struct db_rows *rows, struct db *db, const char *attempt, struct err *e);
bool query_measured_next(struct measured_row *out, struct db_rows *rows);

/* Scores of a beside those of b. what: "fid@1 of seed 101"; hex_b is NULL and b NAN where b lacks it; other: then the
 * protocol in which b has it, or NULL; taken_from: the attempt that computed that of a, NULL: a itself. */
struct same_score_row {
	const char *what, *hex_a, *hex_b, *protocol, *other, *taken_from;
	double a, b;
};
MUST_CHECK int query_same_scores(struct db_rows *rows, struct db *db, const char *a, const char *b, struct err *e);
bool query_same_score_next(struct same_score_row *out, struct db_rows *rows);

#endif
