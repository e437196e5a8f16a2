/* cmd-slurm-merge.c - `ablate slurm-merge PLAN`: the job behind an array: shards into the database, and what is
 * missing. */
#include "harness/cli/cmd.h"
#include "harness/commands/run_command.h"

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(plan) struct plan *p = NULL;
	struct run_set set;
	if (plan_read(&p, c->args[0], NULL, &e))
		return cli_fail(c, &e);
	run_set_of_plan(&set, p);
	int code = slurm_finish(c, &set.run);
	run_set_release(&set);
	return code;
}

static const struct json_form json[] = {
	JSON_FORM("", shards_report_keys, .unseen = "Slurm (tests/e2e/slurm.sh)"),
	{ 0 },
};

const struct cmd cmd_slurm_merge = {
	.name = "slurm-merge",
	.args = "PLAN",
	.summary = "collect the shards of a plan's tasks (called by Slurm)",
	.hidden = true,
	.json = json,
	.run = run,
};
