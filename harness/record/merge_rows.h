/* merge_rows.h - a database without its run folder as journal lines. */
#ifndef ABLATE_MERGE_ROWS_H
#define ABLATE_MERGE_ROWS_H

#include "model/base/str.h"

/* Checks database `path` and appends its rows as lines to out. */
MUST_CHECK int merge_rows_of(struct str *out, const char *path, struct err *e);

#endif
