/* run-fake.c - the runner with fake-worker.c as its worker, as a program that tests can kill:
 *     run-fake DB CELLS JOBS STEP_MS
 * prints what came of it and exits as `ablate run` does. The cells and their results depend on CELLS alone. */
#define _GNU_SOURCE
#include "harness/run/runner.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(void *ctx, const char *line, bool amiss)
{
	(void)ctx;
	(void)amiss;
	(void)fprintf(stderr, "%s\n", line);
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	int n = (int)strtol(argv[2], NULL, 10);
	char exe[4096] = "", arm[SHA256_HEX];
	if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0)
		return 2;
	strrchr(exe, '/')[1] = '\0';
	SCOPED(free) char *program = xstrfmt("%sfake-worker", exe);
	/* the time of a step is not part of a cell: the environment gives it */
	(void)setenv("FAKE_STEP_MS", argv[4], 1);
	static const char config[] = "{\"steps\":12,\"every\":4}";
	struct run_cell *cells = xcalloc((size_t)n, sizeof *cells);
	struct run_row *rows = xcalloc((size_t)n, sizeof *rows);
	char(*hashes)[SHA256_HEX] = xcalloc((size_t)n, sizeof *hashes);
	io_sha256(arm, config, strlen(config));
	for (int i = 0; i < n; i++) {
		io_sha256(hashes[i], &i, sizeof i);
		cells[i] = (struct run_cell){ .cell = hashes[i],
			                          .arm = arm,
			                          .config = config,
			                          .dataset = "none",
			                          .seed = i,
			                          .numerics = 1,
			                          .label = "arm",
			                          .steps = 12 };
		rows[i] = (struct run_row){ .cell = i, .chain = "", .label = "arm", .ordinal = i };
	}
	static const struct wanted_score scores[] = { { "fid", 1, 101, 100, "", "" } };
	struct run_plan plan = { .hash = "plan",
		                     .name = "fake",
		                     .toml = "",
		                     .cells = cells,
		                     .rows = rows,
		                     .scores = scores,
		                     .n_cells = n,
		                     .n_rows = n,
		                     .n_scores = 1 };
	struct run_options options = { .db = argv[1],
		                           .what = "run-fake",
		                           .program = program,
		                           .say = say,
		                           .jobs = (int)strtol(argv[3], NULL, 10),
		                           .threads = 1,
		                           .retries = 1 };
	struct run_result r;
	struct err e = ERR_INIT;
	if (runner_run(&r, &plan, &options, &e)) {
		(void)fprintf(stderr, "run-fake: %s\n", e.msg);
		return err_exit_code(&e);
	}
	SCOPED(free) char *summary = run_summary(&r);
	printf("%s\n", summary);
	free(cells);
	free(rows);
	free(hashes);
	return run_exit_code(&r);
}
