/* dataset_memory.c - a data set in memory, wherever it came from: what it is known by, and its release. See
 * dataset.h. */
#include "model/data/dataset.h"

#include "model/base/mem.h"
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
