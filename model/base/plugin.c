/* plugin.c - see plugin.h. */
#define _GNU_SOURCE
#include "model/base/plugin.h"

#include "model/base/mem.h"
#include "model/base/plugin_note.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* May the file's owner alone write by way of its group? With an access list the group's bits are the list's. */
static bool is_own_group(int fd, const struct stat *st)
{
	const struct passwd *user = getpwuid(st->st_uid);
	SCOPED(free) char *owner = user ? xstrdup(user->pw_name) : NULL;
	const struct group *group = owner ? getgrgid(st->st_gid) : NULL;
	if (!group || strcmp(group->gr_name, owner) != 0 || fgetxattr(fd, "system.posix_acl_access", NULL, 0) > 0)
		return false;
	for (char *const *member = group->gr_mem; *member; member++)
		if (strcmp(*member, owner) != 0)
			return false;
	return true;
}

/* Can nobody but root and the user have written this? */
static int check_writers(int fd, const struct stat *st, const char *path, struct err *e)
{
	const unsigned mode = st->st_mode & 07777;
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(e,
		               "%s: not opened: it belongs to uid %ld, neither to you (uid %ld) nor to root; if you trust it: "
		               "chown %ld %s",
		               path, (long)st->st_uid, (long)geteuid(), (long)geteuid(), path);
	if (S_ISDIR(st->st_mode) && (mode & S_ISVTX) && (mode & S_IWOTH))
		return err_set(e,
		               "%s: nothing is opened there: everybody may put files into it (mode %04o); move the plugin "
		               "to a folder of your own",
		               path, mode);
	if ((mode & S_IWOTH) || ((mode & S_IWGRP) && !is_own_group(fd, st)))
		return err_set(e, "%s: not opened: others may write %s (mode %04o); if what is there is yours: chmod go-w %s",
		               path, S_ISDIR(st->st_mode) ? "into this folder" : "it", mode, path);
	return 0;
}

static int check_build(int fd, size_t n, const char *path, struct err *e)
{
	char id[PLUGIN_ID];
	void *file = n ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	if (file == MAP_FAILED)
		return err_set(e, "%s: cannot read: %s", path, strerror(errno));
	int rc = plugin_note_read(id, file ? file : "", n, path, e);
	if (file)
		(void)munmap(file, n);
	if (rc)
		return -1;
	if (strcmp(id, ABLATE_PLUGIN_BUILD_ID) != 0)
		return err_set(e, "%s: built from other sources (%.12s, the program's are %.12s); rebuild both", path, id,
		               ABLATE_PLUGIN_BUILD_ID);
	return 0;
}

/* FOLDER is open and NAME lies in it. */
static int check_file(int folder, const char *name, const char *path, struct err *e)
{
	struct stat st;
	SCOPED(fd) int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP
		           ? err_set(e, "%s: not opened: it is a symbolic link; name or copy the file it leads to", path)
		           : err_set(e, "%s: cannot open: %s", path, strerror(errno));
	if (fstat(fd, &st))
		return err_set(e, "%s: cannot look at it: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, "%s: not opened: not a file", path);
	return check_writers(fd, &st, path, e) || check_build(fd, (size_t)st.st_size, path, e) ? -1 : 0;
}

int plugin_open(void **out, const char *path, int flags, struct err *e)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	SCOPED(free) char *above = slash ? xstrndup(path, (size_t)(slash - path) + (slash == path)) : xstrdup(".");
	SCOPED(fd) int folder = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	if (folder < 0 || fstat(folder, &st))
		return err_set(e, "%s: cannot open: %s", path, strerror(errno));
	if (check_writers(folder, &st, above, e) || check_file(folder, name, path, e))
		return -1;
	SCOPED(free) char *held = xstrfmt("/proc/self/fd/%d/%s", folder, name); /* the folder that was looked at */
	void *library = dlopen(held, flags);
	if (!library) {
		const char *why = dlerror();
		size_t own = strlen(held);
		return err_set(e, "%s: %s", path, strncmp(why, held, own) == 0 && why[own] == ':' ? why + own + 2 : why);
	}
	folder = -1; /* stays open with the library, which the linker knows by a name with this number in it */
	*out = library;
	return 0;
}
