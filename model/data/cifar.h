/* cifar.h - CIFAR-10 in its binary and its Python version. The binary one has records of one label byte and 3 x 32 x 32
 * bytes, planes in the order red, green, blue. The Python one, pickles without ".bin" in their names (cifar_python.c),
 * is turned into such records in memory. A set is one file, the files of a split, or files that somebody else holds in
 * memory; records of binary files are read one at a time, so that such a set costs no memory.
 * Source: the page of the data set, which also names the files: data_batch_1.bin to data_batch_5.bin and
 * test_batch.bin. */
#ifndef ABLATE_CIFAR_H
#define ABLATE_CIFAR_H

#include "model/base/err.h"
#include "model/data/image_u8.h"
#include "model/data/shapes.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
	CIFAR_SIDE = 32,
	CIFAR_PIXELS = 3 * 32 * 32,
	CIFAR_RECORD = 1 + CIFAR_PIXELS,
	CIFAR_BATCHES = 5,
	CIFAR_CLASSES = 10
};

struct cifar_batch {
	FILE *f;
	uint8_t *bytes;
	char *path;
	int64_t n;
}; /* a file, or bytes in memory */
struct cifar {
	struct cifar_batch batch[CIFAR_BATCHES];
	int n_batches;
	int64_t n;
}; /* n: records in all */

/* Heap: the path of batch k of a split, from 0; NULL past the last. That of the Python version where only this is
 * there. */
char *cifar_batch_path(const char *folder, enum data_split split, int k);
/* Is that the name of a batch of the split, of either version, in whatever folder? */
bool cifar_is_batch(const char *path, enum data_split split);

MUST_CHECK int cifar_open(struct cifar *out, const char *path, struct err *e);
/* All files of a split; one that is missing is an error. */
MUST_CHECK int cifar_open_split(struct cifar *out, const char *folder, enum data_split split, struct err *e);
/* Is this a tar with a batch in it before any picture? */
bool cifar_archive_is(const char *path);
/* Takes the batches of a split in a tar into c, which is zeroed, by number as those of a folder: none at all is no
 * error. They are held in memory. */
MUST_CHECK int cifar_open_archive(struct cifar *c, const char *path, enum data_split split, struct err *e);
/* Appends a batch of n bytes, which belong to c from then on, also after an error. `name`: for messages. */
MUST_CHECK int cifar_add_bytes(struct cifar *c, uint8_t *bytes, int64_t n, const char *name, struct err *e);
/* Does a batch begin with these bytes that is a pickle? The first byte of a binary one is a label. */
bool cifar_is_pickle(const uint8_t *bytes, size_t n);
/* The records of such a batch, heap. */
MUST_CHECK int cifar_from_pickle(uint8_t **out, int64_t *size, const uint8_t *bytes, size_t n, const char *name,
                                 struct err *e);
/* Record i of all as 32 x 32 x 3 in H,W,C, and its label; either may be NULL. */
MUST_CHECK int cifar_read(struct cifar *c, int64_t i, uint8_t px[CIFAR_PIXELS], int *label, struct err *e);
/* Its pixels alone, into a picture. */
MUST_CHECK int cifar_image(struct image_u8 *im, struct cifar *c, int64_t i, struct err *e);
/* The batch that record i is in; *i becomes its number in there. */
const struct cifar_batch *cifar_batch_of(const struct cifar *c, int64_t *i);
void cifar_release(struct cifar *c); /* what is zeroed or released, too */

#endif
