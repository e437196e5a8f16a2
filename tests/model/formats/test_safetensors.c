/* test_safetensors.c - round trips, determinism, and every way in which a header can lie. */
#include "model/base/mem.h"
#include "model/formats/safetensors.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static char *dir; /* of the running test */
static void make_dir(void)
{
	dir = tempdir_make();
}
static void remove_dir(void)
{
	tempdir_remove(dir);
}
TestSuite(safetensors, .init = make_dir, .fini = remove_dir);

static char *in_dir(const char *name)
{
	return xstrfmt("%s/%s", dir, name);
}

static const float weights[6] = { 1, -2, 3.5f, 0, 1e-30f, 7 };
static const uint8_t bytes[3] = { 1, 2, 255 };
static const int64_t counter = -9;

static const struct st_tensor three[] = {
	{ .name = "u", .dtype = ST_U8, .n_dims = 1, .dims = { 3 }, .data = bytes },
	{ .name = "w", .dtype = ST_F32, .n_dims = 2, .dims = { 2, 3 }, .data = weights },
	{ .name = "step", .dtype = ST_I64, .n_dims = 0, .data = &counter },
};

Test(safetensors, what_is_written_is_read)
{
	SCOPED(free) char *path = in_dir("a");
	const struct st_meta meta[] = { { "z", "last" }, { "a", "\"first\"\n" } };
	char sha[SHA256_HEX], again[SHA256_HEX];
	struct err e = ERR_INIT;
	cr_assert_eq(safetensors_write(path, three, 3, meta, 2, sha, &e), 0, "%s", e.msg);
	struct safetensors *st;
	cr_assert_eq(safetensors_open(&st, path, &e), 0, "%s", e.msg);
	cr_assert_eq(st->n_tensors, 3);
	cr_assert_str_eq(st->tensors[0].name, "step");
	cr_assert_str_eq(safetensors_meta(st, "a"), "\"first\"\n");
	cr_assert_null(safetensors_meta(st, "b"));
	const struct st_tensor *w = safetensors_find(st, "w");
	cr_assert(w && st_aligned(w) && st_aligned(safetensors_find(st, "step")));
	cr_assert_arr_eq(w->data, weights, sizeof weights);
	cr_assert_null(safetensors_find(st, "v"));
	float f[3];
	st_to_f32(f, safetensors_find(st, "u"));
	cr_assert_eq(f[2], 255);
	double d;
	st_to_f64(&d, safetensors_find(st, "step"));
	cr_assert_eq(d, -9);
	safetensors_sha256(again, st);
	cr_assert_str_eq(sha, again);
	safetensors_free(st);
}

Test(safetensors, order_of_arguments_does_not_reach_the_bytes)
{
	SCOPED(free) char *a = in_dir("a"), *b = in_dir("b");
	const struct st_tensor turned[] = { three[2], three[0], three[1] };
	const struct st_meta m1[] = { { "k", "v" }, { "a", "b" } }, m2[] = { { "a", "b" }, { "k", "v" } };
	struct err e = ERR_INIT;
	cr_assert_eq(safetensors_write(a, three, 3, m1, 2, NULL, &e), 0, "%s", e.msg);
	cr_assert_eq(safetensors_write(b, turned, 3, m2, 2, NULL, &e), 0, "%s", e.msg);
	char ha[SHA256_HEX], hb[SHA256_HEX];
	cr_assert_eq(io_sha256_file(ha, a, &e), 0);
	cr_assert_eq(io_sha256_file(hb, b, &e), 0);
	cr_assert_str_eq(ha, hb);
}

Test(safetensors, a_shape_that_is_not_the_expected_one_is_named)
{
	SCOPED(free) char *path = in_dir("a");
	struct err e = ERR_INIT;
	struct safetensors *st;
	cr_assert_eq(safetensors_write(path, three, 3, NULL, 0, NULL, &e), 0, "%s", e.msg);
	cr_assert_eq(safetensors_open(&st, path, &e), 0, "%s", e.msg);
	const struct st_tensor *t;
	cr_assert_eq(safetensors_need(&t, st, "w", 2, (int64_t[]){ -1, 3 }, &e), 0);
	cr_assert_eq(safetensors_need(&t, st, "w", 2, (int64_t[]){ 3, 2 }, &e), -1);
	cr_assert(strstr(e.msg, path) && strstr(e.msg, "w: shape [2, 3], expected [3, 2]"), "%s", e.msg);
	cr_assert_eq(safetensors_need(&t, st, "x", 0, NULL, &e), -1);
	cr_assert(strstr(e.msg, "no tensor named x"), "%s", e.msg);
	safetensors_free(st);
}

