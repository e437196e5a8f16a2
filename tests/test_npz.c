/* test_npz.c - .npy headers and .npz archives: what is written is read back, foreign forms are refused by name. */
#define _GNU_SOURCE
#include "metrics/npz.h"
#include "model/base/mem.h"
#include "tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(npz, arrays_come_back_as_written)
{
	char *dir = tempdir_make();
	SCOPED(free) char *path = tempdir_file(dir, "a.npz", NULL, 0);
	struct err e = ERR_INIT;
	double mu[5] = { 1, -2.5, 3e-300, 0, 5 };
	float x[6] = { 1, 2, 3, 4, 5, 0.1f };
	int64_t n = 50000;
	struct npz_writer w;
	cr_assert_eq(npz_create(&w, path, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_add(&w, "mu", "<f8", (int64_t[]){ 5 }, 1, mu, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_add(&w, "x", "<f4", (int64_t[]){ 2, 3 }, 2, x, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_add(&w, "n", "<i8", NULL, 0, &n, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_add_text(&w, "protocol", "fid:x", &e), 0, "%s", e.msg);
	cr_assert_eq(npz_commit(&w, &e), 0, "%s", e.msg);

	SCOPED(npz) struct npz *z = NULL;
	cr_assert_eq(npz_open(&z, path, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_count(z), 4);
	struct npy_info info;
	SCOPED(free) double *mu2 = NULL, *n2 = NULL, *x3 = NULL;
	SCOPED(free) float *x2 = NULL;
	SCOPED(free) char *text = NULL;
	cr_assert_eq(npz_doubles(&mu2, &info, z, "mu", 100, &e), 0, "%s", e.msg);
	cr_assert_eq(info.count, 5);
	cr_assert_arr_eq(mu, mu2, sizeof mu);
	cr_assert_eq(npz_floats(&x2, &info, z, "x", 100, &e), 0, "%s", e.msg);
	cr_assert(info.n_dims == 2 && info.dims[0] == 2 && info.dims[1] == 3);
	cr_assert_arr_eq(x, x2, sizeof x);
	cr_assert_eq(npz_doubles(&x3, NULL, z, "x", 100, &e), 0, "%s", e.msg);
	cr_assert_eq(x3[5], (double)0.1f);
	cr_assert_eq(npz_doubles(&n2, NULL, z, "n", 1, &e), 0, "%s", e.msg);
	cr_assert_eq(n2[0], 50000.0);
	cr_assert_eq(npz_text(&text, z, "protocol", &e), 0, "%s", e.msg);
	cr_assert_str_eq(text, "fid:x");
	SCOPED(free) double *none = NULL;
	cr_assert_eq(npz_doubles(&none, NULL, z, "sigma", 1, &e), -1);
	cr_assert(strstr(e.msg, "a.npz") && strstr(e.msg, "sigma"), "%s", e.msg);
	cr_assert_eq(npz_doubles(&none, NULL, z, "mu", 4, &e), -1, "more elements than allowed");
	tempdir_remove(dir);
}

/* Written by numpy 1.24 with savez_compressed. */
Test(npz, reads_compressed_archives_of_numpy)
{
	struct err e = ERR_INIT;
	SCOPED(npz) struct npz *z = NULL;
	cr_assert_eq(npz_open(&z, FIXTURES "/png_modes/expected_rgb.npz", &e), 0, "%s", e.msg);
	struct npy_info info;
	SCOPED(free) double *x = NULL;
	cr_assert_eq(npz_doubles(&x, &info, z, "i16.png", 1 << 20, &e), 0, "%s", e.msg);
	cr_assert(info.n_dims == 3 && info.kind == NPY_UINT && info.item == 1);
	cr_assert_eq(x[0], 255.0);
}

static int parse(struct npy_info *info, const char *dict, struct err *e)
{
	uint8_t bytes[256] = "\x93NUMPY\x01";
	size_t n = strlen(dict);
	bytes[8] = (uint8_t)n;
	memcpy(bytes + 10, dict, n);
	return npy_parse(info, bytes, 10 + n, "x.npy", e);
}

Test(npy, header_forms)
{
	struct npy_info info;
	struct err e = ERR_INIT;
	cr_assert_eq(parse(&info, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }  \n", &e), 0, "%s", e.msg);
	cr_assert(info.kind == NPY_FLOAT && info.item == 8 && info.count == 12);
	cr_assert_eq(parse(&info, "{\"shape\":(),'fortran_order':False,'descr':'|u1'}", &e), 0, "%s", e.msg);
	cr_assert(info.n_dims == 0 && info.count == 1);
	cr_assert_eq(parse(&info, "{'descr': '<f4', 'fortran_order': True, 'shape': (7,), }", &e), 0, "%s", e.msg);

	static const struct { const char *dict, *says; } bad[] = {
		{ "{'descr': '<f8', 'fortran_order': True, 'shape': (3, 4), }", "Fortran" },
		{ "{'descr': '>f8', 'fortran_order': False, 'shape': (3,), }", "big-endian" },
		{ "{'descr': '<c16', 'fortran_order': False, 'shape': (3,), }", "type '<c16'" },
		{ "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "type '|O'" },
		{ "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", "structured" },
		{ "{'descr': '<f8', 'fortran_order': False, 'shape': (3", "shape" },
		{ "{'descr': '<f8', 'fortran_order': False}", "lacks" },
		{ "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 3)}", "shape" },
		{ "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "overflows" },
		{ "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", "shape" },
		{ "[1, 2]", "not a dict" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		e = ERR_INIT;
		cr_assert_eq(parse(&info, bad[i].dict, &e), -1, "%s", bad[i].dict);
		cr_assert(strstr(e.msg, "x.npy") && strstr(e.msg, bad[i].says), "'%s' says: %s", bad[i].dict, e.msg);
	}
}

Test(npy, every_number_type_converts)
{
	struct npy_info f16 = { .kind = NPY_FLOAT, .item = 2 }, i16 = { .kind = NPY_INT, .item = 2 };
	const uint16_t halfs[] = { 0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x7e00 };
	double v[6];
	npy_to_double(v, &f16, (const uint8_t *)halfs, 0, 6);
	cr_assert(v[0] == 1 && v[1] == -2 && v[2] == 0x1p-24 && v[3] == 65504 && isinf(v[4]) && isnan(v[5]));
	const int16_t ints[] = { -1, -32768, 7 };
	npy_to_double(v, &i16, (const uint8_t *)ints, 1, 2);
	cr_assert(v[0] == -32768 && v[1] == 7);
}

Test(npz, a_member_that_lies_about_its_size_is_refused)
{
	char *dir = tempdir_make();
	SCOPED(free) char *path = tempdir_file(dir, "a.npz", NULL, 0);
	struct err e = ERR_INIT;
	double mu[5] = { 0 };
	struct npz_writer w;
	cr_assert_eq(npz_create(&w, path, &e) || npz_add(&w, "mu", "<f8", (int64_t[]){ 5 }, 1, mu, &e) || npz_commit(&w, &e), 0);
	SCOPED(str) struct str bytes = { 0 };
	cr_assert_eq(io_read(&bytes, path, 10000, &e), 0);
	char *shape = memmem(bytes.data, bytes.len, "(5,)", 4);
	cr_assert(shape);
	shape[1] = '9';
	free(tempdir_file(dir, "b.npz", bytes.data, bytes.len));
	SCOPED(free) char *bad = xstrfmt("%s/b.npz", dir);
	SCOPED(npz) struct npz *z = NULL;
	cr_assert_eq(npz_open(&z, bad, &e), 0);
	SCOPED(free) double *x = NULL;
	cr_assert_eq(npz_doubles(&x, NULL, z, "mu", 100, &e), -1);
	cr_assert(strstr(e.msg, "b.npz:mu"), "%s", e.msg);
	tempdir_remove(dir);
}
