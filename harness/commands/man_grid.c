/* man_grid.c - see man_grid.h. */
#include "harness/commands/man_grid.h"

#include "harness/grid/grid_examples.h"
#include "harness/grid/grid_keys.h"
#include "harness/grid/knob_help.h"
#include "harness/text/roff.h"
#include "harness/grid/table_column.h"
#include "metrics/features/extractor.h"
#include "metrics/scores/score.h"
#include "model/base/mem.h"
#include "model/data/shapes.h"

#include <string.h>

/* ---- tables and keys -------------------------------------------------------------------------------------------- */

/* "(list of integers from 1 to 10000, at most 8; default [1])" */
static void nature(struct str *s, const struct grid_key *k)
{
	str_addf(s, "%s", grid_type_name(k->type));
	if (k->choices)
		str_addf(s, "%s%s", k->type == KEY_CHOICE ? " " : ", each one of ", k->choices);
	if (k->min == k->max && k->max)
		str_addf(s, ", %d", k->min);
	else if (k->max)
		str_addf(s, " from %d to %d", k->min, k->max);
	if (k->most)
		str_addf(s, ", at most %d", k->most);
	if (k->instead)
		str_addf(s, "; instead of %s", k->instead);
	else if (k->required)
		str_add(s, "; required");
	if (k->def)
		str_addf(s, "; default %s", k->def);
}

static void key(struct str *s, const struct grid_key *k)
{
	SCOPED(str) struct str text = { 0 };
	str_addc(&text, '(');
	nature(&text, k);
	str_addf(&text, ") %s", k->text);
	roff_item(s, k->name, str_text(&text));
	if (!k->example)
		return;
	str_add(s, ".br\nExample: \\fB");
	roff_text(s, k->example);
	str_add(s, "\\fR\n");
}

static void tables(struct str *s)
{
	roff_section(s, "TABLES AND KEYS");
	roff_paragraphs(s,
	                "In brackets: the type; whether the key is required; its default. The examples of the tables, one "
	                "after the other, are one valid grid.");
	for (int i = 0; i < KEYS_SET; i++) {
		const struct grid_keys *t = &grid_keys[i];
		roff_subsection(s, *t->header ? t->header : "Top level");
		roff_paragraphs(s, t->text);
		if (t->example)
			roff_literal(s, t->example);
		for (size_t k = 0; k < t->n; k++)
			key(s, &t->v[k]);
	}
}

static void overrides(struct str *s)
{
	const struct grid_keys *t = &grid_keys[KEYS_SET];
	roff_section(s, "OVERRIDES");
	roff_paragraphs(
		s, "Commands that read a grid take --set KEY=VALUE, several times if need be; VALUE is a TOML value or a bare "
		   "word. A knob or preset is set in every row, above everything in the file: --set train.steps=100. "
		   "--set preset=...-tiny (with the three dots) scales every row's own preset. The study itself is "
		   "reached, too:");
	for (size_t i = 0; i < t->n; i++) {
		roff_item(s, t->v[i].name, t->v[i].text);
		str_add(s, ".br\nExample: \\fB\\-\\-set ");
		roff_text(s, t->v[i].example);
		str_add(s, "\\fR\n");
	}
}

/* ---- what values may name --------------------------------------------------------------------------------------- */

static void metrics(struct str *s)
{
	static const char *const needs[] = {
		[NEEDS_MOMENTS] = "",
		[NEEDS_FEATURES] = "",
		[NEEDS_LOGITS] = " Needs an extractor with class scores.",
		[NEEDS_SPATIAL] = " Needs an extractor with spatial features: inception-2015.",
	};
	static const char *const sides[] = {
		[1] = " Has no reference.",
		[2] = "",
		[3] = " Its ref is held-out images, if empty the test split; training is the cell's own.",
	};
	int n;
	const struct metric *m = metric_rows(&n);
	roff_section(s, "METRICS");
	roff_paragraphs(
		s, "A [[metric]] has one of these names. Its scores are called NAME@STEPS in tables and gates, STEPS being the "
		   "steps of sampling: fid@1. STEPS may be left out in a gate if nfe has one entry. Where a grid measures one "
		   "by several extractors, each is called NAME/EXTRACTOR@STEPS: fid/pixels@1.");
	for (int i = 0; i < n; i++) {
		const char *scores[METRIC_SCORES_MAX];
		int n_scores = metric_scores(scores, &m[i]);
		SCOPED(str) struct str text = { 0 };
		str_addf(&text, "%s; %s is better.%s%s", m[i].text, m[i].better > 0 ? "higher" : "lower", sides[m[i].sides],
		         needs[m[i].needs]);
		if (n_scores > 1)
			str_addf(&text, " Two scores, %s and %s, which may also be asked for by their own names.", scores[0],
			         scores[1]);
		roff_item(s, m[i].name, str_text(&text));
	}
}

