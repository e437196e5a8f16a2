/* merge_rows.h - a database without its run folder as journal lines. */
#ifndef ABLATE_MERGE_ROWS_H
#define ABLATE_MERGE_ROWS_H

#include "model/base/err.h"

/* Checks database `path` and writes its rows as lines to a file in RUNS/merged; *out is its path (heap). */
MUST_CHECK int merge_rows_of(char **out, const char *runs, const char *path, struct err *e);

#endif
