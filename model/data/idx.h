/* idx.h - the IDX format of MNIST and its descendants (big-endian header, unsigned bytes), plain or gzipped, and the
 * names that its files go by. The whole array is read into memory: 47 MB for 60,000 pictures of 28 x 28.
 * Source: the description of the format beside the MNIST database, and the file names of Fashion-MNIST and EMNIST. */
#ifndef ABLATE_IDX_H
#define ABLATE_IDX_H

#include "model/base/err.h"
#include "model/data/image_u8.h"
#include "model/data/shapes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDX_MAX_BYTES ((size_t)2 << 30)

struct idx {
	int n_dims; /* 1 = labels, 3 = pictures N,H,W, 4 = N,H,W,C */
	int64_t dims[4];
	uint8_t *data; /* [product of dims], heap, owned */
};

/* Do these first bytes look like IDX (after gunzip, where the two gzip bytes lead)? */
bool idx_is(const uint8_t *bytes, size_t n);
MUST_CHECK int idx_open(struct idx *out, const char *path, struct err *e);
/* Parses plain (not gzipped) bytes; copies the data. */
MUST_CHECK int idx_parse(struct idx *out, const uint8_t *bytes, size_t n, const char *name, struct err *e);
void idx_release(struct idx *x);
/* Pictures: N,H,W, or N,H,W,C with C of 1 or 3; anything else is an error. dims has N, H, W and C in both cases. */
MUST_CHECK int idx_open_images(struct idx *out, const char *path, struct err *e);
/* Picture i of those; the message begins with `name`. */
MUST_CHECK int idx_image(struct image_u8 *im, const struct idx *x, int64_t i, const char *name, struct err *e);
/* One label for each of n pictures; another number of them is an error. */
MUST_CHECK int idx_open_labels(struct idx *out, const char *path, int64_t n, struct err *e);
/* Heap: the file of a split's pictures in a folder, train-images-idx3-ubyte.gz or t10k-..., -idx4- for colours, or
 * without .gz; NULL when there is none. */
char *idx_images_in(const char *folder, enum data_split split);
/* Heap: the labels beside a file of pictures, a/train-images-idx3-ubyte.gz -> a/train-labels-idx1-ubyte.gz or the same
 * without .gz, and vice versa; NULL when there is none or the name is not one of these. */
char *idx_labels_beside(const char *images);
/* Bytes of a gzip file, at most max. Heap *out, owned by the caller. Also reads files that are not compressed. */
MUST_CHECK int idx_gunzip(uint8_t **out, size_t *n, const char *path, size_t max, struct err *e);

#endif