static void extractors(struct str *s)
{
	roff_section(s, "EXTRACTORS");
	roff_paragraphs(s, "Networks whose features metrics compare. Values by different extractors are never compared.");
	for (const struct extractor_row *x = extractor_rows; x->name; x++) {
		SCOPED(free) char *text = xstrfmt("%s.", x->text);
		roff_item(s, x->name, text);
	}
	roff_item(s, "command:PROGRAM ARGS",
	          "A program of your own, which is given the pictures on its stdin and writes their features to stdout; "
	          "metrics/README.md says how. Scores are called by the first digits of a hash of the text: "
	          "fid/command:0123456789ab@1.");
}

static void data_sets(struct str *s)
{
	int n;
	const struct data_shape *d = data_shapes(&n);
	roff_section(s, "DATA SETS");
	roff_paragraphs(
		s, "Values of data.name, and with -train or -test behind them of a metric's ref. `ablate data list` says "
		   "which are on this machine; `ablate data import NAME SOURCE` adds one of your own under any name. "
		   "NAME@SIDE, as fashion-mnist@14, is a set of square pictures made smaller by box averages.");
	for (int i = 0; i < n; i++) {
		SCOPED(free)
		char *text = xstrfmt("%dx%d, %d channel%s, %d classes, %lld training images; %s. Extractor: %s.", d[i].h,
		                     d[i].w, d[i].c, d[i].c == 1 ? "" : "s", d[i].classes, (long long)d[i].n_train, d[i].origin,
		                     extractor_default(d[i].name));
		roff_item(s, d[i].name, text);
	}
}

static void columns(struct str *s)
{
	int n;
	const struct column_row *c = table_columns(&n);
	roff_section(s, "COLUMNS OF TABLES");
	roff_paragraphs(
		s, "Entries of cols. Those about a metric mean the one whose column comes before them; NAME:METRIC means "
		   "another, as delta:fid@2.");
	roff_item(s, "NAME@STEPS",
	          "A metric, as fid@1: mean and standard deviation over the training seeds, the best row marked.");
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *text = xstrfmt("%s%s.", c[i].text, c[i].of_metric ? " (about a metric)" : "");
		roff_item(s, c[i].key, text);
	}
}

/* ---- knobs and presets ------------------------------------------------------------------------------------------ */

static void knob(struct str *s, const struct knob *k)
{
	char lo[32], hi[32];
	SCOPED(str) struct str text = { 0 };
	SCOPED(free) char *def = knob_toml(k, k->def), *example = knob_example(k);
	bool is_file = k->type == KNOB_STRING && *k->unit;
	str_addf(&text, "(%s", is_file ? "" : knob_type_name(k));
	if (k->choices)
		str_addf(&text, "%s %s", k->type == KNOB_CHOICE ? "" : ":", k->choices);
	if (knob_has_range(k))
		str_addf(&text, ", %s to %s", str_double(lo, k->min), str_double(hi, k->max));
	str_addf(&text, "%s%s; default %s) %s.", *k->unit && !is_file ? " " : "", k->unit, def, k->text);
	if (*k->source)
		str_addf(&text, " Source: %s.", k->source);
	roff_item(s, k->key, str_text(&text));
	str_add(s, ".br\nExample: \\fB");
	roff_text(s, k->key);
	str_add(s, " = ");
	roff_text(s, example);
	str_add(s, "\\fR\n");
}

static void knobs(struct str *s)
{
	int n;
	const struct knob *k = config_knobs(&n);
	roff_section(s, "KNOBS");
	roff_paragraphs(
		s,
		"The settings of a cell: for [base], for set and when, for the key of an axis. `ablate explain KEY` says the "
		"same of one, with the value of every preset.");
	for (int i = 0; i < n; i++)
		knob(s, &k[i]);
}

