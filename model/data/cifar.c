/* cifar.c - see cifar.h. */
#define _GNU_SOURCE
#include "model/data/cifar.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const names[][CIFAR_BATCHES] = {
	[SPLIT_TRAIN] = { "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
	                  "data_batch_5.bin" },
	[SPLIT_TEST] = { "test_batch.bin" },
};

enum { BINARY = 4 }; /* of ".bin", which names of the Python version do not have */

char *cifar_batch_path(const char *folder, enum data_split split, int k)
{
	if (k >= CIFAR_BATCHES || !names[split][k])
		return NULL;
	char *path = xstrfmt("%s/%s", folder, names[split][k]);
	SCOPED(free) char *python = xstrndup(path, strlen(path) - BINARY);
	if (!io_exists(path) && io_exists(python)) {
		free(path);
		path = python;
		python = NULL;
	}
	return path;
}

bool cifar_is_batch(const char *path, enum data_split split)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	for (int k = 0; k < CIFAR_BATCHES && names[split][k]; k++)
		if (strcmp(name, names[split][k]) == 0 ||
		    (strlen(name) == strlen(names[split][k]) - BINARY && strncmp(name, names[split][k], strlen(name)) == 0))
			return true;
	return false;
}

/* Takes over f or bytes in any case. size: of either. */
static int add_batch(struct cifar *c, FILE *f, uint8_t *bytes, int64_t size, const char *path, struct err *e)
{
	bool whole = size > 0 && size % CIFAR_RECORD == 0;
	if (whole && c->n_batches < CIFAR_BATCHES) {
		c->batch[c->n_batches++] = (struct cifar_batch){ f, bytes, xstrdup(path), size / CIFAR_RECORD };
		c->n += size / CIFAR_RECORD;
		return 0;
	}
	if (f)
		(void)fclose(f);
	free(bytes);
	if (whole)
		return err_set(e, "%s: CIFAR-10 has no more than %d batches", path, CIFAR_BATCHES);
	return err_set(
		e,
		"%s: not a CIFAR-10 binary file (or truncated): its %lld bytes are not a multiple of the %d bytes of a record",
		path, (long long)size, CIFAR_RECORD);
}

#define PICKLE_MAX ((size_t)256 << 20) /* a batch of 10,000 pictures has 31 MB */

static int add_file(struct cifar *c, const char *path, struct err *e)
{
	struct stat st = { 0 };
	FILE *f = fopen(path, "rbe");
	if (!f || fstat(fileno(f), &st)) {
		(void)err_set(e, "%s: cannot open: %s", path, strerror(errno));
		if (f)
			(void)fclose(f);
		return -1;
	}
	uint8_t head[2];
	if (fread(head, 1, sizeof head, f) != sizeof head || !cifar_is_pickle(head, sizeof head))
		return add_batch(c, f, NULL, st.st_size, path, e);
	(void)fclose(f);
	SCOPED(str) struct str all = { 0 };
	uint8_t *records;
	int64_t size;
	if (io_read(&all, path, PICKLE_MAX, e) ||
	    cifar_from_pickle(&records, &size, (const uint8_t *)all.data, all.len, path, e))
		return -1;
	return add_batch(c, NULL, records, size, path, e);
}

int cifar_open(struct cifar *out, const char *path, struct err *e)
{
	*out = (struct cifar){ 0 };
	return add_file(out, path, e);
}

int cifar_open_split(struct cifar *out, const char *folder, enum data_split split, struct err *e)
{
	struct cifar c = { 0 };
	for (int k = 0; k < CIFAR_BATCHES && names[split][k]; k++) {
		SCOPED(free) char *path = cifar_batch_path(folder, split, k);
		if (add_file(&c, path, e)) {
			cifar_release(&c);
			return -1;
		}
	}
	*out = c;
	return 0;
}

int cifar_add_bytes(struct cifar *c, uint8_t *bytes, int64_t n, const char *name, struct err *e)
{
	if (n >= 2 && cifar_is_pickle(bytes, (size_t)n)) {
		uint8_t *records;
		int rc = cifar_from_pickle(&records, &n, bytes, (size_t)n, name, e);
		free(bytes);
		if (rc)
			return -1;
		bytes = records;
	}
	return add_batch(c, NULL, bytes, n, name, e);
}

const struct cifar_batch *cifar_batch_of(const struct cifar *c, int64_t *i)
{
	REQUIRE(*i >= 0 && *i < c->n);
	const struct cifar_batch *b = c->batch;
	while (*i >= b->n)
		*i -= b++->n;
	return b;
}

/* Planes to H,W,C. */
static void interleave(uint8_t px[CIFAR_PIXELS], const uint8_t planes[CIFAR_PIXELS])
{
	enum { PLANE = CIFAR_SIDE * CIFAR_SIDE };
	for (int i = 0; i < PLANE; i++)
		for (int c = 0; c < 3; c++)
			px[3 * i + c] = planes[c * PLANE + i];
}

int cifar_read(struct cifar *c, int64_t i, uint8_t px[CIFAR_PIXELS], int *label, struct err *e)
{
	const struct cifar_batch *b = cifar_batch_of(c, &i);
	uint8_t record[CIFAR_RECORD];
	const uint8_t *at = record;
	if (b->bytes)
		at = b->bytes + i * CIFAR_RECORD;
	else if (fseeko(b->f, i * CIFAR_RECORD, SEEK_SET) || fread(record, 1, sizeof record, b->f) != sizeof record)
		return err_set(e, "%s: cannot read record %lld", b->path, (long long)i);
	if (at[0] >= CIFAR_CLASSES)
		return err_set(e, "%s: record %lld has label %d: not CIFAR-10", b->path, (long long)i, at[0]);
	if (label)
		*label = at[0];
	if (px)
		interleave(px, at + 1);
	return 0;
}

int cifar_image(struct image_u8 *im, struct cifar *c, int64_t i, struct err *e)
{
	if (image_u8_shape(im, CIFAR_SIDE, CIFAR_SIDE, 3, c->batch[0].path, e))
		return -1;
	return cifar_read(c, i, im->px, NULL, e);
}

void cifar_release(struct cifar *c)
{
	for (int k = 0; k < c->n_batches; k++) {
		if (c->batch[k].f)
			(void)fclose(c->batch[k].f);
		free(c->batch[k].bytes);
		free(c->batch[k].path);
	}
	*c = (struct cifar){ 0 };
}
