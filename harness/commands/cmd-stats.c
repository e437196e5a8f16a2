/* cmd-stats.c - `ablate stats`: published reference statistics: what is known and present; import, fetch, check. */
#include "harness/cli/cmd.h"

#include "harness/text/json_out.h"
#include "metrics/features/published_stats.h"
#include "model/base/mem.h"

#include <stdio.h>
#include <string.h>

static json_t *describe(const struct stats_row *row, const char *state, const char *sha256)
{
	SCOPED(free) char *path = stats_path(row);
	return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:o, s:s, s:s, s:s?}", "name", row->name, "text", row->text, "url",
	                 row->url, "published_sha256", row->sha256, "protocol", row->protocol, "n",
	                 row->n ? json_integer(row->n) : json_null(), "path", path, "state", state, "sha256", sha256);
}

static void show(const struct stats_row *row, const char *state, const char *sha256)
{
	SCOPED(free) char *path = stats_path(row);
	printf("%-26s %-9s %s\n", row->name, state, row->text);
	printf("    protocol %s", row->protocol);
	if (row->n)
		printf(", %lld images", (long long)row->n);
	printf("\n    sha256   %s%s\n",
	       sha256        ? sha256
	       : row->sha256 ? row->sha256
	                     : "none is published",
	       sha256 && !row->sha256 ? " (of the first import: none is published)" : "");
	printf("    from     %s\n    at       %s\n", row->url, path);
}

/* All, or those that are here when they are to be checked; NAME alone when it is given. */
static int list(struct cli *c, bool check)
{
	json_t *all = json_array();
	int code = EXIT_OK, n = 0;
	for (const struct stats_row *row = stats_rows; row->name; row++) {
		char sha256[SHA256_HEX] = "";
		struct err e = ERR_INIT;
		const char *state = stats_here(row) ? "here" : "missing";
		if (c->n_args > 1 ? strcmp(c->args[1], row->name) != 0 : check && !stats_here(row))
			continue;
		n++;
		if (check && stats_check(row, sha256, &e)) {
			code = cli_fail(c, &e);
			continue;
		}
		if (c->json)
			(void)json_array_append_new(all, describe(row, check ? "imported" : state, *sha256 ? sha256 : NULL));
		else
			show(row, check ? "imported" : state, *sha256 ? sha256 : NULL);
	}
	if (n == 0)
		cli_say(c, "no statistics found; `ablate stats list` shows what is known");
	if (c->json && code == EXIT_OK)
		return cli_print_json(c, json_pack("{s:o}", "stats", all));
	json_decref(all);
	return code;
}

static int get(struct cli *c, const struct stats_row *row, const char *file)
{
	struct err e = ERR_INIT;
	char sha256[SHA256_HEX] = "";
	if (file ? stats_import(row, file, sha256, &e) : stats_fetch(row, c->quiet, sha256, &e))
		return cli_fail(c, &e);
	if (!row->sha256)
		cli_warn(c, "%s: hash not pinned by the program: no SHA-256 of them is published; this one counts from now on",
		         row->name);
	if (c->json)
		return cli_print_json(c, describe(row, "here", sha256));
	show(row, "here", sha256);
	return EXIT_OK;
}

static int run(struct cli *c)
{
	const char *verb = c->args[0];
	const struct stats_row *row = NULL;
	struct err e = ERR_INIT;
	if (c->n_args > 1 && stats_row_find(&row, c->args[1], &e))
		return cli_fail(c, &e);
	if (strcmp(verb, "list") == 0 || strcmp(verb, "check") == 0)
		return c->n_args <= 2 ? list(c, *verb == 'c') : cli_usage(c, "stats %s takes one name at most", verb);
	if (strcmp(verb, "import") == 0)
		return c->n_args == 3 ? get(c, row, c->args[2]) : cli_usage(c, "stats import needs NAME and FILE");
	return c->n_args == 2 ? get(c, row, NULL) : cli_usage(c, "stats fetch needs NAME");
}

static const struct json_key row_keys[] = {
	JSON_KEY("name", "string", "its name"),
	JSON_KEY("text", "string", "what it is"),
	JSON_KEY("url", "string", "where it is published"),
	JSON_KEY("published_sha256", "string?", "of the published file; null where none is published"),
	JSON_KEY("protocol", "string", "protocol of the features that it is of"),
	JSON_KEY("n", "integer?", "images that it is of; null where that is not said", .unit = "images"),
	JSON_KEY("path", "string", "where its copy is, or would be"),
	JSON_KEY("state", "string", "of list: here or missing; of check: imported; of import and fetch: here"),
	JSON_KEY("sha256", "string?", "of the file that was imported; null of list"),
	{ 0 },
};

static const struct json_key list_keys[] = {
	JSON_KEY("stats", "object[]", "the statistics", .of = row_keys),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("of list and check", list_keys),
	JSON_FORM("of import and fetch", row_keys, .unseen = "statistics as they are published"),
	{ 0 },
};

const struct cmd cmd_stats = {
	.name = "stats",
	.args = "list|check|import|fetch [NAME] [FILE]",
	.summary = "published reference statistics of FID: what is known and present; import, fetch, check",
	.help =
		"`list` shows every known source with the protocol that its numbers need, the number of images, and where its "
		"copy is. `fetch NAME` downloads the published .npz over https and imports it; `import NAME FILE` takes a file "
		"that you have. The copy carries the protocol, so `ablate fid A stats:NAME` refuses images that were resized "
		"otherwise; in a grid it may be the ref, where the resize is the extractor's own (torch-bilinear). None "
		"of these sources publishes a hash: the first import decides, and another file is refused after it. `check "
		"[NAME]` compares the copies with what was imported, as every use of stats:NAME does.\n\n"
		"Nothing is downloaded unless it is asked for by `fetch`.",
	.json = json,
	.run = run,
};
