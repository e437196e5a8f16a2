/* import_fixture.h - places to import from, written for a test, and the cache that they go to: for tests of
 * harness/import. */
#ifndef ABLATE_TESTS_IMPORT_FIXTURE_H
#define ABLATE_TESTS_IMPORT_FIXTURE_H

#include "harness/import/data_import.h"
#include "model/base/mem.h"
#include "model/data/cifar.h"
#include "model/data/image_png.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

static char *place; /* a temporary folder; the cache is in it */

static inline void set_up(void)
{
	place = tempdir_make();
	SCOPED(free) char *cache = xstrfmt("%s/cache", place);
	(void)setenv("ABLATE_CACHE", cache, 1);
	(void)unsetenv("ABLATE_DATA");
}

static inline void tear_down(void)
{
	tempdir_remove(place);
}

static inline char *in_place(const char *name)
{
	char *path = xstrfmt("%s/%s", place, name);
	SCOPED(free) char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	struct err e = ERR_INIT;
	cr_assert_eq(io_mkdirs(folder, &e), 0, "%s", e.msg);
	return path;
}

/* A grey-level picture, every value `level`. */
static inline void write_png(const char *name, int h, int w, uint8_t level)
{
	SCOPED(free) char *path = in_place(name);
	SCOPED(free) uint8_t *px = xcalloc((size_t)(h * w), 3);
	struct err e = ERR_INIT;
	memset(px, level, (size_t)(h * w * 3));
	cr_assert_eq(image_png_write(path, px, h, w, 3, &e), 0, "%s", e.msg);
}

static inline void write_bytes(const char *name, const void *data, size_t n)
{
	SCOPED(free) char *path = in_place(name);
	struct err e = ERR_INIT;
	cr_assert_eq(io_write_atomic(path, data, n, &e), 0, "%s", e.msg);
}

static inline struct imported *import(const char *name, const char *source, const struct import_options *o)
{
	static struct imported out[2];
	struct err e = ERR_INIT;
	SCOPED(free) char *path = xstrfmt("%s/%s", place, source);
	static const struct import_options nothing = { .quiet = true };
	cr_assert_eq(data_import(out, name, path, o ? o : &nothing, &e), 0, "%s", e.msg);
	return out;
}

static inline void refuse(const char *name, const char *source, const char *want)
{
	struct imported out[2];
	struct err e = ERR_INIT;
	SCOPED(free) char *path = xstrfmt("%s/%s", place, source);
	cr_assert_eq(data_import(out, name, path, &(struct import_options){ .quiet = true }, &e), -1, "%s was taken",
	             source);
	cr_expect(strstr(e.msg, want), "%s", e.msg);
	cr_expect(!strchr(e.msg, '\n'), "one line: %s", e.msg);
	struct set_ref ref;
	cr_expect(!set_ref_read(&ref, name, SPLIT_TRAIN));
}

static inline struct dataset open_set(const char *name, enum data_split split)
{
	struct dataset d;
	struct err e = ERR_INIT;
	cr_assert_eq(dataset_check(&d, name, split, &e), 0, "%s", e.msg);
	return d;
}

static inline void add_member(zip_t *z, const char *name, const void *bytes, size_t n)
{
	zip_source_t *s = zip_source_buffer(z, bytes, n, 0);
	cr_assert(s && zip_file_add(z, name, s, ZIP_FL_ENC_UTF_8) >= 0);
}

static inline void write_zip(const char *name, const char *const *members, const char *json)
{
	SCOPED(free) char *path = in_place(name);
	struct str bytes[4] = { { 0 } };
	struct err e = ERR_INIT;
	int code;
	(void)unlink(path);
	zip_t *z = zip_open(path, ZIP_CREATE, &code);
	cr_assert(z);
	for (int i = 0; members[i]; i++) {
		SCOPED(free) char *png = xstrfmt("%s/level%d.png", place, i);
		SCOPED(free) char *level = xstrfmt("level%d.png", i);
		write_png(level, 8, 8, (uint8_t)(50 + i));
		cr_assert_eq(io_read(&bytes[i], png, 1 << 16, &e), 0);
		add_member(z, members[i], bytes[i].data, bytes[i].len);
	}
	if (json)
		add_member(z, "dataset.json", json, strlen(json));
	cr_assert_eq(zip_close(z), 0);
	for (int i = 0; i < 4; i++)
		str_release(&bytes[i]);
}

/* A member of a tar archive. */
static inline void add_tar(struct str *tar, const char *name, const void *data, size_t n)
{
	char h[512] = { 0 };
	unsigned sum = 0;
	(void)snprintf(h, 100, "%s", name);
	(void)snprintf(h + 124, 12, "%011o", (unsigned)n);
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar", 6);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	(void)snprintf(h + 148, 8, "%06o", sum);
	str_addn(tar, h, 512);
	str_addn(tar, data, n);
	while (tar->len % 512)
		str_addc(tar, '\0');
}

static inline void write_tar(const char *name, const struct str *tar, bool gzip)
{
	SCOPED(free) char *path = in_place(name);
	gzFile f = gzopen(path, gzip ? "wb" : "wbT");
	cr_assert(f && gzwrite(f, tar->data, (unsigned)tar->len) == (int)tar->len);
	cr_assert_eq(gzclose(f), Z_OK);
}

static inline void add_batch(struct str *tar, const char *name, int first, size_t bytes)
{
	SCOPED(free) uint8_t *records = xcalloc(2, CIFAR_RECORD);
	for (int i = 0; i < 2; i++) {
		records[i * CIFAR_RECORD] = (uint8_t)(first + i);
		memset(records + i * CIFAR_RECORD + 1, first * 10 + i, 1024);
	}
	add_tar(tar, name, records, bytes);
}

/* Members as EDM names them. */
#define EDM_MEMBERS ((const char *const[]){ "00000/img00000000.png", "00000/img00000001.png", NULL })

#endif
