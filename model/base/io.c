/* io.c - see io.h. */
#define _GNU_SOURCE
#include "model/base/io.h"

#include "model/base/mem.h"
#include "model/base/temporary.h"
#include "model/base/env.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

int io_read(struct str *out, const char *path, size_t max, struct err *e)
{
	bool is_stdin = strcmp(path, "-") == 0;
	SCOPED(fd) int own = -1;
	int fd = STDIN_FILENO;
	if (!is_stdin) {
		own = fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_set(e, "%s: cannot open: %s", path, strerror(errno));
	}
	SCOPED(str) struct str s = { 0 };
	char buf[1 << 16];
	for (;;) {
		ssize_t n = read(fd, buf, sizeof buf);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, "%s: cannot read: %s", path, strerror(errno));
		if (n == 0)
			break;
		if (s.len + (size_t)n > max)
			return err_set(e, "%s: larger than %zu bytes", path, max);
		str_addn(&s, buf, (size_t)n);
	}
	str_addn(&s, "", 0); /* so that data is never NULL */
	*out = s;
	s = (struct str){ 0 };
	return 0;
}

int io_write_all(int fd, const void *data, size_t n, const char *path, struct err *e)
{
	const char *p = data;
	while (n) {
		ssize_t k = write(fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_set(e, "%s: cannot write: %s", path, strerror(errno));
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

enum { NAMES_TRIED = 16 };

static char *temporary_name(const char *path, int tries)
{
	uint32_t any = 0;
	if (tries == 0)
		return xstrfmt("%s.tmp-%ld", path, (long)getpid());
	if (getrandom(&any, sizeof any, 0) != (ssize_t)sizeof any)
		BUG("getrandom gave fewer than %zu bytes", sizeof any);
	return xstrfmt("%s.tmp-%ld-%08" PRIx32, path, (long)getpid(), any);
}

int io_temporary(char **name, const char *path, mode_t mode, struct err *e)
{
	int why = EEXIST;
	for (int tries = 0; tries < NAMES_TRIED && why == EEXIST; tries++) {
		char *own = temporary_name(path, tries);
		int fd = open(own, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd >= 0) {
			*name = own;
			return fd;
		}
		why = errno;
		free(own);
	}
	return err_set(e, "%s: cannot create: %s", path, strerror(why));
}

int io_temporary_folder(char **name, const char *path, struct err *e)
{
	int why = EEXIST;
	SCOPED(free) char *copy = xstrdup(path);
	if (io_mkdirs(dirname(copy), e))
		return -1;
	for (int tries = 0; tries < NAMES_TRIED && why == EEXIST; tries++) {
		char *own = temporary_name(path, tries);
		if (mkdir(own, 0777) == 0) {
			*name = own;
			return 0;
		}
		why = errno;
		free(own);
	}
	return err_set(e, "%s: cannot create folder: %s", path, strerror(why));
}

/* A device or a pipe, as io_is_special found it: what has become a file since then is not written into. */
static int open_special(const char *path)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		return fd;
	if (fd >= 0) {
		(void)close(fd);
		errno = EEXIST;
	}
	return -1;
}

int io_atomic_open(struct io_atomic *out, const char *path, struct err *e)
{
	bool special = io_is_special(path);
	struct io_atomic f = { .path = xstrdup(path) };
	f.fd = special ? open_special(path) : io_temporary(&f.tmp_path, path, 0644, e);
	if (f.fd < 0) {
		if (special)
			(void)err_set(e, "%s: cannot open: %s", path, strerror(errno));
		free(f.path);
		return -1;
	}
	f.temporary = special ? -1 : temporary_remember(f.tmp_path);
	*out = f;
	return 0;
}

int io_atomic_write(struct io_atomic *f, const void *data, size_t n, struct err *e)
{
	if (io_write_all(f->fd, data, n, f->path, e)) {
		io_atomic_abort(f);
		return -1;
	}
	return 0;
}

static void forget(struct io_atomic *f)
{
	temporary_forget(f->temporary);
	free(f->path);
	free(f->tmp_path);
	*f = (struct io_atomic){ .fd = -1, .temporary = -1 };
}

int io_sync_file(const char *path, struct err *e)
{
	SCOPED(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && (fdatasync(fd) == 0 || errno == EINVAL || errno == EROFS)
	           ? 0
	           : err_set(e, "%s: cannot sync: %s", path, strerror(errno));
}

void io_sync_folder_of(const char *path)
{
	SCOPED(free) char *copy = xstrdup(path);
	SCOPED(fd) int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)fsync(fd); /* some file systems refuse to sync a directory: the rename itself stays atomic */
}

int io_atomic_commit(struct io_atomic *f, struct err *e)
{
	const char *failed = f->tmp_path && fsync(f->fd) ? "sync" : NULL;
	if (close(f->fd) && !failed)
		failed = "close";
	f->fd = -1;
	if (!failed && f->tmp_path && rename(f->tmp_path, f->path))
		failed = "rename";
	if (failed) {
		(void)err_set(e, "%s: cannot %s: %s", f->path, failed, strerror(errno));
		io_atomic_abort(f);
		return -1;
	}
	if (f->tmp_path)
		io_sync_folder_of(f->path);
	forget(f);
	return 0;
}

void io_atomic_abort(struct io_atomic *f)
{
	if (!f->path)
		return;
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->tmp_path)
		(void)unlink(f->tmp_path);
	forget(f);
}

int io_atomic_possible(const char *path, struct err *e)
{
	struct io_atomic f;
	if (!*path)
		return err_code(e, EXIT_USAGE, "the name of the file to write is empty");
	if (io_is_dir(path))
		return err_set(e, "%s: cannot create: it is a folder", path);
	if (io_is_special(path)) /* to open a FIFO and close it again would end its reader's input */
		return 0;
	if (io_atomic_open(&f, path, e))
		return -1;
	io_atomic_abort(&f);
	return 0;
}

int io_write_atomic(const char *path, const void *data, size_t n, struct err *e)
{
	struct io_atomic f;
	if (io_atomic_open(&f, path, e) || io_atomic_write(&f, data, n, e))
		return -1;
	return io_atomic_commit(&f, e);
}

int io_mkdirs(const char *path, struct err *e)
{
	SCOPED(free) char *p = xstrdup(path);
	for (char *s = p + 1; *p; s++) {
		if (*s != '/' && *s != '\0')
			continue;
		char keep = *s;
		*s = '\0';
		if (mkdir(p, 0777) == 0)
			io_sync_folder_of(p);
		else if (errno != EEXIST)
			return err_set(e, "%s: cannot create folder: %s", p, strerror(errno));
		*s = keep;
		if (!keep)
			break;
	}
	if (!io_is_dir(path))
		return err_set(e, "%s: not a folder", path);
	return 0;
}

bool io_exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

bool io_is_dir(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool io_is_special(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* Of a user without a home, as in a container that runs as any number. Everybody may put a folder of that name into
 * /tmp first, and what a cache holds is believed. */
static char *cache_without_home(void)
{
	char *path = xstrfmt("/tmp/ablate-%ld", (long)geteuid());
	struct stat st;
	(void)mkdir(path, 0700); /* a failure to is told by who writes there */
	if (lstat(path, &st) == 0 && (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022)))
		err_give_up("%s: not a folder that only uid %ld may write, so not used as the cache: set HOME or ABLATE_CACHE",
		            path, (long)geteuid());
	return path;
}

char *io_config_file(const char *name)
{
	const char *xdg = env_get(ENV_XDG_CONFIG_HOME), *home = env_get(ENV_HOME);
	if (xdg && *xdg == '/')
		return xstrfmt("%s/ablate/%s", xdg, name);
	return home && *home ? xstrfmt("%s/.config/ablate/%s", home, name) : NULL;
}

char *io_cache_dir(void)
{
	const char *own = env_get(ENV_ABLATE_CACHE), *xdg = env_get(ENV_XDG_CACHE_HOME), *home = env_get(ENV_HOME);
	if (own && *own)
		return xstrdup(own);
	if (xdg && *xdg == '/') /* the specification says to ignore a relative one */
		return xstrfmt("%s/ablate", xdg);
	const struct passwd *user = home && *home ? NULL : getpwuid(getuid());
	if (user && user->pw_dir && *user->pw_dir)
		home = user->pw_dir;
	return home && *home ? xstrfmt("%s/.cache/ablate", home) : cache_without_home();
}

void io_sha256(char hex[SHA256_HEX], const void *data, size_t n)
{
	struct sha256 h;
	sha256_init(&h);
	sha256_add(&h, data, n);
	sha256_hex(hex, &h);
}

int io_sha256_file(char hex[SHA256_HEX], const char *path, struct err *e)
{
	SCOPED(file) FILE *f = fopen(path, "rbe");
	if (!f)
		return err_set(e, "%s: cannot open: %s", path, strerror(errno));
	struct sha256 h;
	sha256_init(&h);
	static _Thread_local char buf[1 << 16];
	for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;)
		sha256_add(&h, buf, n);
	if (ferror(f))
		return err_set(e, "%s: cannot read: %s", path, strerror(errno));
	sha256_hex(hex, &h);
	return 0;
}
