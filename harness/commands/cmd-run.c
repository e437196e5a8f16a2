/* cmd-run.c - `ablate run`: brings every cell of a grid to done. */
#include "harness/cli/cmd.h"
#include "harness/commands/plan_open.h"
#include "harness/commands/run_command.h"
#include "harness/commands/settle_jobs.h"
#include "harness/commands/settle_speed.h"

#include <string.h>

static const struct opt options[] = {
	PLAN_OPTIONS,
	RUN_OPTIONS,
	{ .name = "dry-run",
	  .letter = 'n',
	  .kind = OPT_FLAG,
	  .help = "show what would run, like `ablate plan`, and write nothing" },
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
	if (cli_flag(c, "dry-run")) {
		if (place_plan(&devices, p, c, &e))
			return cli_fail(c, &e);
		settle_jobs(p, c, &devices, threads_of(c, 0), false);
		settle_speed(p, &devices, &speed_default);
		return plan_show(c, p);
	}
	SCOPED(free) char *what = xstrfmt("ablate run %s", c->args[0]);
	return run_command(c, p, what);
}

static const struct json_form json[] = {
	RUN_FORMS,
	JSON_FORM("with --dry-run: the plan", plan_keys),
	{ 0 },
};

const struct cmd cmd_run = {
	.name = "run",
	.args = "GRID.toml",
	.summary = "train, sample, score and record every cell of a grid that is not finished",
	.help =
		"Each cell runs in a process of its own; one that fails does not stop the others. What is finished (a done "
		"attempt with every score the grid asks for) is skipped, what was stopped continues from its checkpoint, to "
		"the same bits as if it had never stopped. Cells that diverged are not run again without --again: they would "
		"diverge again.\n\n"
		"Ctrl-C, TERM (as `timeout` sends it) and a closed terminal (unless under nohup) write checkpoints and stop, "
		"however often they come; `ablate resume` continues. A stop takes up to a second, and in training until the "
		"step is done. Only a second Ctrl-C, a second or more after the first, aborts: what was done since the last "
		"checkpoint is lost, as with SIGKILL. The records stay consistent in every case, and output that nobody reads "
		"stops nothing.\n\n"
		"On the CPU, cells at once and threads of each are chosen so that the grid is done soonest: by how training "
		"scales on this machine, which the first run measures (some seconds) and remembers (ABLATE_SCALING), by the "
		"cells that are left, and by the memory. --jobs or --threads decide instead, and each follows from the other; "
		"the other's default is then as many as there are processors for. `ablate plan` shows the choice.\n\n"
		"On a cluster, --engine slurm submits a task for each training, arrays of what the site allows, and a job "
		"behind them that merges their records; what is in the queue already, for whichever plan of this database, is "
		"not submitted again. What jobs ask for is in [slurm] of the grid and of the site's file (`ablate man "
		"5-grid`); --jobs is then tasks at once, --threads processors of each process, and `ablate plan --engine "
		"slurm` shows it all beforehand. A task that is stopped at its time limit saves its state and comes back by "
		"itself.\n\n"
		"By any other scheduler, --engine command does the same with three commands that submit, query and cancel "
		"tasks, which [command] of the grid or of the site's file names. There is no merge job: --wait takes the "
		"results in, or the same command again, or `ablate resume --engine command`.\n\n"
		"--on-finish CMD is started when the run is over: done, failed, out of budget or stopped by a signal; not "
		"where it could not begin. CMD is a program and its arguments between blanks, without a shell. Its input "
		"is one JSON object: schema, event (finish), grid, plan (hash), database, command, engine, exit_code, signal "
		"(that asked it to stop), seconds, cells, states (how many cells of the plan are in each), failures (of cells "
		"that are over and not done, and of blocked ones: cell, label, seed, state, reason), tables (their names), and "
		"error, where one ended the run. What it prints is shown in a line; its failure is told and changes no exit "
		"code. It has ten minutes, 30 seconds after a signal. [grid] on_finish names one in the grid, which is started "
		"by those alone who have allowed it with --on-finish grid, in that folder; --on-finish none starts none. Tasks "
		"of --engine are waited for with --wait.\n\n"
		"Records: the database (--db) and, beside it, the folder DB-runs with a journal for each attempt, from which "
		"`ablate merge --rebuild` rebuilds the database.",
	.options = options,
	.json = json,
	.run = run,
};
