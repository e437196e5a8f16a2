/* source_cifar.c - pictures of CIFAR-10: a binary file, and the folder or published archive that its files of either
 * version come in. */
#define _GNU_SOURCE
#include "metrics/sources/class_labels.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/cifar.h"

#include <stdlib.h>
#include <string.h>

static bool cifar_source_is(struct source *s, const uint8_t *head, size_t n)
{
	(void)head;
	(void)n;
	if (!io_is_dir(s->path)) {
		size_t len = strlen(s->path);
		return (len > 4 && strcmp(s->path + len - 4, ".bin") == 0) || cifar_archive_is(s->path);
	}
	SCOPED(free) char *first = cifar_batch_path(s->path, SPLIT_TRAIN, 0);
	return io_exists(first);
}

static int open_archive(struct cifar *c, const char *path, struct err *e)
{
	if (cifar_open_archive(c, path, SPLIT_TRAIN, e))
		return -1;
	return c->n_batches == CIFAR_BATCHES
	           ? 0
	           : err_set(e, "%s: %d of the %d files of CIFAR-10's training set", path, c->n_batches, CIFAR_BATCHES);
}

/* A folder or an archive means the training set: all of its files. */
static int cifar_source_open(struct source *s, struct err *e)
{
	struct cifar *c = s->self = xcalloc(1, sizeof *c);
	if (io_is_dir(s->path)          ? cifar_open_split(c, s->path, SPLIT_TRAIN, e)
	    : cifar_archive_is(s->path) ? open_archive(c, s->path, e)
	                                : cifar_open(c, s->path, e))
		return -1;
	s->n = c->n;
	return 0;
}

static void cifar_item(const struct source *s, int64_t i, struct str *out)
{
	const struct cifar_batch *b = cifar_batch_of(s->self, &i);
	str_addf(out, "%s[%lld]", b->path, (long long)i);
}

static int cifar_source_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	return cifar_image(im, s->self, i, e);
}

static int cifar_labels(struct class_labels *out, struct source *s, struct err *e)
{
	class_labels_init(out, s->n);
	for (int64_t i = 0; i < s->n; i++) {
		int label;
		if (cifar_read(s->self, i, NULL, &label, e))
			return -1;
		out->of[i] = label;
	}
	return 0;
}

static void cifar_close(struct source *s)
{
	cifar_release(s->self);
	free(s->self);
}

const struct source_kind source_cifar = {
	.name = "cifar",
	.text = "CIFAR-10's files",
	.is = cifar_source_is,
	.open = cifar_source_open,
	.read = cifar_source_read,
	.item = cifar_item,
	.labels = cifar_labels,
	.close = cifar_close,
};
