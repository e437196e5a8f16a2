/* cmd-table.c - `ablate table`: the tables of a grid from the database, to the terminal or to files. */
#include "harness/cli/cmd.h"
#include "harness/commands/plan_open.h"
#include "harness/commands/study_open.h"
#include "harness/grid/table_column.h"
#include "harness/show/table.h"

#include "model/base/io.h"

#include <stdio.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "table", .letter = 't', .kind = OPT_STRINGS, .arg = "NAME", .help = "only this [[table]]" },
	{ .name = "format",
	  .letter = 'f',
	  .kind = OPT_STRING,
	  .arg = "terminal|md|latex|tex|csv|json",
	  .help = "how it is written" },
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "write one table; the extension chooses the format" },
	{ .name = "dir",
	  .letter = 'd',
	  .kind = OPT_STRING,
	  .arg = "DIR",
	  .help = "write every table to DIR in the formats it declares" },
	{ .name = "cols",
	  .kind = OPT_STRINGS,
	  .arg = "COLUMN",
	  .help = "this column instead of those that the table declares; may be repeated (fid@1, delta, verdict, ...)" },
	{ .name = "pivot",
	  .kind = OPT_STRING,
	  .arg = "ROWS,COLUMNS",
	  .help = "rows are the values of the first setting, columns those of the second, cells the first metric" },
	{ .name = "width",
	  .letter = 'w',
	  .kind = OPT_INT,
	  .arg = "COLUMNS",
	  .min = 20,
	  .max = 100000,
	  .help = "of the terminal form (default: the terminal's, or as wide as the table where it goes elsewhere)" },
	{ .name = "check",
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "fail (exit 5) if FILE differs from the table as it is now" },
	PLAN_OPTIONS,
	{ 0 }
};

/* The asked-for tables: all declared ones, or the default when there are none. NULL in defs is the default table. */
static int choose(const struct grid_table **defs, int *n, const struct grid *g, const struct cli *c, struct err *e)
{
	int n_names;
	SCOPED(free) const char **names = cli_strings(c, "table", &n_names);
	*n = 0;
	for (int i = 0; i < n_names; i++) {
		const char *known[64];
		size_t n_known = 0;
		int at = -1;
		for (int k = 0; k < g->n_tables; k++) {
			if (n_known < 64)
				known[n_known++] = g->tables[k].name;
			at = strcmp(g->tables[k].name, names[i]) == 0 ? k : at;
		}
		SCOPED(str) struct str near = { 0 };
		str_suggest(&near, names[i], known, n_known);
		if (at < 0)
			return err_code(e, EXIT_USAGE, "%s has no table '%s'%s", g->path, names[i], str_text(&near));
		defs[(*n)++] = &g->tables[at];
	}
	for (int k = 0; k < g->n_tables && !n_names; k++)
		defs[(*n)++] = &g->tables[k];
	if (!*n)
		defs[(*n)++] = NULL;
	return 0;
}

static int write_files(const struct table *t, const struct grid_table *def, const char *dir, const struct cli *c,
                       struct err *e)
{
	static const char *const usual[] = { "md", "latex", "csv" };
	int n = def && def->n_formats ? def->n_formats : 3;
	if (io_mkdirs(dir, e))
		return -1;
	for (int i = 0; i < n; i++) {
		const struct table_format *f = table_format(def && def->n_formats ? def->formats[i] : usual[i]);
		SCOPED(free) char *path = xstrfmt("%s/%s.%s", dir, t->name, f->extension);
		SCOPED(str) struct str text = { 0 };
		f->write(&text, t);
		if (io_write_atomic(path, str_text(&text), text.len, e))
			return -1;
		cli_say(c, "%s", path);
	}
	return 0;
}

/* "optim.lr,train.batch" */
static int take_pivot(struct grid_table *out, const char *text, struct arena *a, struct err *e)
{
	const char *comma = strchr(text, ',');
	if (!comma || strchr(comma + 1, ',') || comma == text || !comma[1])
		return err_code(e, EXIT_USAGE, "--pivot ROWS,COLUMNS: '%s' is not two settings", text);
	out->pivot[0] = arena_strfmt(a, "%.*s", (int)(comma - text), text);
	out->pivot[1] = arena_strdup(a, comma + 1);
	for (int i = 0; i < 2; i++)
		if (!config_find(out->pivot[i]))
			return config_unknown(out->pivot[i], e);
	return strcmp(out->pivot[0], out->pivot[1]) == 0
	           ? err_code(e, EXIT_USAGE, "--pivot ROWS,COLUMNS: both are %s", out->pivot[0])
	           : 0;
}

