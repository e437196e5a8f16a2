/* cmd-plan.c - `ablate plan`: what a grid file would run. */
#include "harness/commands/batch_plan.h"
#include "harness/commands/plan_open.h"
#include "harness/commands/place_options.h"
#include "harness/commands/settle_jobs.h"
#include "harness/commands/settle_speed.h"
#include "harness/commands/slurm_ask.h"
#include "harness/commands/slurm_plan.h"
#include "harness/cli/threads_option.h"

#include <stdio.h>
#include <string.h>

static const struct opt options[] = {
	PLAN_OPTIONS,
	PLACE_OPTIONS,
	THREADS_OPTION("threads of each cell (default: as for `ablate run`)"),
	SPEED_OPTIONS,
	ENGINE_OPTIONS,
	{ .name = "freeze",
	  .kind = OPT_STRING,
	  .arg = "FILE.plan.json",
	  .help = "also write the plan to a file that run, status and table accept" },
	{ 0 },
};

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct engine_devices devices;
	SCOPED(plan) struct plan *p = NULL;
	if (plan_open(&p, c, c->args[0], &e))
		return cli_fail(c, &e);
	tell_doubts(c, p);
	const char *file = cli_string(c, "freeze", NULL);
	if (file && plan_write(p, file, &e))
		return cli_fail(c, &e);
	if (file)
		cli_say(c, "frozen to %s", file);
	const char *engine = cli_string(c, "engine", "local");
	bool local = strcmp(engine, "local") == 0;
	if (local ? place_plan(&devices, p, c, &e) : place_elsewhere(&devices, p, c, &e))
		return cli_fail(c, &e);
	if (local)
		settle_jobs(p, c, &devices, threads_of(c, 0), false);
	struct speed_ask ask = speed_ask(c);
	settle_speed(p, &devices, &ask);
	return strcmp(engine, "slurm") == 0     ? slurm_plan_show(c, p)
	       : strcmp(engine, "command") == 0 ? batch_plan_show(c, p)
	                                        : plan_show(c, p);
}

static const struct json_form json[] = {
	JSON_FORM("without --engine: the plan", plan_keys),
	JSON_FORM("with --engine slurm: what would be submitted", slurm_plan_keys),
	JSON_FORM("with --engine command: what would be submitted", batch_plan_keys),
	{ 0 },
};

const struct cmd cmd_plan = {
	.name = "plan",
	.args = "GRID.toml",
	.summary = "show the arms and cells of a grid, and which are cached, blocked or shared",
	.help =
		"How to write a grid: `ablate man 5-grid | man -l -`.\n\n"
		"Expands the grid and writes nothing (except with --freeze FILE). An arm is a distinct configuration, a cell "
		"is an arm with a training seed; rows of the grid that lead to the same arm share its cells.\n\n"
		"Cells that differ only in how they sample (`ablate explain` says stage sample) share a training, which is "
		"done once: \"54 trainings: 54 to do\". Behind an arm's labels stands whose training it takes. A training is "
		"at hand where the record has the checkpoint at its end. Estimates of time and disk count it once.\n\n"
		"cached: the database has a finished attempt with every score that the grid asks for. blocked: its data is "
		"missing, or it does not fit the memory of --device. pending: all else. Everything that is missing is listed "
		"once, with the cells that wait for it and the commands that bring it.\n\n"
		"memory: what training takes of the device's, found from the plan of a step without running it. Where a batch "
		"does not fit at once, --microbatch does: the same samples, noise and dropout in several runs whose gradients "
		"are added up.\n\n"
		"jobs: how many cells run at once on the CPU and with how many threads each, so that the grid is done soonest, "
		"by what `ablate run` measured of this machine, the cells that are left and the memory. --jobs and --threads "
		"say otherwise; `ablate bench scaling` measures anew.\n\n"
		"cost: arithmetic of trainings and samples (products, convolutions and attention, multiply-adds as 2; scores "
		"are not counted), disk, and time: by finished cells of the same arms, else by what `ablate bench scaling` "
		"measured of this machine, or --rate; and on one --card at --share of the peak that its maker states for "
		"train.dtype. What is blocked is told apart, as it would be.\n\n"
		"--engine slurm shows instead what `ablate run --engine slurm` would submit: tasks, what each asks for (as the "
		"options, [slurm] of the grid and the site's file say) and takes, and the lines of sbatch; "
		"--engine command likewise, with the object that submit of [command] would be given. Nothing is submitted.\n\n"
		"--json prints grid, arms (arm, config, labels), cells (cell, arm, seed, training, state), rows, totals, "
		"speed, missing and jobs; with --engine slurm plan, tasks, what they ask for, and jobs; with --engine "
		"command plan, cells, tasks, seconds and submit.",
	.options = options,
	.json = json,
	.run = run,
};
