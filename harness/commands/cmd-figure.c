/* cmd-figure.c - `ablate figure`: charts of a study as SVG, PDF or PNG. */
#include "harness/show/chart.h"
#include "harness/cli/cmd.h"
#include "harness/commands/plan_open.h"
#include "harness/commands/study_open.h"

#include <stdio.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "FILE.svg, FILE.pdf or FILE.png (default KIND.svg)" },
	{ .name = "chain", .kind = OPT_STRING, .arg = "NAME", .help = "only the arms of this chain" },
	{ .name = "metric",
	  .letter = 'm',
	  .kind = OPT_STRING,
	  .arg = "NAME@STEPS",
	  .help = "such as fid@1 or fid/pixels@1 (default: the first one)" },
	{ .name = "curve", .kind = OPT_STRING, .arg = "NAME", .help = "for curves: loss, grad_norm, ... (default loss)" },
	{ .name = "knob",
	  .letter = 'k',
	  .kind = OPT_STRING,
	  .arg = "KEY",
	  .help = "for sweep: the setting on the x axis, such as loss.c" },
	{ .name = "linear", .kind = OPT_FLAG, .help = "no logarithmic axes" },
	PLAN_OPTIONS,
	{ 0 }
};

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	const char *kind = c->n_args > 1 ? c->args[1] : "curves";
	SCOPED(opened) struct opened o = { 0 };
	SCOPED(chart) struct chart *chart = NULL;
	SCOPED(free) char *usual = xstrfmt("%s.svg", kind);
	const char *path = cli_string(c, "output", usual);
	if (study_open(&o, c, c->args[0], &e))
		return cli_fail(c, &e);
	struct chart_ask ask = { .kind = kind,
		                     .chain = cli_string(c, "chain", ""),
		                     .metric = cli_string(c, "metric", ""),
		                     .curve = cli_string(c, "curve", ""),
		                     .knob = cli_string(c, "knob", ""),
		                     .runs = o.runs,
		                     .pub = o.pub,
		                     .linear = cli_flag(c, "linear") > 0 };
	if (chart_build(&chart, o.study, &ask, &e) || figure_write(&chart->figure, path, &e))
		return cli_fail(c, &e);
	if (c->json)
		return cli_print_json(c, json_pack("{s:s, s:s}", "figure", kind, "file", path));
	printf("%s\n", path);
	return EXIT_OK;
}

const struct cmd cmd_figure = {
	.name = "figure",
	.args = "GRID [curves|metric|bars|sweep|sigma|steps|samples]",
	.summary = "draw curves, bars, schedules or samples of a grid",
	.help =
		"GRID is a grid file, the name of a grid that ran into the database, or a study that comes with the program "
		"(such as quickstart).\n\n"
		" curves   a training curve of each arm: mean and spread over seeds\n"
		" metric   a metric against the training step, where it was measured during training\n"
		" bars     a metric of each arm, with spread and published values\n"
		" sweep    a metric against a numeric setting (--knob loss.c)\n"
		" sigma    how often training sees each noise level\n"
		" steps    the discretization curriculum N(k)\n"
		" samples  sample pictures of the arms side by side\n\n"
		"Colours are safe for colour-blind eyes; dashes and markers distinguish the lines in grey.",
	.options = options,
	.run = run,
};
