/* test_containers.c - pictures in HDF5 files and LMDB databases: byte for byte those of a folder, and what is refused.
 * HDF5's fixtures are h5py's (tests/fixtures/hdf5/make.py); databases are written here, through the library itself. */
#include "metrics/sources/sources.h"
#include "model/base/io.h"
#include "model/base/library.h"
#include "model/base/mem.h"
#include "model/data/image_png.h"
#include "model/formats/hdf5.h"
#include "model/formats/lmdb.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { N = 7, H = 6, W = 5 };

static uint8_t pixel(int i, int y, int x, int c)
{
	return (uint8_t)(i * 37 + y * 11 + x * 5 + c * 83);
}

/* All N pictures, forwards and back; channels 1 or 3. */
static void expect_pictures(const char *path, int channels)
{
	SCOPED(source) struct source *s = NULL;
	SCOPED(image_u8) struct image_u8 im = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(source_open(&s, path, &e), 0, "%s", e.msg);
	cr_assert_eq(s->n, N, "%s: %lld", path, (long long)s->n);
	for (int k = 0; k < 2 * N; k++) {
		int i = k < N ? k : 2 * N - 1 - k;
		cr_assert_eq(source_read(s, i, &im, &e), 0, "%s", e.msg);
		cr_assert(im.h == H && im.w == W && im.c == channels, "%s: %d x %d x %d", path, im.h, im.w, im.c);
		for (int p = 0; p < H * W * channels; p++)
			cr_assert_eq(im.px[p], pixel(i, p / channels / W, p / channels % W, p % channels), "%s: %d of %d", path, p,
			             i);
	}
}

static void expect_refusal(const char *path, const char *says)
{
	struct source *s;
	struct err e = ERR_INIT;
	int rc = source_open(&s, path, &e);
	SCOPED(image_u8) struct image_u8 im = { 0 };
	for (int64_t i = 0; rc == 0 && i < s->n; i++)
		if (source_read(s, i, &im, &e)) {
			source_free(s);
			rc = -1;
		}
	cr_assert_eq(rc, -1, "%s was read", path);
	cr_assert(strstr(e.msg, says), "%s", e.msg);
}

Test(source, pictures_in_hdf5)
{
	struct err e = ERR_INIT;
	const char *where;
	if (hdf5_look(&where, &e))
		cr_skip_test("%s", e.msg);
	expect_pictures(FIXTURES "/hdf5/plain.h5", 3);
	expect_pictures(FIXTURES "/hdf5/imgs.h5", 3); /* N,C,H,W */
	expect_pictures(FIXTURES "/hdf5/packed.h5", 3);
	expect_pictures(FIXTURES "/hdf5/grey.h5", 1);
	expect_refusal(FIXTURES "/hdf5/part.h5", "part.h5:images: only 1 of its 3 chunks were ever written");
	expect_refusal(FIXTURES "/hdf5/other.h5",
	               "other.h5: holds no pictures: it is an HDF5 file of flag (not numbers), ");
	expect_refusal(FIXTURES "/hdf5/empty.h5", "empty.h5: holds no pictures: it is an HDF5 file of no array");
}

/* --- databases --- */

struct span {
	size_t n;
	const void *bytes;
};
static struct {
	int (*env_new)(void **env);
	int (*env_map)(void *env, size_t bytes);
	int (*env_open)(void *env, const char *path, unsigned flags, unsigned mode);
	int (*begin)(void *env, void *parent, unsigned flags, void **change);
	int (*table)(void *change, const char *name, unsigned flags, unsigned *out);
	int (*put)(void *change, unsigned table, struct span *key, struct span *value, unsigned flags);
	int (*commit)(void *change);
	void (*env_close)(void *env);
} mdb;
static const struct library_function functions[] = {
	{ "mdb_env_create", &mdb.env_new }, { "mdb_env_set_mapsize", &mdb.env_map }, { "mdb_env_open", &mdb.env_open },
	{ "mdb_txn_begin", &mdb.begin },    { "mdb_dbi_open", &mdb.table },          { "mdb_put", &mdb.put },
	{ "mdb_txn_commit", &mdb.commit },  { "mdb_env_close", &mdb.env_close },     { NULL, NULL },
};
static const char *const files[] = { "liblmdb.so.0", NULL };
static struct library library = { .files = files, .package = "liblmdb0", .functions = functions };

