/* hdf5_dataset.c - what a dataset of an HDF5 file holds, and whether that can be read (hdf5.h). */
#define _GNU_SOURCE
#include "model/formats/hdf5.h"

#include "model/base/mem.h"
#include "model/formats/npy.h"

#include <limits.h>
#include <string.h>

#define ROW_MAX   ((uint64_t)1 << 30)   /* bytes of one row */
#define SLICE     ((uint64_t)1 << 20)   /* bytes that are read at once where nothing asks for more */
#define SLICE_MAX ((uint64_t)256 << 20) /* and at most: a chunk that is larger is unpacked more than once */

static const struct {
	size_t item, exponent, exponent_bits, mantissa_bits, bias;
} floats[] = { { 2, 10, 5, 10, 15 }, { 4, 23, 8, 23, 127 }, { 8, 52, 11, 52, 1023 } }; /* IEEE's */

static bool is_float(int64_t type, size_t item)
{
	size_t sign, exponent, exponent_bits, mantissa, mantissa_bits, bias = hdf5.type_bias(type);
	if (hdf5.type_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0)
		return false;
	for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
		if (floats[i].item == item)
			return sign == 8 * item - 1 && mantissa == 0 && exponent == floats[i].exponent &&
			       exponent_bits == floats[i].exponent_bits && mantissa_bits == floats[i].mantissa_bits &&
			       bias == floats[i].bias;
	return false;
}

/* kind, item and swapped; false: neither numbers nor text of one length. */
static bool describe_type(struct npy_info *out, int64_t type, const char *place, struct err *why)
{
	int class = hdf5.type_class(type), order = hdf5.type_order(type);
	size_t item = hdf5.type_size(type);
	if (class == HDF5_STRING && hdf5.type_is_variable(type) > 0)
		return err_set(why, "%s: text of variable length; write it as numpy.bytes_", place), false;
	if (item < 1 || item > INT_MAX)
		return false;
	out->item = (int)item;
	if (class == HDF5_STRING) {
		out->kind = NPY_BYTES;
		return true;
	}
	bool whole = hdf5.type_precision(type) == 8 * item && hdf5.type_offset(type) == 0 &&
	             (order == HDF5_LITTLE || order == HDF5_BIG);
	out->swapped = item > 1 && order == HDF5_BIG;
	if (class == HDF5_FLOAT) {
		out->kind = NPY_FLOAT;
		return whole && is_float(type, item);
	}
	out->kind = hdf5.type_sign(type) ? NPY_INT : NPY_UINT;
	return class == HDF5_INTEGER && whole && (item == 1 || item == 2 || item == 4 || item == 8);
}

/* n_dims, dims and count; false: of no shape that an array has here. */
static bool describe_shape(struct npy_info *out, int64_t space)
{
	uint64_t dims[NPY_MAX_DIMS];
	int kind = hdf5.space_kind(space), n = kind == HDF5_SIMPLE ? hdf5.space_n_dims(space) : 0;
	int64_t bytes;
	if ((kind != HDF5_SIMPLE && kind != HDF5_SCALAR) || n < 0 || n > NPY_MAX_DIMS ||
	    (n && hdf5.space_dims(space, dims, NULL) < 0))
		return false;
	out->n_dims = n;
	out->count = 1;
	for (int i = 0; i < n; i++) {
		if (dims[i] > INT64_MAX || __builtin_mul_overflow(out->count, (int64_t)dims[i], &out->count))
			return false;
		out->dims[i] = (int64_t)dims[i];
	}
	return !__builtin_mul_overflow(out->count, (int64_t)out->item, &bytes);
}

/* A filter that this library lacks; h5py, for one, brings its own. */
static int check_filters(int64_t settings, const char *place, struct err *why)
{
	int n = hdf5.n_filters(settings);
	for (int i = 0; i < n; i++) {
		unsigned flags = 0, config = 0;
		size_t n_values = 0;
		char name[64] = "";
		int id = hdf5.filter(settings, (unsigned)i, &flags, &n_values, NULL, sizeof name - 1, name, &config);
		if (id < 0)
			return hdf5_fail(place, "unreadable filter", why);
		for (char *c = name; *c; c++)
			*c = *c < ' ' || *c > '~' ? '?' : *c;
		if (hdf5.has_filter(id) <= 0)
			return err_set(why,
			               "%s: packed by the filter %d (%s), which this HDF5 library does not have; write it anew "
			               "with gzip, or unpacked, where it was made",
			               place, id, *name ? name : "nameless");
	}
	return 0;
}

