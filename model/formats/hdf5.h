/* hdf5.h - the part of the HDF5 library that reading takes, opened at its first use (model/base/library.h): Debian's
 * brings libcurl and more along, which nobody needs who has no such file.
 *
 *     if (hdf5_enter(e)) return -1;
 *     SCOPED(hdf5) int64_t file = hdf5.open_file(path, 0, 0);
 *     ...
 *     hdf5_leave();
 *
 * The names and numbers here are those of the library's interface of 1.10, which 1.12 and 1.14 kept: an id is 64 bits,
 * negative after a failure, and 0 stands for "the default" or "all". The library is for one thread at a time, so
 * everything happens between hdf5_enter and hdf5_leave. Files are trusted to it: its parser is not ours, and what it
 * does with a hostile file is its own affair, but no link leads it into another file. */
#ifndef ABLATE_HDF5_H
#define ABLATE_HDF5_H

#include "model/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { HDF5_GROUP = 2, HDF5_DATASET = 5 };                        /* of object_type */
enum { HDF5_INTEGER = 0, HDF5_FLOAT = 1, HDF5_STRING = 3 };       /* of type_class */
enum { HDF5_LITTLE = 0, HDF5_BIG = 1 };                           /* of type_order */
enum { HDF5_SCALAR = 0, HDF5_SIMPLE = 1 };                        /* of space_kind */
enum { HDF5_CONTIGUOUS = 1, HDF5_CHUNKED = 2, HDF5_VIRTUAL = 3 }; /* of layout */

struct hdf5_group_info {
	int storage;
	uint64_t n_links;
	int64_t last;
	uint64_t mounted;
};

struct hdf5 {
	int (*start)(void);
	int (*unregister_link)(int kind);
	int (*on_error)(int64_t stack, void *print, void *ctx);
	int (*walk_errors)(int64_t stack, int direction, void *each, void *ctx);
	int (*release)(int64_t id);
	int64_t (*open_file)(const char *path, unsigned flags, int64_t access);
	int64_t (*open_object)(int64_t in, const char *name, int64_t access);
	int (*object_type)(int64_t id);
	int (*group_info)(int64_t group, struct hdf5_group_info *out);
	ssize_t (*link_name)(int64_t in, const char *group, int index, int order, uint64_t i, char *out, size_t n,
	                     int64_t access);
	int64_t (*dataset_space)(int64_t dataset);
	int64_t (*dataset_type)(int64_t dataset);
	int64_t (*dataset_settings)(int64_t dataset);
	uint64_t (*dataset_stored)(int64_t dataset); /* bytes */
	int (*dataset_chunks)(int64_t dataset, int64_t space, uint64_t *n);
	int (*dataset_read)(int64_t dataset, int64_t type, int64_t to, int64_t from, int64_t transfer, void *out);
	int (*space_kind)(int64_t space);
	int (*space_n_dims)(int64_t space);
	int (*space_dims)(int64_t space, uint64_t *dims, uint64_t *max);
	int (*space_select)(int64_t space, int how, const uint64_t *start, const uint64_t *stride, const uint64_t *count,
	                    const uint64_t *block);
	int64_t (*space_new)(int n_dims, const uint64_t *dims, const uint64_t *max);
	int (*type_class)(int64_t type);
	size_t (*type_size)(int64_t type);
	int (*type_order)(int64_t type);
	size_t (*type_precision)(int64_t type);
	int (*type_offset)(int64_t type);
	int (*type_sign)(int64_t type);
	int (*type_fields)(int64_t type, size_t *sign, size_t *exponent, size_t *exponent_bits, size_t *mantissa,
	                   size_t *mantissa_bits);
	size_t (*type_bias)(int64_t type);
	int (*type_is_variable)(int64_t type);
	int (*layout)(int64_t settings);
	int (*chunk)(int64_t settings, int n_dims, uint64_t *dims);
	int (*n_external)(int64_t settings);
	int (*n_filters)(int64_t settings);
	int (*filter)(int64_t settings, unsigned i, unsigned *flags, size_t *n_values, unsigned *values, size_t n_name,
	              char *name, unsigned *config);
	int (*has_filter)(int id);
};
extern struct hdf5 hdf5; /* to be called between hdf5_enter and hdf5_leave */

/* The library is there, and is this thread's until hdf5_leave. An error names Debian's package. */
MUST_CHECK int hdf5_enter(struct err *e);
void hdf5_leave(void);
/* For `ablate doctor`: is it there? Its path into *path, which is the program's own. */
MUST_CHECK int hdf5_look(const char **path, struct err *e);
/* Right after a call that failed: "NAME: WHAT: truncated file ...", the last part in the library's words. -1. */
int hdf5_fail(const char *name, const char *what, struct err *e);
void scoped_hdf5(int64_t *id); /* releases any id; accepts 0 and what a failed call gave */

struct npy_info;
/* What a dataset holds, where that can be read: 1. Else 0 and `why`, empty where its elements are no numbers or fixed
 * text. place: for `why`, "x.h5:mu". *rows: the best number of rows (of the first dimension) to be read at once. */
int hdf5_describe(struct npy_info *out, uint64_t *rows, int64_t dataset, const char *place, struct err *why);

#endif