/* The table with the columns of --cols and the settings of --pivot in the place of its own, which its command then
 * says. */
static int with_cols(struct grid_table *out, struct str *command, struct opened *o, const struct cli *c,
                     const struct grid_table *def, struct err *e)
{
	const struct grid *g = o->plan->grid;
	int n;
	SCOPED(free) const char **cols = cli_strings(c, "cols", &n);
	*out = def ? *def
	           : (struct grid_table){ .name = g->name,
		                              .chain = "",
		                              .paper = "",
		                              .metric = "",
		                              .reference = "",
		                              .text = "",
		                              .latex_label = "",
		                              .latex_width = GRID_LATEX_WIDTH,
		                              .latex_notes = true };
	if (n > GRID_COLS_MAX)
		return err_code(e, EXIT_USAGE, "--cols: at most %d columns", GRID_COLS_MAX);
	for (int i = 0; i < n; i++) {
		struct column_name name;
		if (table_column_parse(&name, cols[i], e))
			return err_in(e, "--cols");
		if (name.row && name.row->pairs && !g->seeds.paired)
			return err_code(e, EXIT_USAGE,
			                "--cols: '%s' compares seed by seed: write paired = true in the seeds of [grid] of %s",
			                cols[i], g->path);
		if (name.metric && !grid_measures(g, name.metric))
			return err_code(e, EXIT_USAGE, "--cols: %s measures no '%s'", g->path, name.metric);
		out->cols[i] = cols[i];
		str_addf(command, " --cols %s", cols[i]);
	}
	if (n)
		out->n_cols = n;
	const char *pivot = cli_string(c, "pivot", NULL);
	if (!pivot)
		return 0;
	str_addf(command, " --pivot %s", pivot);
	return take_pivot(out, pivot, &o->plan->arena, e);
}

static int one_table(const struct cli *c, struct opened *o, const struct grid_table *def, bool first, struct err *e)
{
	const char *output = cli_string(c, "output", NULL), *check = cli_string(c, "check", NULL),
			   *dir = cli_string(c, "dir", NULL);
	const char *dot = output ? strrchr(output, '.') : NULL;
	SCOPED(str) struct str command = { 0 };
	struct grid_table chosen;
	str_addf(&command, "%s%s%s", o->command, def ? " --table " : "", def ? def->name : "");
	SCOPED(table) struct table *t = NULL;
	SCOPED(str) struct str text = { 0 };
	const struct table_format *f = table_format(c->json ? "json" : cli_string(c, "format", dot ? dot + 1 : "terminal"));
	if (!f)
		return err_code(e, EXIT_USAGE, "%s: its extension must be a table format: md, tex, csv, json or txt", output);
	if (cli_given(c, "cols") || cli_given(c, "pivot")) {
		if (with_cols(&chosen, &command, o, c, def, e))
			return -1;
		def = &chosen;
	}
	if (table_build(&t, o->study, def, o->pub, str_text(&command), e))
		return -1;
	t->columns = output || check || dir ? 0 : (int)cli_int(c, "width", table_terminal_columns());
	if (check)
		return table_check(t, check, e);
	if (dir)
		return write_files(t, def, dir, c, e);
	f->write(&text, t);
	if (output)
		return io_write_atomic(output, str_text(&text), text.len, e);
	if (strcmp(f->name, "terminal") == 0)
		printf("%s%s\n", first ? "" : "\n", t->title);
	else if (!first)
		putchar('\n');
	fwrite(str_text(&text), 1, text.len, stdout);
	return 0;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(opened) struct opened o = { 0 };
	if (study_open(&o, c, c->args[0], &e))
		return cli_fail(c, &e);
	const struct grid *g = o.plan->grid;
	SCOPED(free) const struct grid_table **defs = xcalloc((size_t)g->n_tables + 65, sizeof *defs);
	int n;
	if (choose(defs, &n, g, c, &e))
		return cli_fail(c, &e);
	bool single = cli_given(c, "output") || cli_given(c, "check") || c->json;
	if (single && n > 1)
		return cli_usage(c, "%s has %d tables: choose one with --table NAME", g->path, n);
	if (!o.db)
		cli_say(c, "no database %s yet: every cell is pending", c->db);
	for (int i = 0; i < n; i++)
		if (one_table(c, &o, defs[i], i == 0, &e))
			return cli_fail(c, &e);
	if (cli_given(c, "check"))
		cli_say(c, "%s matches the database", cli_string(c, "check", ""));
	return EXIT_OK;
}

