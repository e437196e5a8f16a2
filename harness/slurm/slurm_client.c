/* slurm_client.c - talking to Slurm through its client programs, with a time limit. See slurm_client.h. */
#define _GNU_SOURCE
#include "harness/slurm/slurm_client.h"

#include "model/base/mem.h"
#include "model/base/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)16 << 20)

/* Reads both pipes until they end. false when time runs out or the answer is endless. */
static bool listen_to(int fd[2], struct str text[2], double until_s)
{
	struct pollfd p[2] = { { .fd = fd[0], .events = POLLIN }, { .fd = fd[1], .events = POLLIN } };
	char buf[4096];
	while (p[0].fd >= 0 || p[1].fd >= 0) {
		double left = until_s - monotonic_s();
		if (left <= 0 || text[0].len > ANSWER_MAX || text[1].len > ANSWER_MAX)
			return false;
		if (poll(p, 2, (int)(left * 1000) + 1) < 0 && errno != EINTR)
			return false;
		for (int i = 0; i < 2; i++) {
			if (p[i].fd < 0 || !p[i].revents)
				continue;
			ssize_t n = read(p[i].fd, buf, sizeof buf);
			if (n > 0)
				str_addn(&text[i], buf, (size_t)n);
			else if (n == 0 || errno != EINTR)
				p[i].fd = -1;
		}
	}
	return true;
}

static int start(pid_t *pid, int out[2], const char *const argv[], struct err *e)
{
	posix_spawn_file_actions_t actions;
	int a[2], b[2];
	if (pipe2(a, O_CLOEXEC))
		return err_set(e, "%s: cannot create a pipe: %s", argv[0], strerror(errno));
	if (pipe2(b, O_CLOEXEC)) {
		(void)close(a[0]);
		(void)close(a[1]);
		return err_set(e, "%s: cannot create a pipe: %s", argv[0], strerror(errno));
	}
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, a[1], STDOUT_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, b[1], STDERR_FILENO);
	int rc = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(a[1]);
	(void)close(b[1]);
	out[0] = a[0];
	out[1] = b[0];
	if (!rc)
		return 0;
	(void)close(a[0]);
	(void)close(b[0]);
	if (rc == ENOENT)
		return err_code(e, EXIT_USAGE, "%s is not installed here", argv[0]);
	return err_code(e, EXIT_USAGE, "%s: cannot start: %s", argv[0], strerror(rc));
}

int slurm_call(struct str *out, const char *const argv[], struct err *e)
{
	struct str text[2] = { { 0 }, { 0 } };
	int fd[2], status = 0;
	pid_t pid;
	if (start(&pid, fd, argv, e))
		return -1;
	bool whole = listen_to(fd, text, monotonic_s() + SLURM_CALL_S);
	if (!whole)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	(void)close(fd[0]);
	(void)close(fd[1]);
	int rc = 0;
	char *words = text[1].len ? text[1].data : text[0].data; /* in one line */
	bool failed = !whole || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	for (char *p = failed ? words : NULL; p && *p; p++)
		if (*p == '\n')
			*p = p[1] ? ';' : '\0';
	if (!whole) {
		rc = err_code(e, EXIT_USAGE, "%s: no answer within %.0f s: %.700s", argv[0], SLURM_CALL_S,
		              text[1].len ? words : "the controller of Slurm does not answer");
	} else if (failed) {
		rc = err_code(e, EXIT_USAGE, "%s refused: %.700s", argv[0], words ? words : "without a message");
	} else {
		str_addn(out, str_text(&text[0]), text[0].len);
	}
	str_release(&text[0]);
	str_release(&text[1]);
	return rc;
}

int slurm_is_here(struct err *e)
{
	static const char *const version[] = { "sbatch", "--version", NULL };
	SCOPED(str) struct str answer = { 0 };
	struct err why = ERR_INIT;
	if (!slurm_call(&answer, version, &why))
		return 0;
	return err_code(e, EXIT_USAGE,
	                "%s: --engine slurm needs Slurm's client programs (Debian: slurm-client), or use --engine local",
	                why.msg);
}
