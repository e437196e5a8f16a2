/* cmd-key.c - `ablate key`: the key that signs what is recorded. */
#define _GNU_SOURCE
#include "harness/attest/signing_key.h"
#include "harness/cli/cmd.h"
#include "harness/text/escape.h"

#include "model/base/io.h"

#include <stdio.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "file", .letter = 'f', .kind = OPT_STRING, .arg = "FILE", .help = "this file instead of the usual one" },
	{ .name = "name",
	  .kind = OPT_STRING,
	  .arg = "TEXT",
	  .help = "with new: what to call the key; every statement will say it" },
	{ 0 },
};

static int show(const struct cli *c, const char *path)
{
	struct err e = ERR_INIT;
	SCOPED(signing_key) struct signing_key *k = NULL;
	if (!io_exists(path))
		(void)err_code(&e, EXIT_USAGE, "%s: no signing key; `ablate key new` makes one", path);
	if (*e.msg || signing_key_open(&k, path, &e))
		return cli_fail(c, &e);
	SCOPED(free) char *pem = signing_public_pem(k);
	if (c->json)
		return cli_print_json(
			c, json_pack("{s:s, s:s, s:s, s:s}", "key", k->id, "name", k->name, "file", path, "public", pem));
	SCOPED(str) struct str name = { 0 };
	escape_plain(&name, k->name);
	printf("key   %s\nname  %s\nfile  %s\n%s", k->id, *k->name ? str_text(&name) : "(none)", path, pem);
	return EXIT_OK;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *usual = signing_key_path();
	const char *path = cli_string(c, "file", usual);
	bool make = strcmp(c->args[0], "new") == 0;
	if (!path)
		return cli_usage(
			c, "there is no usual place for a key here (ABLATE_KEY is none, or HOME is not set): give --file");
	if (cli_given(c, "name") && !make)
		return cli_usage(c, "--name belongs to `ablate key new`");
	if (make && signing_key_make(path, cli_string(c, "name", ""), &e))
		return cli_fail(c, &e);
	return show(c, path);
}

static const struct json_key json_keys[] = {
	JSON_KEY("key", "string", "its id: the SHA-256 of the public key"),
	JSON_KEY("name", "string", "what it is called; empty without a name"),
	JSON_KEY("file", "string", "the file of the private key"),
	JSON_KEY("public", "string", "the public key, PEM"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_key = {
	.name = "key",
	.args = "new|show",
	.summary = "make or show the key that signs what is recorded",
	.help =
		"new makes an Ed25519 key in a file that only you can read; show prints its id (the SHA-256 of the public key) "
		"and the public key, which others need to tell your statements from those of somebody who uses your name. From "
		"then on `ablate run` and `resume` sign the sealed journal of every attempt (`ablate attest`). The file is "
		"$ABLATE_KEY, else $XDG_CONFIG_HOME/ablate/key.pem; ABLATE_KEY=none signs nothing.\n\n"
		"A key has no name unless --name gives it one: statements travel with results, and the name with them.",
	.options = options,
	.json = json,
	.run = run,
};
