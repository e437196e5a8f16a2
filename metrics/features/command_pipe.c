/* command_pipe.c - see command_pipe.h. */
#define _GNU_SOURCE
#include "metrics/features/command_pipe.h"

#include "model/base/env.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GREETING "ablate-features 1 "

enum { LINE_MAX_BYTES = 160, PATIENCE_MS = 5000, STEP_MS = 10 };
enum { TELL_S = 5, WAIT_S = 120, WAIT_MAX_S = 1000000 }; /* of the greeting: env.def says WAIT_S, too */

static void close_end(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Its status; false: it still runs after that time (ms < 0: waits as long as it takes). */
static bool reap(struct command_pipe *p, int *status, int ms)
{
	for (int waited = 0;; waited += STEP_MS) {
		pid_t got = waitpid(p->pid, status, ms < 0 ? 0 : WNOHANG);
		if (got == p->pid || (got < 0 && errno != EINTR)) {
			p->pid = 0;
			return true;
		}
		if (ms >= 0 && waited >= ms)
			return false;
		if (got == 0)
			(void)nanosleep(&(struct timespec){ .tv_nsec = STEP_MS * 1000000L }, NULL);
	}
}

void command_pipe_stop(struct command_pipe *p)
{
	int status;
	if (p->pid <= 0)
		return;
	close_end(&p->to);
	close_end(&p->from);
	if (!reap(p, &status, PATIENCE_MS)) {
		(void)kill(p->pid, SIGKILL);
		(void)reap(p, &status, -1);
	}
}

/* Fails with how it ended; `when` says what was wanted of it. */
static int ended(struct command_pipe *p, const char *when, struct err *e)
{
	int status = 0;
	close_end(&p->to);
	close_end(&p->from);
	if (!reap(p, &status, PATIENCE_MS)) {
		command_pipe_stop(p);
		return err_set(e, "command '%s': closed its output %s", p->text, when);
	}
	if (WIFSIGNALED(status))
		return err_set(e, "command '%s': ended by signal %d %s", p->text, WTERMSIG(status), when);
	return err_set(e, "command '%s': ended with exit code %d %s", p->text, WEXITSTATUS(status), when);
}

static int spawn(struct command_pipe *p, char *const *argv, struct err *e)
{
	int in[2], out[2];
	if (pipe2(in, O_CLOEXEC))
		return err_set(e, "command '%s': no pipe: %s", p->text, strerror(errno));
	if (pipe2(out, O_CLOEXEC)) {
		(void)close(in[0]);
		(void)close(in[1]);
		return err_set(e, "command '%s': no pipe: %s", p->text, strerror(errno));
	}
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none, pipes;
	(void)sigemptyset(&none);
	(void)sigemptyset(&pipes);
	(void)sigaddset(&pipes, SIGPIPE); /* a worker ignores it, which exec would hand on */
	(void)posix_spawnattr_init(&how);
	(void)posix_spawnattr_setsigmask(&how, &none);
	(void)posix_spawnattr_setsigdefault(&how, &pipes);
	(void)posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
	int failed = posix_spawnp(&p->pid, argv[0], &files, &how, argv, environ);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&how);
	(void)close(in[0]);
	(void)close(out[1]);
	p->to = in[1];
	p->from = out[0];
	if (!failed)
		return fcntl(p->to, F_SETFL, O_NONBLOCK) ? err_set(e, "command '%s': %s", p->text, strerror(errno)) : 0;
	p->pid = 0;
	close_end(&p->to);
	close_end(&p->from);
	return err_set(e, "command '%s': cannot run %s: %s", p->text, argv[0], strerror(failed));
}

enum greeting { GREETING_LINE, GREETING_ENDLESS, GREETING_END, GREETING_SILENCE };

/* Its first line without the newline, within limit_s. */
static enum greeting read_greeting(char line[LINE_MAX_BYTES], const struct command_pipe *p, double limit_s,
                                   const struct command_listener *l)
{
	const double start = monotonic_s();
	bool told = false;
	for (size_t n = 0; n < LINE_MAX_BYTES - 1;) {
		double past = monotonic_s() - start, next = told ? limit_s : fmin(limit_s, TELL_S);
		struct pollfd from = { .fd = p->from, .events = POLLIN };
		line[n] = '\0';
		if (past >= limit_s)
			return GREETING_SILENCE;
		if (past >= next && l->say) {
			SCOPED(free) char *text = xstrfmt("waiting for the greeting of '%s' (%.0f s at most)", p->text, limit_s);
			l->say(l->ctx, text);
		}
		told = told || past >= next;
		if (poll(&from, 1, (int)(1000 * fmax(next - past, 0)) + 1) <= 0)
			continue;
		ssize_t got = read(p->from, line + n, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || line[n] == '\n') {
			line[n] = '\0';
			return got > 0 ? GREETING_LINE : GREETING_END;
		}
		n++;
	}
	line[LINE_MAX_BYTES - 1] = '\0';
	return GREETING_ENDLESS;
}

