/* dataset_memory.c - a data set in memory, wherever it came from: what it is known by, the same made smaller, and its
 * release. See dataset.h. */
#include "model/data/dataset.h"

#include "model/base/mem.h"
#include "model/data/image_resize.h"
#include "model/formats/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void dataset_release(struct dataset *d)
{
	if (d->file)
		safetensors_free(d->file);
	else
		free(d->images);
	free(d->labels);
	*d = (struct dataset){ 0 };
}

void dataset_identify(struct dataset *d)
{
	char parts[3][SHA256_HEX];
	SCOPED(free) char *head = xstrfmt("%" PRId64 "x%dx%dx%d", d->n, d->h, d->w, d->c);
	io_sha256(parts[0], head, strlen(head));
	io_sha256(parts[1], d->images, (size_t)(d->n * d->h * d->w * d->c));
	io_sha256(parts[2], d->labels, (size_t)d->n * sizeof *d->labels);
	io_sha256(d->sha256, parts, sizeof parts);
}

int dataset_smaller(struct dataset *out, const struct dataset *whole, int side, struct err *e)
{
	struct dataset d = { .n = whole->n, .h = side, .w = side, .c = whole->c, .classes = whole->classes };
	size_t from = (size_t)whole->h * (size_t)whole->w * (size_t)whole->c,
		   to = (size_t)side * (size_t)side * (size_t)d.c;
	d.images = xcalloc((size_t)d.n, to);
	d.labels = xcalloc((size_t)d.n, sizeof *d.labels);
	memcpy(d.labels, whole->labels, (size_t)d.n * sizeof *d.labels);
	SCOPED(image_u8) struct image_u8 im = { 0 };
	for (int64_t i = 0; i < d.n; i++) {
		if (image_u8_shape(&im, whole->h, whole->w, whole->c, "data set", e)) {
			dataset_release(&d);
			return -1;
		}
		memcpy(im.px, whole->images + (size_t)i * from, from);
		if (image_u8_resize(&im, side, side, FILTER_BOX, "data set", e)) {
			dataset_release(&d);
			return -1;
		}
		memcpy(d.images + (size_t)i * to, im.px, to);
	}
	dataset_identify(&d);
	*out = d;
	return 0;
}
