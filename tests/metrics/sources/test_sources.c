/* test_sources.c - pictures from every kind of place; bad input named in one line. */
#define _GNU_SOURCE
#include "model/formats/npz.h"
#include "metrics/sources/sources.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/cifar.h"
#include "model/data/image_png.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

static void put_png(const char *dir, const char *name, uint8_t value, int h, int w)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *path = tempdir_file(dir, name, NULL, 0);
	SCOPED(free) uint8_t *px = xmalloc(3 * (size_t)h * (size_t)w);
	memset(px, value, 3 * (size_t)h * (size_t)w);
	cr_assert_eq(image_png_write(path, px, h, w, 3, &e), 0, "%s", e.msg);
}

/* Every picture of a source, by its first byte; -1 in `at` on failure. */
static int first_bytes(uint8_t *out, const char *path, struct err *e)
{
	SCOPED(source) struct source *s = NULL;
	SCOPED(image_u8) struct image_u8 im = { 0 };
	if (source_open(&s, path, e))
		return -1;
	for (int64_t i = 0; i < s->n; i++) {
		if (source_read(s, i, &im, e))
			return -1;
		out[i] = im.px[0];
	}
	for (int64_t i = s->n; i-- > 0;) /* backwards too: access is random */
		if (source_read(s, i, &im, e) || im.px[0] != out[i])
			return -1;
	return (int)s->n;
}

Test(source, a_folder_is_sorted_and_says_what_it_left_out)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	put_png(dir, "b.png", 2, 4, 4);
	put_png(dir, "a.png", 1, 4, 4);
	put_png(dir, "B.png", 0, 4, 4);
	free(tempdir_file(dir, "notes.txt", "hello", 5));
	free(tempdir_file(dir, ".hidden", "x", 1));
	uint8_t v[8];
	cr_assert_eq(first_bytes(v, dir, &e), 3, "%s", e.msg);
	cr_assert_arr_eq(v, ((uint8_t[]){ 0, 1, 2 }), 3);
	SCOPED(source) struct source *s = NULL;
	cr_assert_eq(source_open(&s, dir, &e), 0);
	cr_assert(strstr(str_text(&s->notes), "notes.txt: not an image"), "%s", str_text(&s->notes));
	SCOPED(free) char *item = source_item(s, 2);
	cr_assert(strstr(item, "/b.png"));
	free(tempdir_file(dir, "z.bmp", "BM", 2));
	cr_assert_eq(first_bytes(v, dir, &e), -1, "a picture that the peers would read must not be dropped");
	cr_assert(strstr(e.msg, "z.bmp"), "%s", e.msg);
	tempdir_remove(dir);
}

Test(source, bad_folders_are_named)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	uint8_t v[8];
	cr_assert_eq(first_bytes(v, dir, &e), -1);
	cr_assert(strstr(e.msg, "no images"), "%s", e.msg);
	SCOPED(free) char *text = tempdir_file(dir, "a.png", "I am a text\n", 12);
	cr_assert_eq(first_bytes(v, dir, &e), -1);
	cr_assert(strstr(e.msg, "a.png: not a picture by its first bytes"), "%s", e.msg);
	put_png(dir, "a.png", 1, 1, 1);
	cr_assert_eq(first_bytes(v, dir, &e), -1);
	cr_assert(strstr(e.msg, "a.png: an image of 1 x 1"), "%s", e.msg);
	put_png(dir, "a.png", 1, 4, 4);
	put_png(dir, "b.png", 1, 4, 5);
	cr_assert_eq(first_bytes(v, dir, &e), -1);
	cr_assert(strstr(e.msg, "b.png: 5 x 4 pixels"), "%s", e.msg);
	SCOPED(free) char *none = xstrfmt("%s/none", dir);
	cr_assert_eq(first_bytes(v, none, &e), -1);
	cr_assert(strstr(e.msg, "none: no such file"), "%s", e.msg);
	cr_assert_eq(first_bytes(v, text, &e), -1, "one image is not a source");
	tempdir_remove(dir);
}

