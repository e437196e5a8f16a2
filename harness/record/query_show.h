/* query_show.h - rows that are shown, completed or exported as they are: their columns are named (db_column_name), and
 * what they are is asked of db_column_type. How questions are asked: query.h. */
#ifndef ABLATE_QUERY_SHOW_H
#define ABLATE_QUERY_SHOW_H

#include "harness/record/db.h"
#include "harness/record/record_find.h"

/* What `ablate show` prints about a cell and its attempt, in its order. */
struct show_part {
	const char *key;  /* "cell", "attempts", ... */
	const char *json; /* its only row is JSON in this column; NULL for rows */
	bool one;         /* at most one row */
	bool of_cell;     /* of the cell, else of the attempt */
	const char *sql;
};
const struct show_part *query_show_parts(int *n);
MUST_CHECK int query_show(struct db_rows *rows, struct db *db, const struct show_part *part, const struct record *of,
                          struct err *e);

/* What there is to show: every cell with its labels ("chain/label; label") and the attempt used for it, which is NULL
 * where none was made. */
struct shown_cell {
	const char *cell, *state, *attempt, *labels;
	int64_t seed;
};
MUST_CHECK int query_shown_cells(struct db_rows *rows, struct db *db, struct err *e);
bool query_shown_cell_next(struct shown_cell *out, struct db_rows *rows);

/* Words for a shell: kind is "cells" (hashes), "attempts" (ids), "labels", "grids" or "metrics" (NAME@STEPS), another
 * is BUG(); query_text_next. */
MUST_CHECK int query_words(struct db_rows *rows, struct db *db, const char *kind, struct err *e);

/* All rows of a table or view; EXIT_USAGE when there is none of that name. */
MUST_CHECK int query_table(struct db_rows *rows, struct db *db, const char *table, struct err *e);
/* One row per score of v_result, with the cell's labels; `identity` false leaves out the attempt. */
MUST_CHECK int query_all_results(struct db_rows *rows, struct db *db, bool identity, struct err *e);

#endif
