/* test_hdf5.c - HDF5 as a file of arrays: the types that it may hold, slices, and each file that is refused. The
 * fixtures are h5py's (tests/fixtures/hdf5/make.py has the formulas). */
#include "model/formats/hdf5.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/formats/arrays.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arrays *opened(const char *name)
{
	SCOPED(free) char *path = xstrfmt(FIXTURES "/hdf5/%s", name);
	struct arrays *a;
	const char *where;
	struct err e = ERR_INIT;
	if (hdf5_look(&where, &e))
		cr_skip_test("%s", e.msg);
	cr_assert_eq(arrays_open(&a, path, &e), 0, "%s", e.msg);
	return a;
}

/* The values are exact in float16, so all four files hold the same numbers. */
Test(hdf5, floats_of_every_width_and_order)
{
	static const char *const names[] = { "half.h5", "single.h5", "double.h5", "big_endian.h5" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		SCOPED(arrays) struct arrays *a = opened(names[i]);
		SCOPED(free) double *x = NULL;
		struct npy_info info;
		struct err e = ERR_INIT;
		cr_assert_eq(arrays_doubles(&x, &info, a, "features", 100, &e), 0, "%s", e.msg);
		cr_assert(info.n_dims == 2 && info.dims[0] == 7 && info.dims[1] == 4, "%s", names[i]);
		for (int k = 0; k < 28; k++)
			cr_assert_eq(x[k], (k / 4 * 10 + k % 4) / 4.0, "%s: %d is %g", names[i], k, x[k]);
	}
}

/* 600,000 numbers lie in three slices: each border, forwards and back. */
Test(hdf5, an_array_of_several_slices)
{
	SCOPED(arrays) struct arrays *a = opened("long.h5");
	SCOPED(free) double *x = NULL;
	struct err e = ERR_INIT;
	cr_assert_eq(arrays_doubles(&x, NULL, a, "data", 600000, &e), 0, "%s", e.msg);
	for (int i = 0; i < 600000; i++)
		cr_assert_eq(x[i], i);
	for (int i = 600000 - 3; i >= 0; i -= 997) {
		uint32_t v[3];
		cr_assert_eq(arrays_read(a, "data", (uint64_t)i * 4, v, sizeof v, &e), 0, "%s", e.msg);
		cr_assert(v[0] == (uint32_t)i && v[1] == v[0] + 1 && v[2] == v[0] + 2, "%d: %u", i, v[0]);
	}
	cr_assert_eq(arrays_doubles(&x, NULL, a, "data", 599999, &e), -1, "more than was asked for");
}

Test(hdf5, text_and_numbers_beside_each_other)
{
	SCOPED(arrays) struct arrays *a = opened("stats.h5");
	SCOPED(free) double *cov = NULL;
	SCOPED(free) char *protocol = NULL;
	struct err e = ERR_INIT;
	cr_assert_eq(arrays_doubles(&cov, NULL, a, "cov", 16, &e), 0, "%s", e.msg);
	cr_assert(cov[0] == 1 && cov[5] == 2 && cov[15] == 4 && cov[1] == 0);
	cr_assert_eq(arrays_text(&protocol, a, "protocol", &e), 0, "%s", e.msg);
	cr_assert_str_eq(protocol, "pixels:none:u8");
}

Test(hdf5, what_a_file_holds_is_listed)
{
	SCOPED(arrays) struct arrays *a = opened("other.h5");
	SCOPED(str) struct str held = { 0 };
	arrays_list(&held, a);
	cr_assert_str_eq(str_text(&held), "flag (not numbers), names (unreadable), train/images uint8 (1, 6, 5, 3), "
	                                  "vectors float64 (7, 4), z (not numbers)");
	cr_assert(!arrays_has(a, "images"), "what lies in a group has the group's name");
	SCOPED(arrays) struct arrays *none = opened("empty.h5");
	cr_assert_eq(none->n, 0);
}

/* Each would otherwise give zeros, another file's bytes, or a message of the library's alone. */
Test(hdf5, arrays_that_cannot_be_read_say_why)
{
	static const struct {
		const char *file, *key, *says;
	} bad[] = {
		{ "lzf.h5", "images", "lzf.h5:images: packed by the filter 32000 (lzf)" },
		{ "part.h5", "images", "part.h5:images: only 1 of its 3 chunks were ever written" },
		{ "never.h5", "images", "never.h5:images: has a shape, but its data were never written" },
		{ "link.h5", "images", "link.h5:images: a link that leads nowhere, or into another file" },
		{ "elsewhere.h5", "images", "elsewhere.h5:images: its data lie in another file" },
		{ "virtual.h5", "images", "virtual.h5:images: its data lie in another file" },
		{ "text.h5", "protocol", "text.h5:protocol: text of variable length; write it as numpy.bytes_" },
		{ "other.h5", "z", "no array 'z' in it" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		SCOPED(arrays) struct arrays *a = opened(bad[i].file);
		struct npy_info info;
		struct err e = ERR_INIT;
		cr_assert_eq(arrays_info(&info, a, bad[i].key, &e), -1, "%s", bad[i].file);
		cr_assert(strstr(e.msg, bad[i].says), "%s", e.msg);
	}
}

/* The library parses; that it stands up to the commonest damage is asked here. */
Test(hdf5, a_file_cut_anywhere_is_an_error_that_names_it)
{
	struct arrays *a = opened("packed.h5");
	char *dir = tempdir_make();
	SCOPED(str) struct str all = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(io_read(&all, a->path, 1 << 20, &e), 0, "%s", e.msg);
	arrays_free(a);
	for (size_t n = 8; n < all.len; n += 61) {
		SCOPED(free) char *cut = tempdir_file(dir, "cut.h5", all.data, n);
		e = ERR_INIT;
		cr_assert_eq(arrays_open(&a, cut, &e), -1, "%zu of %zu bytes accepted", n, all.len);
		cr_assert(strncmp(e.msg, cut, strlen(cut)) == 0 && strstr(e.msg, ": not readable as HDF5: "), "%s", e.msg);
	}
	memset(all.data + all.len - 200, 0, 200); /* in the last chunk: its checksum tells */
	SCOPED(free) char *bad = tempdir_file(dir, "bad.h5", all.data, all.len);
	SCOPED(free) double *x = NULL;
	cr_assert_eq(arrays_open(&a, bad, &e), 0, "%s", e.msg);
	cr_assert_eq(arrays_doubles(&x, NULL, a, "samples", 1 << 20, &e), -1);
	cr_assert(strstr(e.msg, "bad.h5:samples: cannot read: "), "%s", e.msg);
	arrays_free(a);
	tempdir_remove(dir);
}
