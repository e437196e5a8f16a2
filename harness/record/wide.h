/* wide.h - view v_wide: the scores beside the settings, in columns, for programs that know SQL and no JSON.
 *
 * One row per score of v_result; a cell that has none has one row whose `name` is NULL. So no two scores share a row,
 * whatever their protocols, and `WHERE name = 'fid' AND nfe = 1` selects the samples of one statistic. Every setting is
 * a column named by its key ("loss.kind", in quotation marks in SQL): numbers are INTEGER or REAL, flags 0 or 1, lists
 * their JSON, names TEXT. Labels of a cell that several grids or chains ask for are joined by "; ", so that a cell is
 * not counted twice.
 *
 * The view's text follows from the knobs (model/config/config.h). It belongs to no version of the schema: whoever opens
 * a database for writing makes it anew where it is absent or other knobs made it, and a reader has a temporary one in
 * its place. */
#ifndef ABLATE_WIDE_H
#define ABLATE_WIDE_H

#include "harness/record/db.h"

#define WIDE_NAME "v_wide"

/* Its CREATE VIEW statement, with a comment per column, without a semicolon; heap text. */
char *wide_sql(void);
/* As db_schema_docs: one call for the view itself, then one for each of its columns. */
void wide_docs(db_doc_fn *row, void *ctx);
/* Makes it in the open transaction unless it is there as wide_sql has it. */
MUST_CHECK int wide_make(struct db *db, struct err *e);
/* Is it there so? */
MUST_CHECK int wide_is_made(bool *made, struct db *db, struct err *e);
/* For this connection alone. */
MUST_CHECK int wide_make_temporary(struct db *db, struct err *e);

#endif