static const struct json_key json_keys[] = {
	JSON_KEY("table", "string", "its name"),
	JSON_KEY("columns", "object[]", "its columns, in order"),
	JSON_KEY("columns[].key", "string", "the column, as cols of [[table]] names it: its key in cells"),
	JSON_KEY("columns[].head", "string", "its head"),
	JSON_KEY("rows", "object[]", "its rows, in order"),
	JSON_KEY("rows[].chain", "string", "the chain that it is in; empty without one"),
	JSON_KEY("rows[].label", "string", "what it is called"),
	JSON_KEY("rows[].cells", "object", "its cells, by the key of the column"),
	JSON_KEY("rows[].cells.*", "object", "one cell"),
	JSON_KEY("rows[].cells.*.text", "string", "as it is shown"),
	JSON_KEY("rows[].cells.*.value", "number?",
	         "the mean over training seeds, the count or the difference; null where there is none"),
	JSON_KEY("rows[].cells.*.sd", "number?", "sample standard deviation over training seeds; null of fewer than two",
	         .absent = "of differences and of words"),
	JSON_KEY("rows[].cells.*.n", "integer", "training seeds that it is of; of a difference, pairs",
	         .absent = "of words and plain differences"),
	JSON_KEY("rows[].cells.*.asked", "integer", "training seeds that the grid asks for",
	         .absent = "of words and plain differences"),
	JSON_KEY("rows[].cells.*.best", "boolean", "the best of its column", .absent = "of differences and of words"),
	JSON_KEY("rows[].cells.*.leaks", "boolean", "its reference has images that it was trained on",
	         .absent = "of words and plain differences"),
	JSON_KEY("rows[].cells.*.fingerprints", "string?[]",
	         "numerics fingerprints of what made it; null: of before they were recorded",
	         .absent = "of differences and of words"),
	JSON_KEY("rows[].cells.*.lo", "number?", "lower bound of the difference", .absent = "of all but intervals"),
	JSON_KEY("rows[].cells.*.hi", "number?", "upper bound of the difference", .absent = "of all but intervals"),
	JSON_KEY("rows[].cells.*.verdict", "string", "better, worse or unclear, or why there is none",
	         .absent = "of all but tests"),
	JSON_KEY("rows[].cells.*.p", "number?", "p of the difference", .absent = "of all but tests"),
	JSON_KEY("rows[].cells.*.test", "string?",
	         "by which test: paired t, welch t, or none (one seed); null where nothing is compared",
	         .absent = "of all but differences"),
	JSON_KEY("rows[].cells.*.holm", "boolean?", "it survives Holm's correction; null without a p",
	         .absent = "of all but tests"),
	JSON_KEY("notes", "string[]", "what is said below it"),
	JSON_KEY("made_by", "string", "the command that made it"),
	JSON_KEY("values_sha256", "string", "of the values that it shows"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_table = {
	.name = "table",
	.args = "GRID",
	.summary = "print the tables of a grid from the database",
	.help =
		"GRID is a grid file, the name of a grid that ran into the database, or a study that comes with the program "
		"(such as quickstart). Without [[table]] in it, every metric is shown with its difference to the first row.\n\n"
		"--pivot optim.lr,train.batch makes a table of two settings for one metric: arms that differ in others are "
		"parts of their own, never pooled (`pivot` in [[table]]).\n\n"
		"Cells are mean and sample standard deviation over training seeds; what failed, is blocked or has not run is "
		"shown as such. A column never mixes protocols: such a table is refused (exit 5). Written tables carry the "
		"command and the hash of the values that they show; --check finds out whether a committed one still matches.",
	.options = options,
	.json = json,
	.run = run,
};
