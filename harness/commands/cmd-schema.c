/* cmd-schema.c - `ablate schema`: what a result database holds, from the comments in schema.sql; with --json-output,
 * the keys of what commands print. */
#include "harness/cli/cmd.h"
#include "harness/cli/cmd_keys.h"
#include "harness/record/db.h"
#include "harness/record/wide.h"

#include <stdio.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "sql", .kind = OPT_FLAG, .help = "print the statements that create the database instead" },
	{ .name = "json-output",
	  .kind = OPT_FLAG,
	  .help = "the keys of what COMMAND, or every command, prints with --json; with --json itself, as a JSON Schema" },
	{ 0 },
};

static void text_row(void *ctx, const char *table, const char *column, const char *type, const char *doc)
{
	(void)ctx;
	if (column)
		printf("  %-18s %-8s %s\n", column, type, doc);
	else
		printf("\n%s - %s\n", table, doc);
}

static void json_row(void *ctx, const char *table, const char *column, const char *type, const char *doc)
{
	json_t *tables = ctx;
	if (!column) {
		(void)json_array_append_new(tables, json_pack("{s:s, s:s, s:[]}", "name", table, "doc", doc, "columns"));
		return;
	}
	json_t *last = json_array_get(tables, json_array_size(tables) - 1);
	(void)json_array_append_new(json_object_get(last, "columns"),
	                            json_pack("{s:s, s:s, s:s}", "name", column, "type", type, "doc", doc));
}

/* Of one command, or of all that are listed. */
static int json_output(struct cli *c)
{
	const struct cmd *of = c->n_args ? cmds_find(c->all, c->args[0]) : NULL;
	if (c->n_args && !of)
		return cli_usage(c, "unknown command '%s'", c->args[0]);
	if (of && !of->json)
		return cli_usage(c, "%s prints no JSON but errors", of->name);
	if (c->json)
		return cli_print_json(c, of ? cmd_keys_schema(of) : cmds_keys_schema(c->all));
	SCOPED(str) struct str s = { 0 };
	of ? cmd_keys_text(&s, of) : cmds_keys_text(&s, c->all);
	(void)fwrite(s.data, 1, s.len, stdout);
	return EXIT_OK;
}

static int run(struct cli *c)
{
	if (cli_flag(c, "json-output"))
		return cli_flag(c, "sql") ? cli_usage(c, "give only one of --sql and --json-output") : json_output(c);
	if (c->n_args)
		return cli_usage(c, "COMMAND belongs to --json-output");
	if (cli_flag(c, "sql")) {
		SCOPED(free) char *text = db_schema_script();
		fputs(text, stdout);
		return EXIT_OK;
	}
	if (c->json) {
		json_t *tables = json_array();
		db_schema_docs(json_row, tables);
		wide_docs(json_row, tables);
		return cli_print_json(c, json_pack("{s:i, s:o}", "version", db_schema()->version, "tables", tables));
	}
	printf("Schema %d (PRAGMA user_version) of ablate's result database. Views: v_result, v_arm, v_cell_status, "
	       "v_attempt, v_curve, v_paper, v_tag, v_wide.\n",
	       db_schema()->version);
	db_schema_docs(text_row, NULL);
	wide_docs(text_row, NULL);
	return EXIT_OK;
}

static const struct json_key table_keys[] = {
	JSON_KEY("version", "integer", "version of the database"),
	JSON_KEY("tables", "object[]", "tables and views"),
	JSON_KEY("tables[].name", "string", "its name"),
	JSON_KEY("tables[].doc", "string", "what a row is"),
	JSON_KEY("tables[].columns", "object[]", "its columns"),
	JSON_KEY("tables[].columns[].name", "string", "its name"),
	JSON_KEY("tables[].columns[].type", "string", "its type in SQLite"),
	JSON_KEY("tables[].columns[].doc", "string", "what it holds"),
	{ 0 },
};

static const struct json_key schema_keys[] = {
	JSON_KEY("$schema", "string", "the dialect of JSON Schema"),
	JSON_KEY("title", "string", "the command, or that it is of all"),
	JSON_KEY("anyOf", "any", "what the command may print", .absent = "without COMMAND"),
	JSON_KEY("$defs", "object", "the schema of each command, by name", .absent = "with COMMAND"),
	JSON_KEY("$defs.*", "any", "the schema of that command"),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("without --json-output", table_keys),
	JSON_FORM("with --json-output: a JSON Schema", schema_keys),
	{ 0 },
};

const struct cmd cmd_schema = {
	.name = "schema",
	.args = "[COMMAND]",
	.summary = "describe the result database, or the keys of what commands print with --json",
	.help =
		"The database is SQLite; every table and column has one line of documentation, which is also in its table "
		"`meta`, so that a file explains itself: SELECT key, doc FROM meta.\n\n"
		"--json-output lists what COMMAND prints with --json: the path of each key ([] are the objects of a list, * "
		"is any key of a map), its type (? behind it: or null; [] behind it: a list), what it means, its unit, and "
		"when it is absent. With --json it is a JSON Schema (draft 2020-12) that any validator takes: of COMMAND at "
		"its top, or of each command in $defs. Every object has \"schema\": 1; a command that fails prints "
		"{\"schema\": 1, \"error\": {\"code\", \"message\"}} instead.",
	.options = options,
	.json = json,
	.run = run,
};
