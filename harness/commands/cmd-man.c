/* cmd-man.c - `ablate man`: manual pages in roff, from the tables of commands, knobs and the database's columns. */
#include "harness/commands/commands.h"

#include "harness/record/db.h"
#include "model/config/config.h"

#include <stdio.h>
#include <string.h>

/* Running text: no word of it is a request or an escape. */
static void roff(struct str *s, const char *text)
{
	bool start = true;
	for (; *text; text++) {
		if (start && (*text == '.' || *text == '\''))
			str_add(s, "\\&");
		if (*text == '\\')
			str_add(s, "\\e");
		else if (*text == '-')
			str_add(s, "\\-");
		else if (*text == '|')
			str_add(s, "|\\:"); /* a list of choices may end a line here */
		else
			str_addc(s, *text);
		start = *text == '\n';
	}
}

static void heading(struct str *s, const char *name, const char *section, const char *what)
{
	str_addf(s, ".\\\" Made by `ablate man`; not edited by hand.\n.TH %s %s \"\" \"ablate %s\" \"ablate manual\"\n.SH NAME\n", name, section,
	         ABLATE_VERSION);
	roff(s, what);
	str_addc(s, '\n');
}

/* A help text: empty lines part paragraphs, lines that begin with a space are shown as they are. */
static void paragraphs(struct str *s, const char *text)
{
	bool literal = false;
	while (*text) {
		size_t n = strcspn(text, "\n");
		SCOPED(free) char *line = xstrndup(text, n);
		if ((*line == ' ') != literal) {
			str_add(s, literal ? ".fi\n.RE\n" : ".PP\n.RS 4\n.nf\n");
			literal = !literal;
		}
		if (*line)
			roff(s, line + (literal ? strspn(line, " ") : 0));
		else
			str_add(s, ".PP");
		str_addc(s, '\n');
		text += n + (text[n] == '\n');
	}
	if (literal)
		str_add(s, ".fi\n.RE\n");
}

/* A name in bold and the text that belongs to it. */
static void item(struct str *s, const char *name, const char *text)
{
	str_add(s, ".TP\n.B ");
	roff(s, name);
	str_addc(s, '\n');
	roff(s, text);
	str_addc(s, '\n');
}

static void options(struct str *s, const struct opt *o)
{
	for (; o && o->name; o++) {
		str_add(s, ".TP\n");
		if (o->letter)
			str_addf(s, "\\fB\\-%c\\fR, ", o->letter);
		str_add(s, "\\fB\\-\\-");
		roff(s, o->name);
		str_add(s, "\\fR");
		if (o->arg) {
			str_add(s, " \\fI");
			roff(s, o->arg);
			str_add(s, "\\fR");
		}
		str_addc(s, '\n');
		roff(s, o->help);
		str_add(s, o->kind == OPT_STRINGS ? "; may be repeated.\n" : ".\n");
	}
}

static void one_command(struct str *s, const struct cmd *cmd)
{
	str_add(s, ".PP\n\\fBablate ");
	roff(s, cmd->name);
	str_add(s, "\\fR ");
	roff(s, cmd->args ? cmd->args : "");
	str_add(s, "\n.RS 4\n");
	roff(s, cmd->summary);
	str_add(s, ".\n");
	if (cmd->help && *cmd->help) {
		str_add(s, ".PP\n");
		paragraphs(s, cmd->help);
	}
	options(s, cmd->options);
	str_add(s, ".RE\n");
}

static void page_commands(struct str *s)
{
	int n = commands.n;
	const struct cmd_row *r = commands.rows;
	const struct cmd_exit *x;
	heading(s, "ABLATE", "1", "ablate - train, score, record and judge consistency models by grids");
	str_add(s, ".SH SYNOPSIS\n.B ablate\n.I COMMAND\n[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n");
	paragraphs(s, "A grid file names arms, seeds, metrics, tables and gates. ablate trains each cell once in a process of its own, scores "
	              "it, and records every number with what it was made from, so that it can be traced, repeated bit for bit, and "
	              "guarded. The result of a command is on stdout; everything else is on stderr.");
	str_add(s, ".SH COMMANDS\n");
	for (int i = 0; i < n; i++) {
		if (!cmds_group_begins(&commands, i))
			continue;
		str_add(s, ".SS ");
		roff(s, r[i].group);
		str_addc(s, '\n');
		for (int k = i; k < n; k++)
			if (!r[k].cmd->hidden && strcmp(r[k].group, r[i].group) == 0)
				one_command(s, r[k].cmd);
	}
	str_add(s, ".SH OPTIONS OF EVERY COMMAND\n");
	options(s, cmd_global_options);
	str_add(s, ".SH EXIT STATUS\n");
	x = cmd_exits(&n);
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *code = xstrfmt("%d", x[i].code);
		item(s, code, x[i].meaning);
	}
	str_add(s, ".SH ENVIRONMENT\n");
	item(s, "ABLATE_DB", "Result database when --db is not given.");
	item(s, "ABLATE_DATA", "Folder of data sets, looked into first.");
	item(s, "ABLATE_CACHE", "Folder of decoded data, statistics and weights (default: $XDG_CACHE_HOME/ablate).");
	item(s, "ABLATE_DOCTOR_ROOT", "For tests: the folder in whose etc, var, proc and sys `ablate doctor` looks for what machine it is to tell commands for.");
	item(s, "NO_COLOR", "Not empty: no colours.");
	str_add(s, ".SH SEE ALSO\n.BR ablate\\-grid (5),\n.BR ablate\\-db (5)\n");
}

