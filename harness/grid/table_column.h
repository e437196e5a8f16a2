/* table_column.h - what a table's `cols` may name: a metric, or what table.h derives from one. */
#ifndef ABLATE_TABLE_COLUMN_H
#define ABLATE_TABLE_COLUMN_H

#include "model/base/err.h"

#include <stdbool.h>

#define MINUS "\xe2\x88\x92"

enum column_kind {
	COLUMN_METRIC,
	COLUMN_DELTA,
	COLUMN_PAIRED,
	COLUMN_VERDICT,
	COLUMN_PAPER,
	COLUMN_PAPER_DELTA,
	COLUMN_SEEDS,
	COLUMN_STATE,
	COLUMN_ARM,
	COLUMN_PRESET,
	COLUMN_STEPS,
	COLUMN_BATCH
};

struct column_row {
	const char *key, *head;
	enum column_kind kind;
	bool of_metric, numeric;
	bool pairs;       /* compares seed by seed: the grid must say paired = true, as its gates then do */
	const char *text; /* what it shows; no full stop */
};
const struct column_row *table_columns(int *n);

struct column_name {
	const struct column_row *row; /* NULL: a metric */
	const char *metric;           /* the metric that it names; points into the text; NULL = none */
};
/* Exit 2, with near names, for what is not a column. Grids are checked with it before anything runs. */
MUST_CHECK int table_column_parse(struct column_name *out, const char *text, struct err *e);

#endif
