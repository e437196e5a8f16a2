/* npz.h - numpy's .npz: a zip of .npy arrays, read through libzip, written by ourselves (stored, like numpy.savez).
 *
 * Reading: npz_open, then ask for arrays by name; shapes are looked at (npz_info) before data are allocated, large
 * arrays are streamed. Each message names file and array. Writing: npz_create, npz_add..., npz_commit: the file
 * appears whole or not at all. */
#ifndef ABLATE_NPZ_H
#define ABLATE_NPZ_H

#include "model/base/err.h"
#include "model/base/io.h"
#include "model/formats/npy.h"

#include <stdbool.h>

struct npz;
MUST_CHECK int npz_open(struct npz **out, const char *path, struct err *e);
void npz_free(struct npz *z); /* accepts NULL */
void scoped_npz(struct npz **z);
int npz_count(const struct npz *z);
const char *npz_name(const struct npz *z, int i); /* "mu.npy"; NULL for a member that is not an array */
bool npz_has(const struct npz *z, const char *key);
/* The header alone; also checks that the member is as long as its shape says. */
MUST_CHECK int npz_info(struct npy_info *out, struct npz *z, const char *key, struct err *e);
/* A whole numeric array of at most max_count elements, in C order (a matrix in Fortran order is transposed); *out is
 * heap, owned by the caller; info may be NULL. */
MUST_CHECK int npz_doubles(double **out, struct npy_info *info, struct npz *z, const char *key, int64_t max_count,
                           struct err *e);
MUST_CHECK int npz_floats(float **out, struct npy_info *info, struct npz *z, const char *key, int64_t max_count,
                          struct err *e);
/* A scalar |S array as heap text. */
MUST_CHECK int npz_text(char **out, struct npz *z, const char *key, struct err *e);

/* One array from front to back, in C order only. The archive must outlive the stream. */
struct npz_stream;
MUST_CHECK int npz_stream_open(struct npz_stream **out, struct npz *z, const char *key, struct err *e);
/* The same of an array of either order, whose bytes come as they are stored. */
MUST_CHECK int npz_stream_open_any(struct npz_stream **out, struct npz *z, const char *key, struct err *e);
const struct npy_info *npz_stream_info(const struct npz_stream *s);
MUST_CHECK int npz_stream_read(struct npz_stream *s, void *buf, size_t n, struct err *e); /* exactly n bytes */
void npz_stream_free(struct npz_stream *s);                                               /* accepts NULL */

/* An array to be written: descr "<f4", "<f8", "<i8", "|u1", or "|SN" for text of N bytes. */
struct npz_writer {
	struct io_atomic file;
	struct str central;
	uint64_t at;
	int n;
};
MUST_CHECK int npz_create(struct npz_writer *out, const char *path, struct err *e);
/* On failure the writer has already been aborted. */
MUST_CHECK int npz_add(struct npz_writer *w, const char *key, const char *descr, const int64_t *dims, int n_dims,
                       const void *data, struct err *e);
MUST_CHECK int npz_add_text(struct npz_writer *w, const char *key, const char *text, struct err *e);
MUST_CHECK int npz_commit(struct npz_writer *w, struct err *e);
void npz_abort(struct npz_writer *w); /* accepts a finished writer */

#endif
