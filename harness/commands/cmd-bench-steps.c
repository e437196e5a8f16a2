/* cmd-bench-steps.c - `ablate bench-steps`: one measurement of `ablate bench crowd`, in a process of its own, since how
 * threads wait is settled when a program starts. */
#include "harness/cli/cmd.h"

#include "harness/bench/bench_train.h"
#include "harness/cli/threads_option.h"
#include "model/base/cpu.h"
#include "model/train/model.h"

#include <stdio.h>

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	double rate;
	model_init(threads_of(c, 0));
	if (bench_train_rate(&rate, cli_double(c, "seconds", 1), &e))
		return cli_fail(c, &e);
	if (c->json)
		return cli_print_json(c, json_pack("{s:f, s:i}", "steps_per_s", rate, "threads", cpu_threads()));
	printf("%.9g\n", rate);
	return EXIT_OK;
}

static const struct opt options[] = {
	THREADS_OPTION("threads (default: as many as processors may be used)"),
	{ .name = "seconds",
	  .kind = OPT_DOUBLE,
	  .arg = "S",
	  .min = 0.001,
	  .max = 3600,
	  .help = "how long (default 1), at least one step" },
	{ 0 },
};

const struct cmd cmd_bench_steps = {
	.name = "bench-steps",
	.summary = "print the training steps/s of a small network (called by `ablate bench crowd`)",
	.help = "The overall rate, not the median step's.",
	.options = options,
	.hidden = true,
	.computes = true,
	.run = run,
};
