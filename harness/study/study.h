/* study.h - what the database knows about a plan: for each cell its state and its scores.
 *
 * Tables, gates, figures and the report all read through this. Cells are found by arm, seed and numerics version (and
 * by data set where the plan knows it), so that changing a table, a gate or a label in the grid file loses nothing.
 * Scores are those of the attempt used for the cell (view v_result), averaged over evaluation seeds first. */
#ifndef ABLATE_STUDY_H
#define ABLATE_STUDY_H

#include "harness/grid/metric_ref.h"
#include "harness/plan/plan.h"
#include "harness/record/db.h"
#include "harness/record/fingerprint.h"
#include "harness/record/record_state.h"

#include "model/base/mem.h"

enum { STUDY_MARKS_MAX = 32 };  /* builds that are told apart */
enum { STUDY_BULK_FROM = 200 }; /* cells of a plan; from here on one pass over a view is cheaper than many look-ups */

struct study_score { /* of one cell, at one training step */
	const char *name, *weights, *protocol;
	const char *asked;       /* of the first evaluation seed: key of what was asked (stage.h); "" = not recorded */
	const char *fingerprint; /* of what made it, as builds_of() has it */
	int64_t eval_seed;       /* the first */
	int nfe, evals;          /* evals: evaluation seeds averaged */
	int64_t step, n;         /* n: images scored; 0 = unknown */
	double value;            /* mean over evaluation seeds; NAN if one of them is */
	double least;            /* the smallest of them */
	double lo, hi;           /* interval over samples, of the first evaluation seed; NAN = none */
};

struct study_cell {
	const char *hash; /* as in the database, else the plan's */
	int arm;          /* in plan->arms */
	int64_t seed;
	enum record_state state;
	const char *reason, *attempt, *started, *ended; /* "" where there is none */
	const char *fingerprint;                        /* of the attempt, as builds_of() has it */
	int64_t step, attempts;
	double seconds; /* wall clock of that attempt; 0 while it runs */
	struct study_score *scores;
	int n_scores, cap_scores;
};

struct study {
	struct plan *plan; /* borrowed */
	struct db *db;     /* borrowed; NULL: nothing has run */
	struct arena arena;
	struct builds *builds;
	struct study_cell *cells; /* plan->n_cells, in its order */
	int *of_arm, *first;      /* cells of arm a, seeds in order: of_arm[first[a]] .. of_arm[first[a + 1] - 1] */
	const char *marked[STUDY_MARKS_MAX]; /* different fingerprints of what is done, in the plan's order */
	int n_marked;
	char results[SHA256_HEX]; /* over all scores read, as hex floats: what a table was made from */
};

/* db may be NULL. Exit 5 for what the database refuses, or when one arm and seed has results on two data sets. */
MUST_CHECK int study_load(struct study **out, struct plan *plan, struct db *db, struct err *e);
void study_free(struct study *s);
void scoped_study(struct study **s);

/* The score of a cell that `ref` means, at its last step; of several (by references or extractors) the one that the
 * grid asks for now. NULL when there is none. */
const struct study_score *study_score(const struct study *s, const struct study_cell *c, const struct metric_ref *ref);

/* One arm, one metric: over training seeds. */
struct study_stat {
	int asked, done, failed, blocked, pending; /* cells by state; running and stopped count as pending */
	int n;                                     /* seeds with a value */
	double *value;                             /* (n), in the study's arena, in the order of seeds */
	int64_t *seed;
	double mean, sd;      /* NAN for n = 0; sd NAN for n < 2 */
	int64_t images;       /* of each score; 0 = unknown */
	const char *protocol; /* NULL for n = 0 */
	const char **builds;  /* (n_builds) different fingerprints of the values, in order of appearance */
	int n_builds;
	const char *reason; /* of the first cell that is not done; "" */
};
/* Exit 5 when the arm's seeds have different protocols. */
MUST_CHECK int study_stat(struct study_stat *out, struct study *s, int arm, const struct metric_ref *ref,
                          struct err *e);

/* All of its builds as one text, as builds_of() has those of an attempt. In the study's arena. */
const char *study_stat_builds(struct study *s, const struct study_stat *stat);

/* --- marks of numbers that were made by different builds (study_marks.c) --- */

/* Are there several, or numbers that come from several? Only then anything is marked. */
bool study_is_mixed(const struct study *s);
/* " [1]", " [1, 3]": behind a number of these builds; "" where nothing is marked. In the arena. */
const char *study_mark(const struct study *s, struct arena *a, const char *const *builds, int n);
/* The same for an arm: of all of its cells that are done. */
const char *study_arm_mark(const struct study *s, struct arena *a, int arm);
/* What the marks mean, one sentence a mark, i from 0 on; NULL behind the last. In the arena. */
const char *study_mark_note(const struct study *s, struct arena *a, int i);

#endif
