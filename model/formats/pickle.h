/* pickle.h - Python pickles as data, never as a program.
 *
 * A pickle is a program for a stack machine that may import and call anything; this reader knows the few
 * instructions that plain data need and builds inert values from them: none, bool, integer, float, text, bytes, list,
 * tuple, dict, and either tensor storages and tensors, or numpy's arrays, as the caller says. A global is a name in a
 * table; anything the reader does not know, an opcode or a global, is refused with its name and byte offset. Nothing
 * is ever imported, called or executed.
 *
 * Values live in the caller's arena. Memory is bounded by a constant times the length of the input. A value may be
 * reached twice (a pickle can share, and even contain itself), so a walk over values must bound its own depth. */
#ifndef ABLATE_PICKLE_H
#define ABLATE_PICKLE_H

#include "model/base/mem.h"
#include "model/formats/npy.h"
#include "model/formats/safetensors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pk_kind {
	PK_NONE,
	PK_BOOL,
	PK_INT,
	PK_LONG,
	PK_FLOAT,
	PK_TEXT,
	PK_LIST,
	PK_TUPLE,
	PK_DICT,
	PK_STORAGE,
	PK_TENSOR,
	PK_GLOBAL,
	PK_BYTES,
	PK_DTYPE,
	PK_ARRAY
};

/* Whose names a pickle may use, beside the ordered dict. */
enum pk_vocabulary { PICKLE_TORCH, PICKLE_NUMPY };

/* The element type of a numpy array: numbers or texts (info.kind, info.item, info.swapped), objects, or another. */
struct pk_dtype {
	enum { PK_DTYPE_PLAIN, PK_DTYPE_OBJECT, PK_DTYPE_OTHER } what;
	struct npy_info info;
};

struct pk_value {
	enum pk_kind kind;
	union {
		int64_t i; /* bool, int */
		double f;
		struct {
			const char *s;
			size_t n;
			bool latin1; /* of bytes: they were a text that stood for bytes (_codecs.encode) */
		} text;          /* NUL-terminated; also the bytes of a long > 64 bit. PK_BYTES: not terminated, in the input */
		struct {
			struct pk_value **v;
			size_t n, cap;
		} seq; /* a dict: key, value, key, value, ... */
		struct {
			enum st_dtype dtype;
			const char *key;
			int64_t count;             /* elements of `dtype` */
			struct pk_value *previous; /* the storage mentioned before this one */
		} storage;
		struct {
			const struct pk_value *storage;
			int64_t offset; /* in elements */
			int n_dims;
			int64_t dims[ST_MAX_DIMS], strides[ST_MAX_DIMS]; /* in elements; checked to stay in the storage */
		} tensor;
		struct pk_dtype dtype;
		struct {
			struct pk_dtype dtype;
			const uint8_t *data;       /* of numbers: info.count * info.item bytes, in the input; NULL before BUILD */
			struct pk_value **objects; /* of objects: info.count */
		} array;                       /* shape, order and count are in dtype.info */
		int global;                    /* which known name */
	};
};

/* Runs one pickle from bytes[0..n) up to its STOP. *used receives its length, *storages the last storage mentioned
 * (a chain), or NULL. -1: the error names `path` and the offset. */
MUST_CHECK int pickle_load(struct pk_value **out, struct pk_value **storages, size_t *used, struct arena *arena,
                           const void *bytes, size_t n, const char *path, struct err *e);
/* The same of a pickle that uses numpy's names; bytes must outlive the values. */
MUST_CHECK int pickle_load_numpy(struct pk_value **out, size_t *used, struct arena *arena, const void *bytes, size_t n,
                                 const char *path, struct err *e);
/* The value under a text key of a dict, or NULL. */
const struct pk_value *pickle_get(const struct pk_value *dict, const char *key);

#endif
