/* program_call.c - see program_call.h. */
#define _GNU_SOURCE
#include "harness/slurm/program_call.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)16 << 20)
enum { LOOK_MS = 20 };

/* A pipe that ended is closed and -1. */
static void take(int *fd, struct str *text)
{
	char buf[4096];
	ssize_t n = read(*fd, buf, sizeof buf);
	if (n > 0)
		str_addn(text, buf, (size_t)n);
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
		(void)close(*fd);
		*fd = -1;
	}
}

/* What is in the pipes now. */
static void take_rest(int fd[2], struct str *text[2])
{
	struct pollfd p[2] = { { .fd = fd[0], .events = POLLIN }, { .fd = fd[1], .events = POLLIN } };
	while ((p[0].fd >= 0 || p[1].fd >= 0) && poll(p, 2, 0) > 0 && text[0]->len <= ANSWER_MAX &&
	       text[1]->len <= ANSWER_MAX)
		for (int i = 0; i < 2; i++)
			if (p[i].fd >= 0 && p[i].revents) {
				take(&fd[i], text[i]);
				p[i].fd = fd[i];
			}
}

/* Reads both pipes until the process has ended. false when time runs out or the answer is endless, and it goes on. */
static bool listen_to(int fd[2], struct str *text[2], pid_t pid, int *status, double until_s)
{
	for (;;) {
		int look_ms = fd[0] < 0 && fd[1] < 0 ? 1 : LOOK_MS;
		struct pollfd p[2] = { { .fd = fd[0], .events = POLLIN }, { .fd = fd[1], .events = POLLIN } };
		double left = until_s - monotonic_s();
		if (left <= 0 || text[0]->len > ANSWER_MAX || text[1]->len > ANSWER_MAX)
			return false;
		if (poll(p, 2, left * 1000 < look_ms ? (int)(left * 1000) + 1 : look_ms) < 0 && errno != EINTR)
			return false;
		for (int i = 0; i < 2; i++)
			if (p[i].fd >= 0 && p[i].revents)
				take(&fd[i], text[i]);
		if (waitpid(pid, status, WNOHANG) == pid) {
			take_rest(fd, text);
			return true;
		}
	}
}

/* The input as a file without a name: nobody has to read it. */
static int open_input(const struct program_ask *ask, struct err *e)
{
	int fd = ask->input ? memfd_create("input", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, "%s: cannot open its input: %s", ask->argv[0], strerror(errno));
	if (!ask->input ||
	    (!io_write_all(fd, str_text(ask->input), ask->input->len, "input", e) && lseek(fd, 0, SEEK_SET) == 0))
		return fd;
	(void)close(fd);
	return err_set(e, "%s: cannot write its input", ask->argv[0]);
}

static int spawn(pid_t *pid, const struct program_ask *ask, int in, const int out[2])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	(void)sigemptyset(&none);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setflags(&attributes,
	                               (short)(POSIX_SPAWN_SETSIGMASK | (ask->apart ? POSIX_SPAWN_SETPGROUP : 0)));
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, out[0], STDOUT_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, out[1], STDERR_FILENO);
	if (ask->dir)
		(void)posix_spawn_file_actions_addchdir_np(&actions, ask->dir);
	int rc = posix_spawnp(pid, ask->argv[0], &actions, &attributes, (char *const *)(uintptr_t)ask->argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	return rc;
}

static int start(pid_t *pid, int out[2], const struct program_ask *ask, struct err *e)
{
	int a[2], b[2];
	SCOPED(fd) int in = open_input(ask, e);
	if (in < 0)
		return -1;
	if (pipe2(a, O_CLOEXEC))
		return err_set(e, "%s: cannot create a pipe: %s", ask->argv[0], strerror(errno));
	if (pipe2(b, O_CLOEXEC)) {
		(void)close(a[0]);
		(void)close(a[1]);
		return err_set(e, "%s: cannot create a pipe: %s", ask->argv[0], strerror(errno));
	}
	int rc = spawn(pid, ask, in, (int[2]){ a[1], b[1] });
	(void)close(a[1]);
	(void)close(b[1]);
	out[0] = a[0];
	out[1] = b[0];
	if (!rc)
		return 0;
	(void)close(a[0]);
	(void)close(b[0]);
	if (ask->dir && !io_is_dir(ask->dir))
		return err_code(e, EXIT_USAGE, "%s: cannot start in %s: %s", ask->argv[0], ask->dir, strerror(rc));
	if (rc == ENOENT)
		return err_code(e, EXIT_USAGE, "%s is not installed here", ask->argv[0]);
	return err_code(e, EXIT_USAGE, "%s: cannot start: %s", ask->argv[0], strerror(rc));
}

int program_call(struct program_answer *out, const struct program_ask *ask, struct err *e)
{
	int fd[2], status = 0;
	pid_t pid;
	struct str *text[2] = { &out->out, &out->said };
	*out = (struct program_answer){ 0 };
	if (start(&pid, fd, ask, e))
		return -1;
	bool ended = listen_to(fd, text, pid, &status, monotonic_s() + ask->limit_s);
	out->endless = out->out.len > ANSWER_MAX || out->said.len > ANSWER_MAX;
	if (!ended) {
		(void)kill(ask->apart ? -pid : pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			(void)close(fd[i]);
	out->code = !ended || out->endless ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

void program_answer_release(struct program_answer *a)
{
	str_release(&a->out);
	str_release(&a->said);
}

void scoped_program_answer(struct program_answer *a)
{
	program_answer_release(a);
}

const char *program_words(struct str *text)
{
	for (char *p = text->data; p && *p; p++)
		if (*p == '\n')
			*p = p[1] ? ';' : '\0';
	return str_text(text);
}
