/* engine_local.c - see engine_local.h. */
#define _GNU_SOURCE
#include "harness/run/engine_local.h"

#include "harness/cli/threads.h"

#include "model/base/env.h"
#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIPE_FD 3

/* Settings of Open MPI, in the environment so that another MPI's mpirun accepts the same command line: as many
 * processes as are asked for whatever the machine has, the threads where OpenMP puts them, root in a container. */
static const char *const mpirun_settings[][2] = {
	{ "OMPI_MCA_rmaps_base_oversubscribe", "1" },
	{ "OMPI_MCA_hwloc_base_binding_policy", "none" },
	{ "OMPI_ALLOW_RUN_AS_ROOT", "1" },
	{ "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1" },
	{ "OMPI_MCA_btl_base_warn_component_unused", "0" },
	{ "OMPI_MCA_mpi_yield_when_idle", "1" },
};

/* Between fork and exec: only what is safe there, and _exit on failure (the log says why). */
static _Noreturn void become_worker(const char *program, const char *dir, const char *threads, const char *ranks,
                                    int log_fd, int write_fd, pid_t parent)
{
	/* a stop that comes before the worker listens waits for it instead of ending it (worker.c) */
	static const int stops[] = { SIGTERM, SIGUSR1, SIGUSR2 };
	sigset_t early;
	(void)sigemptyset(&early);
	for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
		(void)sigaddset(&early, stops[i]);
		(void)signal(stops[i], SIG_DFL); /* one that our caller ignores would not stay pending */
	}
	(void)sigprocmask(SIG_SETMASK, &early, NULL);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, *ranks ? SIGUSR1 : SIGTERM); /* see child_stop */
	if (getppid() != parent)
		_exit(127);
	int null_fd = open("/dev/null", O_RDONLY);
	if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0 ||
	    (write_fd != PIPE_FD ? dup2(write_fd, PIPE_FD) : fcntl(PIPE_FD, F_SETFD, 0)) < 0)
		_exit(127);
	if (setenv("OMP_NUM_THREADS", threads, 1))
		_exit(127);
	(void)threads_bound_waiting();
	char folder[PATH_MAX];
	(void)snprintf(folder, sizeof folder, "%s%s", *dir == '-' ? "./" : "", dir); /* no option */
	char *const argv[] = { (char *)"ablate", (char *)"worker", folder, (char *)"--fd", (char *)"3", NULL };
	char *const many[] = { (char *)"mpirun", (char *)"-n", (char *)ranks, (char *)program,
		                   (char *)"worker", folder,       NULL };
	if (*ranks) {
		(void)sigprocmask(SIG_UNBLOCK, &early, NULL);
		for (size_t i = 0; i < sizeof mpirun_settings / sizeof *mpirun_settings; i++)
			(void)setenv(mpirun_settings[i][0], mpirun_settings[i][1], 0);
		(void)execvp("mpirun", many);
		program = "mpirun";
	} else {
		(void)execv(program, argv);
	}
	(void)dprintf(STDERR_FILENO, "%s: cannot run: %s\n", program, strerror(errno));
	_exit(127);
}

