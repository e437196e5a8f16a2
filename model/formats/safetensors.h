/* safetensors.h - tensors by name in one file: weights, checkpoints, caches.
 *
 * The format (https://github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON header
 * {"__metadata__": {key: text}, name: {"dtype", "shape", "data_offsets"}}, then the payload. A reader maps the file
 * and copies nothing; every claim of the header is checked before a pointer is handed out: names unique and
 * printable, sizes equal to dtype x shape, and offsets that cover the payload exactly, without overlap or hole.
 * Foreign files may put a tensor at an odd address, so take values with st_to_f32()/st_to_f64(), or ask st_aligned().
 *
 * A writer is atomic and deterministic: the same tensors and metadata give the same bytes. The payload is ordered
 * by element size (largest first) and then by name, so that each tensor is aligned to its element, as the
 * reference writer does; metadata is sorted by key. */
#ifndef ABLATE_SAFETENSORS_H
#define ABLATE_SAFETENSORS_H

#include "model/base/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ST_MAX_DIMS 8

enum st_dtype { ST_F64, ST_I64, ST_F32, ST_F16, ST_BF16, ST_U8, ST_N_DTYPES };

struct st_tensor {
	const char *name;
	enum st_dtype dtype;
	int n_dims;                /* 0 = a scalar */
	int64_t dims[ST_MAX_DIMS]; /* C order, the last is contiguous */
	const void *data;          /* borrowed: from the file when read, from the caller when written */
};

struct st_meta {
	const char *key, *value;
};

/* An open file. Tensors are in order of name, metadata in order of key. */
struct safetensors {
	const char *path;
	struct st_tensor *tensors;
	size_t n_tensors;
	struct st_meta *meta;
	size_t n_meta;
	const void *payload;
	size_t payload_bytes;
	struct safetensors_own *own;
};

const char *st_dtype_name(enum st_dtype dtype); /* "F32" */
size_t st_dtype_size(enum st_dtype dtype);      /* bytes of an element */
size_t st_count(const struct st_tensor *t);     /* elements; 1 for a scalar */
size_t st_bytes(const struct st_tensor *t);
/* "[32, 3, 3, 3]"; buf >= 192. Returns buf. */
char *st_shape_text(char *buf, const struct st_tensor *t);

/* Maps PATH. -1: the error names the file, the tensor and what is wrong. */
MUST_CHECK int safetensors_open(struct safetensors **out, const char *path, struct err *e);
/* The same of n bytes in memory, which must outlive the result; `path` is for messages. */
MUST_CHECK int safetensors_parse(struct safetensors **out, const void *bytes, size_t n, const char *path,
                                 struct err *e);
void safetensors_free(struct safetensors *st); /* NULL is fine; pointers from it die here */

const struct st_tensor *safetensors_find(const struct safetensors *st, const char *name); /* NULL when absent */
/* Like find, but absent, another number of dimensions or another extent is an error that names file and tensor.
 * An extent of -1 in `dims` matches any. */
MUST_CHECK int safetensors_need(const struct st_tensor **out, const struct safetensors *st, const char *name,
                                int n_dims, const int64_t *dims, struct err *e);
const char *safetensors_meta(const struct safetensors *st, const char *key); /* NULL when absent */

bool st_aligned(const struct st_tensor *t);            /* may data be read as an array of its element type? */
void st_to_f32(float *dst, const struct st_tensor *t); /* all elements, rounded to nearest; F16 and BF16 exactly */
void st_to_f64(double *dst, const struct st_tensor *t);

/* Writes n tensors and n_meta texts to PATH, whole or not at all. sha256, if not NULL, receives the hash of the
 * payload (safetensors_sha256() of the file gives the same). Names must differ: two equal ones are BUG(). */
MUST_CHECK int safetensors_write(const char *path, const struct st_tensor *tensors, size_t n,
                                 const struct st_meta *meta, size_t n_meta, char sha256[SHA256_HEX], struct err *e);
void safetensors_sha256(char sha256[SHA256_HEX], const struct safetensors *st);
/* The hash that safetensors_write() would give for these tensors. */
void safetensors_hash(char sha256[SHA256_HEX], const struct st_tensor *tensors, size_t n);

/* IEEE half and bfloat16 bit patterns, exactly. */
float st_f16_to_f32(uint16_t h);
float st_bf16_to_f32(uint16_t h);

#endif