static void make_zip(const char *path, const char *const *names, const char *const *from, int n)
{
	int code;
	zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
	cr_assert(z);
	for (int i = 0; i < n; i++)
		cr_assert(zip_file_add(z, names[i], zip_source_file(z, from[i], 0, -1), ZIP_FL_ENC_UTF_8) >= 0);
	cr_assert_eq(zip_close(z), 0);
}

Test(source, a_zip_reads_like_a_folder_and_escapes_are_refused)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	uint8_t v[8];
	put_png(dir, "one.png", 1, 4, 4);
	put_png(dir, "two.png", 2, 4, 4);
	SCOPED(free) char *one = xstrfmt("%s/one.png", dir), *two = xstrfmt("%s/two.png", dir);
	SCOPED(free) char *zip = xstrfmt("%s/x.zip", dir);
	const char *from[] = { one, two };
	make_zip(zip, (const char *const[]){ "00001/b.png", "00000/a.png" }, from, 2);
	cr_assert_eq(first_bytes(v, zip, &e), 2, "%s", e.msg);
	cr_assert(v[0] == 2 && v[1] == 1);
	make_zip(zip, (const char *const[]){ "10:30:00.png", "10:31:00.png" }, from, 2);
	cr_assert_eq(first_bytes(v, zip, &e), 2, "times in names lead nowhere: %s", e.msg);
	make_zip(zip, (const char *const[]){ "a.png", "C:b.png" }, from, 2);
	cr_assert_eq(first_bytes(v, zip, &e), -1);
	make_zip(zip, (const char *const[]){ "a.png", "../b.png" }, from, 2);
	cr_assert_eq(first_bytes(v, zip, &e), -1);
	cr_assert(strstr(e.msg, "x.zip") && strstr(e.msg, "../b.png"), "%s", e.msg);
	make_zip(zip, (const char *const[]){ "a.png", "/etc/b.png" }, from, 2);
	cr_assert_eq(first_bytes(v, zip, &e), -1);
	SCOPED(free) char *text = tempdir_file(dir, "note", "hello", 5);
	make_zip(zip, (const char *const[]){ "a.txt" }, (const char *[]){ text }, 1);
	cr_assert_eq(first_bytes(v, zip, &e), -1);
	cr_assert(strstr(e.msg, "no images"), "%s", e.msg);
	free(tempdir_file(dir, "x.zip", "PK\3\4broken", 10));
	cr_assert_eq(first_bytes(v, zip, &e), -1);
	cr_assert(strstr(e.msg, "x.zip"), "%s", e.msg);
	tempdir_remove(dir);
}

static void put_npz(const char *path, const char *key, const char *descr, const int64_t *dims, int n_dims,
                    const void *data)
{
	struct npz_writer w;
	struct err e = ERR_INIT;
	cr_assert_eq(npz_create(&w, path, &e) || npz_add(&w, key, descr, dims, n_dims, data, &e) || npz_commit(&w, &e), 0,
	             "%s", e.msg);
}

/* Their bytes would be other pictures, and as many. */
Test(source, pictures_in_fortran_order_or_with_a_sign_are_refused)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	struct source *s = NULL;
	SCOPED(str) struct str bytes = { 0 };
	npy_header(&bytes, "|u1", (int64_t[]){ 2, 4, 4, 3 }, 4);
	for (int i = 0; i < 2 * 4 * 4 * 3; i++)
		str_addc(&bytes, (char)i);
	SCOPED(free) char *c_order = tempdir_file(dir, "c.npy", bytes.data, bytes.len);
	cr_assert_eq(source_open(&s, c_order, &e), 0, "%s", e.msg);
	source_free(s);
	char *type = memmem(bytes.data, bytes.len, "|u1", 3);
	cr_assert(type);
	type[1] = 'i'; /* as wide, but from -128 to 127 */
	SCOPED(free) char *with_sign = tempdir_file(dir, "i.npy", bytes.data, bytes.len);
	cr_assert_eq(source_open(&s, with_sign, &e), -1);
	cr_assert(strstr(e.msg, "int8 (2, 4, 4, 3): images must be uint8"), "%s", e.msg);
	type[1] = 'u';
	char *order = memmem(bytes.data, bytes.len, "False", 5);
	cr_assert(order);
	memcpy(order, "True ", 5);
	SCOPED(free) char *path = tempdir_file(dir, "f.npy", bytes.data, bytes.len);
	cr_assert_eq(source_open(&s, path, &e), -1);
	cr_assert(strstr(e.msg, "f.npy") && strstr(e.msg, "Fortran order"), "%s", e.msg);
	tempdir_remove(dir);
}

