/* placing.c - see placing.h. */
#define _GNU_SOURCE
#include "harness/record/placing.h"

#include "harness/record/db.h"
#include "harness/record/host.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define FEW 16 /* files that are synced one by one: syncfs waits for what others wrote, too */

/* --- syncing --- */

/* Before Linux 5.8 syncfs does not say that something could not be written. */
static bool kernel_tells(void)
{
	struct utsname u;
	int major = 0, minor = 0;
	return uname(&u) == 0 && sscanf(u.release, "%d.%d", &major, &minor) == 2 &&
	       (major > 5 || (major == 5 && minor >= 8));
}

/* Everything of the file system that root is on. *done: false where it cannot be done, or not be trusted. */
static int sync_all(bool *done, const char *root, struct err *e)
{
	struct host_fs fs;
	host_fs(&fs, root);
	SCOPED(fd) int fd = fs.network || !kernel_tells() ? -1 : open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*done = fd >= 0 && syncfs(fd) == 0;
	if (fd >= 0 && !*done && errno != ENOSYS && errno != EINVAL)
		return err_code(e, EXIT_RECORD, "%s: cannot sync: %s", root, strerror(errno));
	return 0;
}

int placing_sync_copies(const struct placing *p, const char *const *copies, int n, struct err *e)
{
	bool done = false;
	if (n > FEW && sync_all(&done, p->root, e))
		return -1;
	for (int i = 0; i < n && !done; i++)
		if (db_sync_file(copies[i], e))
			return -1;
	return 0;
}

int placing_sync_names(const struct placing *p, const char *const *paths, int n, struct err *e)
{
	bool done = false;
	if (n > FEW && sync_all(&done, p->root, e))
		return -1;
	for (int i = 0; i < n && !done; i++)
		io_sync_folder_of(paths[i]);
	for (int i = 0; i < p->n && !done; i++) {
		SCOPED(free) char *inside = xstrfmt("%s/.", p->grown[i]);
		io_sync_folder_of(inside);
	}
	return 0;
}

/* --- writing --- */

/* Like io_mkdirs, below root; where folders were made is remembered. */
static int make_folder_of(struct placing *p, const char *path, struct err *e)
{
	SCOPED(free) char *dir = xstrdup(path);
	size_t root = strlen(p->root);
	REQUIRE(strncmp(path, p->root, root) == 0 && path[root] == '/');
	for (char *slash = dir + root + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(dir, 0777) == 0) {
			char *above = xstrndup(dir, (size_t)(strrchr(dir, '/') - dir));
#pragma omp critical(placing)
			VEC_PUSH(p->grown, p->n, p->cap) = above;
		} else if (errno != EEXIST)
			return err_set(e, "%s: cannot create folder: %s", dir, strerror(errno));
		*slash = '/';
	}
	return 0;
}

int placing_put(char **copy, struct placing *p, const char *path, const void *data, size_t n, struct err *e)
{
	char *name;
	if (make_folder_of(p, path, e))
		return -1;
	int fd = io_temporary(&name, path, 0644, e);
	if (fd < 0)
		return -1;
	int rc = io_write_all(fd, data, n, path, e);
	if (close(fd) && !rc)
		rc = err_set(e, "%s: cannot close: %s", path, strerror(errno));
	if (rc) {
		(void)unlink(name);
		free(name);
		return -1;
	}
	*copy = name;
	return 0;
}

void placing_release(struct placing *p)
{
	for (int i = 0; i < p->n; i++)
		free(p->grown[i]);
	free(p->grown);
	p->grown = NULL;
	p->n = p->cap = 0;
}

void scoped_placing(struct placing *p)
{
	placing_release(p);
}
