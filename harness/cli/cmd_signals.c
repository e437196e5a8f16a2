/* cmd_signals.c - see cmd_signals.h. */
#define _GNU_SOURCE
#include "harness/cli/cmd_signals.h"

#include "model/base/temporary.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static void nothing(int number)
{
	(void)number;
}

static void end(int number)
{
	temporary_remove_all();
	(void)raise(number); /* the default again by now */
}

static void unless_ignored(int number, void (*handler)(int), int flags)
{
	struct sigaction now, then = { .sa_handler = handler, .sa_flags = flags };
	(void)sigemptyset(&then.sa_mask);
	if (sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		(void)sigaction(number, &then, NULL);
}

void cmd_signals_begin(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* the lowest free one: this */
	unless_ignored(SIGPIPE, nothing, SA_RESTART); /* a handler, and not SIG_IGN, which exec would hand on */
	unless_ignored(SIGINT, end, (int)(SA_RESETHAND | SA_NODEFER));
	unless_ignored(SIGTERM, end, (int)(SA_RESETHAND | SA_NODEFER));
	unless_ignored(SIGHUP, end, (int)(SA_RESETHAND | SA_NODEFER));
}

bool cmd_reader_left(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP));
}