Test(source, npz_batches_of_uint8)
{
	char *dir = tempdir_make();
	SCOPED(free) char *path = xstrfmt("%s/x.npz", dir);
	struct err e = ERR_INIT;
	uint8_t px[3 * 2 * 2 * 3], v[8];
	for (size_t i = 0; i < sizeof px; i++)
		px[i] = (uint8_t)i;
	put_npz(path, "arr_0", "|u1", (int64_t[]){ 3, 2, 2, 3 }, 4, px);
	cr_assert_eq(first_bytes(v, path, &e), 3, "%s", e.msg);
	cr_assert_arr_eq(v, ((uint8_t[]){ 0, 12, 24 }), 3);
	static const struct {
		const char *key, *descr;
		int64_t dims[4];
		const char *says;
	} bad[] = {
		{ "arr_0", "<f4", { 1, 2, 2, 1 }, "must be uint8" },
		{ "arr_0", "|u1", { 1, 3, 2, 4 }, "N,C,H,W" },
		{ "arr_0", "|u1", { 1, 2, 2, 7 }, "C of 1 or 3" },
		{ "arr_0", "|u1", { 1, 2, 2, 4 }, "has alpha" },
		{ "arr_0", "|u1", { 0, 2, 2, 3 }, "no images" },
		{ "mu", "|u1", { 1, 2, 2, 3 }, "it is an .npz archive of mu uint8 (1, 2, 2, 3)" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		put_npz(path, bad[i].key, bad[i].descr, bad[i].dims, 4, px);
		cr_assert_eq(first_bytes(v, path, &e), -1);
		cr_assert(strstr(e.msg, "x.npz") && strstr(e.msg, bad[i].says), "%s", e.msg);
	}
	/* One picture was scored as so many grey ones as it has rows, each three pixels wide. */
	put_npz(path, "arr_0", "|u1", (int64_t[]){ 6, 5, 3 }, 3, (uint8_t[90]){ 0 });
	cr_assert_eq(first_bytes(v, path, &e), -1);
	cr_assert(strstr(e.msg, "uint8 (6, 5, 3) looks like one picture, H,W,C"), "%s", e.msg);
	tempdir_remove(dir);
}

/* What a clone without Git LFS leaves in the place of files, and other packers' files were told as "truncated", as "not
 * a folder, ...", or by the length of a header. */
Test(source, stand_ins_and_packed_files_are_named)
{
	static const char lfs[] = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
	static const struct {
		const char *name, *bytes, *says;
	} cases[] = {
		{ "x.npz", lfs, "x.npz: a pointer of Git LFS" },
		{ "x.tar.gz", lfs, "x.tar.gz: a pointer of Git LFS" },
		{ "set/0.png", lfs, "0.png: a pointer of Git LFS" },
		{ "x.tar.xz",
		  "\xfd"
		  "7zXZ",
		  "x.tar.xz: compressed by xz" },
		{ "x.tar.bz2", "BZh91AY", "compressed by bzip2" },
		{ "x.zst", "\x28\xb5\x2f\xfd....", "by zstd" },
		{ "x.7z", "7z\xbc\xaf\x27\x1c", "a 7z archive" },
		{ "x.rar", "Rar!\x1a\x07", "a RAR archive" },
	};
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	SCOPED(free) char *set = xstrfmt("%s/set", dir);
	uint8_t v[8];
	cr_assert_eq(io_mkdirs(set, &e), 0, "%s", e.msg);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(free) char *path = tempdir_file(dir, cases[i].name, cases[i].bytes, strlen(cases[i].bytes) + 1);
		bool in_set = strncmp(cases[i].name, "set/", 4) == 0;
		cr_assert_eq(first_bytes(v, in_set ? set : path, &e), -1);
		cr_expect(strstr(e.msg, cases[i].says), "%s", e.msg);
		cr_expect(!strchr(e.msg, '\n'), "%s", e.msg);
	}
	tempdir_remove(dir);
}

