/* shim_write.c - preloaded: writes to files fail, or are slow. For end-to-end tests of full disks and broken ones.
 *
 *   LD_PRELOAD=libshim_write.so SHIM_FAIL_AT=7 SHIM_ERRNO=ENOSPC SHIM_PATH=.db ablate ...
 *
 * SHIM_FAIL_AT=N     the N-th write, pwrite, fsync, fdatasync, ftruncate or rename of a matching file fails; 0 = never
 * SHIM_FAIL_FOR=M    and the M-1 after it (default: all after it, as a full disk does)
 * SHIM_ERRNO=NAME    ENOSPC (default), EIO, EDQUOT or ESTALE
 * SHIM_KILL_AT=N     the process is killed with SIGKILL just before the N-th
 * SHIM_SHORT=1       the failing write first writes half of its bytes, as a disk does that fills up in the middle
 * SHIM_SLEEP_US=U    each takes U microseconds longer
 * SHIM_UNLINK=1      removals count, too
 * SHIM_PATH=TEXT     only files whose path holds TEXT
 * SHIM_COUNTER=FILE  count over all processes, in this file */
#define _GNU_SOURCE
#include "tests/shim/shim.h"

#include <errno.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>

static int chosen_errno(void)
{
	static const struct {
		const char *name;
		int error;
	} known[] = { { "EIO", EIO }, { "EDQUOT", EDQUOT }, { "ESTALE", ESTALE } };
	const char *name = getenv("SHIM_ERRNO");
	for (size_t i = 0; name && i < sizeof known / sizeof *known; i++)
		if (strcmp(name, known[i].name) == 0)
			return known[i].error;
	return ENOSPC;
}

/* Counts an event on a matching file; true when it is to fail. */
static bool fails(bool matches)
{
	long at = shim_long("SHIM_FAIL_AT", 0), kill_at = shim_long("SHIM_KILL_AT", 0), us = shim_long("SHIM_SLEEP_US", 0);
	if (!matches)
		return false;
	if (us > 0) {
		struct timespec t = { us / 1000000, us % 1000000 * 1000 };
		(void)nanosleep(&t, NULL);
	}
	if (at <= 0 && kill_at <= 0)
		return false;
	long n = shim_count();
	if (n == kill_at)
		(void)kill(getpid(), SIGKILL);
	if (at <= 0 || n < at || n - at >= shim_long("SHIM_FAIL_FOR", LONG_MAX))
		return false;
	errno = chosen_errno();
	return true;
}

ssize_t write(int fd, const void *data, size_t n)
{
	static ssize_t (*next)(int, const void *, size_t);
	SHIM_NEXT(next, "write");
	if (fails(shim_path_matches(fd))) {
		int error = errno;
		if (shim_long("SHIM_SHORT", 0) && n > 1)
			(void)!next(fd, data, n / 2);
		errno = error;
		return -1;
	}
	return next(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
	static ssize_t (*next)(int, const void *, size_t, off_t);
	SHIM_NEXT(next, "pwrite");
	if (fails(shim_path_matches(fd))) {
		int error = errno;
		if (shim_long("SHIM_SHORT", 0) && n > 1)
			(void)!next(fd, data, n / 2, at);
		errno = error;
		return -1;
	}
	return next(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
	return pwrite(fd, data, n, at);
}

int fsync(int fd)
{
	static int (*next)(int);
	SHIM_NEXT(next, "fsync");
	return fails(shim_path_matches(fd)) ? -1 : next(fd);
}

int fdatasync(int fd)
{
	static int (*next)(int);
	SHIM_NEXT(next, "fdatasync");
	return fails(shim_path_matches(fd)) ? -1 : next(fd);
}

int ftruncate(int fd, off_t n)
{
	static int (*next)(int, off_t);
	SHIM_NEXT(next, "ftruncate");
	return fails(shim_path_matches(fd)) ? -1 : next(fd, n);
}

int ftruncate64(int fd, off64_t n)
{
	return ftruncate(fd, n);
}

int rename(const char *from, const char *to)
{
	static int (*next)(const char *, const char *);
	const char *wanted = getenv("SHIM_PATH");
	SHIM_NEXT(next, "rename");
	return fails(!wanted || strstr(to, wanted)) ? -1 : next(from, to);
}

int unlink(const char *path)
{
	static int (*next)(const char *);
	const char *wanted = getenv("SHIM_PATH");
	SHIM_NEXT(next, "unlink");
	return shim_long("SHIM_UNLINK", 0) && fails(!wanted || strstr(path, wanted)) ? -1 : next(path);
}
