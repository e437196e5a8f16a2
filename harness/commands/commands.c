/* commands.c - the table of commands that the program hands to cli_main: cmds.def, one row each. */
#include "harness/commands/commands.h"

#define CMD(ident, group) extern const struct cmd cmd_##ident;
#include "harness/commands/cmds.def"
#undef CMD

static const struct cmd_row rows[] = {
#define CMD(ident, group) { &cmd_##ident, group },
#include "harness/commands/cmds.def"
#undef CMD
};

const struct cmds commands = { rows, (int)(sizeof rows / sizeof *rows) };
