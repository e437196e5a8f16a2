/* cmd-plan.c - `ablate plan`: what a grid file would run. */
#include "harness/commands/plan_open.h"

#include <stdio.h>

static const struct opt options[] = {
	PLAN_OPTIONS,
	{ .name = "freeze",
	  .kind = OPT_STRING,
	  .arg = "FILE.plan.json",
	  .help = "also write the plan to a file that run, status and table accept" },
	{ 0 },
};

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(plan) struct plan *p = NULL;
	if (plan_open(&p, c, c->args[0], &e))
		return cli_fail(c, &e);
	const char *file = cli_string(c, "freeze", NULL);
	if (file && plan_write(p, file, &e))
		return cli_fail(c, &e);
	if (file)
		cli_say(c, "frozen to %s", file);
	return plan_show(c, p);
}

const struct cmd cmd_plan = {
	.name = "plan",
	.args = "GRID.toml",
	.summary = "show the arms and cells of a grid, and which are cached, blocked or shared",
	.help =
		"How to write a grid: `ablate man 5-grid | man -l -`.\n\n"
		"Expands the grid and writes nothing (except with --freeze FILE). An arm is a distinct configuration, a cell "
		"is an arm with a training seed; rows of the grid that lead to the same arm share its cells.\n\n"
		"cached: the database has a finished attempt with every score that the grid asks for. blocked: its data is "
		"missing; the reason says what to install. pending: everything else.\n\n"
		"--json prints grid, arms (arm, config, labels), cells (cell, arm, seed, state), rows and totals.",
	.options = options,
	.run = run,
};
