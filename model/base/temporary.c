/* temporary.c - see temporary.h. What a signal handler reads is in memory that is never freed, and it makes only system
 * calls. */
#define _GNU_SOURCE
#include "model/base/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FREE, TAKEN, FILLED };

static struct {
	atomic_int state;
	pid_t owner;
	char path[PATH_MAX];
} remembered[16];
#define N_REMEMBERED ((int)(sizeof remembered / sizeof *remembered))

int temporary_remember(const char *path)
{
	for (int i = 0; i < N_REMEMBERED && strlen(path) < PATH_MAX; i++) {
		int expected = FREE;
		if (!atomic_compare_exchange_strong(&remembered[i].state, &expected, TAKEN))
			continue;
		remembered[i].owner = getpid();
		memcpy(remembered[i].path, path, strlen(path) + 1);
		atomic_store(&remembered[i].state, FILLED);
		return i;
	}
	return -1;
}

void temporary_forget(int i)
{
	if (i >= 0)
		atomic_store(&remembered[i].state, FREE);
}

/* readdir() is not for signal handlers: it allocates. */
static void remove_folder(const char *path)
{
	static _Alignas(struct dirent64) char entries[8192];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (long n; fd >= 0 && (n = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0;)
		for (long at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(entries + at);
			(void)unlinkat(fd, entry->d_name, 0); /* "." and ".." stay */
			at += entry->d_reclen;
		}
	if (fd >= 0)
		(void)close(fd);
	(void)rmdir(path);
}

void temporary_remove_all(void)
{
	int before = errno;
	for (int i = 0; i < N_REMEMBERED; i++)
		if (atomic_load(&remembered[i].state) == FILLED && remembered[i].owner == getpid() &&
		    unlink(remembered[i].path) && errno == EISDIR)
			remove_folder(remembered[i].path);
	errno = before;
}