static void presets(struct str *s)
{
	int n;
	const struct preset *p = config_presets(&n);
	roff_section(s, "PRESETS");
	roff_paragraphs(
		s, "A preset is a published recipe as values of knobs; what it does not set has the knob's default. `ablate "
		   "config PRESET` prints all values.");
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *text = xstrfmt("%s.", p[i].text);
		roff_item(s, p[i].name, text);
	}
	p = config_scalings(&n);
	roff_subsection(s, "Scaled presets");
	roff_paragraphs(
		s,
		"One of these endings may follow any preset's name (ict-cifar10-tiny). It keeps the method and its data set, "
		"and makes the network and the training small, to try a grid out: its scores mean nothing. Published weights "
		"to start from do not fit a smaller network: without them it starts at random (and distillation waits for a "
		"teacher of its size). As part of a preset these values are below [base]; --set preset=...-tiny, with the "
		"three dots, puts them above it, in every row. Data sets and networks have no such names.");
	for (int i = 0; i < n; i++) {
		SCOPED(str) struct str text = { 0 };
		str_addf(&text, "%s. It sets", p[i].text);
		for (const struct preset_value *v = p[i].values; v->key; v++)
			str_addf(&text, "%s %s = %s", v == p[i].values ? "" : ",", v->key, v->value);
		str_addc(&text, '.');
		roff_item(s, p[i].name, str_text(&text));
	}
}

/* ---- the page --------------------------------------------------------------------------------------------------- */

static const char description[] =
	"A grid file describes a study: what its trainings have in common, what is varied, with which seeds, how each is "
	"scored, and how the results are shown and judged. `ablate plan FILE` checks it and says what would run, `ablate "
	"run FILE` runs it.\n\n"
	"The file is TOML 1.0. What this page does not name is an error, with file, line, column and the nearest name.";

static const char expansion[] =
	"A row is one combination of settings. Rows come from axes and zips (all combinations, less the excludes), from "
	"includes, and from chains; a grid with none of these has one row, called base.\n\n"
	"A row has a name, by which gates and --only mean it and which `ablate plan` lists: the labels of its axes, as "
	"\"optim.lr=0.001, Huber\"; the label of its include; in a chain CHAIN/LABEL, where LABEL or the variant's name is "
	"enough if no other row has it.\n\n"
	"The settings of a row come in layers, later over earlier: the defaults of the knobs, the preset, [base], the "
	"row's own (axis, zip, include or variants), --set. A preset given in a later layer replaces only the preset: what "
	"[base] sets stays above it.\n\n"
	"An arm is a row's settings with every default written out; its name is their hash. Rows with equal settings are "
	"one arm and are trained once. A cell is an arm with a training seed: one process, one training. What is finished "
	"is never trained again, in this grid or another that has the same cell in the same database.";

static const char scoring[] =
	"Each cell is scored by the process that trains it, right after the last step of training: images are sampled from "
	"its EMA weights (sample.weights) with every evaluation seed and every number of steps in nfe, and scored by every "
	"[[metric]]. Nothing has to be started for it, and a grid without a [[metric]] is trained only. A metric that is "
	"added to the file later is computed from the kept checkpoints by the next `ablate run`; nothing is trained "
	"again.\n\n"
	"A training is not scored before it ends. To see how it is going:\n\n"
	"    ablate watch GRID                                # state, step and curve of each cell\n"
	"    ablate sample CELL -n 2000 -o now/               # images of a cell's newest checkpoint\n"
	"    ablate fid now/ REFERENCE                        # their score against a folder or file, not recorded\n\n"
	"A cell writes a checkpoint after each tenth of its steps, or every 25 if that is more; CELL is the beginning of "
	"its hash, which `ablate status --cells` lists. For FID against the number of steps, as papers draw it, vary "
	"train.steps: see longer.toml below.";

static void whole_grids(struct str *s)
{
	int n;
	const struct grid_example *x = grid_examples(&n);
	roff_section(s, "EXAMPLES");
	roff_paragraphs(s, "Each is a whole file.");
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *title = xstrfmt("%s: %s", x[i].file, x[i].title);
		roff_subsection(s, title);
		roff_paragraphs(s, x[i].text);
		roff_literal(s, x[i].toml);
	}
}

static void section(struct str *s, const char *title, const char *text)
{
	roff_section(s, title);
	roff_paragraphs(s, text);
}

void man_grid(struct str *s)
{
	roff_page(s, "ABLATE-GRID", "5", "ablate-grid - studies for ablate, as TOML files");
	section(s, "DESCRIPTION", description);
	section(s, "ROWS, ARMS AND CELLS", expansion);
	section(s, "SCORING", scoring);
	whole_grids(s);
	tables(s);
	metrics(s);
	extractors(s);
	data_sets(s);
	columns(s);
	knobs(s);
	presets(s);
	overrides(s);
	str_add(s, ".SH SEE ALSO\n.BR ablate (1),\n.BR ablate\\-db (5)\n");
}