/* A folder of the Python version is read as one of the binary version is. */
Test(source, cifar_folder_of_the_python_version)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	SCOPED(str) struct str batch = { 0 };
	cr_assert_eq(io_read(&batch, FIXTURES "/numpy/cifar_batch", 1 << 20, &e), 0, "%s", e.msg);
	for (int k = 1; k <= 5; k++) {
		SCOPED(free) char *name = xstrfmt("data_batch_%d", k);
		free(tempdir_file(dir, name, batch.data, batch.len));
	}
	SCOPED(source) struct source *s = NULL;
	SCOPED(image_u8) struct image_u8 im = { 0 };
	cr_assert_eq(source_open(&s, dir, &e), 0, "%s", e.msg);
	cr_assert_eq(s->n, 10);
	cr_assert_eq(source_read(s, 1, &im, &e), 0, "%s", e.msg);
	for (int k = 0; k < 3; k++) /* pixel 0 of picture 1, planes of 1024 */
		cr_assert_eq(im.px[k], (3072 + 1024 * k) * 11 % 256);
	tempdir_remove(dir);
}

/* Written by numpy 2.4 and, for rows2.pkl, in the instructions of Python 2's cPickle (tests/fixtures/numpy/make.py). */
Test(source, arrays_that_are_no_npz)
{
	static const struct {
		const char *file;
		int64_t n;
	} cases[] = { { "px.npy", 3 }, { "rows.pkl", 3 }, { "rows2.pkl", 3 }, { "samples.npz", 3 } };
	struct err e = ERR_INIT;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(free) char *path = xstrfmt(FIXTURES "/numpy/%s", cases[i].file);
		SCOPED(source) struct source *s = NULL;
		SCOPED(image_u8) struct image_u8 im = { 0 };
		cr_assert_eq(source_open(&s, path, &e), 0, "%s", e.msg);
		cr_assert_eq(s->n, cases[i].n);
		for (int64_t k = s->n - 1; k >= 0; k--) { /* backwards, too */
			cr_assert_eq(source_read(s, k, &im, &e), 0, "%s", e.msg);
			cr_assert(im.h == 4 && im.w == 4 && im.c == 3, "%s", path);
			for (int j = 0; j < 48; j++)
				cr_assert_eq(im.px[j], (k * 48 + j) * 7 % 256, "%s[%lld], byte %d", path, (long long)k, j);
		}
	}
}

Test(source, arrays_without_pictures_are_refused_with_what_they_hold)
{
	static const struct {
		const char *file, *says;
	} bad[] = {
		{ "dict.npy", "mu float64 (3), sigma float64 (3, 3)" },
		{ "floats.npy", "floats.npy: float32 (2, 4, 4, 3): images must be uint8" },
		{ "mixed.pkl",
		  "it is a pickle of name (not numbers), nested (not numbers), labels int64 (3), odd (not numbers)" },
		{ "evil.pkl", "global os.system is not plain numpy data: refused, nothing was executed" },
	};
	struct err e = ERR_INIT;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		SCOPED(free) char *path = xstrfmt(FIXTURES "/numpy/%s", bad[i].file);
		struct source *s;
		cr_assert_eq(source_open(&s, path, &e), -1, "%s", path);
		cr_assert(strstr(e.msg, bad[i].file) && strstr(e.msg, bad[i].says), "%s", e.msg);
	}
}

/* What people have and this program does not read is told with the way out, not as "of no kind" or "no images". */
Test(source, parquet_is_refused_by_name)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	uint8_t v[8];
	SCOPED(free) char *path = tempdir_file(dir, "x.parquet", "PAR1....", 8);
	cr_assert_eq(first_bytes(v, path, &e), -1);
	cr_assert(strstr(e.msg, "x.parquet: a Parquet file; write its pictures to a folder"), "%s", e.msg);
	tempdir_remove(dir);
}

