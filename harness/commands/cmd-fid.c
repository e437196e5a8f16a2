/* cmd-fid.c - `ablate fid`, `kid`, `is`, `pr`, `prdc` and `metrics`: scores of pictures at the terminal. */
#include "harness/commands/fid_classes.h"

#include <string.h>

#define ONLY(...) ((const struct metric *const[]){ __VA_ARGS__ })

/* The row of a command whose options and function are named after it. */
#define SCORE_COMMAND(id, ...) \
	const struct cmd cmd_##id = { .name = #id, .options = id##_options, .computes = true, .run = run_##id, __VA_ARGS__ }

/* ---- fid -------------------------------------------------------------------------------------------------------- */

static const struct opt fid_options[] = {
	SCORE_EXTRACTOR_OPTIONS,
	SCORE_INTERVAL_OPTION,
	{ .name = "infinity", .kind = OPT_FLAG, .help = "also extrapolate to infinitely many images" },
	{ .name = "per-class", .kind = OPT_FLAG, .help = "of each class by itself, and the mean over classes" },
	{ 0 },
};

static int run_fid(struct cli *c)
{
	struct metric_options o = METRIC_OPTIONS;
	o.interval = !cli_flag(c, "no-interval");
	if (cli_flag(c, "per-class"))
		return cli_flag(c, "infinity") ? cli_usage(c, "--per-class and --infinity: give one of them")
		                               : fid_classes(c, &o);
	return score_command(c, ONLY(metric_find("fid"), metric_find("fid_infinity")), cli_flag(c, "infinity") ? 2 : 1,
	                     false, &o);
}

static const struct json_form fid_forms[] = {
	JSON_FORM("without --per-class", scores_keys),
	JSON_FORM("with --per-class", per_class_keys),
	{ 0 },
};

SCORE_COMMAND(
	fid, .json = fid_forms, .args = "A B", .summary = "Frechet inception distance of two sets of images",
	.help =
		"A is the set to judge, B the reference; the interval is of the sampling of A.\n\n" SCORE_SOURCES_HELP
		"\n\nThe distance is computed by a route that is exact at any rank. pytorch-fid's own is off by about 1e-4 "
		"when there are fewer images than dimensions.\n\n"
		"--per-class compares the images of each class with those of the same class of B, and gives the plain mean "
		"over classes too. Classes are an array labels, label, y, fine_labels or arr_1 beside the images or "
		"features, the folder that each image lies in, EDM's dataset.json, IDX's file of labels, or those of CIFAR-10 "
		"and data sets. Folders match by their names and numbers by number; against numbers, folders count from 0 in "
		"the order of their names, unless they are numbers themselves. A class that one side lacks, or has one image "
		"of, is an error.");

/* ---- kid -------------------------------------------------------------------------------------------------------- */

static const struct opt kid_options[] = {
	SCORE_EXTRACTOR_OPTIONS,
	{ .name = "subsets",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 1,
	  .max = 100000,
	  .help = "also over N random subsets, like torch-fidelity" },
	{ .name = "subset-size",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 2,
	  .max = 1000000,
	  .help = "images per subset (1000)" },
	{ 0 },
};

static int run_kid(struct cli *c)
{
	struct metric_options o = METRIC_OPTIONS;
	bool subsets = cli_given(c, "subsets") || cli_given(c, "subset-size");
	o.kid_subsets = (int)cli_int(c, "subsets", o.kid_subsets);
	o.kid_size = (int)cli_int(c, "subset-size", o.kid_size);
	return score_command(c, ONLY(metric_find("kid"), metric_find("kid_subsets")), subsets ? 2 : 1, false, &o);
}

SCORE_COMMAND(
	kid, .json = score_forms, .args = "A B", .summary = "kernel inception distance of two sets of images",
	.help =
		"The unbiased estimate over all pairs; with --subsets also the mean over random subsets that torch-fidelity "
		"publishes.\n\n" SCORE_SOURCES_HELP);

/* ---- is --------------------------------------------------------------------------------------------------------- */

static const struct opt is_options[] = {
	SCORE_EXTRACTOR_OPTIONS,
	{ .name = "splits",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 1,
	  .max = 1000,
	  .help = "parts that are scored one by one (10)" },
	{ .name = "shuffle", .kind = OPT_FLAG, .help = "the default, for scripts that ask for it" },
	SCORE_SHUFFLE_OPTION,
	{ 0 },
};

static int run_is(struct cli *c)
{
	struct metric_options o = METRIC_OPTIONS;
	if (cli_flag(c, "shuffle") && cli_flag(c, "no-shuffle"))
		return cli_usage(c, "--shuffle and --no-shuffle: give one of them");
	o.is_splits = (int)cli_int(c, "splits", o.is_splits);
	o.is_shuffle = !cli_flag(c, "no-shuffle");
	return score_command(c, ONLY(metric_find("is")), 1, false, &o);
}

