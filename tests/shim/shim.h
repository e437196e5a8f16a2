/* shim.h - what the preloaded libraries of tests share: their settings come from the environment, and a counter may be
 * shared by a process and its children (SHIM_COUNTER=FILE), so that "the n-th write" means of the whole program. */
#ifndef ABLATE_SHIM_H
#define ABLATE_SHIM_H

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The next function of this name after this library. */
#define SHIM_NEXT(fn, name) \
	do { \
		if (!(fn)) { \
			void *symbol_ = dlsym(RTLD_NEXT, name); \
			memcpy(&(fn), &symbol_, sizeof(fn)); \
		} \
	} while (0)

static inline long shim_long(const char *name, long fallback)
{
	const char *text = getenv(name);
	return text && *text ? strtol(text, NULL, 10) : fallback;
}

/* Counts one event; the first is 1. */
static inline long shim_count(void)
{
	static long own;
	static long *counter;
	if (!counter) {
		const char *path = getenv("SHIM_COUNTER");
		int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
		void *map = MAP_FAILED;
		if (fd >= 0 && ftruncate(fd, (off_t)sizeof(long)) == 0)
			map = mmap(NULL, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (fd >= 0)
			(void)close(fd);
		counter = map == MAP_FAILED ? &own : map;
	}
	return __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

/* Is fd a regular file whose path holds $SHIM_PATH (any path when that is not set)? */
static inline bool shim_path_matches(int fd)
{
	char link[64], path[PATH_MAX];
	const char *wanted = getenv("SHIM_PATH");
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n <= 0 || path[0] != '/' || strncmp(path, "/dev/", 5) == 0)
		return false;
	path[n] = '\0';
	return !wanted || strstr(path, wanted);
}

#endif