Test(source, idx_plain_and_gzipped)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	uint8_t v[8], idx[16 + 12] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 5, 1, 1, 1, 1, 1, 7 };
	SCOPED(free) char *plain = tempdir_file(dir, "x-idx3-ubyte", idx, sizeof idx);
	cr_assert_eq(first_bytes(v, plain, &e), 2, "%s", e.msg);
	cr_assert(v[0] == 5 && v[1] == 7);
	SCOPED(free) char *packed = xstrfmt("%s/x.gz", dir);
	gzFile f = gzopen(packed, "wb");
	cr_assert_eq(gzwrite(f, idx, sizeof idx), (int)sizeof idx);
	gzclose(f);
	cr_assert_eq(first_bytes(v, packed, &e), 2, "%s", e.msg);
	SCOPED(str) struct str gz = { 0 };
	cr_assert_eq(io_read(&gz, packed, 1 << 16, &e), 0);
	free(tempdir_file(dir, "x.gz", gz.data, gz.len - 9));
	cr_assert_eq(first_bytes(v, packed, &e), -1);
	cr_assert(strstr(e.msg, "x.gz") && strstr(e.msg, "truncated"), "%s", e.msg);
	free(tempdir_file(dir, "x-idx3-ubyte", idx, sizeof idx - 1));
	cr_assert_eq(first_bytes(v, plain, &e), -1);
	cr_assert(strstr(e.msg, "truncated"), "%s", e.msg);
	idx[2] = 13;
	free(tempdir_file(dir, "x-idx3-ubyte", idx, sizeof idx));
	cr_assert_eq(first_bytes(v, plain, &e), -1);
	cr_assert(strstr(e.msg, "0x0d"), "%s", e.msg);
	tempdir_remove(dir);
}

Test(source, cifar_file_and_folder)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	uint8_t v[8], records[2 * CIFAR_RECORD] = { 0 };
	records[0] = 3;
	records[1] = 10;        /* red of pixel 0 */
	records[1 + 1024] = 20; /* green */
	records[CIFAR_RECORD + 1] = 30;
	for (int k = 1; k <= 5; k++) {
		SCOPED(free) char *name = xstrfmt("data_batch_%d.bin", k);
		free(tempdir_file(dir, name, records, sizeof records));
	}
	SCOPED(free) char *one = xstrfmt("%s/data_batch_2.bin", dir);
	cr_assert_eq(first_bytes(v, one, &e), 2, "%s", e.msg);
	cr_assert(v[0] == 10 && v[1] == 30);
	SCOPED(source) struct source *s = NULL;
	SCOPED(image_u8) struct image_u8 im = { 0 };
	cr_assert_eq(source_open(&s, dir, &e), 0, "%s", e.msg);
	cr_assert_eq(s->n, 10);
	cr_assert_eq(source_read(s, 8, &im, &e), 0);
	cr_assert(im.px[0] == 10 && im.px[1] == 20 && im.px[2] == 0 && im.px[3] == 0);
	free(tempdir_file(dir, "data_batch_2.bin", records, sizeof records - 1));
	cr_assert_eq(first_bytes(v, one, &e), -1);
	cr_assert(strstr(e.msg, "data_batch_2.bin") && strstr(e.msg, "truncated"), "%s", e.msg);
	tempdir_remove(dir);
}

/* A folder of copies of one picture under these names; heap path. */
static char *folder_of(const char *dir, const char *name, const char *const *files)
{
	struct err e = ERR_INIT;
	SCOPED(str) struct str png = { 0 };
	char *path = xstrfmt("%s/%s", dir, name);
	cr_assert_eq(io_read(&png, FIXTURES "/png_modes/rgb.png", 1 << 20, &e) || io_mkdirs(path, &e), 0, "%s", e.msg);
	for (int i = 0; files[i]; i++) {
		SCOPED(free) char *file = xstrfmt("%s/%s", path, files[i]);
		cr_assert_eq(io_write_atomic(file, png.data, png.len, &e), 0, "%s", e.msg);
	}
	return path;
}
#define FOLDER(dir, name, ...) folder_of(dir, name, (const char *const[]){ __VA_ARGS__, NULL })

