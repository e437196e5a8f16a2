/* cmd-figure.c - `ablate figure`: charts of a study as SVG, PDF or PNG. */
#include "harness/show/chart.h"
#include "harness/cli/cmd.h"
#include "harness/commands/plan_open.h"
#include "harness/commands/study_open.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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
	  .kind = OPT_STRINGS,
	  .arg = "NAME@STEPS",
	  .help = "such as fid@1 or fid/pixels@1 (default: the first one); several: a panel for each" },
	{ .name = "curve", .kind = OPT_STRING, .arg = "NAME", .help = "for curves: loss, grad_norm, ... (default loss)" },
	{ .name = "smooth",
	  .kind = OPT_DOUBLE,
	  .arg = "W",
	  .min = 0,
	  .max = 0.9999,
	  .help = "for curves: exponential average with this weight for what came before, the raw curve light behind it" },
	{ .name = "knob",
	  .letter = 'k',
	  .kind = OPT_STRING,
	  .arg = "KEY",
	  .help = "for sweep: the setting on the x axis, such as loss.c" },
	{ .name = "linear", .kind = OPT_FLAG, .help = "no logarithmic axes" },
	{ .name = "xlim", .kind = OPT_STRING, .arg = "LOW:HIGH", .help = "limits of the x axis" },
	{ .name = "ylim", .kind = OPT_STRING, .arg = "LOW:HIGH", .help = "limits of the y axis" },
	{ .name = "title", .kind = OPT_STRING, .arg = "TEXT", .help = "title; \"\" for none" },
	{ .name = "size",
	  .kind = OPT_STRING,
	  .arg = "SIZE",
	  .help = "WxH or W in mm, cm, in or pt (84mm, 3.3inx2.4in), column (84 mm), page (174 mm)" },
	{ .name = "font", .kind = OPT_STRING, .arg = "FAMILY", .help = "font family (default sans-serif)" },
	{ .name = "font-size",
	  .kind = OPT_DOUBLE,
	  .arg = "PT",
	  .min = 3,
	  .max = 72,
	  .help = "points of labels; lines and margins go with it (default 10)" },
	PLAN_OPTIONS,
	{ 0 }
};

/* "LOW:HIGH". */
static int read_limits(double out[2], const struct cli *c, const char *option, struct err *e)
{
	const char *text = cli_string(c, option, NULL);
	char *end;
	if (!text)
		return 0;
	out[0] = strtod(text, &end);
	bool ok = end != text && *end == ':';
	const char *high = ok ? end + 1 : "";
	out[1] = strtod(high, &end);
	if (!ok || end == high || *end || !isfinite(out[0]) || !isfinite(out[1]) || out[0] >= out[1])
		return err_code(e, EXIT_USAGE, "--%s LOW:HIGH: '%s' is not two numbers, the smaller first", option, text);
	return 0;
}

/* A length with its unit, up to an "x" or the end: points. 0: none. */
static double read_length(const char **at)
{
	static const struct {
		const char *unit;
		double points;
	} units[] = { { "mm", 72 / 25.4 }, { "cm", 72 / 2.54 }, { "in", 72 }, { "pt", 1 } };
	char *end;
	double x = strtod(*at, &end);
	for (size_t i = 0; end != *at && i < sizeof units / sizeof *units; i++)
		if (strncmp(end, units[i].unit, 2) == 0 && (end[2] == 'x' || !end[2])) {
			*at = end + 2;
			return x > 0 && isfinite(x) ? x * units[i].points : 0;
		}
	return 0;
}

static int read_size(struct figure *f, const char *text, struct err *e)
{
	static const struct {
		const char *name, *size;
	} named[] = { { "column", "84mm" }, { "page", "174mm" } };
	const char *at = text;
	for (size_t i = 0; i < sizeof named / sizeof *named; i++)
		if (strcmp(named[i].name, text) == 0)
			at = named[i].size;
	f->width = read_length(&at);
	if (f->width > 0 && *at == 'x') {
		at++;
		f->height = read_length(&at);
		if (f->height <= 0)
			f->width = 0;
	}
	if (f->width <= 0 || *at)
		return err_code(e, EXIT_USAGE, "--size SIZE: '%s' is none: 84mm, 3.3inx2.4in, 240ptx180pt, column or page are",
		                text);
	return 0;
}

/* Of the points [from, to): how many there are, those with a value, and the most seeds that one is the mean of. */
static json_t *line_json(const char *label, const struct figure_series *r, int from, int to)
{
	int n = 0, seeds = 0;
	for (int k = from; k < to; k++) {
		n += isfinite(r->y[k]);
		seeds = r->seeds && r->seeds[k] > seeds ? r->seeds[k] : seeds;
	}
	return json_pack("{s:s, s:i, s:i, s:i}", "label", label ? label : "", "points", to - from, "values", n, "seeds",
	                 seeds);
}

