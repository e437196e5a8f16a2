/* npy.h - the header of a numpy .npy array (format versions 1.0 to 3.0), read and written; the data follow it raw.
 *
 * Numbers of either byte order; Fortran order is reported, not undone. Bytes are foreign: every length is checked
 * before it is used. */
#ifndef ABLATE_NPY_H
#define ABLATE_NPY_H

#include "model/base/err.h"
#include "model/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NPY_MAX_DIMS   8
#define NPY_MAX_HEADER 4096 /* bytes; more than any array of numbers needs */

enum npy_kind { NPY_BOOL, NPY_INT, NPY_UINT, NPY_FLOAT, NPY_BYTES };

struct npy_info {
	enum npy_kind kind;
	int item;   /* bytes of one element: 1 2 4 8; for NPY_BYTES any */
	int n_dims; /* 0 = a scalar */
	int64_t dims[NPY_MAX_DIMS];
	int64_t count;  /* product of dims; count * item is known to fit */
	size_t data_at; /* offset of the data */
	bool swapped;   /* big-endian: npy_to_double and npy_to_float swap it */
	bool fortran;   /* the first index runs fastest; of arrays of 2 dimensions or more */
};

/* Reads the header at the front of bytes[n]; n need only cover the header (NPY_MAX_HEADER is always enough). */
MUST_CHECK int npy_parse(struct npy_info *out, const uint8_t *bytes, size_t n, const char *name, struct err *e);
/* kind, item and swapped of a type such as "<f4", "|u1" or, in this machine's order, "f4". */
MUST_CHECK int npy_descr(struct npy_info *out, const char *descr, const char *name, struct err *e);
/* Elements [first, first + n) of data (which begins at the array's first element) as doubles; any numeric kind,
 * float16 included. NPY_BYTES is BUG(). */
void npy_to_double(double *out, const struct npy_info *info, const uint8_t *data, int64_t first, int64_t n);
/* The same as floats: exact for float32, float16 and integers up to 2^24. */
void npy_to_float(float *out, const struct npy_info *info, const uint8_t *data, int64_t first, int64_t n);
/* A whole numeric array of at most max_count elements as doubles (size 8) or floats (size 4) in C order, heap; a matrix
 * in Fortran order is transposed. more: the next n bytes of its data. name: for messages. */
MUST_CHECK int npy_convert(void **out, const struct npy_info *info, int64_t max_count, size_t size,
                           int (*more)(void *ctx, void *buf, size_t n, struct err *e), void *ctx, const char *name,
                           struct err *e);
/* Does a .npy file begin with these bytes whose elements are Python objects, pickled from *data_at on? */
bool npy_is_pickled(size_t *data_at, const uint8_t *bytes, size_t n);
/* "float32 (300, 2048)" for messages; buf >= 128. Returns buf. */
char *npy_describe(char *buf, const struct npy_info *info);
/* Appends a version 1.0 header as numpy writes it (64-byte aligned) for descr such as "<f4", "|u1", "|S40". */
void npy_header(struct str *out, const char *descr, const int64_t *dims, int n_dims);

#endif
