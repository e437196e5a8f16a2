/* grid.h - a study as a file: what is fixed, what is varied, with which seeds, how it is judged (harness/README.md,
 * "Grid"). The language is a table, grid_keys.h, which `ablate man 5-grid` prints with examples.
 *
 * grid_read checks the whole file against a closed schema: an unknown key, a wrong type, a setting that its knob
 * refuses, an empty axis, a chain over an unknown variant and the like are errors `file:line:col: message` with exit
 * code 2. It expands nothing; plan.h does that.
 *
 * Where a setting is given, `preset` may be given too: it replaces the lowest layer of that row. Resolution order:
 * preset < [base] < axis, zip, chain, include < --set. Everything in struct grid lives until grid_free. */
#ifndef ABLATE_GRID_H
#define ABLATE_GRID_H

#include "harness/grid/grid_slurm.h"
#include "harness/judge/gate.h"
#include "harness/grid/metric_ref.h"
#include "harness/record/query.h"
#include "harness/text/toml.h"
#include "model/base/mem.h"
#include "model/config/config.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	GRID_SCHEMA = 1,
	GRID_INHERIT_MAX = 8,
	GRID_NFE_MAX = 8,
	GRID_COLS_MAX = 32,
	GRID_FORMATS_MAX = 8,
	GRID_OUTPUTS_MAX = 4
};
#define PRESET_OWN     "..."   /* in --set preset=...-tiny: the preset of each row itself */
#define GRID_CELLS_MAX 1000000 /* rows times seeds; more is refused before anything is expanded */

/* Where something was written. */
struct grid_place {
	const char *file;
	int line, col;
};

/* One key = value that a row, the base or --set gives. key "preset" or a knob's. */
struct setting {
	const char *key;
	struct knob_value value;
	struct grid_place at;
};
struct settings {
	struct setting *v;
	int n, cap;
};

struct grid_seeds {
	int64_t *train, *eval;
	int n_train, n_eval;
	bool paired;
};

struct grid_axis { /* an [[axis]] or a [[zip]] */
	const char **keys;
	int n_keys, n_values;
	struct setting *values; /* (n_values, n_keys) */
	const char **labels;    /* n_values, or NULL */
	struct grid_place at;
};

struct grid_exclude {
	struct settings when;
	struct grid_place at;
};
struct grid_needs {
	const char **v;
	int n;
}; /* names of weights or data that must be there */
struct grid_include {
	const char *label;
	struct settings set;
	struct grid_needs needs;
	struct grid_place at;
};
struct grid_variant {
	const char *name, *label;
	struct settings set;
	struct grid_needs needs;
	struct grid_place at;
};

enum chain_mode { CHAIN_CUMULATIVE, CHAIN_ONE_AT_A_TIME, CHAIN_FULL_MINUS_ONE, CHAIN_FACTORIAL };
struct grid_chain {
	const char *name;
	enum chain_mode mode;
	int *steps /* variants */, n_steps;
	struct grid_place at;
};

#define GRID_CHECKPOINT_S 600.0 /* between two checkpoints, unless the grid says otherwise */
enum on_failure { FAILURE_CONTINUE, FAILURE_STOP, FAILURE_STOP_AFTER };
struct grid_budget {
	double cell_wall_s, grid_wall_s; /* 0 = no limit */
	double cell_checkpoint_s;        /* 0 = by steps alone */
	int cell_retries, grid_cells;    /* grid_cells: at most so many are started by a run; 0 = no limit */
	enum on_failure on_failure;
	int stop_after; /* failures, of FAILURE_STOP_AFTER */
};

enum metric_ci { CI_NONE, CI_JACKKNIFE };
enum metric_agg { AGG_MEAN, AGG_MIN3 };
struct grid_metric {
	const char *name, *ref, *extractor; /* ref "" = the training split; extractor "" = the data set's default */
	int samples;                        /* images generated per evaluation */
	int nfe[GRID_NFE_MAX], n_nfe;
	enum metric_ci ci;
	enum metric_agg agg;
	bool infinity, allow_leak;
	struct grid_place at;
};

#define GRID_LATEX_WIDTH 345 /* points: the text of class article */

struct grid_table {
	const char *name, *chain, *paper, *metric, *reference, *text; /* "" = not given; chain "" = all rows */
	const char *cols[GRID_COLS_MAX], *formats[GRID_FORMATS_MAX];
	int n_cols, n_formats;
	bool across;             /* rows may differ in protocol: the difference is what the table shows */
	const char *pivot[2];    /* settings: of its rows, of its columns; NULL = a row per arm */
	const char *latex_label; /* "" = of the table's name */
	int latex_width;         /* of the page's text, in points */
	bool latex_notes;
	struct grid_place at;
};

struct grid_gate {
	struct gate_rule rule;
	struct grid_place at;
}; /* rule.higher_is_better is the reader's */

