/* arrays.h - the named arrays of a file, whatever the container: .npz, .npy, HDF5, and Python pickles of numpy arrays
 * (.pkl, and a .npy of objects).
 *
 *     SCOPED(arrays) struct arrays *a = NULL;
 *     if (arrays_open(&a, "stats.pkl", e)) return -1;
 *     if (arrays_has(a, "mu")) arrays_doubles(&mu, &info, a, "mu", 1 << 20, e);
 *
 * Names are those of the archive's members, of the datasets, or the keys of the pickled dict; the one array of a .npy
 * or of a pickle that is no dict has the name "". Of a dict, arrays, numbers and lists of integers are arrays here;
 * anything else is told by arrays_list. Files are foreign: sizes are checked before memory is asked for. */
#ifndef ABLATE_ARRAYS_H
#define ABLATE_ARRAYS_H

#include "model/base/err.h"
#include "model/formats/npy.h"

#include <stdbool.h>

struct arrays;
/* One kind of container. */
struct arrays_kind {
	const char *text; /* "an .npz archive" */
	bool (*is)(const uint8_t *head, size_t n);
	int (*open)(struct arrays *a, struct err *e); /* arrays_add for each, sets self */
	int (*read)(struct arrays *a, int i, uint64_t at, void *buf, size_t n, struct err *e);
	void (*close)(void *self);
};
extern const struct arrays_kind arrays_npz, arrays_npy, arrays_hdf5, arrays_pickle; /* arrays_*.c */

struct array_entry {
	char *name;
	struct npy_info info; /* item 0: not an array of numbers or text, only listed */
	char *why;            /* heap: an array that cannot be read, and why; else NULL */
};
struct arrays {
	const struct arrays_kind *kind;
	char *path;
	struct array_entry *entry;
	int n, cap;
	void *self;
};

/* Fails, naming the path, for a file of another kind or a damaged one. */
MUST_CHECK int arrays_open(struct arrays **out, const char *path, struct err *e);
/* Do the first bytes of a file look like one of the kinds? */
bool arrays_is(const uint8_t *head, size_t n);
void arrays_free(struct arrays *a); /* accepts NULL */
void scoped_arrays(struct arrays **a);

bool arrays_has(const struct arrays *a, const char *key);
/* Type and shape; an error where there is no array of that name, or it cannot be read. */
MUST_CHECK int arrays_info(struct npy_info *out, const struct arrays *a, const char *key, struct err *e);
/* Heap: "stats.npz:mu", for messages. */
char *arrays_place(const struct arrays *a, const char *key);
/* Appends what the file holds: "mu float64 (2048), sigma float64 (2048, 2048)". */
void arrays_list(struct str *out, const struct arrays *a);
/* A whole array: see npy_convert. info may be NULL. */
MUST_CHECK int arrays_doubles(double **out, struct npy_info *info, struct arrays *a, const char *key, int64_t max_count,
                              struct err *e);
MUST_CHECK int arrays_floats(float **out, struct npy_info *info, struct arrays *a, const char *key, int64_t max_count,
                             struct err *e);
/* A scalar |S array as heap text. */
MUST_CHECK int arrays_text(char **out, struct arrays *a, const char *key, struct err *e);
/* Bytes [at, at + n) of the data of an array that arrays_info knows, as they are. In ascending order that is fast for
 * all kinds. */
MUST_CHECK int arrays_read(struct arrays *a, const char *key, uint64_t at, void *buf, size_t n, struct err *e);

/* For the kinds. */
void arrays_add(struct arrays *a, const char *name, const struct npy_info *info);
void arrays_add_unreadable(struct arrays *a, const char *name, const char *why);

#endif
