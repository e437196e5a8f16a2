/* cmd-bench-cell.c - `ablate bench-cell`: the worker of `ablate bench store`, called as its script's interpreter. It
 * does all that a worker does except the work: the cost of such a cell is the harness's own share. */
#include "harness/cli/cmd.h"
#include "harness/run/worker.h"

#include <math.h>
#include <stdlib.h>

/* SCRIPT worker DIR --fd N, as the engine calls a worker. */
static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct worker *w;
	if (worker_open(&w, c->args[2], (int)cli_int(c, "fd", -1), &e))
		return cli_fail(c, &e);
	journal_curve(worker_journal(w), "loss", 1, 0.5);
	worker_step(w, 1);
	return worker_finish(w, WORKER_DONE, NULL, EXIT_OK);
}

static const struct opt options[] = {
	{ .name = "fd", .kind = OPT_INT, .arg = "N", .min = 0, .max = 1023, .help = "pipe for progress lines" }, { 0 }
};

const struct cmd cmd_bench_cell = {
	.name = "bench-cell",
	.args = "SCRIPT worker DIR",
	.summary = "be a worker that does no work (called by `ablate bench store`)",
	.help = "Opens DIR's job and journal and ends at once.",
	.options = options,
	.hidden = true,
	.run = run,
};
