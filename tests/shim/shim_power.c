/* shim_power.c - preloaded: keeps what a disk would hold if the power went, and takes the power away. For end-to-end
 * tests of what is durable (e2e/power.sh, which makes files and folders of it again).
 *
 * SHIM_DISK=DIR      what is durable, by inode: DIR/files/KEY is the content of a file as of its last fsync,
 *                    fdatasync, or syncfs of a folder above it, DIR/folders/KEY the entries of a folder as of its own,
 *                    each a line "f KEY NAME" or "d KEY NAME". Nothing else survives: neither a written file nor a name
 *                    that its folder was not synced for, as POSIX has it.
 * SHIM_CUT_AT=N      before the N-th write, sync, truncation, rename, removal or new folder of a matching path the
 *                    whole process group is killed; 0 = never
 * SHIM_CUT_AFTER=N   the same, after the N-th sync: the moment at which one file is ahead of all that depends on it
 * SHIM_PATH=TEXT     only paths that hold TEXT; a folder counts by its own path
 * SHIM_COUNTER=FILE  count over all processes, in this file */
#define _GNU_SOURCE
#include "tests/shim/shim.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

static bool is_ours(const char *path)
{
	const char *wanted = getenv("SHIM_PATH");
	return !wanted || strstr(path, wanted);
}

static void count(const char *which)
{
	long at = shim_long(which, 0);
	if (at > 0 && shim_count() >= at)
		(void)kill(0, SIGKILL);
}

static void before(bool matches)
{
	if (matches)
		count("SHIM_CUT_AT");
}

/* Inodes are given again to new files: their time of birth tells them apart. */
static bool key_of(char out[64], int folder, const char *name, bool *is_folder)
{
	struct statx s;
	if (statx(folder, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_TYPE | STATX_BTIME, &s))
		return false;
	*is_folder = S_ISDIR(s.stx_mode);
	(void)snprintf(out, 64, "%llu-%lld.%09u", (unsigned long long)s.stx_ino, (long long)s.stx_btime.tv_sec,
	               s.stx_btime.tv_nsec);
	return S_ISREG(s.stx_mode) || S_ISDIR(s.stx_mode);
}

static FILE *part_of(char part[PATH_MAX], const char *disk, const char *kind, const char *key)
{
	(void)snprintf(part, PATH_MAX, "%s/%s/%s.part-%d", disk, kind, key, (int)getpid());
	return fopen(part, "we");
}

static void put(FILE *f, const char *part, const char *disk, const char *kind, const char *key)
{
	static int (*next)(const char *, const char *);
	char whole[PATH_MAX];
	SHIM_NEXT(next, "rename");
	(void)snprintf(whole, sizeof whole, "%s/%s/%s", disk, kind, key);
	if (fclose(f) || next(part, whole))
		abort(); /* a test that goes on without it would show nothing */
}

static void keep_file(int fd, const char *disk, const char *key)
{
	char part[PATH_MAX], bytes[1 << 16];
	FILE *f = part_of(part, disk, "files", key);
	char own[64];
	(void)snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
	int from = open(own, O_RDONLY | O_CLOEXEC); /* fd may be open for writing alone */
	if (!f || from < 0)
		abort();
	for (ssize_t n; (n = read(from, bytes, sizeof bytes)) > 0;)
		if (fwrite(bytes, 1, (size_t)n, f) != (size_t)n)
			abort();
	(void)close(from);
	put(f, part, disk, "files", key);
}

static void keep_folder(int fd, const char *disk, const char *key)
{
	char part[PATH_MAX], own[64];
	FILE *f = part_of(part, disk, "folders", key);
	(void)snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
	DIR *d = opendir(own);
	if (!f || !d)
		abort();
	for (struct dirent *entry; (entry = readdir(d));) {
		char child[64];
		bool is_folder;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    key_of(child, fd, entry->d_name, &is_folder))
			(void)fprintf(f, "%c %s %s\n", is_folder ? 'd' : 'f', child, entry->d_name);
	}
	(void)closedir(d);
	put(f, part, disk, "folders", key);
}

/* What is synced now is durable from here on. */
static void keep(int fd)
{
	const char *disk = getenv("SHIM_DISK");
	char key[64];
	bool is_folder;
	if (!disk || !key_of(key, fd, "", &is_folder))
		return;
	if (is_folder)
		keep_folder(fd, disk, key);
	else
		keep_file(fd, disk, key);
}

ssize_t write(int fd, const void *data, size_t n)
{
	static ssize_t (*next)(int, const void *, size_t);
	SHIM_NEXT(next, "write");
	before(shim_path_matches(fd));
	return next(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
	static ssize_t (*next)(int, const void *, size_t, off_t);
	SHIM_NEXT(next, "pwrite");
	before(shim_path_matches(fd));
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
	bool ours = shim_path_matches(fd);
	before(ours);
	int rc = next(fd);
	if (rc == 0 && ours) {
		keep(fd);
		count("SHIM_CUT_AFTER");
	}
	return rc;
}

/* All that is below the folder; a link from elsewhere cannot be told apart, and there is none. */
static void keep_below(int folder)
{
	char own[64];
	(void)snprintf(own, sizeof own, "/proc/self/fd/%d", folder);
	DIR *d = opendir(own);
	if (!d)
		abort();
	for (struct dirent *entry; (entry = readdir(d));) {
		struct stat st;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
			continue;
		int fd = openat(folder, entry->d_name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			abort();
		keep(fd);
		if (S_ISDIR(st.st_mode))
			keep_below(fd);
		(void)close(fd);
	}
	(void)closedir(d);
}

int syncfs(int fd)
{
	static int (*next)(int);
	SHIM_NEXT(next, "syncfs");
	bool ours = shim_path_matches(fd);
	before(ours);
	int rc = next(fd);
	if (rc == 0 && ours && getenv("SHIM_DISK")) {
		keep(fd);
		keep_below(fd);
		count("SHIM_CUT_AFTER");
	}
	return rc;
}

int fdatasync(int fd)
{
	return fsync(fd);
}

int ftruncate(int fd, off_t n)
{
	static int (*next)(int, off_t);
	SHIM_NEXT(next, "ftruncate");
	before(shim_path_matches(fd));
	return next(fd, n);
}

int ftruncate64(int fd, off64_t n)
{
	return ftruncate(fd, n);
}

int rename(const char *from, const char *to)
{
	static int (*next)(const char *, const char *);
	SHIM_NEXT(next, "rename");
	before(is_ours(to));
	return next(from, to);
}

int unlink(const char *path)
{
	static int (*next)(const char *);
	SHIM_NEXT(next, "unlink");
	before(is_ours(path));
	return next(path);
}

int mkdir(const char *path, mode_t mode)
{
	static int (*next)(const char *, mode_t);
	SHIM_NEXT(next, "mkdir");
	before(is_ours(path));
	return next(path, mode);
}
