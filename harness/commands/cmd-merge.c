/* cmd-merge.c - `ablate merge`: records of other machines into the database, or the database rebuilt from its
 * records. */
#include "harness/cli/cmd.h"
#include "harness/record/merge.h"
#include "harness/text/json_out.h"
#include "model/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "rebuild", .kind = OPT_FLAG, .help = "rebuild the database from its ledger and journals" },
	{ .name = "check", .kind = OPT_FLAG, .help = "compare the database with its ledger and journals; change nothing" },
	{ 0 },
};

/* Cells that have two results: a line each, and in *o. */
static void tell_differing(struct cli *c, json_t *o, const struct differing_list *l)
{
	for (int i = 0; i < l->n; i++) {
		SCOPED(str) struct str text = { 0 };
		differing_text(&text, &l->v[i]);
		cli_warn(c, "%s", text.data);
	}
	if (l->all > l->n)
		cli_warn(c, "and %lld more like these; `ablate show CELL` tells of each", (long long)(l->all - l->n));
	(void)json_object_set_new(o, "differing", differing_json(l));
	(void)json_object_set_new(o, "differing_all", json_integer(l->all));
}

/* What the records hold and the database cannot: one line each, and in *o. */
static bool tell_left(struct cli *c, json_t *o, const struct rebuilt *from)
{
	json_t *left = json_array();
	for (int i = 0; i < from->n_left; i++) {
		cli_warn(c, "%s", from->left[i]);
		(void)json_array_append_new(left, json_out_text(from->left[i]));
	}
	if (from->waiting)
		cli_warn(c, "%s%s", from->waits, from->waiting > 1 ? ", and more lines like it" : "");
	(void)json_object_set_new(o, "left_out", left);
	(void)json_object_set_new(o, "waiting", json_integer(from->waiting));
	return from->n_left || from->waiting;
}

static int rebuild(struct cli *c)
{
	struct err e = ERR_INIT;
	struct rebuild_result r;
	if (merge_rebuild(&r, c->db, &e)) {
		rebuild_result_release(&r);
		return cli_fail(c, &e);
	}
	bool known = *r.before, same = strcmp(r.before, r.after) == 0;
	if (r.old_path)
		cli_say(c, "the old file is %s", r.old_path);
	if (r.gone)
		cli_warn(
			c,
			"%lld attempt%s of the old file %s in no journal (a database that was renamed without its run folder?); "
			"`ablate merge %s` takes in what it holds",
			(long long)r.gone, str_plural(r.gone), r.gone == 1 ? "is" : "are", r.old_path);
	json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:s, s:b}", "journals", (json_int_t)r.from.journals, "rows",
	                      (json_int_t)r.from.rows, "torn", (json_int_t)r.from.torn, "gone", (json_int_t)r.gone,
	                      "content", r.after, "identical", (int)(known && same));
	int rc = tell_left(c, o, &r.from) || r.gone ? EXIT_RECORD : EXIT_OK;
	tell_differing(c, o, &r.from.differing);
	if (c->json) {
		if (r.old_path)
			(void)json_object_set_new(o, "old", json_string(r.old_path));
		int printed = cli_print_json(c, o);
		rc = rc ? rc : printed;
	} else {
		json_decref(o);
		printf("%s: rebuilt from %lld journal%s; content %.12s, %s\n", c->db, (long long)r.from.journals,
		       str_plural(r.from.journals), r.after,
		       !known && !r.old_path ? "there was no file"
		       : !known              ? "the old file could not be read"
		       : same                ? "identical to before"
		                             : "different from the old file");
	}
	rebuild_result_release(&r);
	return rc;
}

static int check(struct cli *c)
{
	struct err e = ERR_INIT;
	struct check_result r;
	if (merge_check(&r, c->db, &e)) {
		check_result_release(&r);
		return cli_fail(c, &e);
	}
	json_t *rows = json_array(), *o = json_object();
	for (int i = 0; i < r.n_rows; i++) {
		const char *where = r.row[i].unrecorded ? "in no journal" : "not in the database";
		cli_warn(c, "%s: %s", where, r.row[i].text);
		(void)json_array_append_new(rows, json_pack("{s:s, s:o}", "where", where, "row", json_out_text(r.row[i].text)));
	}
	(void)json_object_set_new(o, "journals", json_integer(r.from.journals));
	(void)json_object_set_new(o, "unrecorded", json_integer(r.unrecorded));
	(void)json_object_set_new(o, "missing", json_integer(r.missing));
	(void)json_object_set_new(o, "rows", rows);
	tell_differing(c, o, &r.from.differing);
	bool left = tell_left(c, o, &r.from), good = !left && !r.unrecorded && !r.missing;
	int rc = good ? EXIT_OK : EXIT_RECORD;
	if (c->json) {
		int printed = cli_print_json(c, o);
		rc = rc ? rc : printed;
	} else {
		json_decref(o);
		printf("%s: %lld journal%s, every seal and row compared: ", c->db, (long long)r.from.journals,
		       str_plural(r.from.journals));
		good ? printf("all agree\n")
			 : printf("%lld row%s in no journal, %lld not in the database, %d file%s or line%s left out\n",
		              (long long)r.unrecorded, str_plural(r.unrecorded), (long long)r.missing, r.from.n_left,
		              str_plural(r.from.n_left), str_plural(r.from.n_left));
	}
	check_result_release(&r);
	return rc;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(store) struct store s = STORE_INIT;
	struct merge_result r;
	bool checks = cli_flag(c, "check") > 0;
	if (checks || cli_flag(c, "rebuild"))
		return c->n_args                          ? cli_usage(c, "--%s takes no shards", checks ? "check" : "rebuild")
		       : checks && cli_flag(c, "rebuild") ? cli_usage(c, "--check changes nothing: leave out --rebuild")
		       : checks                           ? check(c)
		                                          : rebuild(c);
	if (!c->n_args)
		return cli_usage(c, "no shard given");
	if (store_open(&s, c->db, STORE_WRITE, "ablate merge", &e) ||
	    merge_shards(&r, &s, (const char *const *)c->args, c->n_args, &e))
		return cli_fail(c, &e);
	if (r.torn)
		cli_say(c, "%lld journal%s with a torn last line: everything before it was taken", (long long)r.torn,
		        str_plural(r.torn));
	json_t *o = json_pack("{s:I, s:I, s:I, s:I}", "shards", (json_int_t)r.shards, "known", (json_int_t)r.known, "rows",
	                      (json_int_t)r.rows, "torn", (json_int_t)r.torn);
	tell_differing(c, o, &s.differing);
	if (c->json)
		return cli_print_json(c, o);
	json_decref(o);
	printf("%s: %lld journal%s taken, %lld new row%s, %lld with nothing new\n", c->db, (long long)r.shards,
	       str_plural(r.shards), (long long)r.rows, str_plural(r.rows), (long long)r.known);
	return EXIT_OK;
}