/* The tables of a grid file; what stands in [base] and `set` are the knobs. */
static const struct { const char *name, *text; } grid_tables[] = {
	{ "schema = 1", "version of the grid language" },
	{ "inherit = \"FILE\"", "takes [base] and [variants] of another grid file; its hash becomes part of the plan" },
	{ "[grid]", "name; seeds = { train = [1, 2, 3] or { start, count }, eval = [101], paired = true }" },
	{ "[base]", "preset = \"NAME\" and any knob: what all arms share" },
	{ "[[axis]]", "key and values, or range = { start, stop, step }, or log = { start, stop, num }: axes multiply" },
	{ "[[zip]]", "keys and values that move together: one axis" },
	{ "[[exclude]]", "when = { knob = value }: takes combinations out of the product; one that matches nothing is an error" },
	{ "[[include]]", "label and set = { knob = value }: adds an arm; a duplicate is an error" },
	{ "[variants.NAME]", "label, set, needs: one named change" },
	{ "[[chain]]", "name, mode = cumulative | one-at-a-time | full-minus-one | factorial, steps = [variants]" },
	{ "[[metric]]", "name, samples, nfe, ref, extractor, ci, infinity, agg: what each cell is scored with" },
	{ "[[table]]", "name, chain, cols, paper, formats, metric, text, across" },
	{ "[[gate]]", "name, metric, arm, against, test, margin, alpha, looks, on_inconclusive" },
	{ "[budget]", "cell = { wall, retries }, grid = { wall, cells }, on_failure = continue | stop | stop-after:N" },
};

static void page_grid(struct str *s)
{
	int n;
	const struct knob *k = config_knobs(&n);
	const struct preset *p;
	heading(s, "ABLATE\\-GRID", "5", "ablate-grid - the grid language of ablate");
	str_add(s, ".SH DESCRIPTION\n");
	paragraphs(s, "A grid is a TOML 1.0 file. Later wins: preset, [base], axis, zip, chain or include, --set. The resolved settings of an "
	              "arm, with every default written out, are hashed: that is the arm. An arm and a training seed are a cell. Cells that "
	              "are equal are one cell with several labels. A key that nothing reads is an error that names the nearest keys.");
	str_add(s, ".SH TABLES\n");
	for (size_t i = 0; i < sizeof grid_tables / sizeof *grid_tables; i++) {
		item(s, grid_tables[i].name, grid_tables[i].text);
	}
	str_add(s, ".SH OVERRIDES\n");
	paragraphs(s, "--set KEY=VALUE sets a knob or the preset of every row, above everything in the file. It also reaches the study: "
	              "seeds=3 (so many, from the first one on), seeds=[1, 2], seeds.eval=[101], seeds.paired=false; grid.name, grid.text; "
	              "budget.cell.wall=2h, budget.cell.retries, budget.grid.wall, budget.grid.cells, budget.on_failure=stop; and samples, nfe, "
	              "ref, extractor, ci, infinity, agg of all metrics (metric.samples=500) or of one (metric.fid.samples=500).");
	str_add(s, ".SH KNOBS\n");
	for (int i = 0; i < n; i++) {
		str_add(s, ".TP\n.B ");
		roff(s, k[i].key);
		str_add(s, "\n(default ");
		roff(s, *k[i].def ? k[i].def : "\"\"");
		if (*k[i].unit) {
			str_addc(s, ' ');
			roff(s, k[i].unit);
		}
		if (k[i].choices && *k[i].choices) {
			str_add(s, "; one of ");
			roff(s, k[i].choices);
		}
		str_add(s, ") ");
		roff(s, k[i].text);
		if (*k[i].source) {
			str_add(s, " Source: ");
			roff(s, k[i].source);
		}
		str_addc(s, '\n');
	}
	str_add(s, ".SH PRESETS\n");
	p = config_presets(&n);
	for (int i = 0; i < n; i++) {
		item(s, p[i].name, p[i].text);
	}
	str_add(s, ".SH SEE ALSO\n.BR ablate (1)\n");
}

static void db_row(void *ctx, const char *table, const char *column, const char *type, const char *doc)
{
	struct str *s = ctx;
	if (column) {
		str_add(s, ".TP\n.B ");
		roff(s, column);
		str_addf(s, "\n(%s) ", type);
	} else {
		str_add(s, ".SS ");
		roff(s, table);
		str_addc(s, '\n');
	}
	roff(s, doc ? doc : "");
	str_addc(s, '\n');
}

static void page_db(struct str *s)
{
	heading(s, "ABLATE\\-DB", "5", "ablate-db - the result database of ablate");
	str_add(s, ".SH DESCRIPTION\n");
	paragraphs(s, "One SQLite file. All of its content comes from journals (JSON lines, one file per attempt) in the folder beside it and can "
	              "be made again from them. Finished attempts and metrics cannot be changed or deleted. `ablate schema` prints the "
	              "statements that make it.");
	str_add(s, ".SH TABLES AND VIEWS\n");
	db_schema_docs(db_row, s);
	str_add(s, ".SH SEE ALSO\n.BR ablate (1)\n");
}

static int run(struct cli *c)
{
	SCOPED(str) struct str s = { 0 };
	const char *page = c->n_args ? c->args[0] : "1";
	if (strcmp(page, "5-grid") == 0)
		page_grid(&s);
	else if (strcmp(page, "5-db") == 0)
		page_db(&s);
	else
		page_commands(&s);
	(void)fwrite(str_text(&s), 1, s.len, stdout);
	return EXIT_OK;
}

const struct cmd cmd_man = {
	.name = "man",
	.args = "[1|5-grid|5-db]",
	.summary = "print a manual page",
	.help = "Pages: 1 (the program), 5-grid (grid files), 5-db (the database). To read one:\n\n    ablate man 5-grid | man -l -",
	.run = run,
};
