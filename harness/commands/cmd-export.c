/* cmd-export.c - `ablate export`: results and records in other people's formats. */
#define _GNU_SOURCE
#include "harness/cli/cmd.h"
#include "harness/record/dump.h"
#include "harness/record/hidden.h"
#include "harness/record/query_grid.h"
#include "harness/record/query_show.h"
#include "harness/record/query_study.h"
#include "harness/show/export.h"
#include "harness/show/export_crate.h"
#include "harness/text/json_writer.h"

#include "model/base/io.h"
#include "model/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "csv", .kind = OPT_FLAG, .help = "one row per score, RFC 4180 (the default)" },
	{ .name = "jsonl", .kind = OPT_FLAG, .help = "one JSON object per score and line" },
	{ .name = "sql", .kind = OPT_FLAG, .help = "the whole database as an SQL script" },
	{ .name = "tensorboard",
	  .kind = OPT_STRING,
	  .arg = "DIR",
	  .help = "event files with the curves and scores of each cell" },
	{ .name = "ro-crate",
	  .kind = OPT_STRING,
	  .arg = "DIR",
	  .help = "a folder with the run of a grid as a Workflow Run RO-Crate" },
	{ .name = "grid",
	  .kind = OPT_STRING,
	  .arg = "NAME",
	  .help = "with --ro-crate: the grid, by name or hash (default: the one that was run last)" },
	{ .name = "table",
	  .letter = 't',
	  .kind = OPT_STRING,
	  .arg = "TABLE",
	  .help = "rows of this table or view instead of scores" },
	{ .name = "no-identity",
	  .kind = OPT_FLAG,
	  .help = "leave out attempt ids, too: equal results then give equal bytes" },
	{ .name = "identity", .kind = OPT_FLAG, .help = "with host names, paths and devices' numbers" },
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "write here instead of to standard output" },
	{ 0 },
};

struct target {
	struct io_atomic file;
	bool to_file, to_list;
	struct str list;
};

static int put(void *ctx, const char *text, size_t n, struct err *e)
{
	struct target *t = ctx;
	if (t->to_file)
		return io_atomic_write(&t->file, text, n, e);
	if (t->to_list) {
		str_addn(&t->list, text, n);
		return 0;
	}
	return fwrite(text, 1, n, stdout) == n ? 0 : err_set(e, "standard output: cannot write: %s", strerror(errno));
}

static int write_all(const struct cli *c, struct db *db, struct target *t, struct err *e)
{
	const char *table = cli_string(c, "table", NULL);
	enum export_format format = cli_flag(c, "jsonl") || t->to_list ? EXPORT_JSONL : EXPORT_CSV;
	struct db_rows rows;
	if (cli_flag(c, "sql"))
		return dump_script(db, put, t, e);
	if (table)
		return query_table(&rows, db, table, e) ? -1 : export_rows(&rows, format, put, t, e);
	return export_results(db, format, !cli_flag(c, "no-identity"), put, t, e);
}

/* --json: one object, {"rows":[..]} of what would be lines, or the file that was written. */
static int tell_json(const struct cli *c, struct target *t, const char *output)
{
	if (t->to_file)
		return cli_print_json(c, json_pack("{s:s}", "file", output));
	SCOPED(str) struct str out = { 0 };
	struct json_writer w = { .to = &out };
	json_begin(&w, NULL, '{');
	json_add_int(&w, "schema", 1);
	json_begin(&w, "rows", '[');
	for (char *p = t->list.data, *nl; p && (nl = strchr(p, '\n')); p = nl + 1) {
		*nl = 0;
		json_add_raw(&w, NULL, p);
		json_line(&w);
		(void)fwrite(out.data, 1, out.len, stdout); /* piece by piece: the rows are held once already */
		out.len = 0;
	}
	json_end(&w);
	json_end(&w);
	str_addc(&out, '\n');
	return fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? EXIT_OK : EXIT_INCOMPLETE;
}

