/* table_private.h - what table.c (columns, rows, numbers), table_notes.c (heads, notes) and table_lookup.c (questions)
 * share while a table is built. */
#ifndef ABLATE_TABLE_PRIVATE_H
#define ABLATE_TABLE_PRIVATE_H

#include "harness/show/table.h"
#include "harness/grid/table_column.h"

#define DAGGER     "\xe2\x80\xa0"
#define PLUS_MINUS "\xc2\xb1"

/* A verdict's level in each direction: its interval is the two-sided 95 %. */
#define TABLE_ALPHA     0.025
#define VERDICT_BETTER  "better"
#define VERDICT_WORSE   "worse"
#define VERDICT_UNCLEAR "cannot tell"

enum { COLS_MAX = 3 * GRID_COLS_MAX, NOTED_ROWS = 12 };

/* Makes of a table with one column of a metric one of two settings (table_pivot.c). Exit 2 for what is no setting, or
 * has too many values. */
enum { TABLE_PIVOT_COLS = 64 };
MUST_CHECK int table_pivot(struct table *t, const char *const by[2], struct err *e);
/* Fills t->shown (table_labels.c). */
void table_shown_labels(struct table *t);

/* The table being filled. */
struct build {
	struct table *t;
	struct study *s;
	const struct grid_table *def;
	const struct published *pub;
	enum column_kind kind[COLS_MAX];
	const struct plan_row **rows;
	int n_ours; /* rows of the plan; the others are published only */
	const struct published_value **theirs;
	struct study_stat *stats; /* (n_ours, n_cols), of the columns that refer to a metric */
	int *reference; /* per row of ours: with which it is compared, the first of its chain or the one that is named */
	int digits[COLS_MAX]; /* decimals of a column's metric */
};

/* The name of the data set that a row was trained on. */
const char *table_data(const struct build *b, const struct plan_row *row);
struct study_stat *table_stat(const struct build *b, int row, int col);
/* The published value that corresponds to this row: by its label; for a chain's first row and for rows outside chains
 * by the full preset, too. NULL when there is none. */
const struct published_value *table_published(const struct build *b, const struct plan_row *row,
                                              const struct metric_ref *ref);
/* Have the rows of column c several protocols? Is row r the first of its own (false where it has none)? */
bool table_mixes_protocols(const struct build *b, int c);
bool table_begins_protocol(const struct build *b, int r, int c);
/* Row r against its reference by the metric of column c, over the seeds that both have. */
struct table_pairs {
	int n;               /* seeds */
	double diff, lo, hi; /* NAN where there are none; lo and hi from two seeds on */
	double p;            /* two-sided, from two seeds on */
	const char *verdict; /* one of VERDICT_*, or why there is none; "" = no value */
};
struct table_pairs table_compare(const struct build *b, int r, int c);
/* The difference of the means of row r and its reference, by all of their seeds: paired where the grid pairs them and
 * both have the same ones. `n` is the smaller number of seeds. */
struct table_pairs table_difference(const char **test, const struct build *b, int r, int c);
/* Marks those verdicts of column c that stay by Holm's rule over the column. */
void table_holm(struct build *b, int c);
/* Is the verdict that there is a difference? */
bool table_says(const struct table_cell *cell);
/* Is that score of the arm by the network that its loss was made of (a learned metric's)? */
bool table_leaks(const struct build *b, int arm, const struct metric_ref *ref);
const char *table_state_text(struct build *b, const struct study_stat *s);
/* The titles of the columns, once the scores are known. */
void table_heads(struct build *b);
MUST_CHECK int table_notes(struct build *b, struct err *e);

#endif
