/* cmd-report.c - `ablate report`: a grid's results as one self-contained HTML file. */
#include "harness/cli/cmd.h"
#include "harness/commands/plan_open.h"
#include "harness/show/report.h"
#include "harness/commands/gate_others.h"
#include "harness/study/gate_builds.h"
#include "harness/commands/study_open.h"

#include "model/base/io.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "file to write (default report.html)" },
	{ .name = "baselines",
	  .kind = OPT_STRING,
	  .arg = "DIR",
	  .help = "folder of baselines (default results/baselines)" },
	{ .name = "identity", .kind = OPT_FLAG, .help = "with host names, paths and devices' numbers" },
	PLAN_OPTIONS,
	{ 0 }
};

/* The run folder from where the report will lie; NULL where it is not below that folder, for another path would tell
 * how folders are named on this machine. Heap text. */
static char *link_between(const char *file, const char *runs)
{
	SCOPED(free) char *copy = xstrdup(file);
	SCOPED(free) char *from = realpath(dirname(copy), NULL);
	SCOPED(free) char *to = realpath(runs, NULL);
	size_t n = from ? strlen(from) : 0;
	return from && to && strncmp(from, to, n) == 0 && to[n] == '/' ? xstrdup(to + n + 1) : NULL;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(opened) struct opened o = { 0 };
	SCOPED(gate_others) struct gate_others others = { .c = c };
	SCOPED(gates) struct gates g = { 0 };
	SCOPED(str) struct str html = { 0 };
	SCOPED(free) char *link = NULL;
	SCOPED(free) char *version = cmd_version_text();
	const char *path = cli_string(c, "output", "report.html");
	const struct gates_ask judge = { .baselines = cli_string(c, "baselines", "results/baselines"),
		                             .other = gate_others_study,
		                             .ctx = &others };
	if (study_open_for_others(&o, c, c->args[0], cli_flag(c, "identity") > 0, &e) ||
	    gates_judge(&g, o.study, &judge, &e))
		return cli_fail(c, &e);
	gates_check_builds(&g, o.study, &judge, "", true); /* a report shows what is there, and says what it is */
	link = link_between(path, o.runs);
	struct report_ask ask = { .command = o.command,
		                      .runs = o.runs,
		                      .runs_link = link,
		                      .version = version,
		                      .gates = o.db ? &g : NULL,
		                      .pub = o.pub };
	if (report_html(&html, o.study, &ask, &e) || io_write_atomic(path, html.data, html.len, &e))
		return cli_fail(c, &e);
	if (c->json)
		return cli_print_json(
			c, json_pack("{s:s, s:I, s:i}", "file", path, "bytes", (json_int_t)html.len, "cells", o.plan->n_cells));
	printf("%s\n", path);
	return EXIT_OK;
}

static const struct json_key json_keys[] = {
	JSON_KEY("file", "string", "the file that was written"),
	JSON_KEY("bytes", "integer", "its size", .unit = "bytes"),
	JSON_KEY("cells", "integer", "cells of the grid"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_report = {
	.name = "report",
	.args = "GRID",
	.summary = "write the results as one HTML file",
	.help =
		"GRID is a grid file, the name of a grid that ran into the database, or a study that comes with the program "
		"(such as quickstart). The file holds everything: tables, gate verdicts, charts, any setting against any "
		"metric, samples beside real images of the data (where that is on this machine), a metric over the builds that "
		"made it, a sortable table of cells, and a page for each cell with its settings, inputs, environment and "
		"curves, alone or beside another's. It loads nothing from anywhere; pictures beyond 4 MiB in all are links to "
		"their files, if these lie below the folder of the report. Whose machine it was, it says only with --identity; "
		"processors, devices and libraries are in it, as they decide numbers.",
	.options = options,
	.json = json,
	.run = run,
};
