/* arrays_hdf5.c - HDF5 as a file of arrays (arrays.h): its datasets, those in groups as "group/name". Rows are read in
 * slices of whole chunks, one of which is held, so a file may be larger than memory, and in ascending order each chunk
 * is unpacked once. */
#define _GNU_SOURCE
#include "model/formats/arrays.h"

#include "model/base/mem.h"
#include "model/formats/hdf5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OBJECTS = 4096, MAX_DEPTH = 4 };

struct hdf5_arrays {
	int64_t file;
	int of; /* the array that is open; -1: none */
	int64_t dataset;
	uint64_t row_bytes, rows, at_once; /* of that array; rows of its first dimension */
	uint8_t *slice;                    /* n rows from the first on */
	uint64_t first, n;
	int seen; /* links, while they are listed */
};

static bool is(const uint8_t *head, size_t n)
{
	return n >= 8 && memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0;
}

static int list(struct arrays *a, int64_t group, const char *below, int depth, struct err *e);

static int add_object(struct arrays *a, int64_t object, const char *name, int depth, struct err *e)
{
	struct err why = ERR_INIT;
	struct npy_info info = { 0 };
	uint64_t rows;
	int type = hdf5.object_type(object);
	SCOPED(free) char *place = arrays_place(a, name), *below = xstrfmt("%s/", name);
	if (type == HDF5_GROUP)
		return depth < MAX_DEPTH ? list(a, object, below, depth + 1, e) : 0;
	if (type != HDF5_DATASET)
		return 0;
	if (hdf5_describe(&info, &rows, object, place, &why) || !*why.msg)
		arrays_add(a, name, &info);
	else
		arrays_add_unreadable(a, name, why.msg);
	return 0;
}

static int list(struct arrays *a, int64_t group, const char *below, int depth, struct err *e)
{
	struct hdf5_arrays *x = a->self;
	struct hdf5_group_info info;
	char link[256];
	if (hdf5.group_info(group, &info) < 0)
		return hdf5_fail(a->path, "unreadable group", e);
	for (uint64_t i = 0; i < info.n_links; i++) {
		if (x->seen++ >= MAX_OBJECTS)
			return err_set(e, "%s: more than %d objects; write the pictures as one array, or to a folder", a->path,
			               MAX_OBJECTS);
		ssize_t n = hdf5.link_name(group, ".", 0, 0, i, link, sizeof link, 0);
		if (n < 0)
			return hdf5_fail(a->path, "unreadable group", e);
		SCOPED(hdf5) int64_t object = hdf5.open_object(group, link, 0);
		for (char *c = link; *c; c++)
			*c = (*c >= 0 && *c < ' ') || *c == 0x7f ? '?' : *c; /* a message is one line */
		SCOPED(free) char *name = xstrfmt("%s%s", below, link), *place = arrays_place(a, name);
		SCOPED(free) char *why = xstrfmt("%s: a link that leads nowhere, or into another file", place);
		if (object < 0)
			arrays_add_unreadable(a, name, why);
		else if (add_object(a, object, name, depth, e))
			return -1;
	}
	return 0;
}

static int open_listed(struct arrays *a, struct err *e)
{
	struct hdf5_arrays *x = a->self;
	x->file = hdf5.open_file(a->path, 0, 0);
	if (x->file < 0)
		return hdf5_fail(a->path, "not readable as HDF5", e);
	SCOPED(hdf5) int64_t root = hdf5.open_object(x->file, "/", 0);
	if (root < 0)
		return hdf5_fail(a->path, "not readable as HDF5", e);
	return list(a, root, "", 0, e);
}

static int open_hdf5(struct arrays *a, struct err *e)
{
	if (hdf5_enter(e))
		return err_in(e, "%s: an HDF5 file", a->path);
	struct hdf5_arrays *x = a->self = xcalloc(1, sizeof *x);
	x->of = -1;
	int rc = open_listed(a, e);
	hdf5_leave();
	return rc;
}