struct entry {
	const char *key;
	size_t n_key; /* 0: a text */
	int picture;  /* -1: the value is `text`, n bytes */
	const char *text;
	size_t n;
};

/* Heap: the file of picture i. */
static void png_of(struct str *out, const char *dir, int i)
{
	uint8_t px[3 * H * W];
	struct err e = ERR_INIT;
	SCOPED(free) char *path = tempdir_file(dir, "picture.png", NULL, 0);
	for (int p = 0; p < 3 * H * W; p++)
		px[p] = pixel(i, p / 3 / W, p / 3 % W, p % 3);
	cr_assert_eq(image_png_write(path, px, H, W, 3, &e), 0, "%s", e.msg);
	cr_assert_eq(io_read(out, path, 1 << 20, &e), 0, "%s", e.msg);
}

/* Heap: a folder with a database of those entries, which come in any order; skips where there is no library. */
static char *database(const char *dir, const char *name, const struct entry *v, size_t n)
{
	enum { NO_LOCK = 0x400000 };
	char *path = xstrfmt("%s/%s", dir, name);
	struct err e = ERR_INIT;
	void *env, *change;
	unsigned table;
	if (library_need(&library, &e))
		cr_skip_test("%s", e.msg);
	cr_assert_eq(mkdir(path, 0777), 0);
	cr_assert_eq(mdb.env_new(&env), 0);
	cr_assert_eq(mdb.env_map(env, 1 << 20), 0);
	cr_assert_eq(mdb.env_open(env, path, NO_LOCK, 0666), 0);
	cr_assert_eq(mdb.begin(env, NULL, 0, &change), 0);
	cr_assert_eq(mdb.table(change, NULL, 0, &table), 0);
	for (size_t i = 0; i < n; i++) {
		SCOPED(str) struct str png = { 0 };
		if (v[i].picture >= 0)
			png_of(&png, dir, v[i].picture);
		struct span key = { v[i].n_key ? v[i].n_key : strlen(v[i].key), v[i].key },
					value = { v[i].picture >= 0 ? png.len : v[i].n, v[i].picture >= 0 ? png.data : v[i].text };
		cr_assert_eq(mdb.put(change, table, &key, &value, 0), 0);
	}
	cr_assert_eq(mdb.commit(change), 0);
	mdb.env_close(env);
	return path;
}
#define DATABASE(dir, name, v) database(dir, name, v, sizeof(v) / sizeof *(v))

/* As LSUN's: put in in any order, they come in that of the keys. */
static const struct entry plain[] = { { "0003", 0, 3, "", 0 }, { "0000", 0, 0, "", 0 }, { "0006", 0, 6, "", 0 },
	                                  { "0001", 0, 1, "", 0 }, { "0002", 0, 2, "", 0 }, { "0005", 0, 5, "", 0 },
	                                  { "0004", 0, 4, "", 0 } };

