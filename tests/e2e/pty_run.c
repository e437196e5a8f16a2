/* pty_run.c - runs a command on a terminal of its own, and does to it what people do to terminals:
 *     pty_run COMMAND ARG...        its screen goes to our stdout; our stdin says, line by line, what happens
 *         type TEXT                 keys; ^C and its like are control keys, ^M ends a line
 *         deaf / hear               nobody reads what the command writes; somebody does again
 *         size ROWS COLUMNS         the terminal has another size; it begins with 50 and 200
 *         close                     the terminal is gone: the kernel hangs up on the session
 * Exits as the command does, 128 + N where signal N ended it. The command is the leader of a new session, with the
 * terminal's usual settings and every signal as it comes: a shell that started us in the background has some of them
 * ignored. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void become(char *const command[], const char *terminal)
{
	sigset_t none;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL);
	(void)setsid();
	int fd = open(terminal, O_RDWR);
	const struct winsize wide = { .ws_row = 50, .ws_col = 200 }; /* the bar shows what it is at */
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) || ioctl(fd, TIOCSWINSZ, &wide) || dup2(fd, 0) < 0 || dup2(fd, 1) < 0 ||
	    dup2(fd, 2) < 0)
		_exit(126);
	if (fd > 2)
		(void)close(fd);
	(void)execvp(command[0], command);
	(void)dprintf(2, "pty_run: %s: %s\n", command[0], strerror(errno));
	_exit(127);
}

/* "^C" -> 3, and so on, in place; the number of keys. */
static size_t keys_of(char *text)
{
	size_t n = 0;
	for (const char *p = text; *p; p++)
		text[n++] = *p == '^' && p[1] >= '@' && p[1] <= '_' ? (char)(*++p - '@') : *p;
	return n;
}

static void obey(char *line, int *master, bool *deaf)
{
	bool ok = true;
	if (strncmp(line, "type ", 5) == 0) {
		size_t n = keys_of(line + 5);
		ok = *master >= 0 && write(*master, line + 5, n) == (ssize_t)n;
	} else if (strncmp(line, "size ", 5) == 0) {
		char *columns;
		struct winsize w = { .ws_row = (unsigned short)strtoul(line + 5, &columns, 10) };
		w.ws_col = (unsigned short)strtoul(columns, NULL, 10);
		ok = *master >= 0 && ioctl(*master, TIOCSWINSZ, &w) == 0;
	} else if (strcmp(line, "close") == 0) {
		(void)close(*master);
		*master = -1;
	} else if (strcmp(line, "deaf") == 0 || strcmp(line, "hear") == 0) {
		*deaf = *line == 'd';
	} else {
		ok = false;
	}
	if (!ok)
		(void)fprintf(stderr, "pty_run: cannot '%s'\n", line);
}

/* Passes on what the command writes. Linux reports the end of a terminal that nobody holds any more as an error. */
static void show(int *master)
{
	char buf[4096];
	ssize_t n = read(*master, buf, sizeof buf);
	if (n > 0) {
		(void)!write(STDOUT_FILENO, buf, (size_t)n);
	} else if (n == 0 || errno != EINTR) {
		(void)close(*master);
		*master = -1;
	}
}

/* Takes what stdin says; false at its end. */
static bool take_orders(char line[512], size_t *have, int *master, bool *deaf)
{
	ssize_t n = read(STDIN_FILENO, line + *have, 511 - *have);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	*have += (size_t)n;
	line[*have] = '\0';
	for (char *end; (end = strchr(line, '\n'));) {
		*end = '\0';
		obey(line, master, deaf);
		*have -= (size_t)(end + 1 - line);
		memmove(line, end + 1, *have + 1);
	}
	return *have < 511;
}

int main(int argc, char **argv)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;
	const char *terminal = master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 ? ptsname(master) : NULL;
	if (argc < 2 || !terminal) {
		(void)fprintf(stderr, "pty_run: %s\n", argc < 2 ? "COMMAND is missing" : strerror(errno));
		return 125;
	}
	int held = open(terminal,
	                O_RDWR | O_NOCTTY | O_CLOEXEC); /* until the command is there, which would else find it hung up */
	pid_t pid = fork();
	if (pid == 0)
		become(argv + 1, terminal);
	(void)signal(SIGPIPE, SIG_IGN);
	bool deaf = false, orders = true, ended = pid < 0;
	char line[512];
	size_t have = 0;
	/* after its end, what it wrote last is still in the terminal */
	for (bool rest = true; !ended || (rest && master >= 0);) {
		struct pollfd p[2] = { { .fd = orders ? STDIN_FILENO : -1, .events = POLLIN },
			                   { .fd = deaf && !ended ? -1 : master, .events = POLLIN } };
		int n = poll(p, 2, ended ? 0 : 20);
		rest = n > 0 && p[1].revents;
		if (n > 0 && p[1].revents)
			show(&master);
		if (n > 0 && p[0].revents)
			orders = take_orders(line, &have, &master, &deaf);
		if (held >= 0 && (n > 0 && p[1].revents)) {
			(void)close(held);
			held = -1;
		}
		if (!ended && waitpid(pid, &status, WNOHANG) == pid)
			ended = rest = true; /* it may have written since the poll */
	}
	return pid < 0 ? 125 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
