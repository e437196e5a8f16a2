/* wheels.c - see wheels.h. */
#define _GNU_SOURCE /* pipe2, environ */
#include "model/cuda/wheels.h"

#include "model/base/env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, FOLDERS_BYTES = 4096, WAIT_MS = 10000 };

/* find_spec runs nothing of the package's. With -c, the first folder searched is "", the current one. */
static const char question[] = "import sys\n"
							   "sys.path = [p for p in sys.path if p]\n"
							   "import importlib.util\n"
							   "s = importlib.util.find_spec('nvidia')\n"
							   "print(*(s.submodule_search_locations or [] if s else []), sep='\\n')\n";

/* ---- asking Python --------------------------------------------------------------------------- */

static int left_ms(const struct timespec *start, int wait_ms)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	long used = (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
	return used < wait_ms ? (int)(wait_ms - used) : 0;
}

/* What comes out of fd until its end. False: it did not end in time, or is more than `bytes` hold. */
static bool read_all(char *out, size_t bytes, int fd, int wait_ms)
{
	struct timespec start;
	size_t n = 0;
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	while (n + 1 < bytes) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int ready = poll(&p, 1, left_ms(&start, wait_ms));
		if (ready == 0)
			return false;
		ssize_t got = ready < 0 ? -1 : read(fd, out + n, bytes - 1 - n);
		if (got < 0 && errno != EINTR)
			return false;
		if (got == 0) {
			out[n] = '\0';
			return true;
		}
		n += got > 0 ? (size_t)got : 0;
	}
	return false;
}

/* Starts it with an output that is read here; false: it cannot be started. */
static bool start(pid_t *pid, int *output, const char *python)
{
	char *argv[] = { (char *)python, (char *)"-c", (char *)question, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return false;
	(void)sigemptyset(&none);
	(void)posix_spawnattr_init(&how);
	(void)posix_spawnattr_setsigmask(&how, &none);
	(void)posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
	(void)posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	int rc = posix_spawnp(pid, python, &files, &how, argv, environ);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&how);
	(void)close(ends[1]);
	*output = ends[0];
	if (rc)
		(void)close(ends[0]);
	return rc == 0;
}

bool wheels_ask(char *out, size_t bytes, const char *python, int wait_ms)
{
	pid_t pid;
	int output, status = 0;
	*out = '\0';
	if (!start(&pid, &output, python))
		return false;
	bool whole = read_all(out, bytes, output, wait_ms);
	(void)close(output);
	if (!whole)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR) {
			status = -1;
			break;
		}
	if (!whole || status != 0 || *out != '/') {
		*out = '\0';
		return false;
	}
	return true;
}

/* ---- folders --------------------------------------------------------------------------------- */

static bool readable(char *path, size_t bytes, const char *folder, const char *within, const char *file)
{
	int n = snprintf(path, bytes, "%s/%s%s%s", folder, within, *within ? "/lib/" : "", file);
	return n > 0 && (size_t)n < bytes && access(path, R_OK) == 0;
}

bool wheels_in(char *path, size_t bytes, const char *folder, const char *file)
{
	char first[NAME_MAX + 1] = "", tried[PATH_BYTES];
	const struct dirent *entry;
	if (readable(path, bytes, folder, "", file))
		return true;
	DIR *d = opendir(folder);
	if (!d)
		return false;
	while ((entry = readdir(d)))
		if ((!*first || strcmp(entry->d_name, first) < 0) && readable(tried, sizeof tried, folder, entry->d_name, file))
			(void)snprintf(first, sizeof first, "%s", entry->d_name);
	(void)closedir(d);
	return *first && readable(path, bytes, folder, first, file);
}

static char folders[FOLDERS_BYTES]; /* Python's answer; constant after `ask` */

static void ask(void)
{
	const char *active = env_get(ENV_VIRTUAL_ENV);
	char python[PATH_BYTES];
	(void)snprintf(python, sizeof python, "%s/bin/python3", active ? active : "");
	if (!active || !*active || !wheels_ask(folders, sizeof folders, python, WAIT_MS))
		(void)wheels_ask(folders, sizeof folders, "python3", WAIT_MS);
}

bool wheels_find(char *path, size_t bytes, const char *file)
{
	static pthread_once_t asked = PTHREAD_ONCE_INIT;
	(void)pthread_once(&asked, ask);
	for (const char *line = folders; *line;) {
		char folder[PATH_BYTES];
		size_t n = strcspn(line, "\n");
		(void)snprintf(folder, sizeof folder, "%.*s", (int)n, line);
		if (wheels_in(path, bytes, folder, file))
			return true;
		line += n + (line[n] == '\n');
	}
	return false;
}
