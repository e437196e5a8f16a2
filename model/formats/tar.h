/* tar.h - the members of a tar archive, plain or gzipped, one after the other: what CIFAR-10 is published as. Nothing
 * is ever extracted; a member whose name would leave the folder it is unpacked in is an error all the same. Old, POSIX
 * (with pax's long names and sizes) and GNU headers are read. */
#ifndef ABLATE_TAR_H
#define ABLATE_TAR_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tar;

/* Does the path end in .tar, .tar.gz or .tgz? */
bool tar_is(const char *path);
MUST_CHECK int tar_open(struct tar **out, const char *path, struct err *e);
/* The next regular file: 1 with its name (until the next call) and size, 0 at the end, -1. Links, devices and folders
 * are skipped. */
MUST_CHECK int tar_next(struct tar *t, const char **name, int64_t *size, struct err *e);
/* The same for members of every kind. TAR_OTHER: a device, a sparse file, a part of another archive. */
enum tar_kind { TAR_FILE, TAR_FOLDER, TAR_LINK, TAR_OTHER };
MUST_CHECK int tar_next_any(struct tar *t, const char **name, int64_t *size, enum tar_kind *kind, struct err *e);
/* Where in the file on disk the member's data begin, asked before they are read; -1 in a compressed archive. */
int64_t tar_place(const struct tar *t);
/* Exactly n bytes of the member; more than it has is an error. What is not read is skipped by tar_next. */
MUST_CHECK int tar_read(struct tar *t, void *buf, size_t n, struct err *e);
void tar_free(struct tar *t); /* NULL is fine */
void scoped_tar(struct tar **t);

/* Absolute, with a drive or a backslash, or with a ".." component. */
bool archive_name_escapes(const char *name);

#endif
