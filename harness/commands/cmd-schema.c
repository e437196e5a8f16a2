/* cmd-schema.c - `ablate schema`: what a result database holds, from the comments in schema.sql. */
#include "harness/cli/cmd.h"
#include "harness/record/db.h"

#include <stdio.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "sql", .kind = OPT_FLAG, .help = "print the statements that create the database instead" },
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

static int run(struct cli *c)
{
	if (cli_flag(c, "sql")) {
		SCOPED(free) char *text = db_schema_script();
		fputs(text, stdout);
		return EXIT_OK;
	}
	if (c->json) {
		json_t *tables = json_array();
		db_schema_docs(json_row, tables);
		return cli_print_json(c, json_pack("{s:i, s:o}", "version", db_schema()->version, "tables", tables));
	}
	printf("Schema %d (PRAGMA user_version) of ablate's result database. Views: v_result, v_arm, v_cell_status, "
	       "v_attempt, v_curve, v_paper, v_tag.\n",
	       db_schema()->version);
	db_schema_docs(text_row, NULL);
	return EXIT_OK;
}

const struct cmd cmd_schema = {
	.name = "schema",
	.summary = "describe the tables and columns of the result database",
	.help = "The database is SQLite; every table and column has one line of documentation, which is also in its table "
			"`meta`, so that a file explains itself: SELECT key, doc FROM meta.",
	.options = options,
	.run = run,
};