/* Each line, and each bar by its name. */
static json_t *lines_json(const struct figure_panel *p)
{
	json_t *list = json_array();
	for (int i = 0; i < p->n_series; i++) {
		const struct figure_series *r = &p->series[i];
		bool bars = r->mark == FIGURE_BARS && p->x.names;
		for (int k = 0; bars && k < r->n; k++)
			(void)json_array_append_new(list, line_json(p->x.names[k], r, k, k + 1));
		if (!bars && !r->faint)
			(void)json_array_append_new(list, line_json(r->label, r, 0, r->n));
	}
	return list;
}

static json_t *figure_json(const struct figure *f, const char *kind, const char *path)
{
	json_t *panels = json_array();
	for (int i = 0; i < f->n_panels; i++)
		(void)json_array_append_new(panels,
		                            json_pack("{s:s, s:o}", "title", f->panels[i].title ? f->panels[i].title : "",
		                                      "lines", lines_json(&f->panels[i])));
	return json_pack("{s:s, s:s, s:s, s:o}", "figure", kind, "file", path, "note", f->note ? f->note : "", "panels",
	                 panels);
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	const char *kind = c->n_args > 1 ? c->args[1] : "curves", *size = cli_string(c, "size", NULL);
	SCOPED(opened) struct opened o = { 0 };
	SCOPED(chart) struct chart *chart = NULL;
	SCOPED(free) char *usual = xstrfmt("%s.svg", kind);
	const char *path = cli_string(c, "output", usual);
	int n_metrics;
	SCOPED(free) const char **metrics = cli_strings(c, "metric", &n_metrics);
	struct chart_ask ask = { .kind = kind,
		                     .chain = cli_string(c, "chain", ""),
		                     .metric = "",
		                     .metrics = metrics,
		                     .n_metrics = n_metrics,
		                     .curve = cli_string(c, "curve", ""),
		                     .knob = cli_string(c, "knob", ""),
		                     .linear = cli_flag(c, "linear") > 0,
		                     .smooth = cli_double(c, "smooth", 0),
		                     .title = cli_string(c, "title", NULL) };
	if (read_limits(ask.xlim, c, "xlim", &e) || read_limits(ask.ylim, c, "ylim", &e) ||
	    study_open(&o, c, c->args[0], &e))
		return cli_fail(c, &e);
	ask.runs = o.runs, ask.pub = o.pub;
	if (chart_build(&chart, o.study, &ask, &e))
		return cli_fail(c, &e);
	chart->figure.font = cli_string(c, "font", NULL);
	chart->figure.font_size = cli_double(c, "font-size", 0);
	if ((size && read_size(&chart->figure, size, &e)) || figure_write(&chart->figure, path, &e))
		return cli_fail(c, &e);
	if (c->json)
		return cli_print_json(c, figure_json(&chart->figure, kind, path));
	printf("%s\n", path);
	return EXIT_OK;
}

static const struct json_key json_keys[] = {
	JSON_KEY("figure", "string", "its kind"),
	JSON_KEY("file", "string", "the file that was written"),
	JSON_KEY("note", "string", "what is said below it; empty for nothing"),
	JSON_KEY("panels", "object[]", "its panels"),
	JSON_KEY("panels[].title", "string", "the title; empty without one"),
	JSON_KEY("panels[].lines", "object[]", "the lines and bars of it"),
	JSON_KEY("panels[].lines[].label", "string", "what it is called; empty without a label"),
	JSON_KEY("panels[].lines[].points", "integer", "points that it has"),
	JSON_KEY("panels[].lines[].values", "integer", "of these, those with a value"),
	JSON_KEY("panels[].lines[].seeds", "integer",
	         "the most training seeds that one of them is the mean of; 0 of what follows from settings alone"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_figure = {
	.name = "figure",
	.args = "GRID [curves|metric|bars|sweep|sigma|steps|samples]",
	.summary = "draw curves, bars, schedules or samples of a grid",
	.help =
		"GRID is a grid file, the name of a grid that ran into the database, or a study that comes with the program "
		"(such as quickstart).\n\n"
		" curves   a training curve of each arm: mean and spread over seeds\n"
		" metric   a metric against the training step: what eval.every measured\n"
		" bars     a metric of each arm, with spread and published values\n"
		" sweep    a metric against a numeric setting (--knob loss.c)\n"
		" sigma    how often training sees each noise level\n"
		" steps    the discretization curriculum N(k)\n"
		" samples  sample pictures of the arms side by side\n\n"
		"What has no values yet is told; a figure without any is refused. The text of an SVG or PDF can be selected "
		"and searched.\n\n"
		"    ablate figure GRID bars -m fid@1 -m fid@2 --size column --font-size 8 -o bars.pdf\n\n"
		"Colours are safe for colour-blind eyes; dashes and markers distinguish the lines in grey.",
	.options = options,
	.json = json,
	.run = run,
};