bool child_team_possible(void)
{
	const char *path = env_get(ENV_PATH);
	for (const char *at = path; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		SCOPED(free) char *file = xstrfmt("%.*s/mpirun", (int)strcspn(at, ":"), at);
		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

int child_start(struct child *c, const char *program, const char *dir, int threads, int ranks, struct err *e)
{
	SCOPED(free) char *log = xstrfmt("%s/log", dir);
	char count[16], many[16] = "", self[PATH_MAX] = "/proc/self/exe";
	(void)snprintf(count, sizeof count, "%d", threads);
	if (ranks > 1) { /* mpirun is another program: it needs our path */
		(void)snprintf(many, sizeof many, "%d", ranks);
		ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
		self[n > 0 ? n : 0] = 0;
	}
	SCOPED(fd) int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
	int pipe_fd[2];
	if (log_fd < 0)
		return err_set(e, "%s: cannot create: %s", log, strerror(errno));
	if (pipe2(pipe_fd, O_CLOEXEC))
		return err_set(e, "cannot make a pipe: %s", strerror(errno));
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		become_worker(program ? program : self, dir, count, many, log_fd, pipe_fd[1], parent);
	(void)close(pipe_fd[1]);
	if (pid < 0) {
		(void)close(pipe_fd[0]);
		return err_set(e, "cannot start a process: %s", strerror(errno));
	}
	(void)setpgid(pid, pid); /* on both sides, as either may be first */
	(void)fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK);
	*c = (struct child){ .pid = pid, .pipe_fd = pipe_fd[0], .team = ranks > 1 };
	return 0;
}

void child_wait(struct child *const *children, int n, double seconds, const sigset_t *mask)
{
	struct pollfd *fds = xcalloc((size_t)n + 1, sizeof *fds);
	for (int i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = children[i]->pid ? children[i]->pipe_fd : -1, .events = POLLIN };
	struct timespec t = { .tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };
	(void)ppoll(fds, (nfds_t)n, &t, mask); /* an interruption asks us to look again */
	free(fds);
}

static void take_line(struct child *c, const char *line, size_t n)
{
	json_t *o = json_loadb(line, n, 0, NULL);
	json_t *step = json_object_get(o, "step"), *total = json_object_get(o, "total");
	const char *note = json_string_value(json_object_get(o, "note"));
	if (json_is_integer(step) && json_is_integer(total)) {
		c->step = json_integer_value(step);
		c->total = json_integer_value(total);
		(void)snprintf(c->note, sizeof c->note, "%s", note ? note : "");
	}
	json_decref(o);
}

void child_listen(struct child *c)
{
	char buf[4096];
	ssize_t n;
	while (c->pipe_fd >= 0) {
		n = read(c->pipe_fd, buf, sizeof buf);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		if (n == 0) { /* no more output; SIGCHLD reports its end */
			(void)close(c->pipe_fd);
			c->pipe_fd = -1;
			return;
		}
		str_addn(&c->pending, buf, (size_t)n);
		size_t at = 0;
		for (const char *nl; (nl = memchr(c->pending.data + at, '\n', c->pending.len - at));) {
			take_line(c, c->pending.data + at, (size_t)(nl - c->pending.data) - at);
			at = (size_t)(nl - c->pending.data) + 1;
		}
		memmove(c->pending.data, c->pending.data + at, c->pending.len - at);
		c->pending.len -= at;
		if (c->pending.len > sizeof buf)
			c->pending.len = 0; /* not a progress line */
	}
}

bool child_reap(struct child *c, struct child_end *end)
{
	int status;
	struct rusage use;
	pid_t pid = wait4(c->pid, &status, WNOHANG, &use);
	if (pid != c->pid)
		return false;
	child_listen(c);
	*end = (struct child_end){
		.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		.signal = WIFSIGNALED(status) ? WTERMSIG(status) : -1,
		.pid = pid,
		.cpu_s = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
		         1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec),
		.max_rss = (int64_t)use.ru_maxrss * 1024,
		.step = c->step,
	};
	if (c->pipe_fd >= 0)
		(void)close(c->pipe_fd);
	str_release(&c->pending);
	*c = (struct child){ .pipe_fd = -1 };
	return true;
}

/* mpirun passes SIGUSR1 and SIGUSR2 on and waits; after SIGTERM it would kill its processes before their checkpoint. */
void child_stop(const struct child *c, enum child_reason why)
{
	if (c->pid)
		(void)kill(c->pid, why == CHILD_TIME_IS_UP ? SIGUSR2 : c->team ? SIGUSR1 : SIGTERM);
}

void child_kill(const struct child *c)
{
	if (c->pid)
		(void)kill(c->pid, SIGKILL);
}
