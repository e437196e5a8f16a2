/* table_column.c - see table_column.h. */
#include "harness/grid/table_column.h"

#include "harness/grid/metric_ref.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <string.h>

static const struct column_row rows[] = {
	{ "delta", "difference", COLUMN_DELTA, true, true }, { "paper", "published", COLUMN_PAPER, true, true },
	{ "paper-delta", "ours " MINUS " published", COLUMN_PAPER_DELTA, true, true }, { "seeds", "seeds", COLUMN_SEEDS, true, true },
	{ "state", "state", COLUMN_STATE, false, false }, { "arm", "arm", COLUMN_ARM, false, false },
	{ "preset", "preset", COLUMN_PRESET, false, false }, { "steps", "steps", COLUMN_STEPS, false, true },
	{ "batch", "batch", COLUMN_BATCH, false, true },
};
enum { N_ROWS = sizeof rows / sizeof *rows };

int table_column_parse(struct column_name *out, const char *text, struct err *e)
{
	const char *names[N_ROWS];
	for (int i = 0; i < N_ROWS; i++) {
		size_t n = strlen(rows[i].key);
		names[i] = rows[i].key;
		if (strncmp(text, rows[i].key, n) != 0 || (text[n] && text[n] != ':'))
			continue;
		if (text[n] == ':' && !rows[i].of_metric)
			return err_code(e, EXIT_USAGE, "column '%s' takes no metric", rows[i].key);
		*out = (struct column_name){ &rows[i], text[n] ? text + n + 1 : NULL };
		return 0;
	}
	struct metric_ref ref;
	*out = (struct column_name){ .metric = text };
	if (metric_ref_parse(&ref, text, NULL) == 0 && strchr(text, '@'))
		return 0;
	SCOPED(str) struct str near = { 0 };
	str_suggest(&near, text, names, N_ROWS);
	return err_code(e, EXIT_USAGE, "'%s' is no column; a metric as fid@1, or delta, paper, paper-delta, seeds, state, arm, preset, "
	                "steps, batch%s", text, str_text(&near));
}
