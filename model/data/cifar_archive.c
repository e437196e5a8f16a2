/* cifar_archive.c - the batches of CIFAR-10 in a tar, as the set is published in both of its versions (cifar.h). */
#include "model/data/cifar.h"

#include "model/base/mem.h"
#include "model/data/image_decode.h"
#include "model/formats/tar.h"

#include <stdlib.h>
#include <string.h>

enum { RECORDS_MAX = 60000 }; /* of a batch in an archive, which is held in memory */

bool cifar_archive_is(const char *path)
{
	SCOPED(tar) struct tar *t = NULL;
	const char *name;
	int64_t size;
	struct err ignored = ERR_INIT; /* what is wrong with the archive is told by who reads it */
	if (!tar_is(path) || tar_open(&t, path, &ignored))
		return false;
	while (tar_next(t, &name, &size, &ignored) > 0) {
		if (cifar_is_batch(name, SPLIT_TRAIN) || cifar_is_batch(name, SPLIT_TEST))
			return true;
		if (image_ending_of(name) != ENDING_OTHER)
			return false;
	}
	return false;
}

static int by_path(const void *x, const void *y)
{
	const struct cifar_batch *a = x, *b = y;
	return strcmp(a->path, b->path);
}

int cifar_open_archive(struct cifar *c, const char *path, enum data_split split, struct err *e)
{
	SCOPED(tar) struct tar *t = NULL;
	const char *name;
	int64_t size;
	int more;
	if (tar_open(&t, path, e))
		return -1;
	while ((more = tar_next(t, &name, &size, e)) > 0) {
		if (!cifar_is_batch(name, split))
			continue;
		if (size > (int64_t)RECORDS_MAX * CIFAR_RECORD)
			return err_set(e, "%s: %s: more than %d records: not CIFAR-10", path, name, RECORDS_MAX);
		SCOPED(free) char *place = xstrfmt("%s: %s", path, name);
		uint8_t *bytes = xmalloc((size_t)size + 1);
		if (tar_read(t, bytes, (size_t)size, e)) {
			free(bytes);
			return -1;
		}
		if (cifar_add_bytes(c, bytes, size, place, e))
			return -1;
	}
	qsort(c->batch, (size_t)c->n_batches, sizeof *c->batch, by_path); /* the published ones have them in no order */
	return more;
}