struct grid_source {
	const char *path, *text;
	size_t n;
	char sha256[SHA256_HEX];
};

struct grid {
	struct arena arena;
	struct toml *docs[GRID_INHERIT_MAX];
	struct grid_source sources[GRID_INHERIT_MAX]; /* [0] is the file itself, then what it inherits from */
	int n_sources;
	const char *path, *name, *text;
	const char *like; /* the preset of which rows without one are a smaller study; "" = none */
	struct grid_seeds seeds;
	struct settings base, sets; /* sets: --set, in order */
	const char **set_texts;     /* as given, n_set_texts */
	int n_set_texts, cap_set_texts;
	struct toml **set_docs; /* what the values of `sets` point into */
	int n_set_docs, cap_set_docs;
	struct run_config *scratch; /* of the reader: settings are tried on it */
	struct grid_axis *axes;
	struct grid_exclude *excludes;
	struct grid_include *includes;
	struct grid_variant *variants;
	struct grid_chain *chains;
	struct grid_metric *metrics;
	struct grid_table *tables;
	struct grid_gate *gates;
	int n_axes, n_excludes, n_includes, n_variants, n_chains, n_metrics, n_tables, n_gates;
	struct grid_budget budget;
	struct slurm_list on_finish;      /* [grid] on_finish: a program and its arguments */
	const struct toml_value *slurm;   /* [slurm], checked, for grid_slurm_read; NULL = not given */
	const struct toml_value *command; /* [command], checked, for grid_command_read; NULL = not given */
};

/* Reads and checks a grid file. On failure *out is untouched. */
MUST_CHECK int grid_read(struct grid **out, const char *path, struct err *e);
/* The same from texts already read: sources[0] is the grid, the others what `inherit` may name (by resolved path). */
MUST_CHECK int grid_parse(struct grid **out, const struct grid_source *sources, int n, struct err *e);
void grid_free(struct grid *g);    /* accepts NULL */
void scoped_grid(struct grid **g); /* SCOPED(grid) struct grid *g = NULL; */
/* Adds one `--set K=V` (preset = ...-tiny scales each row's own preset), V a TOML value or a bare word, K one of
 *     a knob, or preset                    the highest layer of every row's settings
 *     seeds, seeds.train|eval|paired       seeds = 3 is the first three from the first training seed on
 *     grid.name, grid.text, grid.like
 *     budget.cell.wall|retries|checkpoint, budget.grid.wall|cells, budget.on_failure
 *     metric.KEY, metric.NAME.KEY          samples, nfe, ref, extractor, ci, infinity, agg of every metric, or of
 *     one */
MUST_CHECK int grid_set(struct grid *g, const char *assignment, struct err *e);
const struct grid_variant *grid_variant(const struct grid *g, const char *name); /* NULL when there is none */
const struct grid_chain *grid_chain(const struct grid *g, const char *name);
/* The scores that one [[metric]] gives, by the names they are recorded under ("pr" gives precision and recall, a fid
 * with infinity also fid_infinity). Returns their number, at most GRID_OUTPUTS_MAX. */
int grid_metric_outputs(const char *out[GRID_OUTPUTS_MAX], const struct grid_metric *m);
/* What a finished cell has: every score of every [[metric]] at every nfe and evaluation seed. Heap array; returns how
 * many. */
int grid_wanted_scores(struct wanted_score **out, const struct grid *g);
/* A metric's name as metric_ref_parse takes it, with the number of samples that the grid declares for it. Exit 2, with
 * what to write, for one without an extractor where the grid measures it by several. */
MUST_CHECK int grid_metric_ref(struct metric_ref *out, const struct grid *g, const char *text, struct err *e);
/* Exit 2 for a reference that is a data set without -train or -test. Grids of before, which are opened from their
 * records, may have one: it was the training split. */
MUST_CHECK int grid_refs_name_split(const struct grid *g, struct err *e);
/* Does the grid ask for it? One without @STEPS must have only one number of steps. */
bool grid_measures(const struct grid *g, const char *text);
/* Every score that the grid asks for, as NAME@STEPS with its number of samples (and with its extractor, where there are
 * several): at most `max`; returns how many. */
int grid_metric_refs(struct metric_ref *out, int max, const struct grid *g);
const char *grid_chain_mode_name(enum chain_mode mode);

/* "file:line:col: message", exit code 2. Returns -1. */
int grid_err(struct err *e, struct grid_place at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Applies settings other than `preset` to c, in order. They were checked when read. */
void settings_apply(struct run_config *c, const struct settings *s);
/* The last `preset` in s, or NULL. */
const char *settings_preset(const struct settings *s);
/* Seconds of "90s", "20m", "2h", "1h30m", "1d"; -1 if it is not a duration. */
double grid_duration(const char *text);

#endif
