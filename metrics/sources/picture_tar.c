/* picture_tar.c - the files in a tar (picture_files.h). Of a plain archive a file is read where it lies; of a
 * compressed one, which knows no way back, the pictures are put into an unlinked temporary file on the way. */
#define _GNU_SOURCE
#include "metrics/sources/picture_place.h"

#include "model/base/env.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/image_decode.h"
#include "model/formats/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tar_files {
	int fd;          /* of the archive, or of the temporary file */
	int64_t written; /* bytes in the latter */
	bool copied;
};

bool picture_tar_is(const char *path)
{
	SCOPED(file) FILE *f = fopen(path, "rbe");
	char head[262];
	bool posix = f && fread(head, 1, sizeof head, f) == sizeof head && memcmp(head + 257, "ustar", 5) == 0;
	return f && (posix || tar_is(path));
}

static int open_temporary(struct tar_files *x, struct err *e)
{
	const char *dir = env_get(ENV_TMPDIR);
	SCOPED(free) char *path = xstrfmt("%s/ablate-pictures-XXXXXX", dir && *dir ? dir : "/tmp");
	x->fd = mkostemp(path, O_CLOEXEC);
	if (x->fd < 0)
		return err_set(e, "%s: cannot create: %s", path, strerror(errno));
	(void)unlink(path);
	x->copied = true;
	return 0;
}

/* The rest of the member, whose first n bytes are `head`, to the end of the temporary file; where it begins there. */
static int64_t copy_member(struct tar_files *x, struct tar *t, const uint8_t *head, size_t n, int64_t size,
                           struct err *e)
{
	static const char *const what = "temporary file of pictures";
	int64_t at = x->written;
	uint8_t buf[1 << 14];
	if (x->fd < 0 && open_temporary(x, e))
		return -1;
	if (io_write_all(x->fd, head, n, what, e))
		return -1;
	for (int64_t left = size - (int64_t)n; left > 0;) {
		size_t some = left < (int64_t)sizeof buf ? (size_t)left : sizeof buf;
		if (tar_read(t, buf, some, e) || io_write_all(x->fd, buf, some, what, e))
			return -1;
		left -= (int64_t)some;
	}
	x->written += size;
	return at;
}

static int meet_file(struct picture_files *p, struct tar *t, const char *name, int64_t size, struct err *e)
{
	int verdict = picture_judge(p, name, e);
	bool yes = verdict == PICTURE_YES, labels = picture_is_labels(name);
	if (verdict < 0 || verdict == PICTURE_HIDDEN)
		return verdict < 0 ? -1 : 0;
	SCOPED(free) char *kept = xstrdup(name); /* the reader's name lasts until its next call */
	uint8_t head[IMAGE_HEAD];
	size_t n = size < IMAGE_HEAD ? (size_t)size : IMAGE_HEAD;
	int64_t at = tar_place(t);
	if (tar_read(t, head, n, e) || (verdict == PICTURE_LOOK && picture_look(p, &yes, kept, head, n, e)))
		return -1;
	if (!yes && !labels)
		return 0;
	if (at < 0 && (at = copy_member(p->self, t, head, n, size, e)) < 0)
		return -1;
	if (yes)
		picture_add(p, kept, at, size);
	else
		picture_add_labels(p, kept, at, size);
	return 0;
}

static int meet(struct picture_files *p, struct tar *t, const char *name, int64_t size, enum tar_kind kind,
                struct err *e)
{
	while (strncmp(name, "./", 2) == 0) /* as `tar -c .` writes them */
		name += 2;
	if (kind == TAR_FOLDER)
		return 0;
	if (kind == TAR_FILE)
		return meet_file(p, t, name, size, e);
	int verdict = picture_judge(p, name, e);
	if (verdict < 0 || verdict == PICTURE_HIDDEN)
		return verdict < 0 ? -1 : 0;
	SCOPED(free) char *item = picture_item(p, name);
	if (kind == TAR_LINK)
		return err_set(e,
		               "%s: a link, which is not followed; pack the files themselves: tar --dereference "
		               "--hard-dereference",
		               item);
	return err_set(e, "%s: not a regular file", item);
}

static int tar_list(struct picture_files *p, struct err *e)
{
	struct tar_files *x = p->self = xcalloc(1, sizeof *x);
	SCOPED(tar) struct tar *t = NULL;
	const char *name;
	int64_t size;
	enum tar_kind kind;
	int more;
	x->fd = -1;
	if (tar_open(&t, p->path, e))
		return -1;
	while ((more = tar_next_any(t, &name, &size, &kind, e)) > 0)
		if (meet(p, t, name, size, kind, e))
			return -1;
	if (more < 0 || x->copied)
		return more;
	x->fd = open(p->path, O_RDONLY | O_CLOEXEC);
	return x->fd < 0 ? err_set(e, "%s: cannot open: %s", p->path, strerror(errno)) : 0;
}

static int tar_read_file(struct picture_files *p, int64_t at, int64_t size, const char *file, struct str *out,
                         size_t max, const char *name, struct err *e)
{
	(void)file;
	const struct tar_files *x = p->self;
	if ((uint64_t)size > max)
		return err_set(e, "%s: larger than %zu bytes", name, max);
	SCOPED(free) char *bytes = xmalloc((size_t)size + 1);
	for (int64_t got = 0; got < size;) {
		ssize_t k = pread(x->fd, bytes + got, (size_t)(size - got), at + got);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return err_set(e, "%s: %s", name, k < 0 ? strerror(errno) : "the archive was cut off meanwhile");
		got += k;
	}
	str_addn(out, bytes, (size_t)size);
	return 0;
}

static void tar_close(struct picture_files *p)
{
	struct tar_files *x = p->self;
	if (x->fd >= 0)
		(void)close(x->fd);
	free(x);
}

const struct picture_place picture_tar = {
	.text = "a tar of pictures", .between = ":", .list = tar_list, .read = tar_read_file, .close = tar_close
};
