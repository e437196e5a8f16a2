/* export.h - records in other people's formats. */
#ifndef ABLATE_EXPORT_H
#define ABLATE_EXPORT_H

#include "harness/record/db.h"
#include "harness/record/dump.h"

enum export_format { EXPORT_CSV, EXPORT_JSONL };

/* The rows of a query, which it ends, one by one: CSV as RFC 4180 with a header line (numbers are shortest round-trip,
 * NULL is empty), or one JSON object per line (NULL is left out; infinities as text). */
MUST_CHECK int export_rows(struct db_rows *rows, enum export_format format, dump_sink *sink, void *ctx, struct err *e);
/* One row per score of v_result with its cell's labels. `identity` false leaves out what differs between two runs of
 * the same cells (attempt ids): equal results then give equal bytes. */
MUST_CHECK int export_results(struct db *db, enum export_format format, bool identity, dump_sink *sink, void *ctx,
                              struct err *e);
/* TensorBoard: DIR/LABEL-seedN-CELL/events.out.tfevents.ablate with the curves and scores of the attempt used for
 * each cell; *n counts them. The files are the same bytes whenever they are made. */
MUST_CHECK int export_tensorboard(int *n, struct db *db, const char *dir, struct err *e);

#endif
