/* bench_crowd.c - see bench_crowd.h. */
#define _GNU_SOURCE
#include "harness/bench/bench_crowd.h"

#include "harness/bench/steps_process.h"
#include "harness/cli/threads.h"
#include "harness/record/host.h"
#include "metrics/math/sort.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/cpu.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 3, WAYS = 4 };

/* spin: GOMP_SPINCOUNT of the measured process. libgomp by itself counts to 300,000, and to no more than 100 where it
 * knows of more threads than processors; this value makes both of them so. */
struct way {
	const char *name, *spin;
	bool single;
	double alone[ROUNDS], beside[ROUNDS];
};

/* ====== the crowd ====== */

struct crowd {
	pid_t *pids;
	int n;
};

static _Noreturn void be_busy(pid_t parent)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "ablate-crowd");
	for (volatile unsigned long turns = 0; getppid() == parent;) /* also if the parent is gone before the first line */
		for (int i = 0; i < 1 << 24; i++)
			turns++;
	_exit(0);
}

static void crowd_end(struct crowd *c)
{
	for (int i = 0; i < c->n; i++)
		(void)kill(c->pids[i], SIGKILL);
	for (int i = 0; i < c->n; i++)
		while (waitpid(c->pids[i], NULL, 0) < 0 && errno == EINTR)
			;
	c->n = 0;
}

static int crowd_start(struct crowd *c, int n, struct err *e)
{
	pid_t parent = getpid();
	for (c->n = 0; c->n < n; c->n++) {
		pid_t pid = fork();
		if (pid == 0)
			be_busy(parent);
		if (pid < 0) {
			crowd_end(c);
			return err_set(e, "cannot start a process: %s", strerror(errno));
		}
		c->pids[c->n] = pid;
	}
	return 0;
}

/* ====== one measurement ====== */

/* Steps/s of a child that waits as `w` says. */
static int measure(double *out, const struct way *w, int threads, double seconds, struct err *e)
{
	const struct steps_ask ask = { SCALING_SMALL, w->single ? 1 : threads, seconds, w->spin, -1 };
	struct steps_process p;
	char line[64];
	if (steps_process_start(&p, &ask, e))
		return -1;
	int rc = steps_process_line(line, &p, monotonic_s() + STEPS_PATIENCE_S + seconds, e);
	bool good = steps_process_end(&p, rc != 0);
	if (rc)
		return -1;
	*out = strtod(line, NULL);
	return good && *out > 0 ? 0 : err_set(e, "`ablate bench-steps` failed");
}

static void report(json_t *out, struct way *w, double fastest, int threads, int beside)
{
	double alone = w->alone[ROUNDS - 1], crowded = w->beside[ROUNDS / 2],
		   fair = (double)host_cpus() / ((w->single ? 1 : threads) + beside);
	fair = fair < 1 ? fair : 1;
	(void)json_array_append_new(out, json_pack("{s:s, s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "waiting", w->name,
	                                           "spin", w->spin, "threads", w->single ? 1 : threads, "beside", beside,
	                                           "alone_steps_per_s", alone, "alone_share", alone / fastest,
	                                           "beside_steps_per_s", crowded, "beside_share", crowded / alone,
	                                           "fair_share", fair, "of_fair", crowded / alone / fair));
}

int bench_crowd(json_t *out, int beside, double seconds, struct err *e)
{
	struct way ways[WAYS] = { { .name = "bounded", .spin = THREADS_SPIN },
		                      { .name = "libgomp's own", .spin = "300000" },
		                      { .name = "asleep at once", .spin = "0" },
		                      { .name = "one thread", .spin = THREADS_SPIN, .single = true } };
	int threads = cpu_threads();
	double fastest = 0, each = seconds / ROUNDS;
	SCOPED(free) pid_t *pids = xcalloc((size_t)beside, sizeof *pids);
	struct crowd crowd = { .pids = pids };
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < WAYS; i++)
			if (measure(&ways[i].alone[round], &ways[i], threads, each / 4, e))
				return -1;
		if (crowd_start(&crowd, beside, e))
			return -1;
		int rc = 0;
		for (int i = 0; i < WAYS && !rc; i++)
			rc = measure(&ways[i].beside[round], &ways[i], threads, each * 3 / 4, e);
		crowd_end(&crowd);
		if (rc)
			return -1;
	}
	for (int i = 0; i < WAYS; i++) {
		sort_doubles(ways[i].alone, ROUNDS);
		sort_doubles(ways[i].beside, ROUNDS);
		fastest = ways[i].alone[ROUNDS - 1] > fastest ? ways[i].alone[ROUNDS - 1] : fastest;
	}
	for (int i = 0; i < WAYS; i++)
		report(out, &ways[i], fastest, threads, beside);
	return 0;
}