/* e: "" or what is wrong with pairing these two. */
static void pair_of(struct source **a, struct source **b, const char *x, const char *y, bool *named, struct err *e)
{
	*e = ERR_INIT;
	cr_assert_eq(source_open(a, x, e) || source_open(b, y, e), 0, "%s", e->msg);
	cr_assert_eq(source_pair(*a, b, named, e), e->msg[0] ? -1 : 0);
}

/* They were paired in their order: with one file missing, every later pair was of two different pictures, without a
 * word. */
Test(sources, pair_by_the_names_of_their_pictures)
{
	char *dir = tempdir_make();
	struct err e;
	bool named;
	struct source *a, *b;
	SCOPED(free) char *three = FOLDER(dir, "three", "1.png", "2.jpg", "a.b.png");
	SCOPED(free) char *same = FOLDER(dir, "same", "1.jpeg", "2.png", "a.b.jpg");
	/* sorted with their endings: k, m, a here and a, k, m there */
	SCOPED(free) char *last = FOLDER(dir, "last", "a.png", "a.k.png", "a.m.png");
	SCOPED(free) char *first = FOLDER(dir, "first", "a.jpg", "a.k.png", "a.m.png");
	SCOPED(free) char *two = FOLDER(dir, "two", "1.png", "a.b.png");
	SCOPED(free) char *twice = FOLDER(dir, "twice", "1.jpg", "1.png", "2.png");
	pair_of(&a, &b, three, same, &named, &e);
	cr_assert(!e.msg[0] && named, "%s", e.msg);
	for (int i = 0; i < 3; i++) {
		SCOPED(free) char *x = source_stem(a, i), *y = source_stem(b, i);
		cr_assert_str_eq(x, y);
	}
	source_free(a);
	source_free(b);
	pair_of(&a, &b, last, first, &named, &e);
	for (int i = 0; i < 3; i++) {
		SCOPED(free) char *x = source_stem(a, i), *y = source_stem(b, i);
		cr_assert_str_eq(x, y);
	}
	source_free(a);
	source_free(b);
	for (int way = 0; way < 2; way++) {
		pair_of(&a, &b, way ? two : three, way ? three : two, &named, &e);
		cr_assert(strstr(e.msg, "three/2.jpg: there is no picture '2' of any ending in") && strstr(e.msg, "two ("),
		          "%s", e.msg);
		source_free(a);
		source_free(b);
	}
	pair_of(&a, &b, twice, three, &named, &e);
	cr_assert(strstr(e.msg, "twice/1.jpg and ") && strstr(e.msg, "twice/1.png: two pictures of one name"), "%s", e.msg);
	source_free(a);
	source_free(b);
	tempdir_remove(dir);
}

/* Of an array, picture i is the i-th; a random subset keeps the names and the order. */
Test(sources, without_names_pair_in_their_order)
{
	struct err e = ERR_INIT;
	bool named = true;
	uint8_t px[6 * 4] = { 0 };
	struct source *b,
		array = { .kind = &source_memory, .path = (char[]){ "m" }, .n = 6, .h = 2, .w = 2, .c = 1, .self = px };
	char *dir = tempdir_make();
	SCOPED(free) char *six = FOLDER(dir, "six", "0.png", "1.png", "2.png", "3.png", "4.png", "5.png");
	SCOPED(free) char *none = source_stem(&array, 3);
	cr_assert(!none);
	cr_assert_eq(source_open(&b, six, &e) || source_pair(&array, &b, &named, &e), 0, "%s", e.msg);
	cr_assert(!named);
	source_sample(&b, 4, 7); /* sorted(numpy.random.RandomState(7).choice(6, 4, replace=False)) is 0 2 3 5 */
	for (int i = 0; i < 4; i++) {
		SCOPED(free) char *stem = source_stem(b, i);
		cr_assert_str_eq(stem, ((const char *[]){ "0", "2", "3", "5" })[i]);
	}
	cr_assert_eq(source_pair(&array, &b, &named, &e), -1);
	cr_assert(strstr(e.msg, "m has 6 pictures and") && strstr(e.msg, "six 4: there are no names"), "%s", e.msg);
	source_free(b);
	tempdir_remove(dir);
}
