/* table.h - a [[table]] filled from the database, and its five output formats.
 *
 * A row is a row of the plan (an arm under a label), a column a metric or what is derived from one:
 *     fid@1                 mean +- sd over training seeds; best in bold; "2 of 3" where seeds are missing; the state
 *                           (pending, failed, blocked) where no seed has a value
 *     delta | delta:fid@1   the mean's difference to the chain's first row (the base, or the full recipe), or to the
 *                           row that the table's `reference` names, with its two-sided 95 % interval and p: by the
 *                           paired t test where the grid pairs its seeds and both rows have the same ones, else by
 *                           Welch's, which the cell names; "(one seed)" where there is no interval
 *     paired | paired:fid@1 the same over the seeds that both rows have, with its two-sided 95 % interval by the
 *                           paired t test: "+38.3 [+12.1, +64.5]"
 *     verdict | verdict:fid@1
 *                           better, worse or cannot tell, as a gate for superiority at alpha = 0.025 judges the row
 *     paper | paper:fid@1   the published value; paper-delta: ours less the published
 *     seeds                 seeds with a value, of those asked for
 *     state arm preset steps batch      what the cells are
 * "delta", "paired", "verdict", "paper" and "paper-delta" without a metric refer to the metric column before them, else
 * of the table's `metric`, else of the first metric. A table without `cols` has every declared metric, the difference
 * beside the first, and seeds; with `paper`, the published value and the difference follow each metric. paper = "all"
 * also appends every published row of the data set.
 *
 * With a pivot, rows are the values of one setting and columns those of another, of one metric; arms that differ in
 * further settings are parts of their own (sections).
 *
 * Numbers of different protocols never share a column: such a table is refused (exit 5) with the list, unless it says
 * across = true, for it is about the protocols; then its notes list the rows of each, and no row is the best. Notes say
 * what +- means, each protocol, the deviations from the paper, and what failed. A comment carries the command and the
 * hash of the values behind the table, so that a reader can check it and `--check` can detect when it is out of
 * date. */
#ifndef ABLATE_TABLE_H
#define ABLATE_TABLE_H

#include "harness/study/published.h"
#include "harness/study/study.h"

enum table_kind { TABLE_TEXT, TABLE_STAT, TABLE_NUMBER, TABLE_COUNT, TABLE_STATE, TABLE_INTERVAL, TABLE_VERDICT };

#define TABLE_PAIRED_T "paired t"
#define TABLE_WELCH_T  "welch t"
#define TABLE_NO_TEST  "none" /* one seed: nothing is known of the spread */

struct table_cell {
	enum table_kind kind;
	const char *text;    /* as printed, UTF-8, unescaped */
	double value, sd;    /* NAN = none */
	int n, asked;        /* seeds; of an interval or a verdict: pairs of them */
	double lo, hi;       /* of an interval; NAN = none */
	double p;            /* of a verdict or a difference, two-sided; NAN = none */
	const char *test;    /* of a difference: TABLE_PAIRED_T, TABLE_WELCH_T or TABLE_NO_TEST; else NULL */
	const char *verdict; /* of a verdict, without what `text` adds */
	bool holm;           /* a verdict that also stays by Holm's rule over its column */
	bool best;
	bool leaks; /* scored by the network that its loss was made of: marked in the text, and never the best */
	const char *const *builds; /* (n_builds) fingerprints of the values, in the study's memory; "" = not recorded */
	int n_builds;
};

struct table_column {
	const char *key;       /* as in cols */
	const char *head;      /* as printed */
	bool numeric;          /* right-aligned */
	struct metric_ref ref; /* name "" when it refers to no metric */
	bool higher_is_better;
};

struct table {
	struct arena arena;
	const char *name, *title, *command;
	char results[SHA256_HEX]; /* over the scores that the table shows, seed by seed, and nothing else of the study */
	struct table_column *cols;
	int n_cols;
	const char **labels, **sections;   /* per row; section: the chain, "" = none */
	const char **shown;                /* labels for people: long numbers rounded as far as the rows stay different */
	const struct run_config **configs; /* per row, the plan's; NULL: published */
	struct table_cell *cells;          /* (n_rows, n_cols) */
	int n_rows;
	const char **notes;
	int n_notes, cap_notes;
	int n_reader; /* the first notes explain the table; the others are for the record: protocols, deviations, states */
	const char *caption, *latex_label;
	int latex_width; /* points */
	bool latex_notes;
	int columns; /* of the terminal; 0 = as many as it takes */
};

enum { TABLE_ROWS_MAX = 20000 };

/* def NULL: the table of a grid that declares none. `pub` NULL: no published values. `command` is for the comment. */
MUST_CHECK int table_build(struct table **out, struct study *s, const struct grid_table *def,
                           const struct published *pub, const char *command, struct err *e);
void table_free(struct table *t);
void scoped_table(struct table **t);

/* All tables of the study's grid (the default one when it declares none) as text for a terminal, each under its
 * title. */
MUST_CHECK int tables_text(struct str *out, struct study *s, const struct published *pub, const char *command,
                           struct err *e);

/* Columns of the terminal that standard output is; 0 where it is none. */
int table_terminal_columns(void);

/* One row per format: name, file extension, writer. */
struct table_format {
	const char *name, *extension, *text;
	void (*write)(struct str *out, const struct table *t);
};
const struct table_format *table_formats(int *n);
/* By name or extension; "latex" and "tex" are one. NULL when unknown. */
const struct table_format *table_format(const char *name);

/* Is the file identical to the table as it would be written now? Exit 5 naming the first line that differs if not. The
 * extension chooses the format. */
MUST_CHECK int table_check(const struct table *t, const char *path, struct err *e);

#endif