static int crate(struct cli *c, struct db *db, const char *dir, struct err *e)
{
	const char *name = cli_string(c, "grid", NULL), metadata[] = "/ro-crate-metadata.json";
	SCOPED(free) char *grid = NULL;
	SCOPED(free) char *folder = xstrdup(dir);
	size_t n = strlen(dir), tail = strlen(metadata);
	int actions;
	if (strcmp(dir, metadata + 1) == 0) /* the file's name is fixed: who gives it means its folder */
		(void)snprintf(folder, n, ".");
	else if (n > tail && strcmp(dir + n - tail, metadata) == 0)
		folder[n - tail] = '\0';
	if (query_grid_hash(&grid, db, name, e))
		return cli_fail(c, e);
	if (!grid && name)
		return cli_usage(c, "no grid '%s' in %s; `ablate status` lists them", name, c->db);
	if (!grid)
		return cli_usage(c, "%s: no grid was run", c->db);
	if (export_crate(&actions, db, grid, folder, cli_flag(c, "identity") > 0, e))
		return cli_fail(c, e);
	cli_say(c, "%s: an RO-Crate with %d attempt%s", folder, actions, str_plural(actions));
	return c->json ? cli_print_json(c, json_pack("{s:s, s:s, s:i}", "dir", folder, "grid", grid, "attempts", actions))
	               : EXIT_OK;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(db) struct db *db = NULL;
	const char *dir = cli_string(c, "tensorboard", NULL), *output = cli_string(c, "output", NULL);
	const char *crate_dir = cli_string(c, "ro-crate", NULL);
	struct target t = { .to_file = false };
	if (!!cli_flag(c, "csv") + !!cli_flag(c, "jsonl") + !!cli_flag(c, "sql") + !!dir + !!crate_dir > 1)
		return cli_usage(c, "give only one of --csv, --jsonl, --sql, --tensorboard and --ro-crate");
	if (cli_given(c, "grid") && !crate_dir)
		return cli_usage(c, "--grid belongs to --ro-crate");
	if (c->json && cli_flag(c, "sql") && !output)
		return cli_usage(c, "--sql is a script, not JSON: write it to a file with -o FILE");
	if (db_open(&db, c->db, DB_READ, &e) || query_check_scores(db, NULL, &e) ||
	    (!cli_flag(c, "identity") && db_hide_identity(db, &e)))
		return cli_fail(c, &e);
	if (crate_dir)
		return crate(c, db, crate_dir, &e);
	if (dir) {
		int n;
		if (export_tensorboard(&n, db, dir, &e))
			return cli_fail(c, &e);
		cli_say(c, "%s: event files of %d cell%s", dir, n, str_plural(n));
		return c->json ? cli_print_json(c, json_pack("{s:s, s:i}", "dir", dir, "cells", n)) : EXIT_OK;
	}
	if (output && io_atomic_open(&t.file, output, &e))
		return cli_fail(c, &e);
	t.to_file = output != NULL;
	t.to_list = c->json && !output;
	int rc = write_all(c, db, &t, &e);
	if (t.to_file && !rc)
		rc = io_atomic_commit(&t.file, &e);
	else if (t.to_file)
		io_atomic_abort(&t.file);
	if (!rc && fflush(stdout))
		rc = err_set(&e, "standard output: cannot write: %s", strerror(errno));
	if (!rc && c->json)
		rc = tell_json(c, &t, output) == EXIT_OK ? 0 : err_set(&e, "standard output: cannot write");
	str_release(&t.list);
	return rc ? cli_fail(c, &e) : EXIT_OK;
}

static const struct json_key file_keys[] = {
	JSON_KEY("file", "string", "the file that was written"),
	{ 0 },
};

