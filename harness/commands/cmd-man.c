/* cmd-man.c - `ablate man`: manual pages in roff, from the tables of commands, of what they print as JSON, of the
 * environment and of the database's columns; the page about grids is in man_grid.c. */
#include "harness/cli/cmd.h"
#include "harness/cli/cmd_keys.h"

#include "harness/commands/man_grid.h"
#include "harness/record/db.h"
#include "harness/record/wide.h"
#include "harness/text/roff.h"
#include "model/base/env.h"

#include <stdio.h>
#include <string.h>

static void options(struct str *s, const struct opt *o)
{
	for (; o && o->name; o++) {
		str_add(s, ".TP\n");
		if (o->letter)
			str_addf(s, "\\fB\\-%c\\fR, ", o->letter);
		str_add(s, "\\fB\\-\\-");
		roff_text(s, o->name);
		str_add(s, "\\fR");
		if (o->arg) {
			str_add(s, " \\fI");
			roff_text(s, o->arg);
			str_add(s, "\\fR");
		}
		str_addc(s, '\n');
		roff_text(s, o->help);
		str_add(s, o->kind == OPT_STRINGS ? "; may be repeated.\n" : ".\n");
	}
}

static void one_command(void *ctx, const struct cmd *cmd)
{
	struct str *s = ctx;
	str_add(s, ".PP\n\\fBablate ");
	roff_text(s, cmd->name);
	str_add(s, "\\fR ");
	roff_text(s, cmd->args ? cmd->args : "");
	str_add(s, "\n.RS 4\n");
	roff_text(s, cmd->summary);
	str_add(s, ".\n");
	if (cmd->help && *cmd->help) {
		str_add(s, ".PP\n");
		roff_paragraphs(s, cmd->help);
	}
	options(s, cmd->options);
	str_add(s, ".RE\n");
}

/* Every row of env.def, under its group. */
static void environment(struct str *s)
{
	const char *group = "";
	for (int i = 0; i < ENV_COUNT; i++) {
		const struct env_row *r = env_row((enum env)i);
		if (strcmp(r->group, group) != 0)
			roff_subsection(s, r->group);
		group = r->group;
		SCOPED(free)
		char *text = xstrfmt("%s%s%s%s%s", r->text, *r->def ? " Default: " : "", r->def, *r->def ? "." : "",
		                     r->sent ? " Tasks of --engine slurm and command get the value it has at submission." : "");
		roff_item(s, r->name, text);
	}
}

static void one_group(void *ctx, const char *name)
{
	roff_subsection(ctx, name);
}

static void one_exit(void *ctx, const char *code, const char *meaning)
{
	roff_item(ctx, code, meaning);
}

static void page_commands(struct str *s, const struct cmds *all)
{
	roff_page(s, "ABLATE", "1", "ablate - train, score, record and judge consistency models by grids");
	str_add(s, ".SH SYNOPSIS\n.B ablate\n.I COMMAND\n[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n");
	roff_paragraphs(s, "A grid file (ablate-grid(5)) names arms, seeds, metrics, tables and gates. ablate trains "
	                   "each cell once in a process of its own, scores it, and records every number with what it was "
	                   "made from, so that it can be traced, repeated bit for bit, and guarded. The result of a "
	                   "command is on stdout; everything else is on stderr.");
	roff_section(s, "COMMANDS");
	cmds_each(all, s, one_group, one_command);
	roff_section(s, "OPTIONS OF EVERY COMMAND");
	options(s, cmd_global_options);
	roff_section(s, "JSON OUTPUT");
	roff_paragraphs(
		s, "With --json the result is one JSON object, and so is an error. ablate-json(5) describes each key, "
		   "`ablate schema --json-output COMMAND` those of one command, and with --json that is a JSON Schema.");
	roff_section(s, "EXIT STATUS");
	cmd_each_exit(s, one_exit);
	roff_section(s, "ENVIRONMENT");
	environment(s);
	str_add(s, ".SH SEE ALSO\n.BR ablate\\-grid (5),\n.BR ablate\\-json (5),\n.BR ablate\\-db (5)\n");
}

