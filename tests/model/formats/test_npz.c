/* test_npz.c - .npy headers and .npz archives: what is written is read back, foreign forms are refused by name. */
#define _GNU_SOURCE
#include "model/formats/npz.h"
#include "model/base/mem.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <zip.h>
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
	cr_assert(!info.fortran, "a vector has one order");
	static const char dict[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (7, 2), }";
	for (uint8_t version = 2; version <= 3; version++) { /* their length has four bytes */
		uint8_t bytes[12 + sizeof dict] = { 0x93, 'N', 'U', 'M', 'P', 'Y', version, 0, sizeof dict - 1 };
		memcpy(bytes + 12, dict, sizeof dict);
		cr_assert_eq(npy_parse(&info, bytes, 12 + sizeof dict - 1, "x.npy", &e), 0, "%s", e.msg);
		cr_assert(info.fortran && info.count == 14 && info.data_at == 12 + sizeof dict - 1);
		bytes[10] = 1; /* 65,536 more */
		cr_assert_eq(npy_parse(&info, bytes, 12 + sizeof dict - 1, "x.npy", &e), -1);
	}

	static const struct {
		const char *dict, *says;
	} bad[] = {
		{ "{'descr': '>c16', 'fortran_order': False, 'shape': (3,), }", "type '>c16'" },
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

Test(npy, other_byte_order)
{
	struct npy_info info;
	struct err e = ERR_INIT;
	double v[2];
	float f;
	static const uint8_t f8[] = { 0x40, 0x08, 0, 0, 0, 0, 0, 0, 0xbf, 0xe0, 0, 0, 0, 0, 0, 0 }, f2[] = { 0xc0, 0 },
						 i4[] = { 0xff, 0xff, 0xff, 0xfe }, f4[] = { 0x3f, 0x80, 0, 0 };
	cr_assert_eq(parse(&info, "{'descr': '>f8', 'fortran_order': False, 'shape': (2,), }", &e), 0, "%s", e.msg);
	npy_to_double(v, &info, f8, 0, 2);
	cr_expect(v[0] == 3 && v[1] == -0.5, "%g %g", v[0], v[1]);
	cr_assert_eq(parse(&info, "{'descr': '>f2', 'fortran_order': False, 'shape': (1,), }", &e), 0, "%s", e.msg);
	npy_to_double(v, &info, f2, 0, 1);
	cr_expect(v[0] == -2, "%g", v[0]);
	cr_assert_eq(parse(&info, "{'descr': '>i4', 'fortran_order': False, 'shape': (1,), }", &e), 0, "%s", e.msg);
	npy_to_double(v, &info, i4, 0, 1);
	cr_expect(v[0] == -2, "%g", v[0]);
	cr_assert_eq(parse(&info, "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", &e), 0, "%s", e.msg);
	npy_to_float(&f, &info, f4, 0, 1);
	cr_expect(f == 1, "%g", (double)f);
}

/* A .npz of one array `x` with that header. */
static char *one_array(const char *dir, const char *dict, const void *data, size_t bytes)
{
	SCOPED(str) struct str npy = { 0 };
	size_t n = strlen(dict);
	const char front[10] = { '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)n, 0 };
	int code;
	str_addn(&npy, front, sizeof front);
	str_addn(&npy, dict, n);
	str_addn(&npy, data, bytes);
	char *path = xstrfmt("%s/one.npz", dir);
	zip_t *z = zip_open(path, ZIP_CREATE, &code);
	cr_assert(z && zip_file_add(z, "x.npy", zip_source_buffer(z, npy.data, npy.len, 0), 0) >= 0 && zip_close(z) == 0);
	return path;
}

Test(npz, a_matrix_in_fortran_order_is_turned)
{
	const float columns[] = { 1, 4, 2, 5, 3, 6 };
	char *dir = tempdir_make();
	SCOPED(free)
	char *path = one_array(dir, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", columns, sizeof columns);
	SCOPED(npz) struct npz *z = NULL;
	SCOPED(free) double *x = NULL;
	SCOPED(free) float *f = NULL;
	struct npz_stream *s;
	struct npy_info info;
	struct err e = ERR_INIT;
	cr_assert_eq(npz_open(&z, path, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_doubles(&x, &info, z, "x", 6, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_floats(&f, NULL, z, "x", 6, &e), 0, "%s", e.msg);
	cr_expect(info.dims[0] == 2 && info.dims[1] == 3);
	for (int i = 0; i < 6; i++)
		cr_expect(x[i] == i + 1 && f[i] == (float)(i + 1), "element %d: %g, %g", i, x[i], (double)f[i]);
	cr_assert_eq(npz_stream_open(&s, z, "x", &e), -1, "a stream has no memory to turn it in");
	cr_expect(strstr(e.msg, "Fortran"), "%s", e.msg);
	tempdir_remove(dir);
}

Test(npz, a_member_that_lies_about_its_size_is_refused)
{
	char *dir = tempdir_make();
	SCOPED(free) char *path = tempdir_file(dir, "a.npz", NULL, 0);
	struct err e = ERR_INIT;
	double mu[5] = { 0 };
	struct npz_writer w;
	cr_assert_eq(
		npz_create(&w, path, &e) || npz_add(&w, "mu", "<f8", (int64_t[]){ 5 }, 1, mu, &e) || npz_commit(&w, &e), 0);
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

/* With a checksum that fits: an array cut off, and one with something behind it. */
Test(npz, a_member_is_as_long_as_its_header_says)
{
	char *dir = tempdir_make();
	for (int n = 4; n <= 6; n++) {
		struct err e = ERR_INIT;
		SCOPED(str) struct str member = { 0 };
		SCOPED(free) char *path = xstrfmt("%s/%d.npz", dir, n);
		SCOPED(npz) struct npz *z = NULL;
		SCOPED(free) double *x = NULL;
		static const double mu[6] = { 1, 2, 3, 4, 5, 6 };
		npy_header(&member, "<f8", (int64_t[]){ 5 }, 1);
		str_addn(&member, mu, sizeof *mu * (size_t)n);
		zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
		cr_assert(zip);
		cr_assert_geq(zip_file_add(zip, "mu.npy", zip_source_buffer(zip, member.data, member.len, 0), 0), 0);
		cr_assert_eq(zip_close(zip), 0);
		cr_assert_eq(npz_open(&z, path, &e), 0, "%s", e.msg);
		cr_assert_eq(npz_doubles(&x, NULL, z, "mu", 100, &e), n == 5 ? 0 : -1, "%d: %s", n, e.msg);
		cr_assert(n == 5 || strstr(e.msg, "bytes, but float64 (5) needs 168"), "%s", e.msg);
	}
	tempdir_remove(dir);
}

Test(npz, a_bit_that_turned_in_an_array_is_found)
{
	enum { N = 3000 }; /* more than comes with the header */
	char *dir = tempdir_make();
	SCOPED(free) char *path = tempdir_file(dir, "a.npz", NULL, 0);
	struct err e = ERR_INIT;
	static double mu[N];
	struct npz_writer w;
	cr_assert_eq(
		npz_create(&w, path, &e) || npz_add(&w, "mu", "<f8", (int64_t[]){ N }, 1, mu, &e) || npz_commit(&w, &e), 0);
	SCOPED(str) struct str bytes = { 0 };
	cr_assert_eq(io_read(&bytes, path, 100000, &e), 0);
	bytes.data[bytes.len / 2] ^= 1;
	free(tempdir_file(dir, "b.npz", bytes.data, bytes.len));
	SCOPED(free) char *bad = xstrfmt("%s/b.npz", dir);
	SCOPED(npz) struct npz *z = NULL;
	SCOPED(free) double *x = NULL;
	cr_assert_eq(npz_open(&z, bad, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_doubles(&x, NULL, z, "mu", N, &e), -1, "accepted");
	cr_assert(strstr(e.msg, "b.npz:mu: damaged"), "%s", e.msg);
	tempdir_remove(dir);
}
