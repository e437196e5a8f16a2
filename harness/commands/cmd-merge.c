/* cmd-merge.c - `ablate merge`: records of other machines into the database, or the database rebuilt from its
 * records. */
#include "harness/cli/cmd.h"
#include "harness/record/merge.h"
#include "model/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "rebuild", .kind = OPT_FLAG, .help = "rebuild the database from its ledger and journals" },
	{ 0 },
};

static int rebuild(struct cli *c)
{
	struct err e = ERR_INIT;
	struct rebuild_result r;
	if (merge_rebuild(&r, c->db, &e)) {
		free(r.old_path);
		return cli_fail(c, &e);
	}
	bool known = *r.before, same = strcmp(r.before, r.after) == 0;
	if (r.old_path)
		cli_say(c, "the old file is %s", r.old_path);
	int rc = EXIT_OK;
	if (c->json) {
		json_t *o = json_pack("{s:I, s:I, s:I, s:s, s:b}", "journals", (json_int_t)r.journals, "rows",
		                      (json_int_t)r.rows, "torn", (json_int_t)r.torn, "content", r.after, "identical",
		                      (int)(known && same));
		if (r.old_path)
			(void)json_object_set_new(o, "old", json_string(r.old_path));
		rc = cli_print_json(c, o);
	} else
		printf("%s: rebuilt from %lld journal%s; content %.12s, %s\n", c->db, (long long)r.journals,
		       str_plural(r.journals), r.after,
		       !known && !r.old_path ? "there was no file"
		       : !known              ? "the old file could not be read"
		       : same                ? "identical to before"
		                             : "different from the old file");
	free(r.old_path);
	return rc;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(store) struct store s = STORE_INIT;
	struct merge_result r;
	if (cli_flag(c, "rebuild"))
		return c->n_args ? cli_usage(c, "--rebuild takes no shards") : rebuild(c);
	if (!c->n_args)
		return cli_usage(c, "no shard given");
	if (store_open(&s, c->db, STORE_WRITE, "ablate merge", &e) ||
	    merge_shards(&r, &s, (const char *const *)c->args, c->n_args, &e))
		return cli_fail(c, &e);
	if (r.torn)
		cli_say(c, "%lld journal%s with a torn last line: everything before it was taken", (long long)r.torn,
		        str_plural(r.torn));
	if (c->json)
		return cli_print_json(c,
		                      json_pack("{s:I, s:I, s:I, s:I}", "shards", (json_int_t)r.shards, "known",
		                                (json_int_t)r.known, "rows", (json_int_t)r.rows, "torn", (json_int_t)r.torn));
	printf("%s: %lld journal%s taken, %lld new row%s, %lld with nothing new\n", c->db, (long long)r.shards,
	       str_plural(r.shards), (long long)r.rows, str_plural(r.rows), (long long)r.known);
	return EXIT_OK;
}

const struct cmd cmd_merge = {
	.name = "merge",
	.args = "[SHARD]...",
	.summary = "take in records from other machines, or rebuild the database from its journals",
	.help =
		"A shard is a journal, a run folder (X.db-runs) or a database. Either all shards of one call are taken or "
		"none; merging one again changes nothing. A shard that was changed after it was sealed, or that contradicts "
		"what is known, is refused with exit code 5.\n\n"
		"With --rebuild the database is rebuilt from its run folder and replaces the file, which is kept under another "
		"name.",
	.options = options,
	.run = run,
};