static void db_row(void *ctx, const char *table, const char *column, const char *type, const char *doc)
{
	struct str *s = ctx;
	if (column) {
		str_add(s, ".TP\n.B ");
		roff_text(s, column);
		str_addf(s, "\n(%s) ", type);
	} else {
		roff_subsection(s, table);
	}
	roff_text(s, doc ? doc : "");
	str_addc(s, '\n');
}

static void page_db(struct str *s)
{
	roff_page(s, "ABLATE-DB", "5", "ablate-db - the result database of ablate");
	str_add(s, ".SH DESCRIPTION\n");
	roff_paragraphs(s, "One SQLite file. All of its content comes from journals (JSON lines, one file per attempt) "
	                   "in the folder beside it and can be rebuilt from them. Finished attempts and metrics cannot be "
	                   "changed or deleted. `ablate schema` prints the statements that create it.");
	str_add(s, ".SH TABLES AND VIEWS\n");
	db_schema_docs(db_row, s);
	wide_docs(db_row, s);
	str_add(s, ".SH SEE ALSO\n.BR ablate (1)\n");
}

static void no_group(void *ctx, const char *name)
{
	(void)ctx, (void)name;
}

static void json_row(void *ctx, const char *path, const struct json_key *k)
{
	SCOPED(free) char *text = cmd_key_text(k);
	roff_item(ctx, path, text);
}

static void json_of(void *ctx, const struct cmd *cmd)
{
	for (const struct json_form *f = cmd->json; f && f->keys; f++) {
		SCOPED(free) char *title = xstrfmt("ablate %s%s%s", cmd->name, *f->when ? ": " : "", f->when);
		roff_subsection(ctx, title);
		json_keys_each(f->keys, ctx, json_row);
	}
}

static void page_json(struct str *s, const struct cmds *all)
{
	roff_page(s, "ABLATE-JSON", "5", "ablate-json - what commands of ablate print with --json");
	str_add(s, ".SH DESCRIPTION\n");
	roff_paragraphs(
		s, "One JSON object on stdout. A path leads from it to a key: [] stands for the objects of a list, * "
		   "for any key of a map. A type with ? behind it may be null, one with [] behind it is a list. A key "
		   "without \"absent\" is in every such object. Keys keep their names and meanings; later versions may "
		   "add some.\n\n"
		   "`ablate schema --json-output COMMAND --json` is the same as a JSON Schema (draft 2020-12), of this "
		   "version: it refuses keys that it does not know.");
	roff_section(s, "EVERY COMMAND");
	roff_item(s, "schema", "(integer) 1, in every object");
	json_keys_each(json_error, s, json_row);
	roff_section(s, "COMMANDS");
	cmds_each(all, s, no_group, json_of);
	str_add(s, ".SH SEE ALSO\n.BR ablate (1)\n");
}

static int run(struct cli *c)
{
	SCOPED(str) struct str s = { 0 };
	const char *page = c->n_args ? c->args[0] : "1";
	if (strcmp(page, "5-grid") == 0)
		man_grid(&s);
	else if (strcmp(page, "5-db") == 0)
		page_db(&s);
	else if (strcmp(page, "5-json") == 0)
		page_json(&s, c->all);
	else
		page_commands(&s, c->all);
	(void)fwrite(str_text(&s), 1, s.len, stdout);
	return EXIT_OK;
}

const struct cmd cmd_man = {
	.name = "man",
	.args = "[1|5-grid|5-json|5-db]",
	.summary = "print a manual page",
	.help = "Pages: 1 (the program), 5-grid (how to write a grid, with examples), 5-json (what commands print with "
			"--json), 5-db (the database). To read one:\n\n"
			"    ablate man 5-grid | man -l -",
	.run = run,
};
