/* placing.h - many small files into a folder, durable before they get their names: merge.c puts journals in place by
 * it, a hundred thousand in one merge.
 *
 *     struct placing p = { .root = runs };
 *     placing_put(&copy, &p, path, data, n, e)   for each: its bytes, beside path, under a name of its own
 *     placing_sync_copies(&p, copies, n, e)      they are on the disk
 *     rename(copy, path)                         for each
 *     placing_sync_names(&p, paths, n, e)        their names are, too, and the folders above them
 *
 * A few files are synced one by one. Many are synced by one syncfs(2) for all: the disk then has a few things to wait
 * for, and not several for each file. That is done where its answer can be trusted: on a file system of this machine
 * (of others, not all wait for their servers), and since Linux 5.8, which tells of writes that failed. */
#ifndef ABLATE_PLACING_H
#define ABLATE_PLACING_H

#include "model/base/err.h"

#include <stddef.h>

struct placing {
	const char *root; /* a folder above all of them, which is there */
	char **grown;     /* folders in which a folder was made */
	int n, cap;
};

/* Makes the folder of path, and writes the bytes to a new file beside it: *copy, heap text. Nothing is synced yet. From
 * any thread. */
MUST_CHECK int placing_put(char **copy, struct placing *p, const char *path, const void *data, size_t n, struct err *e);
MUST_CHECK int placing_sync_copies(const struct placing *p, const char *const *copies, int n, struct err *e);
MUST_CHECK int placing_sync_names(const struct placing *p, const char *const *paths, int n, struct err *e);
void placing_release(struct placing *p);
void scoped_placing(struct placing *p); /* SCOPED(placing) struct placing p = { .root = runs }; */

#endif
