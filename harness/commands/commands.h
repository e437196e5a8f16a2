/* commands.h - every command of the program, in the order of cmds.def. */
#ifndef ABLATE_COMMANDS_H
#define ABLATE_COMMANDS_H

#include "harness/cli/cmd.h"

extern const struct cmds commands;

#endif
