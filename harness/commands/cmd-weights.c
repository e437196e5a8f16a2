/* cmd-weights.c - `ablate weights`: which public weights are known and present; import them, check them. */
#include "harness/cli/cmd.h"

#include "metrics/weights/weights.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <stdio.h>
#include <string.h>

static json_t *describe(const struct weights_row *row, const char *state, const char *sha256)
{
	SCOPED(free) char *path = weights_path(row);
	return json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s, s:s, s:s?}", "name", row->name, "text", row->text, "url",
	                 row->url, "published_sha256", row->sha256, "licence", row->licence, "path", path, "state", state,
	                 "sha256", sha256);
}

static void show(const struct weights_row *row, const char *state, const char *sha256)
{
	SCOPED(free) char *path = weights_path(row);
	printf("%-24s %-9s %s\n", row->name, state, row->text);
	printf("    licence %s", row->licence);
	if (row->bytes)
		printf(", %.1f MB", (double)row->bytes / 1e6);
	if (sha256)
		printf("\n    sha256  %s\n", sha256);
	else
		printf("\n    sha256  %s\n", row->sha256 ? row->sha256 : "none is published");
	printf("    from    %s\n", row->url ? row->url : "your own file: `ablate weights import`");
	printf("    at      %s\n", path);
}

static int list(struct cli *c)
{
	json_t *all = json_array();
	for (const struct weights_row *row = weights_rows; row->name; row++) {
		const char *state = weights_here(row) ? "here" : "missing";
		if (c->json)
			(void)json_array_append_new(all, describe(row, state, NULL));
		else
			show(row, state, NULL);
	}
	if (c->json)
		return cli_print_json(c, json_pack("{s:o}", "weights", all));
	json_decref(all);
	return EXIT_OK;
}

/* Checks NAME, or all that are present. Damage is an error; weights that are not the published ones are marked as
 * such. */
static int check(struct cli *c)
{
	json_t *all = json_array();
	int code = EXIT_OK, checked = 0;
	for (const struct weights_row *row = weights_rows; row->name; row++) {
		if (c->n_args > 1 ? strcmp(c->args[1], row->name) != 0 : !weights_here(row))
			continue;
		struct err e = ERR_INIT;
		checked++;
		bool official = false;
		char sha256[SHA256_HEX] = "";
		const char *state = "damaged";
		if (weights_check(row, &official, sha256, &e))
			code = cli_fail(c, &e);
		else
			state = official ? "published" : "other";
		if (c->json)
			(void)json_array_append_new(all, describe(row, state, *sha256 ? sha256 : NULL));
		else
			show(row, state, *sha256 ? sha256 : NULL);
	}
	if (checked == 0)
		cli_say(c, "no weights found; `ablate weights list` shows what is known");
	if (c->json && code == EXIT_OK)
		return cli_print_json(c, json_pack("{s:o}", "weights", all));
	json_decref(all);
	return code;
}

static int done(struct cli *c, const struct weights_row *row, const char *sha256)
{
	if (c->json)
		return cli_print_json(c, describe(row, "here", sha256));
	show(row, "here", sha256);
	return EXIT_OK;
}

static int run(struct cli *c)
{
	const char *verb = c->args[0];
	const struct weights_row *row = NULL;
	struct err e = ERR_INIT;
	if (c->n_args > 1 && weights_row_find(&row, c->args[1], &e))
		return cli_fail(c, &e);
	if (strcmp(verb, "list") == 0)
		return c->n_args == 1 ? list(c) : cli_usage(c, "weights list takes no name");
	if (strcmp(verb, "check") == 0)
		return c->n_args <= 2 ? check(c) : cli_usage(c, "weights check takes one name at most");
	char sha256[SHA256_HEX] = "";
	bool official;
	if (strcmp(verb, "import") == 0) {
		if (c->n_args != 3)
			return cli_usage(c, "weights import needs NAME and FILE");
		if (weights_import(row, c->args[2], cli_flag(c, "other"), sha256, &e))
			return cli_fail(c, &e);
		if (row->sha256 && strcmp(row->sha256, sha256) != 0)
			cli_warn(c, "%s are not the published weights: scores will carry their hash, %.12s...", row->name, sha256);
		return done(c, row, sha256);
	}
	if (c->n_args != 2)
		return cli_usage(c, "weights fetch needs NAME");
	if (weights_fetch(row, c->quiet, &e) || weights_check(row, &official, sha256, &e))
		return cli_fail(c, &e);
	return done(c, row, sha256);
}

static const struct opt options[] = {
	{ .name = "other", .kind = OPT_FLAG, .help = "import a file whose SHA-256 is not the published one" },
	{ 0 },
};

static const struct json_key row_keys[] = {
	JSON_KEY("name", "string", "its name"),
	JSON_KEY("text", "string", "what it is"),
	JSON_KEY("url", "string?", "where it is published; null: it is your own file"),
	JSON_KEY("published_sha256", "string?", "of the published file; null where none is published"),
	JSON_KEY("licence", "string", "its licence"),
	JSON_KEY("path", "string", "where its copy is, or would be"),
	JSON_KEY("state", "string", "of list: here or missing; of check: published or other; of import and fetch: here"),
	JSON_KEY("sha256", "string?", "of the copy; null of list"),
	{ 0 },
};

static const struct json_key list_keys[] = {
	JSON_KEY("weights", "object[]", "the weights", .of = row_keys),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("of list and check", list_keys),
	JSON_FORM("of import and fetch", row_keys),
	{ 0 },
};

const struct cmd cmd_weights = {
	.name = "weights",
	.args = "list|check|import|fetch [NAME] [FILE]",
	.summary = "public weights of scores and LPIPS: what is known and present; import, fetch, check",
	.help =
		"`list` shows every known source with licence, hash and where its copy is. `import NAME FILE` reads a PyTorch "
		"checkpoint (both of its forms; nothing in it is executed) or a safetensors file, checks hash, names and "
		"shapes, and keeps float32 safetensors in the cache folder ($ABLATE_CACHE, else ~/.cache/ablate). `fetch NAME` "
		"downloads the published file over https and imports it. `check [NAME]` reads the copies and "
		"compares them with what was imported, as every use does when a copy's file has changed.\n\n"
		"Nothing is downloaded unless a `fetch` asks for it.\n\n"
		"Networks to start from or to distil (net.init, cd.teacher) are safetensors: checkpoints of ablate, or "
		"published ones under their own names, which are recognised by their tensors: those of EDM and ECT "
		"(enc.32x32_block0.conv0.weight), of OpenAI's consistency_models (input_blocks.1.0.in_layers.2.weight), and of "
		"diffusers' UNet2DModel (down_blocks.0.resnets.0.conv1.weight). model/nets/net_names.h has the table of names.",
	.options = options,
	.json = json,
	.run = run,
};
