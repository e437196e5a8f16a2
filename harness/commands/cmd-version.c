/* cmd-version.c - `ablate version`: the program's version, and the versions that decide whether numbers compare. */
#include "harness/cli/cmd.h"

#include "harness/record/provenance.h"
#include "model/base/mem.h"

#include <stdio.h>

static int run(struct cli *c)
{
	if (c->json)
		return cli_print_json(c, cmd_version_json());
	SCOPED(free) char *text = cmd_version_text();
	printf("%s\n", text);
	return EXIT_OK;
}

static const struct json_key json_keys[] = {
	JSON_KEY("program", "string", "ablate"),
	JSON_KEY("version", "string", "its version"),
	JSON_KEY("database_schema", "integer", "version of the database"),
	JSON_KEY("reads_webp", "boolean", "built with libwebp"),
	JSON_KEY("reads_tiff", "boolean", "built with libtiff"),
	{ "", .of = provenance_keys },
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_version = {
	.name = "version",
	.summary = "show the versions of program, numerics and database schema",
	.help = "The numerics version is part of every cell's identity: it changes when the same configuration gives other "
			"bits. The same as `ablate --version`.",
	.json = json,
	.run = run,
};