/* What was never written reads as zeros, which nobody meant: a run was cut off. */
static int check_written(int64_t dataset, int64_t space, int64_t settings, int layout, const struct npy_info *info,
                         const char *place, struct err *why)
{
	uint64_t chunk[NPY_MAX_DIMS], written = 0, wanted = 1;
	if (layout != HDF5_CHUNKED)
		return hdf5.dataset_stored(dataset) == (uint64_t)info->count * (uint64_t)info->item
		           ? 0
		           : err_set(why, "%s: has a shape, but its data were never written", place);
	if (hdf5.chunk(settings, info->n_dims, chunk) != info->n_dims || hdf5.dataset_chunks(dataset, space, &written) < 0)
		return hdf5_fail(place, "unreadable chunks", why);
	for (int i = 0; i < info->n_dims; i++)
		if (!chunk[i] || __builtin_mul_overflow(wanted, ((uint64_t)info->dims[i] - 1) / chunk[i] + 1, &wanted))
			return err_set(why, "%s: chunks of an impossible size", place);
	return written >= wanted ? 0
	                         : err_set(why,
	                                   "%s: only %llu of its %llu chunks were ever written, and the rest would read as "
	                                   "zeros: was its writing cut off?",
	                                   place, (unsigned long long)written, (unsigned long long)wanted);
}

static int check_storage(int64_t dataset, int64_t space, int64_t settings, const struct npy_info *info,
                         const char *place, struct err *why)
{
	int layout = hdf5.layout(settings);
	if (layout < 0)
		return hdf5_fail(place, "unreadable layout", why);
	if (layout == HDF5_VIRTUAL || hdf5.n_external(settings) > 0)
		return err_set(why, "%s: its data lie in another file; write the array itself into this one", place);
	if (check_filters(settings, place, why))
		return -1;
	return info->count ? check_written(dataset, space, settings, layout, info, place, why) : 0;
}

/* Whole chunks at once, so that each is unpacked once; a few where they are small. */
static uint64_t best_rows(const struct npy_info *info, uint64_t row, int64_t settings)
{
	uint64_t chunk[NPY_MAX_DIMS] = { 1 }, rows;
	if (info->n_dims && hdf5.layout(settings) == HDF5_CHUNKED)
		(void)hdf5.chunk(settings, info->n_dims, chunk);
	if (__builtin_mul_overflow(chunk[0], row, &rows) || rows > SLICE_MAX)
		return SLICE_MAX / row ? SLICE_MAX / row : 1;
	return rows < SLICE ? chunk[0] * (SLICE / rows) : chunk[0];
}

int hdf5_describe(struct npy_info *out, uint64_t *rows, int64_t dataset, const char *place, struct err *why)
{
	SCOPED(hdf5) int64_t type = hdf5.dataset_type(dataset);
	SCOPED(hdf5) int64_t space = hdf5.dataset_space(dataset);
	SCOPED(hdf5) int64_t settings = hdf5.dataset_settings(dataset);
	struct npy_info info = { 0 };
	if (type < 0 || space < 0 || settings < 0)
		return hdf5_fail(place, "unreadable", why), 0;
	if (!describe_type(&info, type, place, why) || !describe_shape(&info, space) ||
	    check_storage(dataset, space, settings, &info, place, why))
		return 0;
	uint64_t row = (uint64_t)info.item * (uint64_t)info.count;
	if (info.count && info.n_dims)
		row /= (uint64_t)info.dims[0];
	if (row > ROW_MAX)
		return err_set(why, "%s: rows of more than %llu bytes", place, (unsigned long long)ROW_MAX), 0;
	*rows = row ? best_rows(&info, row, settings) : 1;
	*out = info;
	return 1;
}
