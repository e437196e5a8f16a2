/* source_idx.c - pictures in IDX files: MNIST and its descendants, .gz too. */
#define _GNU_SOURCE
#include "metrics/sources/class_labels.h"

#include "model/base/mem.h"
#include "model/data/idx.h"

#include <stdlib.h>
#include <string.h>

static bool idx_source_is(struct source *s, const uint8_t *head, size_t n)
{
	size_t len = strlen(s->path);
	bool gzip = n >= 2 && head[0] == 0x1f && head[1] == 0x8b;
	return idx_is(head, n) || (gzip && len > 3 && strcmp(s->path + len - 3, ".gz") == 0);
}

static int idx_source_open(struct source *s, struct err *e)
{
	struct idx *x = s->self = xcalloc(1, sizeof *x);
	if (idx_open_images(x, s->path, e))
		return -1;
	s->n = x->dims[0];
	return image_u8_check(x->dims[1], x->dims[2], s->path, e);
}

static int idx_source_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	return idx_image(im, s->self, i, s->path, e);
}

/* Of the file beside this one, where there is one. */
static int idx_source_labels(struct class_labels *out, struct source *s, struct err *e)
{
	SCOPED(free) char *beside = idx_labels_beside(s->path);
	struct idx labels;
	if (!beside)
		return 0;
	if (idx_open_labels(&labels, beside, s->n, e))
		return -1;
	class_labels_init(out, s->n);
	for (int64_t i = 0; i < s->n; i++)
		out->of[i] = labels.data[i];
	idx_release(&labels);
	return 0;
}

static void idx_source_close(struct source *s)
{
	idx_release(s->self);
	free(s->self);
}

const struct source_kind source_idx = {
	.name = "idx",
	.text = "an IDX file",
	.is = idx_source_is,
	.open = idx_source_open,
	.read = idx_source_read,
	.item = source_item_of_array,
	.labels = idx_source_labels,
	.close = idx_source_close,
};
