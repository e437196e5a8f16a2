/* test_source_ahead.c - pictures read by several threads: the same ones in the same order as one after the other, the
 * first failure and no other, and an end at any time. */
#include "metrics/sources/sources.h"
#include "model/base/mem.h"
#include "model/data/image_png.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { N = 23, SIDE = 5 };
static char *dir;

static char *item_path(int i)
{
	return xstrfmt("%s/%02d.png", dir, i);
}

static void put_picture(int i, int h, int w)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *path = item_path(i);
	SCOPED(free) uint8_t *px = xmalloc((size_t)(3 * h * w));
	for (int k = 0; k < 3 * h * w; k++)
		px[k] = (uint8_t)(i * 31 + k);
	cr_assert_eq(image_png_write(path, px, h, w, 3, &e), 0, "%s", e.msg);
}

static void put_nonsense(int i)
{
	SCOPED(free) char *name = xstrfmt("%02d.png", i);
	free(tempdir_file(dir, name, "not a picture", 13));
}

static void setup(void)
{
	dir = tempdir_make();
	for (int i = 0; i < N; i++)
		put_picture(i, SIDE, SIDE + 1);
}

static void teardown(void)
{
	tempdir_remove(dir);
}

TestSuite(source_ahead, .init = setup, .fini = teardown, .timeout = 120);

/* The first n pictures of path in batches; how many came before the end or the failure. Each is compared with what
 * source_read gives. */
static int64_t read_all(const char *path, int64_t n, int batch, int threads, struct err *e)
{
	SCOPED(source) struct source *s = NULL, *plain = NULL;
	SCOPED(image_u8) struct image_u8 want = { 0 };
	const struct image_u8 *images;
	struct err ignored = ERR_INIT;
	int64_t at = 0;
	int got;
	omp_set_num_threads(threads);
	cr_assert_eq(source_open(&s, path, e), 0, "%s", e->msg);
	cr_assert_eq(source_open(&plain, path, e), 0, "%s", e->msg);
	SCOPED(source_ahead) struct source_ahead *a = source_ahead_new(s, n, batch);
	while (!source_ahead_next(a, &images, &got, e) && got > 0) {
		cr_assert(got == batch || at + got == n, "%d pictures at %lld", got, (long long)at);
		for (int k = 0; k < got; k++, at++) {
			cr_assert_eq(source_read(plain, at, &want, &ignored), 0, "%s", ignored.msg);
			cr_assert(images[k].h == want.h && images[k].w == want.w && images[k].c == want.c);
			cr_assert_arr_eq(images[k].px, want.px, (size_t)want.h * (size_t)want.w * (size_t)want.c, "picture %lld",
			                 (long long)at);
		}
	}
	return at;
}

Test(source_ahead, gives_what_reading_one_by_one_gives)
{
	static const int batches[] = { 1, 2, 7, N - 1, N, N + 1, 64 }, threads[] = { 1, 2, 5 };
	struct err e = ERR_INIT;
	for (size_t b = 0; b < sizeof batches / sizeof *batches; b++)
		for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
			cr_assert_eq(read_all(dir, N, batches[b], threads[t], &e), N, "%s", e.msg);
			cr_assert_eq(read_all(dir, N - 4, batches[b], threads[t], &e), N - 4, "%s", e.msg);
		}
}

Test(source_ahead, an_archive_is_shared_by_the_readers)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *path = xstrfmt("%s.zip", dir);
	int code;
	zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
	cr_assert(z);
	for (int i = 0; i < N; i++) {
		SCOPED(free) char *from = item_path(i), *name = xstrfmt("%02d.png", i);
		cr_assert(zip_file_add(z, name, zip_source_file(z, from, 0, -1), 0) >= 0);
	}
	cr_assert_eq(zip_close(z), 0);
	cr_assert_eq(read_all(path, N, 4, 5, &e), N, "%s", e.msg);
	cr_assert_eq(remove(path), 0);
}

Test(source_ahead, pictures_of_an_array_come_in_order)
{
	uint8_t bytes[N][SIDE][SIDE][3];
	struct err e = ERR_INIT;
	for (int i = 0; i < N; i++)
		memset(bytes[i], i, sizeof bytes[i]);
	struct source s = { .kind = &source_memory, .path = dir, .n = N, .h = SIDE, .w = SIDE, .c = 3, .self = bytes };
	SCOPED(source_ahead) struct source_ahead *a = source_ahead_new(&s, N, 4);
	const struct image_u8 *images;
	for (int at = 0, n;; at += n) {
		cr_assert_eq(source_ahead_next(a, &images, &n, &e), 0, "%s", e.msg);
		for (int k = 0; k < n; k++)
			cr_assert_eq(images[k].px[0], at + k);
		if (n == 0) {
			cr_assert_eq(at, N);
			break;
		}
	}
}

/* Two that cannot be read and one of another size: the first by name is told, whoever met which first. */
Test(source_ahead, the_first_failure_is_told)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *ninth = item_path(9);
	put_nonsense(9);
	put_nonsense(11);
	put_picture(14, SIDE + 1, SIDE);
	for (int round = 0; round < 20; round++) {
		e = ERR_INIT;
		cr_assert_eq(read_all(dir, N, 4, 5, &e), 8);
		cr_assert(strstr(e.msg, ninth), "%s", e.msg);
	}
	put_picture(9, SIDE, SIDE + 1);
	put_picture(11, SIDE, SIDE + 1);
	e = ERR_INIT;
	cr_assert_eq(read_all(dir, N, 4, 5, &e), 12);
	cr_assert(strstr(e.msg, "14.png") && strstr(e.msg, "one size"), "%s", e.msg);
}

Test(source_ahead, may_be_left_at_any_time)
{
	struct err e = ERR_INIT;
	const struct image_u8 *images;
	int n;
	omp_set_num_threads(5);
	for (int calls = 0; calls < 4; calls++) {
		SCOPED(source) struct source *s = NULL;
		cr_assert_eq(source_open(&s, dir, &e), 0, "%s", e.msg);
		SCOPED(source_ahead) struct source_ahead *a = source_ahead_new(s, s->n, 3);
		for (int k = 0; k < calls; k++)
			cr_assert_eq(source_ahead_next(a, &images, &n, &e), 0, "%s", e.msg);
	}
}