/* Of ABLATE_COMMAND_WAIT. */
static int limit_of_greeting(double *out, struct err *e)
{
	const char *given = env_get(ENV_ABLATE_COMMAND_WAIT);
	char *end;
	*out = WAIT_S;
	if (!given || !*given)
		return 0;
	*out = strtod(given, &end);
	return !*end && *out > 0 && *out <= WAIT_MAX_S
	           ? 0
	           : err_code(e, EXIT_USAGE, "ABLATE_COMMAND_WAIT is '%s', not a number of seconds up to %d", given,
	                      WAIT_MAX_S);
}

bool command_greeting_parse(int *out, char name[COMMAND_NAME_MAX], const char *line)
{
	char *end;
	if (strncmp(line, GREETING, strlen(GREETING)) != 0 || !isdigit((unsigned char)line[strlen(GREETING)]))
		return false;
	long dim = strtol(line + strlen(GREETING), &end, 10);
	if (dim < 1 || dim > COMMAND_DIM_MAX || *end != ' ')
		return false;
	size_t n = strlen(++end);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)end[i]) && !strchr("._-", end[i]))
			return false;
	if (n < 1 || n >= COMMAND_NAME_MAX)
		return false;
	*out = (int)dim;
	memcpy(name, end, n + 1);
	return true;
}

int command_pipe_start(struct command_pipe *p, const char *text, char *const *argv, const struct command_listener *l,
                       struct err *e)
{
	char line[LINE_MAX_BYTES];
	double limit_s;
	*p = (struct command_pipe){ .text = text, .to = -1, .from = -1 };
	if (limit_of_greeting(&limit_s, e))
		return -1;
	if (spawn(p, argv, e)) {
		command_pipe_stop(p);
		return -1;
	}
	enum greeting said = read_greeting(line, p, limit_s, l);
	if (said == GREETING_END)
		return ended(p, "before it said 'ablate-features 1 DIM NAME'", e);
	if (said == GREETING_LINE && command_greeting_parse(&p->dim, p->name, line))
		return 0;
	command_pipe_stop(p);
	if (said == GREETING_SILENCE)
		return err_set(e,
		               "command '%s': did not say 'ablate-features 1 DIM NAME' within %g s; set ABLATE_COMMAND_WAIT to "
		               "more seconds if it needs longer",
		               text, limit_s);
	for (char *c = line; *c; c++)
		*c = isprint((unsigned char)*c) ? *c : '?';
	return err_set(
		e,
		"command '%s': its first line is '%.60s', not 'ablate-features 1 DIM NAME' with DIM from 1 to %d and "
		"NAME of letters, digits, '.', '_' and '-'",
		text, line, COMMAND_DIM_MAX);
}

/* One write or read of what is ready. 0 as long as it goes on, -1 with e. */
static int serve(struct command_pipe *p, const struct pollfd fds[2], char *out, size_t want, size_t *got,
                 const char *request, size_t len, size_t *sent, struct err *e)
{
	static const char *const early = "before it had answered all pictures";
	if (fds[1].revents) {
		ssize_t n = write(p->to, request + *sent, len - *sent);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return ended(p, early, e);
		*sent += n > 0 ? (size_t)n : 0;
	}
	if (!fds[0].revents)
		return 0;
	char more;
	bool full = *got == want;
	ssize_t n = read(p->from, full ? &more : out + *got, full ? 1 : want - *got);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0)
		return ended(p, early, e);
	if (full)
		return err_set(e, "command '%s': wrote more than the %d floats per picture that it announced", p->text, p->dim);
	*got += (size_t)n;
	return 0;
}

int command_pipe_ask(struct command_pipe *p, float *out, int64_t n, const void *request, size_t len, struct err *e)
{
	size_t sent = 0, got = 0, want = (size_t)n * sizeof *out;
	bool quiet = false; /* all is sent and answered, and nothing more lies there */
	while (!quiet) {
		bool done = sent == len && got == want;
		struct pollfd fds[2] = { { .fd = p->from, .events = POLLIN },
			                     { .fd = sent < len ? p->to : -1, .events = POLLOUT } };
		int ready = poll(fds, 2, done ? 0 : -1);
		if (ready < 0 && errno != EINTR)
			return err_set(e, "command '%s': %s", p->text, strerror(errno));
		quiet = done && ready == 0;
		/* one that has answered and is gone already is told of by the next batch, or command_pipe_finish */
		if (done && ready > 0 && !(fds[0].revents & POLLIN))
			break;
		if (ready > 0 && serve(p, fds, (char *)out, want, &got, request, len, &sent, e))
			return -1;
	}
	p->given += n;
	return 0;
}

int command_pipe_finish(struct command_pipe *p, struct err *e)
{
	char more;
	ssize_t n;
	close_end(&p->to);
	do
		n = read(p->from, &more, 1);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		command_pipe_stop(p);
		return err_set(e, "command '%s': wrote more than the %d floats per picture that it announced", p->text, p->dim);
	}
	close_end(&p->from);
	int status = 0;
	(void)reap(p, &status, -1);
	if (WIFSIGNALED(status))
		return err_set(e, "command '%s': ended by signal %d after its last picture", p->text, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return err_set(e, "command '%s': ended with exit code %d after its last picture", p->text, WEXITSTATUS(status));
	return 0;
}
