/* db_wait.c - a database that another program has locked: how long it is waited for, and who that is. */
#define _GNU_SOURCE
#include "harness/record/db_private.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int busy_ms = 10000;
static db_wait_fn *waiter;
static void *waiter_ctx;

void db_set_busy_ms(int ms)
{
	busy_ms = ms;
}

void db_set_wait(db_wait_fn *wait, void *ctx)
{
	waiter = wait;
	waiter_ctx = ctx;
}

bool db_waits_on(const struct db *db, double waited_s)
{
	if (waiter)
		return waiter(waiter_ctx, db->path, waited_s);
	if (waited_s * 1000 >= busy_ms)
		return false;
	(void)usleep(10000);
	return true;
}

int db_on_busy(void *ctx, int times)
{
	struct db *db = ctx;
	double now = monotonic_s();
	if (times == 0)
		db->busy_since = now;
	return db_waits_on(db, now - db->busy_since);
}

bool db_is_locked(const struct db *db)
{
	return db->busy;
}

/* The process that holds [at, at + n) of a file, 0 = nobody. SQLite's locks are the process', and closing the file once
 * would drop our own: a child asks. */
static pid_t holder_of(const char *path, off_t at, off_t n)
{
	int fds[2];
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = n };
	pid_t found = 0;
	if (pipe2(fds, O_CLOEXEC))
		return 0;
	pid_t child = fork();
	if (child == 0) {
		int fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
			found = lock.l_pid;
		(void)!write(fds[1], &found, sizeof found);
		_exit(0);
	}
	(void)close(fds[1]);
	if (child > 0 && read(fds[0], &found, sizeof found) != (ssize_t)sizeof found)
		found = 0;
	(void)close(fds[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return found > 0 ? found : 0;
}

void db_lock_holder(char out[DB_HOLDER], const char *path)
{
	/* where SQLite locks: the byte of a WAL's writer in its index, else the pending, reserved and shared bytes */
	enum { WAL_WRITER = 120, PENDING = 0x40000000, ALL_OF_THEM = 512 };
	SCOPED(free) char *index = xstrfmt("%s-shm", path);
	pid_t pid = holder_of(index, WAL_WRITER, 1);
	if (!pid)
		pid = holder_of(path, PENDING, ALL_OF_THEM);
	(void)snprintf(out, DB_HOLDER, "another program");
	if (!pid || pid == getpid())
		return;
	SCOPED(free) char *comm = xstrfmt("/proc/%ld/comm", (long)pid);
	SCOPED(str) struct str name = { 0 };
	int n = io_read(&name, comm, 64, NULL) ? 0 : (int)strcspn(str_text(&name), "\n");
	(void)snprintf(out, DB_HOLDER, "%.*s%spid %ld%s", n < 30 ? n : 30, str_text(&name), n ? " (" : "", (long)pid,
	               n ? ")" : "");
}
