/* idx.h - the IDX format of MNIST and its descendants (big-endian header, unsigned bytes), plain or gzipped.
 * The whole array is read into memory: 47 MB for 60,000 pictures of 28 x 28. */
#ifndef ABLATE_IDX_H
#define ABLATE_IDX_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDX_MAX_BYTES ((size_t)2 << 30)

struct idx {
	int n_dims;       /* 1 = labels, 3 = pictures N,H,W, 4 = N,H,W,C */
	int64_t dims[4];
	uint8_t *data;    /* [product of dims], heap, owned */
};

/* Do these first bytes look like IDX (after gunzip, where the two gzip bytes lead)? */
bool idx_is(const uint8_t *bytes, size_t n);
MUST_CHECK int idx_open(struct idx *out, const char *path, struct err *e);
/* Parses plain (not gzipped) bytes; copies the data. */
MUST_CHECK int idx_parse(struct idx *out, const uint8_t *bytes, size_t n, const char *name, struct err *e);
void idx_release(struct idx *x);
/* Bytes of a gzip file, at most max. Heap *out, owned by the caller. Also reads files that are not compressed. */
MUST_CHECK int idx_gunzip(uint8_t **out, size_t *n, const char *path, size_t max, struct err *e);

#endif
