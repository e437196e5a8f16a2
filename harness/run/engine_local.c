/* engine_local.c - see engine_local.h. */
#define _GNU_SOURCE
#include "harness/run/engine_local.h"

#include "harness/cli/threads.h"

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

/* What a new process is to become; all of it is made before fork. */
struct birth {
	const struct launcher_row *row;
	const char *program; /* file of this program, or of the launcher in PATH */
	char *const *argv;
	const char *threads;
	int log_fd, write_fd;
	pid_t parent;
};

/* Between fork and exec: only what is safe there, and _exit on failure (the log says why). */
static _Noreturn void become_worker(const struct birth *b)
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
	(void)prctl(PR_SET_PDEATHSIG, b->row->stop);
	if (getppid() != b->parent)
		_exit(127);
	int null_fd = open("/dev/null", O_RDONLY);
	if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(b->log_fd, STDOUT_FILENO) < 0 || dup2(b->log_fd, STDERR_FILENO) < 0 ||
	    (b->write_fd != PIPE_FD ? dup2(b->write_fd, PIPE_FD) : fcntl(PIPE_FD, F_SETFD, 0)) < 0)
		_exit(127);
	if (setenv("OMP_NUM_THREADS", b->threads, 1))
		_exit(127);
	(void)threads_bound_waiting();
	for (size_t i = 0; i < b->row->n_settings; i++) {
		const char *const *setting = b->row->settings[i];
		(void)(setting[1] ? setenv(setting[0], setting[1], 0) : unsetenv(setting[0]));
	}
	if (!b->row->holds_stops)
		(void)sigprocmask(SIG_UNBLOCK, &early, NULL);
	(void)execvp(b->program, b->argv);
	(void)dprintf(STDERR_FILENO, "%s: cannot run: %s\n", b->program, strerror(errno));
	_exit(127);
}

int child_start(struct child *c, const char *program, const char *dir, int threads, const struct launcher *by,
                struct err *e)
{
	SCOPED(free) char *log = xstrfmt("%s/log", dir);
	char count[16], self[PATH_MAX] = "/proc/self/exe";
	(void)snprintf(count, sizeof count, "%d", threads);
	if (by->kind != LAUNCHER_NONE) { /* another program: it needs our path */
		ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
		self[n > 0 ? n : 0] = 0;
	}
	SCOPED(fd) int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
	int pipe_fd[2];
	if (log_fd < 0)
		return err_set(e, "%s: cannot create: %s", log, strerror(errno));
	if (pipe2(pipe_fd, O_CLOEXEC))
		return err_set(e, "cannot make a pipe: %s", strerror(errno));
	program = program ? program : self;
	char **argv = launcher_words(by, program, dir);
	struct birth birth = { .row = launcher_row(by->kind),
		                   .argv = argv,
		                   .threads = count,
		                   .log_fd = log_fd,
		                   .write_fd = pipe_fd[1],
		                   .parent = getpid() };
	birth.program = birth.row->name ? birth.row->name : program;
	pid_t pid = fork();
	if (pid == 0)
		become_worker(&birth);
	launcher_words_free(argv);
	(void)close(pipe_fd[1]);
	if (pid < 0) {
		(void)close(pipe_fd[0]);
		return err_set(e, "cannot start a process: %s", strerror(errno));
	}
	(void)setpgid(pid, pid); /* on both sides, as either may be first */
	(void)fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK);
	*c = (struct child){ .pid = pid, .pipe_fd = pipe_fd[0], .by = by->kind };
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

void child_stop(const struct child *c, enum child_reason why)
{
	if (c->pid)
		(void)kill(c->pid, why == CHILD_TIME_IS_UP ? SIGUSR2 : launcher_row(c->by)->stop);
}

void child_kill(const struct child *c)
{
	if (c->pid)
		(void)kill(c->pid, launcher_row(c->by)->end);
}