/* header text, payload size, a part of the message ("" = accepted) */
static const struct {
	const char *json;
	size_t payload;
	const char *message;
} lies[] = {
	{ "{}", 0, "" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, "1 bytes at the end" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "outside the payload" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}", 9, "before a belong" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "need 12" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "not a possible size" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "not a possible size" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
	  "not a possible size" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "at most 8" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "outside the payload" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "two integers" },
	{ "{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "C64" },
	{ "{\"a\":{\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "dtype" },
	{ "{\"a\":3}", 0, "dtype" },
	{ "[]", 0, "not a JSON object" },
	{ "{\"a\":", 0, "header, byte" },
	{ "{\"__metadata__\":{\"a\":1}}", 0, "not text" },
	{ "{\"__metadata__\":[]}", 0, "not an object" },
	{ "{\"a\\nb\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "not printable" },
	{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[1],"
	  "\"data_offsets\":[1,2]}}",
	  2, "duplicate" },
	{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
	  "\"data_offsets\":[1,3]}}",
	  3, "b: overlaps a" },
	{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
	  "\"data_offsets\":[0,2]}}",
	  2, "overlaps" },
};

Test(safetensors, a_header_that_lies_is_refused_in_words)
{
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		size_t len = strlen(lies[i].json), n = 8 + len + lies[i].payload;
		SCOPED(free) unsigned char *file = xcalloc(n, 1);
		file[0] = (unsigned char)len;
		file[1] = (unsigned char)(len >> 8);
		memcpy(file + 8, lies[i].json, len);
		struct safetensors *st = NULL;
		struct err e = ERR_INIT;
		int rc = safetensors_parse(&st, file, n, "f.st", &e);
		if (*lies[i].message)
			cr_assert(rc == -1 && strstr(e.msg, "f.st") && strstr(e.msg, lies[i].message), "case %zu: %d %s", i, rc,
			          e.msg);
		else
			cr_assert_eq(rc, 0, "case %zu: %s", i, e.msg);
		safetensors_free(st);
	}
}

Test(safetensors, a_cut_file_is_refused_at_every_length)
{
	SCOPED(free) char *path = in_dir("a");
	struct err e = ERR_INIT;
	cr_assert_eq(safetensors_write(path, three, 3, NULL, 0, NULL, &e), 0, "%s", e.msg);
	SCOPED(str) struct str all = { 0 };
	cr_assert_eq(io_read(&all, path, 1 << 20, &e), 0);
	for (size_t n = 0; n < all.len; n++) {
		struct safetensors *st;
		cr_assert_eq(safetensors_parse(&st, all.data, n, "cut", &e), -1, "%zu of %zu bytes accepted", n, all.len);
	}
}

/* Both formats by their definition: sign, exponent, fraction. */
static double by_definition(uint32_t h, int exponent_bits, int fraction_bits)
{
	int top = (1 << exponent_bits) - 1, exponent = (int)(h >> fraction_bits) & top, bias = top >> 1;
	double fraction = ldexp((double)(h & ((1u << fraction_bits) - 1)), -fraction_bits), sign = h & 0x8000 ? -1 : 1;
	if (exponent == top)
		return fraction > 0 ? (double)NAN : sign * (double)INFINITY;
	return sign * (exponent ? ldexp(1 + fraction, exponent - bias) : ldexp(fraction, 1 - bias));
}

Test(safetensors, half_precision_is_exact)
{
	for (uint32_t h = 0; h < 65536; h++) {
		double f16 = by_definition(h, 5, 10), bf16 = by_definition(h, 8, 7);
		float x = st_f16_to_f32((uint16_t)h), y = st_bf16_to_f32((uint16_t)h);
		cr_assert(isnan(f16) ? isnan(x) : (double)x == f16 && !signbit(x) == !signbit(f16), "f16 0x%04x: %g", h,
		          (double)x);
		cr_assert(isnan(bf16) ? isnan(y) : (double)y == bf16 && !signbit(y) == !signbit(bf16), "bf16 0x%04x: %g", h,
		          (double)y);
	}
}
