/* steps_process.c - see steps_process.h. */
#define _GNU_SOURCE
#include "harness/bench/steps_process.h"

#include "harness/cli/threads.h"
#include "model/base/progress.h"
#include "model/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool spin_as(const char *spin)
{
	if (spin)
		return unsetenv("OMP_WAIT_POLICY") == 0 && setenv("GOMP_SPINCOUNT", spin, 1) == 0;
	(void)threads_bound_waiting();
	return true;
}

static _Noreturn void measure_here(const struct steps_ask *ask, int to, pid_t parent)
{
	char count[16], time[32];
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(count, sizeof count, "%d", ask->threads);
	if (getppid() != parent || (ask->go >= 0 && dup2(ask->go, STDIN_FILENO) < 0) || dup2(to, STDOUT_FILENO) < 0 ||
	    setenv("OMP_NUM_THREADS", count, 1) || !spin_as(ask->spin))
		_exit(127);
	(void)execl("/proc/self/exe", "ablate", "bench-steps", "--net", scaling_net_name(ask->net), "--threads", count,
	            "--seconds", str_double(time, ask->seconds), ask->go >= 0 ? "--wait" : (char *)NULL, (char *)NULL);
	_exit(127);
}

int steps_process_start(struct steps_process *p, const struct steps_ask *ask, struct err *e)
{
	int fd[2];
	if (pipe2(fd, O_CLOEXEC))
		return err_set(e, "cannot create a pipe: %s", strerror(errno));
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		measure_here(ask, fd[1], parent);
	(void)close(fd[1]);
	if (pid < 0) {
		(void)close(fd[0]);
		return err_set(e, "cannot start a process: %s", strerror(errno));
	}
	*p = (struct steps_process){ .pid = pid, .out = fd[0] };
	return 0;
}

int steps_process_line(char line[64], const struct steps_process *p, double deadline, struct err *e)
{
	for (int n = 0; n < 63;) {
		struct pollfd poll_out = { .fd = p->out, .events = POLLIN };
		double left = deadline - monotonic_s();
		int there = left > 0 ? poll(&poll_out, 1, (int)(left * 1000) + 1) : 0;
		if (there < 0 && errno == EINTR)
			continue;
		ssize_t got = there > 0 ? read(p->out, line + n, 1) : 0;
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

bool steps_process_end(struct steps_process *p, bool kill_it)
{
	int status = -1;
	if (p->out >= 0)
		(void)close(p->out);
	if (p->pid && kill_it)
		(void)kill(p->pid, SIGKILL);
	while (p->pid && waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	*p = STEPS_PROCESS_NONE;
	return status == 0;
}
