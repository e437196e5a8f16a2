/* bench_scaling.c - see bench_scaling.h. */
#define _GNU_SOURCE
#include "harness/bench/bench_scaling.h"

#include "harness/bench/steps_process.h"
#include "harness/record/host.h"
#include "model/base/mem.h"
#include "model/base/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 3 };

/* All of them say that they are warm; *go is closed, at which they begin; their rates are added. */
static int gather(double *rate, double *gflop, const struct steps_process *t, int n, int *go, double seconds,
                  struct err *e)
{
	char line[64];
	double deadline = monotonic_s() + STEPS_PATIENCE_S;
	for (int i = 0; i < n; i++) {
		if (steps_process_line(line, &t[i], deadline, e))
			return -1;
		*gflop = strncmp(line, "ready ", 6) == 0 ? strtod(line + 6, NULL) : 0;
	}
	(void)close(*go);
	*go = -1;
	deadline = monotonic_s() + STEPS_PATIENCE_S + seconds;
	*rate = 0;
	for (int i = 0; i < n; i++) {
		if (steps_process_line(line, &t[i], deadline, e))
			return -1;
		*rate += strtod(line, NULL);
	}
	return *rate > 0 && *gflop > 0 ? 0 : err_set(e, "`ablate bench-steps` measured nothing");
}

/* Steps/s of `jobs` trainings at once, together. */
static int measure(double *rate, double *gflop, int jobs, int threads, enum scaling_net net, double seconds,
                   struct err *e)
{
	int go[2], n = 0, rc = 0;
	bool good = true;
	SCOPED(free) struct steps_process *t = xcalloc((size_t)jobs, sizeof *t);
	if (pipe2(go, O_CLOEXEC))
		return err_set(e, "cannot create a pipe: %s", strerror(errno));
	for (; n < jobs && !rc; n++) {
		t[n] = STEPS_PROCESS_NONE;
		rc = steps_process_start(&t[n], &(struct steps_ask){ net, threads, seconds, NULL, go[0] }, e);
	}
	(void)close(go[0]);
	rc = rc || gather(rate, gflop, t, n, &go[1], seconds, e) ? -1 : 0;
	for (int i = 0; i < n; i++)
		good &= steps_process_end(&t[i], rc != 0);
	if (go[1] >= 0)
		(void)close(go[1]);
	return rc || good ? rc : err_set(e, "`ablate bench-steps` failed");
}

static int best_of(double *best, double *gflop, int jobs, int threads, enum scaling_net net, double seconds,
                   struct err *e)
{
	double rate;
	if (measure(&rate, gflop, jobs, threads, net, seconds, e))
		return -1;
	*best = rate > *best ? rate : *best;
	return 0;
}

int bench_scaling_measure(struct scaling *out, double seconds, struct err *e)
{
	struct scaling s;
	scaling_init(&s, host_cpus());
	seconds = (seconds > 0 ? seconds : (double)BENCH_SCALING_SECONDS / (s.n * SCALING_NETS)) / ROUNDS;
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < s.n; i++)
			for (int net = 0; net < SCALING_NETS; net++)
				if (best_of(&s.v[i].steps_per_s[net], &s.gflop[net], s.v[i].jobs, s.v[i].threads, (enum scaling_net)net,
				            seconds, e))
					return -1;
	*out = s;
	return 0;
}

int bench_scaling(json_t *out, double seconds, struct err *e)
{
	struct scaling s;
	struct scaling_key key;
	SCOPED(free) char *path = scaling_path();
	scaling_key(&key);
	if (bench_scaling_measure(&s, seconds, e) || (path && scaling_keep(path, &key, &s, e)))
		return -1;
	for (int net = 0; net < SCALING_NETS; net++)
		for (int i = 0; i < s.n; i++) {
			const struct scaling_rate *r = &s.v[i];
			double alone = 0, gflop;
			for (int round = 0; round < ROUNDS; round++)
				if (best_of(&alone, &gflop, 1, r->threads, (enum scaling_net)net, seconds / ROUNDS, e))
					return -1;
			(void)json_array_append_new(
				out, json_pack("{s:s, s:f, s:i, s:i, s:f, s:f, s:f}", "net", scaling_net_name((enum scaling_net)net),
			                   "gflop_per_step", s.gflop[net], "jobs", r->jobs, "threads", r->threads, "steps_per_s",
			                   r->steps_per_s[net], "of_one_job", r->steps_per_s[net] / s.v[0].steps_per_s[net], "each",
			                   r->steps_per_s[net] / r->jobs / alone));
		}
	return 0;
}