static int open_array(struct arrays *a, int i, struct err *e)
{
	struct hdf5_arrays *x = a->self;
	const char *name = a->entry[i].name;
	SCOPED(free) char *place = arrays_place(a, name);
	struct npy_info info;
	scoped_hdf5(&x->dataset);
	x->dataset = 0;
	x->of = -1;
	x->n = 0;
	x->dataset = hdf5.open_object(x->file, name, 0);
	if (x->dataset < 0)
		return hdf5_fail(place, "cannot be opened", e);
	if (!hdf5_describe(&info, &x->at_once, x->dataset, place, e) || info.count != a->entry[i].info.count ||
	    info.item != a->entry[i].info.item)
		return err_set(e, "%s: changed while it was read", place);
	x->rows = info.n_dims ? (uint64_t)info.dims[0] : 1;
	x->at_once = x->at_once < x->rows ? x->at_once : x->rows;
	x->row_bytes = (uint64_t)info.count * (uint64_t)info.item / x->rows;
	x->slice = xrealloc(x->slice, (size_t)(x->at_once * x->row_bytes), 1);
	x->of = i;
	return 0;
}

/* The slice that holds a row. */
static int read_slice(struct arrays *a, uint64_t row, struct err *e)
{
	struct hdf5_arrays *x = a->self;
	const struct npy_info *info = &a->entry[x->of].info;
	uint64_t start[NPY_MAX_DIMS] = { 0 }, count[NPY_MAX_DIMS];
	SCOPED(free) char *place = arrays_place(a, a->entry[x->of].name);
	SCOPED(hdf5) int64_t type = hdf5.dataset_type(x->dataset); /* as in the file: nothing is converted */
	SCOPED(hdf5) int64_t from = hdf5.dataset_space(x->dataset);
	x->n = 0;
	start[0] = row - row % x->at_once;
	for (int i = 0; i < info->n_dims; i++)
		count[i] = (uint64_t)info->dims[i];
	count[0] = x->rows - start[0] < x->at_once ? x->rows - start[0] : x->at_once;
	SCOPED(hdf5) int64_t to = info->n_dims ? hdf5.space_new(info->n_dims, count, NULL) : 0;
	if (type < 0 || from < 0 || to < 0 || (info->n_dims && hdf5.space_select(from, 0, start, NULL, count, NULL) < 0) ||
	    hdf5.dataset_read(x->dataset, type, to, info->n_dims ? from : 0, 0, x->slice) < 0)
		return hdf5_fail(place, "cannot read", e);
	x->first = start[0];
	x->n = count[0];
	return 0;
}

static int read_entered(struct arrays *a, int i, uint64_t at, uint8_t *to, size_t n, struct err *e)
{
	struct hdf5_arrays *x = a->self;
	if (x->of != i && open_array(a, i, e))
		return -1;
	while (n) {
		uint64_t row = at / x->row_bytes;
		if ((row < x->first || row >= x->first + x->n) && read_slice(a, row, e))
			return -1;
		uint64_t skip = at - x->first * x->row_bytes, there = x->n * x->row_bytes - skip;
		size_t k = there < n ? (size_t)there : n;
		memcpy(to, x->slice + skip, k);
		to += k;
		at += k;
		n -= k;
	}
	return 0;
}

static int read_hdf5(struct arrays *a, int i, uint64_t at, void *buf, size_t n, struct err *e)
{
	if (n == 0)
		return 0;
	if (hdf5_enter(e))
		return -1;
	int rc = read_entered(a, i, at, buf, n, e);
	hdf5_leave();
	return rc;
}

static void close_hdf5(void *self)
{
	struct hdf5_arrays *x = self;
	if (hdf5_enter(NULL) == 0) {
		scoped_hdf5(&x->dataset);
		scoped_hdf5(&x->file);
		hdf5_leave();
	}
	free(x->slice);
	free(x);
}

const struct arrays_kind arrays_hdf5 = { "an HDF5 file", is, open_hdf5, read_hdf5, close_hdf5 };
