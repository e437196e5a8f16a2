/* cmd-watch.c - `ablate watch`: a study while it runs. */
#include "harness/cli/cmd.h"
#include "harness/commands/plan_open.h"
#include "harness/commands/watch_command.h"

static const struct opt options[] = { PLAN_OPTIONS, { 0 } };

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *hash = NULL;
	const char *only;
	return watch_grid(&only, &hash, c, false, &e) ? cli_fail(c, &e) : watch_command(c, only);
}

static const struct json_form json[] = { JSON_FORM("", watch_keys), { 0 } };

const struct cmd cmd_watch = {
	.name = "watch",
	.args = "[GRID]",
	.summary = "follow a study while it runs: cells, curves, GPUs, failures",
	.help =
		"GRID is what it is for `ablate status`. On a terminal it is a screen that is redrawn every two seconds: cells "
		"that run with their step, rate, time left, loss and its curve, then those that failed with the reason, then "
		"the rest; the use of NVIDIA's GPUs; the last picture of samples; who runs the study, what waits in queues. "
		"j, k and the arrows, PgUp and PgDn, g and G scroll; Ctrl-L draws all of it again; q and Ctrl-C leave, which "
		"stops nothing. Only lines that changed are sent, so it works over slow connections, too. The time left of a "
		"cell is that of its training; of the study it is a guess by how long steps took so far.\n\n"
		"It ends by itself, with exit code 0, when nothing runs and nothing waits in a queue, and leaves a line about "
		"all cells and one for each that failed. Records are only read: a folder that is read-only will do.\n\n"
		"In a pipe, or where TERM is unset or \"dumb\", it prints a line for each change of a cell (its state, or "
		"another tenth of its training) and no escape sequence. With --json it prints an object in a line whenever a "
		"cell has changed: the members of `ablate status --json`, and `time`, `eta_s` (null: not known), `picture`, "
		"`gpus` (name, use in percent, used_bytes, memory_bytes, celsius, watts: what the driver says) and `cells`, "
		"which in the first line are all, then those that changed: cell, label, seed, state (gone: its process is), "
		"step, steps, and where they are known attempt, rate (steps in a second), eta_s, seconds, loss and reason.",
	.options = options,
	.json = json,
	.run = run,
};