static const struct json_key shard_keys[] = {
	JSON_KEY("shards", "integer", "journals that were taken"),
	JSON_KEY("known", "integer", "journals with nothing new"),
	JSON_KEY("rows", "integer", "rows that were new"),
	JSON_KEY("torn", "integer", "journals whose last line is torn"),
	JSON_KEY("differing", "object[]", "cells with two done attempts whose bits differ", .of = differing_keys),
	JSON_KEY("differing_all", "integer", "how many there are: the list has no more than the first"),
	{ 0 },
};

static const struct json_key rebuild_keys[] = {
	JSON_KEY("journals", "integer", "journals that were read"),
	JSON_KEY("rows", "integer", "rows that were written"),
	JSON_KEY("torn", "integer", "journals whose last line is torn"),
	JSON_KEY("gone", "integer", "attempts of the old file that are in no journal"),
	JSON_KEY("content", "string", "SHA-256 of the content"),
	JSON_KEY("identical", "boolean", "the same content as before"),
	JSON_KEY("left_out", "string[]", "files and lines that could not be taken, with the reason"),
	JSON_KEY("waiting", "integer", "lines that wait for others which are not here"),
	JSON_KEY("differing", "object[]", "cells with two done attempts whose bits differ", .of = differing_keys),
	JSON_KEY("differing_all", "integer", "how many there are: the list has no more than the first"),
	JSON_KEY("old", "string", "the name of the old file", .absent = "where there was none"),
	{ 0 },
};

static const struct json_key check_keys[] = {
	JSON_KEY("journals", "integer", "journals that were read"),
	JSON_KEY("unrecorded", "integer", "rows of the database that are in no journal"),
	JSON_KEY("missing", "integer", "rows of the journals that are not in the database"),
	JSON_KEY("rows", "object[]", "the first of these"),
	JSON_KEY("rows[].where", "string", "in no journal, or not in the database"),
	JSON_KEY("rows[].row", "string", "the row, as text"),
	JSON_KEY("differing", "object[]", "cells with two done attempts whose bits differ", .of = differing_keys),
	JSON_KEY("differing_all", "integer", "how many there are: the list has no more than the first"),
	JSON_KEY("left_out", "string[]", "files and lines that could not be taken, with the reason"),
	JSON_KEY("waiting", "integer", "lines that wait for others which are not here"),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("of shards", shard_keys),
	JSON_FORM("with --rebuild", rebuild_keys),
	JSON_FORM("with --check", check_keys),
	{ 0 },
};

const struct cmd cmd_merge = {
	.name = "merge",
	.args = "[SHARD]...",
	.summary = "take in records from other machines, or rebuild the database from its journals",
	.help =
		"A shard is a journal, a run folder (X.db-runs) or a database. Either all shards of one call are taken or "
		"none; merging one again changes nothing. A shard that was changed after it was sealed, or that contradicts "
		"what is known, is refused with exit code 5.\n\n"
		"A cell that was done on two machines has two done attempts. Where their bits differ, that is said once, with "
		"what differs between the environments, and the one that started first speaks for the cell: by the times in "
		"the records, and of two that started in the same millisecond the one with the smaller id. So it does not "
		"matter which records were merged into which. --rebuild and --check say it of every such cell, `ablate show "
		"CELL` of one, and `ablate verify ATTEMPT --with OTHER` compares the two step by step.\n\n"
		"With --rebuild the database is rebuilt from its run folder and replaces the file, which is kept under another "
		"name. A journal that is damaged, was changed after it was sealed or contradicts another is left out and "
		"named, and the exit code is 5.\n\n"
		"With --check nothing is changed: every seal is checked, and every row of the database is compared with the "
		"journals. A row that was edited by hand is exit code 5.",
	.options = options,
	.json = json,
	.run = run,
};
