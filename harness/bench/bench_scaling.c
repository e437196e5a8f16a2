/* bench_scaling.c - see bench_scaling.h. */
#define _GNU_SOURCE
#include "harness/bench/bench_scaling.h"

#include "harness/cli/threads.h"
#include "harness/record/host.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 3, PATIENCE_S = 120 /* beyond the time that is measured */ };

/* One of the processes that train at once. */
struct trainer {
	pid_t pid; /* 0 = none */
	int out;   /* read end of its stdout; -1 = none */
};

static _Noreturn void train_here(int go, int to, enum scaling_net net, int threads, double seconds, pid_t parent)
{
	char count[16], time[32];
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(count, sizeof count, "%d", threads);
	if (getppid() != parent || dup2(go, STDIN_FILENO) < 0 || dup2(to, STDOUT_FILENO) < 0 ||
	    setenv("OMP_NUM_THREADS", count, 1) || setenv("OPENBLAS_NUM_THREADS", count, 1))
		_exit(127);
	(void)threads_bound_waiting();
	(void)execl("/proc/self/exe", "ablate", "bench-steps", "--wait", "--net", scaling_net_name(net), "--threads", count,
	            "--seconds", str_double(time, seconds), (char *)NULL);
	_exit(127);
}

static int trainer_start(struct trainer *t, int go, enum scaling_net net, int threads, double seconds, struct err *e)
{
	int fd[2];
	if (pipe2(fd, O_CLOEXEC))
		return err_set(e, "cannot create a pipe: %s", strerror(errno));
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		train_here(go, fd[1], net, threads, seconds, parent);
	(void)close(fd[1]);
	if (pid < 0) {
		(void)close(fd[0]);
		return err_set(e, "cannot start a process: %s", strerror(errno));
	}
	*t = (struct trainer){ .pid = pid, .out = fd[0] };
	return 0;
}

/* One line of its output, without the newline; an error when it ends before, or nothing comes until `deadline`. */
static int read_line(char line[64], const struct trainer *t, double deadline, struct err *e)
{
	for (int n = 0; n < 63;) {
		struct pollfd p = { .fd = t->out, .events = POLLIN };
		double left = deadline - monotonic_s();
		int there = left > 0 ? poll(&p, 1, (int)(left * 1000) + 1) : 0;
		if (there < 0 && errno == EINTR)
			continue;
		ssize_t got = there > 0 ? read(t->out, line + n, 1) : 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		if (line[n] == '\n') {
			line[n] = '\0';
			return 0;
		}
		n++;
	}
	return err_set(e, "`ablate bench-steps` failed");
}

/* Those that did not end by themselves are killed. Do all of them end well? */
static bool trainers_end(struct trainer *t, int n, bool kill_them)
{
	bool good = true;
	for (int i = 0; i < n; i++) {
		int status = -1;
		if (t[i].out >= 0)
			(void)close(t[i].out);
		if (t[i].pid && kill_them)
			(void)kill(t[i].pid, SIGKILL);
		while (t[i].pid && waitpid(t[i].pid, &status, 0) < 0 && errno == EINTR)
			;
		good = good && status == 0;
	}
	return good;
}

/* All of them say that they are warm; *go is closed, at which they begin; their rates are added. */
static int gather(double *rate, double *gflop, const struct trainer *t, int n, int *go, double seconds, struct err *e)
{
	char line[64];
	double deadline = monotonic_s() + PATIENCE_S;
	for (int i = 0; i < n; i++) {
		if (read_line(line, &t[i], deadline, e))
			return -1;
		*gflop = strncmp(line, "ready ", 6) == 0 ? strtod(line + 6, NULL) : 0;
	}
	(void)close(*go);
	*go = -1;
	deadline = monotonic_s() + PATIENCE_S + seconds;
	*rate = 0;
	for (int i = 0; i < n; i++) {
		if (read_line(line, &t[i], deadline, e))
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
	SCOPED(free) struct trainer *t = xcalloc((size_t)jobs, sizeof *t);
	if (pipe2(go, O_CLOEXEC))
		return err_set(e, "cannot create a pipe: %s", strerror(errno));
	for (; n < jobs && !rc; n++) {
		t[n].out = -1;
		rc = trainer_start(&t[n], go[0], net, threads, seconds, e);
	}
	(void)close(go[0]);
	rc = rc || gather(rate, gflop, t, n, &go[1], seconds, e) ? -1 : 0;
	bool good = trainers_end(t, n, rc != 0);
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