static const struct json_key score_rows[] = {
	JSON_KEY("rows", "object[]", "each score"),
	JSON_KEY("rows[].attempt", "string", "the attempt that it is of", .absent = "with --no-identity"),
	JSON_KEY("rows[].cell", "string", "the cell, by its hash"),
	JSON_KEY("rows[].arm", "string", "the arm, by its hash"),
	JSON_KEY("rows[].seed", "integer", "training seed"),
	JSON_KEY("rows[].numerics", "integer", "numerics version"),
	JSON_KEY("rows[].dataset", "string", "hash of the data and weights that were read"),
	JSON_KEY("rows[].labels", "string", "what grids call the cell, with \"; \" between",
	         .absent = "where no grid names it"),
	JSON_KEY("rows[].name", "string", "the metric"),
	JSON_KEY("rows[].nfe", "integer", "sampling steps"),
	JSON_KEY("rows[].weights", "string", "ema or raw"),
	JSON_KEY("rows[].step", "integer", "training step"),
	JSON_KEY("rows[].eval_seed", "integer", "seed of sampling"),
	JSON_KEY("rows[].value", "number", "the score", .absent = "where it is not finite"),
	JSON_KEY("rows[].hex", "string", "the same as a hexadecimal floating-point number, bit for bit"),
	JSON_KEY("rows[].lo", "number", "lower end of its interval", .absent = "without one"),
	JSON_KEY("rows[].hi", "number", "upper end of its interval", .absent = "without one"),
	JSON_KEY("rows[].n", "integer", "images that it is of", .unit = "images", .absent = "where that is not known"),
	JSON_KEY("rows[].protocol", "string", "all that a comparable value has to share"),
	JSON_KEY("rows[].computed_by", "string", "what computed it instead of the CPU", .absent = "for the CPU",
	         .unseen = "a GPU"),
	JSON_KEY("rows[].tags", "string", "tags of the cell, with blanks between", .absent = "where it has none"),
	JSON_KEY("rows[].notes", "string", "notes of the cell, with \"; \" between", .absent = "where it has none"),
	{ 0 },
};

static const struct json_key table_rows[] = {
	JSON_KEY("rows", "object[]", "each row of the table or view"),
	JSON_KEY("rows[].*", "any", "the column of that name (`ablate schema`); absent where it is NULL"),
	{ 0 },
};

static const struct json_key events_keys[] = {
	JSON_KEY("dir", "string", "the folder"),
	JSON_KEY("cells", "integer", "cells with event files"),
	{ 0 },
};

static const struct json_key crate_keys[] = {
	JSON_KEY("dir", "string", "the folder"),
	JSON_KEY("grid", "string", "the plan's hash"),
	JSON_KEY("attempts", "integer", "attempts that it describes"),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("scores, without -o", score_rows), JSON_FORM("with --table, without -o", table_rows),
	JSON_FORM("with -o FILE", file_keys),        JSON_FORM("with --tensorboard", events_keys),
	JSON_FORM("with --ro-crate", crate_keys),    { 0 },
};

const struct cmd cmd_export = {
	.name = "export",
	.summary = "write results as CSV, JSON lines, SQL, TensorBoard event files or an RO-Crate",
	.help =
		"Scores are those of the attempt used for each cell (view v_result), with the decimal value and its exact "
		"hexadecimal form. `--table v_wide` has each score beside all settings of its cell, a column per setting; the "
		"database itself has this view, so that pandas or DuckDB need no program: SELECT * FROM v_wide WHERE name = "
		"'fid'.\n\n"
		"--ro-crate describes the run of a grid for programs that know nothing of this one (Workflow Run RO-Crate): "
		"the grid file as workflow, and for each cell the program, settings, environment, inputs and outputs by "
		"SHA-256, scores, times and outcome, with the signed statements that are valid.\n\n"
		"What is exported has no host names, boot ids, devices' numbers or paths unless --identity asks for them. An "
		"SQL script that is to be a whole copy of the database needs it.",
	.options = options,
	.json = json,
	.run = run,
};
