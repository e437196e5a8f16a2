/* cmd-bench-steps.c - `ablate bench-steps`: one measurement of `ablate bench crowd` or `ablate bench scaling`, in a
 * process of its own, since how threads wait is settled when a program starts. */
#include "harness/cli/cmd.h"

#include "harness/bench/bench_train.h"
#include "harness/cli/threads_option.h"
#include "model/base/cpu.h"
#include "model/train/model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Several measurements begin at once: each says that it is ready and waits for the end of its input. */
static int wait_for_others(double gflop, struct err *e)
{
	char byte;
	ssize_t n;
	if (printf("ready %.9g\n", gflop) < 0 || fflush(stdout))
		return err_set(e, "stdout: %s", strerror(errno));
	while ((n = read(STDIN_FILENO, &byte, 1)) > 0 || (n < 0 && errno == EINTR))
		;
	return n ? err_set(e, "stdin: %s", strerror(errno)) : 0;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	double rate;
	model_init(threads_of(c, 0));
	const struct bench_rate what = { .large = strcmp(cli_string(c, "net", "small"), "large") == 0,
		                             .seconds = cli_double(c, "seconds", 1),
		                             .ready = cli_flag(c, "wait") ? wait_for_others : NULL };
	if (bench_train_rate(&rate, &what, &e))
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
	{ .name = "net",
	  .kind = OPT_STRING,
	  .arg = "small|large",
	  .help = "the network: of ablations/quickstart.toml (default), or configuration a" },
	{ .name = "wait", .kind = OPT_FLAG, .help = "print \"ready GFLOP\" when warm, and begin at the end of stdin" },
	{ 0 },
};

static const struct json_key json_keys[] = {
	JSON_KEY("steps_per_s", "number", "training steps", .unit = "1/s"),
	JSON_KEY("threads", "integer", "threads"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_bench_steps = {
	.name = "bench-steps",
	.summary = "print the training steps/s of a network (called by `ablate bench`)",
	.help = "The overall rate, not the median step's.",
	.options = options,
	.hidden = true,
	.computes = true,
	.json = json,
	.run = run,
};
