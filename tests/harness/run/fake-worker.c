/* fake-worker.c - a worker whose training is arithmetic, for tests of the runner: the same job, journal, checkpoints
 * and signals as the real one, in milliseconds. Its config says what goes wrong:
 *     {"steps":N, "step_ms":M, "every":K}            N steps of M ms, a checkpoint every K
 *     "fail_at", "crash_at", "diverge_at": S         at step S (crash: SIGKILL to itself)
 *     "until_attempt": A                             ... only in attempts before the A-th
 *     "deaf": true                                   does not stop when asked
 *     "mute": true                                   exits with 3 before it writes a journal
 *     "dead": "cuda:0"                               cannot open this device
 * $FAKE_STEP_MS adds to step_ms without changing the config, and so the cell. */
#define _GNU_SOURCE
#include "harness/run/worker.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *config;

static int64_t setting(const char *key, int64_t fallback)
{
	json_t *v = json_object_get(config, key);
	return v ? json_integer_value(v) : fallback;
}

/* The state of the training is one number; each step is a function of it, the seed and the step. */
static double next(double x, int64_t seed, int64_t step)
{
	return 0.5 * x + sin((double)(seed * 1000 + step));
}

static int64_t resume(double *x, const char *dir)
{
	int64_t best = 0, step;
	DIR *d = opendir(dir);
	for (struct dirent *entry; d && (entry = readdir(d));)
		if (sscanf(entry->d_name, "step-%ld.ckpt", &step) == 1 && step > best)
			best = step;
	(void)closedir(d);
	if (best) {
		char *path = xstrfmt("%s/step-%08ld.ckpt", dir, best);
		struct str s = { 0 };
		if (io_read(&s, path, 100, NULL))
			exit(9);
		*x = strtod(s.data, NULL);
		str_release(&s);
		free(path);
	}
	return best;
}

static void must(int rc, const struct err *e)
{
	if (rc) {
		(void)fprintf(stderr, "fake-worker: %s\n", e->msg);
		exit(err_exit_code(e));
	}
}

static void checkpoint(struct worker *w, double x, int64_t step)
{
	struct err e = ERR_INIT;
	char sha[SHA256_HEX], *path = xstrfmt("%s/step-%08ld.ckpt", worker_dir(w), step), *text = xstrfmt("%a", x);
	must(io_write_atomic(path, text, strlen(text), &e), &e);
	io_sha256(sha, text, strlen(text));
	must(journal_file(worker_journal(w),
	                  &(struct journal_file){ .table = "checkpoint",
	                                          .kind = "checkpoint",
	                                          .name = strrchr(path, '/') + 1,
	                                          .sha256 = sha,
	                                          .step = step,
	                                          .bytes = (int64_t)strlen(text),
	                                          .n_items = -1 },
	                  &e),
	     &e);
	free(path);
	free(text);
}

/* The cell as its config tells; the process' exit code. */
static int work(struct worker *w, const struct job *job, const char *dir)
{
	struct err e = ERR_INIT;
	const char *dead = json_string_value(json_object_get(config, "dead"));
	if (dead && strcmp(job->device, dead) == 0)
		return worker_finish(w, WORKER_FAILED, "no such luck", EXIT_DEVICE);
	bool bad = job->n < setting("until_attempt", 1 << 30), deaf = json_is_true(json_object_get(config, "deaf"));
	const char *slow = getenv("FAKE_STEP_MS");
	int64_t step_us = 1000 * setting("step_ms", 0) + (slow ? strtol(slow, NULL, 10) * 1000 : 0);
	double x = 0;
	int64_t steps = setting("steps", 10), every = setting("every", 5), began = resume(&x, dir);
	worker_resumed(w, began);
	for (int64_t step = began + 1; step <= steps; step++) {
		if (bad && step == setting("fail_at", -1))
			return worker_finish(w, WORKER_FAILED, "told to fail", 1);
		if (bad && step == setting("crash_at", -1))
			(void)raise(SIGKILL);
		if (bad && step == setting("diverge_at", -1))
			return worker_finish(w, WORKER_DIVERGED, "told to diverge", 1);
		x = next(x, job->seed, step);
		(void)usleep((useconds_t)step_us);
		journal_curve(worker_journal(w), "loss", step, x);
		worker_step(w, step);
		worker_say(w, steps, "loss");
		bool stop = !deaf && worker_should_stop(w);
		if (stop || step % every == 0 || step == steps)
			checkpoint(w, x, step);
		if (stop && step < steps)
			return worker_finish(w, WORKER_STOPPED, NULL, 0);
	}
	worker_step(w, steps);
	must(journal_metric(worker_journal(w),
	                    &(struct journal_metric){ .name = "fid",
	                                              .weights = "ema",
	                                              .protocol = "fake",
	                                              .nfe = 1,
	                                              .step = steps,
	                                              .eval_seed = 101,
	                                              .n = 100,
	                                              .value = x,
	                                              .lo = NAN,
	                                              .hi = NAN },
	                    &e),
	     &e);
	return worker_finish(w, WORKER_DONE, NULL, 0);
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct worker *w;
	struct job job;
	if (argc < 3 || strcmp(argv[1], "worker") != 0)
		return 2;
	must(job_read(&job, argv[2], &e), &e);
	config = json_loads(job.config, 0, NULL);
	if (json_is_true(json_object_get(config, "mute"))) {
		(void)fputs("I say nothing\n", stderr);
		json_decref(config);
		job_release(&job);
		return 3;
	}
	must(worker_open(&w, argv[2], argc > 4 ? (int)strtol(argv[4], NULL, 10) : -1, &e), &e);
	int code = work(w, &job, argv[2]);
	json_decref(config);
	job_release(&job); /* what leaks has an exit code of its own under the sanitizers */
	return code;
}
