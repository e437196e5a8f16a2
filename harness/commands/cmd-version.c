/* cmd-version.c - `ablate version`: the program's version, and the versions that decide whether numbers compare. */
#include "harness/cli/cmd.h"

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

const struct cmd cmd_version = {
	.name = "version",
	.summary = "show the versions of program, numerics and database schema",
	.help = "The numerics version is part of every cell's identity: it changes when the same configuration gives other "
			"bits. The same as `ablate --version`.",
	.run = run,
};