Test(source, pictures_in_a_database)
{
	static const struct entry stylegan[] = { { "8-00000", 0, 0, "", 0 }, { "8-00001", 0, 1, "", 0 },
		                                     { "8-00002", 0, 2, "", 0 }, { "8-00003", 0, 3, "", 0 },
		                                     { "8-00004", 0, 4, "", 0 }, { "8-00005", 0, 5, "", 0 },
		                                     { "8-00006", 0, 6, "", 0 }, { "length", 0, -1, "7", 1 } };
	static const struct entry binary[] = {
		/* keys that hold NUL, or end in the middle of a letter */
		{ "\0\1", 2, 0, "", 0 }, { "\0\1\0", 3, 1, "", 0 },    { "\0\2", 2, 2, "", 0 },
		{ "a", 0, 3, "", 0 },    { "\x80", 0, 4, "", 0 },      { "\xc3", 0, 5, "", 0 },
		{ "\xff", 0, 6, "", 0 }, { "__len__", 0, -1, "7", 1 }, { "__keys__", 0, -1, "any", 3 }
	};
	char *dir = tempdir_make();
	SCOPED(free)
	char *lsun = DATABASE(dir, "lsun", plain), *sg = DATABASE(dir, "sg", stylegan), *bin = DATABASE(dir, "bin", binary),
		 *file = xstrfmt("%s/data.mdb", lsun), *lock = xstrfmt("%s/lock.mdb", lsun);
	expect_pictures(lsun, 3);
	expect_pictures(file, 3);
	expect_pictures(sg, 3);
	expect_pictures(bin, 3);
	cr_assert(!io_exists(lock), "reading leaves nothing behind");

	SCOPED(source) struct source *s = NULL;
	struct err e = ERR_INIT;
	cr_assert_eq(source_open(&s, lsun, &e), 0, "%s", e.msg);
	SCOPED(free) char *item = source_item(s, 3), *want = xstrfmt("%s:0003", lsun);
	cr_assert_str_eq(item, want);
	SCOPED(source) struct source *b = NULL;
	cr_assert_eq(source_open(&b, bin, &e), 0, "%s", e.msg);
	SCOPED(free) char *hex = source_item(b, 1), *wanted = xstrfmt("%s:0x000100", bin);
	cr_assert_str_eq(hex, wanted);
	tempdir_remove(dir);
}

Test(source, databases_that_are_no_pictures_are_refused)
{
	static char large[5000] = "\x80\x04no picture";
	static const struct entry sizes[] = { { "8-00000", 0, 0, "", 0 },
		                                  { "16-00000", 0, 0, "", 0 },
		                                  { "length", 0, -1, "1", 1 } };
	static const struct entry labels[] = { { "a", 0, 0, "", 0 }, { "labels", 0, -1, "0 1", 3 } };
	static const struct entry pickled[] = { { "a", 0, -1, large, sizeof large } };
	static const struct entry gif[] = { { "a", 0, 0, "", 0 }, { "b", 0, -1, "GIF89a..........", 16 } };
	static const struct entry nothing[] = { { "a", 0, -1, "", 0 } };
	static const struct entry counted[] = { { "length", 0, -1, "0", 1 } };
	static const struct {
		const char *name, *says;
		const struct entry *v;
		size_t n;
	} bad[] = {
		{ "sizes", "sizes: the same pictures in several resolutions: 16, 8; write those of one to a folder", sizes, 3 },
		{ "labels", "labels:labels: its value is no encoded picture (3 bytes)", labels, 2 },
		{ "pickled", "pickled:a: its value is no encoded picture (5000 bytes)", pickled, 1 },
		{ "gif", "gif:b: a GIF", gif, 2 },
		{ "nothing", "nothing:a: its value is no encoded picture (0 bytes)", nothing, 1 },
		{ "counted", "counted: contains no images", counted, 1 },
		{ "empty", "empty: contains no images", NULL, 0 },
	};
	char *dir = tempdir_make();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		SCOPED(free) char *path = database(dir, bad[i].name, bad[i].v, bad[i].n);
		expect_refusal(path, bad[i].says);
	}
	tempdir_remove(dir);
}

/* A page beyond the end of a mapped file is a fault that no error can report: sizes are compared before. */
Test(source, a_database_cut_anywhere_is_an_error_that_names_it)
{
	char *dir = tempdir_make();
	SCOPED(free) char *path = DATABASE(dir, "lsun", plain), *file = xstrfmt("%s/data.mdb", path);
	SCOPED(str) struct str all = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(io_read(&all, file, 1 << 20, &e), 0, "%s", e.msg);
	for (size_t n = 20; n < all.len; n += 500) {
		SCOPED(free) char *cut = tempdir_file(dir, "cut.mdb", all.data, n);
		expect_refusal(cut, "cut.mdb: ");
	}
	SCOPED(free) char *text = tempdir_file(path, "data.mdb", "a text", 6);
	expect_refusal(path, "data.mdb: not an LMDB database, whatever its name");
	tempdir_remove(dir);
}
