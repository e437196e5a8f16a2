/* table_column.c - see table_column.h. */
#include "harness/grid/table_column.h"

#include "harness/grid/metric_ref.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <string.h>

static const struct column_row rows[] = {
	{ .key = "delta",
	  .head = "difference",
	  .kind = COLUMN_DELTA,
	  .of_metric = true,
	  .numeric = true,
	  .text =
	      "the mean's difference to the first row of the chain, with its two-sided 95 % interval and p: by the paired "
	      "t test where both rows have the same seeds and the grid pairs them, else by Welch's" },
	{ .key = "paired",
	  .head = "paired difference",
	  .kind = COLUMN_PAIRED,
	  .of_metric = true,
	  .numeric = true,
	  .pairs = true,
	  .text = "the mean over the seeds of the difference to the first row of the chain, with its two-sided 95 % "
	          "interval by Student's t" },
	{ .key = "verdict",
	  .head = "verdict",
	  .kind = COLUMN_VERDICT,
	  .of_metric = true,
	  .pairs = true,
	  .text = "better, worse or cannot tell: what a gate with test = \"superiority\" and alpha = 0.025 says of the row "
	          "against the first one of the chain" },
	{ .key = "paper",
	  .head = "published",
	  .kind = COLUMN_PAPER,
	  .of_metric = true,
	  .numeric = true,
	  .text = "the published value" },
	{ .key = "paper-delta",
	  .head = "ours " MINUS " published",
	  .kind = COLUMN_PAPER_DELTA,
	  .of_metric = true,
	  .numeric = true,
	  .text = "ours less the published value" },
	{ .key = "seeds",
	  .head = "seeds",
	  .kind = COLUMN_SEEDS,
	  .of_metric = true,
	  .numeric = true,
	  .text = "how many seeds have a value" },
	{ .key = "state", .head = "state", .kind = COLUMN_STATE, .text = "the state of the row's cells" },
	{ .key = "arm", .head = "arm", .kind = COLUMN_ARM, .text = "the beginning of the row's hash" },
	{ .key = "preset", .head = "preset", .kind = COLUMN_PRESET, .text = "the row's preset" },
	{ .key = "steps", .head = "steps", .kind = COLUMN_STEPS, .numeric = true, .text = "the setting train.steps" },
	{ .key = "batch", .head = "batch", .kind = COLUMN_BATCH, .numeric = true, .text = "the setting train.batch" },
};
enum { N_ROWS = sizeof rows / sizeof *rows };

const struct column_row *table_columns(int *n)
{
	*n = N_ROWS;
	return rows;
}

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
	SCOPED(str) struct str all = { 0 };
	for (int i = 0; i < N_ROWS; i++)
		str_addf(&all, "%s%s", i ? ", " : "", names[i]);
	return err_code(e, EXIT_USAGE, "'%s' is not a column; use a metric such as fid@1, or %s%s", text, str_text(&all),
	                str_text(&near));
}