SCORE_COMMAND(
	is, .json = score_forms, .args = "A", .summary = "Inception Score of a set of images",
	.help =
		"From class scores without the last layer's bias, over splits of the images in an order shuffled by numpy's "
		"RandomState(2020), as torch-fidelity does: sets are often sorted by class, and splits of one class each score "
		"far too low.\n\n" SCORE_SOURCES_HELP);

/* Of the scores that draw balls around vectors. */
#define NEIGHBOURS_OPTION(default_text) \
	{ \
		.name = "neighbours", .letter = 'k', .kind = OPT_INT, .arg = "K", .min = 1, .max = 63, \
		.help = "balls reach to the K-th neighbour (" default_text ")" \
	}

/* ---- pr --------------------------------------------------------------------------------------------------------- */

static const struct opt pr_options[] = {
	SCORE_EXTRACTOR_OPTIONS,
	NEIGHBOURS_OPTION("3"),
	{ 0 },
};

static int run_pr(struct cli *c)
{
	struct metric_options o = METRIC_OPTIONS;
	o.k = (int)cli_int(c, "neighbours", o.k);
	return score_command(c, ONLY(metric_find("pr")), 1, false, &o);
}

SCORE_COMMAND(
	pr, .json = score_forms, .args = "A B",
	.summary = "precision and recall of generated images A against real images B",
	.help =
		"Improved precision and recall: the share of A in the manifold of B, and vice versa.\n\n" SCORE_SOURCES_HELP);

/* ---- prdc ------------------------------------------------------------------------------------------------------- */

static const struct opt prdc_options[] = {
	SCORE_EXTRACTOR_OPTIONS,
	NEIGHBOURS_OPTION("5"),
	{ 0 },
};

static int run_prdc(struct cli *c)
{
	struct metric_options o = METRIC_OPTIONS;
	o.prdc_k = (int)cli_int(c, "neighbours", o.prdc_k);
	return score_command(c, ONLY(metric_find("prdc")), 1, false, &o);
}

SCORE_COMMAND(
	prdc, .json = score_forms, .args = "A B",
	.summary = "density and coverage of generated images A against real images B",
	.help =
		"Precision, recall, density and coverage with strict comparisons, as the package prdc and dgm-eval have them: "
		"what lies on the border of a ball is outside, where `ablate pr` counts it as inside.\n\n" SCORE_SOURCES_HELP);

/* ---- metrics ---------------------------------------------------------------------------------------------------- */

static const struct opt metrics_options[] = {
	SCORE_EXTRACTOR_OPTIONS,
	SCORE_INTERVAL_OPTION,
	SCORE_SHUFFLE_OPTION,
	{ .name = "only",
	  .kind = OPT_STRINGS,
	  .arg = "METRIC",
	  .help = "this metric; may be repeated (see `ablate metrics --help`)" },
	{ 0 },
};

/* The metrics of --only, or those that papers report. */
static int choose(const struct metric **out, int cap, struct cli *c, struct err *e)
{
	static const char *const usual[] = { "fid", "sfid", "kid", "is", "pr" };
	int n_rows, n = 0, n_names;
	const struct metric *rows = metric_rows(&n_rows);
	SCOPED(free) const char **names = cli_strings(c, "only", &n_names);
	if (n_names > cap)
		return err_code(e, EXIT_USAGE, "--only: more than %d metrics", cap);
	for (int i = 0; i < (n_names ? n_names : 5); i++) {
		const char *name = n_names ? names[i] : usual[i];
		if ((out[n] = metric_find(name)) && out[n]->sides == 3)
			return err_code(e, EXIT_USAGE, "--only %s: it takes training and held-out images, too: see `ablate memory`",
			                name);
		if (out[n++])
			continue;
		if (metric_elsewhere(name))
			return err_code(e, EXIT_USAGE, "--only %s: %s", name, metric_elsewhere(name));
		const char *known[32];
		SCOPED(str) struct str s = { 0 };
		for (int k = 0; k < n_rows; k++)
			known[k] = rows[k].name;
		str_suggest(&s, name, known, (size_t)n_rows);
		return err_code(e, EXIT_USAGE, "--only %s: no such metric%s", name, str_text(&s));
	}
	return n;
}

static int run_metrics(struct cli *c)
{
	struct err e = ERR_INIT;
	const struct metric *metrics[16];
	struct metric_options o = METRIC_OPTIONS;
	int n = choose(metrics, 16, c, &e);
	if (n < 0)
		return cli_fail(c, &e);
	o.interval = !cli_flag(c, "no-interval");
	o.is_shuffle = !cli_flag(c, "no-shuffle");
	return score_command(c, metrics, n, !cli_given(c, "only"), &o);
}

SCORE_COMMAND(
	metrics, .json = score_forms, .args = "A B", .summary = "every score of images A against B in one pass",
	.help = "fid, sfid, kid, is and pr, as far as the sources allow; --only chooses among these and fid_infinity, "
			"kid_subsets, prdc, cmmd and mind.\n\n" SCORE_SOURCES_HELP);
