/* cmd-help.c - `ablate help [COMMAND]`. */
#include "harness/cli/cmd.h"

#include <stdio.h>

static int run(struct cli *c)
{
	SCOPED(str) struct str s = { 0 };
	const struct cmd *of = c->n_args ? cmds_find(c->all, c->args[0]) : NULL;
	if (c->n_args && !of)
		return cli_usage(c, "unknown command '%s'", c->args[0]);
	cmd_help(&s, c->all, of);
	(void)fwrite(s.data, 1, s.len, stdout);
	return EXIT_OK;
}

const struct cmd cmd_help_command = {
	.name = "help",
	.args = "[COMMAND]",
	.summary = "show help on the program or on one command",
	.run = run,
};
