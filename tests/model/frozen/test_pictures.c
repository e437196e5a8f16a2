/* test_pictures.c - byte pictures as a network's input on the CUDA back end against the host's, to the bit, under
 * emulation or on a GPU: every resize and scale, grey and RGB, sizes above, below and at the network's, one pixel,
 * bf16. */
#include "tests/common/formula.h"
#include "model/cpu/devices.h"
#include "model/base/mem.h"
#include "model/frozen/pictures.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 37, N = 3 };

static struct backend *open_device(void)
{
	struct backend *b;
	struct err e = ERR_INIT;
	cr_assert_eq(
		setenv("ABLATE_CUDA_PLUGIN", getenv("ABLATE_TEST_PLUGIN") ? getenv("ABLATE_TEST_PLUGIN") : CUDA_EMU, 1), 0);
	cr_assert_eq(backend_open(&b, "cuda:0", DTYPE_FP32, &e), 0, "%s", e.msg);
	return b;
}

static void make(struct image_u8 *im, int h, int w, int c, int which)
{
	*im = (struct image_u8){ .h = h, .w = w, .c = c, .px = xmalloc((size_t)(h * w * c)) };
	for (int i = 0; i < h * w * c; i++)
		im->px[i] = (uint8_t)(127.5 + 127.99 * formula_u("pictures", (uint64_t)(i * N + which)));
}

static float of_low(uint16_t x)
{
	union {
		uint32_t u;
		float f;
	} v = { .u = (uint32_t)x << 16 };
	return v.f;
}

/* To nearest, ties to even. */
static float rounded_low(float x)
{
	union {
		float f;
		uint32_t u;
	} v = { .f = x };
	return of_low((uint16_t)((v.u + 0x7FFF + (v.u >> 16 & 1)) >> 16));
}

static void check(struct backend *b, struct picture_feed *f, int h, int w, int c, enum resize_kind kind,
                  enum picture_scale scale, bool low)
{
	enum { EACH = SIDE * SIDE * 3 };
	struct image_u8 images[N];
	struct err e = ERR_INIT;
	static float want[EACH], got[N * EACH];
	static uint16_t got_low[N * EACH];
	size_t bytes = low ? sizeof got_low : sizeof got;
	for (int i = 0; i < N; i++)
		make(&images[i], h, w, c, i);
	void *dst = b->ops->memory.alloc(b, bytes, &e);
	cr_assert(dst, "%s", e.msg);
	cr_assert_eq(picture_feed_run(f, dst, low, images, N, kind, scale, &e), 0, "%s", e.msg);
	b->ops->memory.download(b, low ? (void *)got_low : (void *)got, dst, bytes);
	cr_assert_eq(backend_check(b, &e), 0, "%s", e.msg);
	b->ops->memory.release(b, dst);
	for (int i = 0; i < N; i++) {
		picture_values(want, SIDE, &images[i], kind, scale);
		for (int k = 0; k < EACH; k++) {
			float is = low ? of_low(got_low[i * EACH + k]) : got[i * EACH + k],
				  to_be = low ? rounded_low(want[k]) : want[k];
			cr_assert(is == to_be, "%s of %dx%dx%d, scale %d, picture %d, value %d: %.9g, not %.9g", resize_name(kind),
			          h, w, c, (int)scale, i, k, (double)is, (double)to_be);
		}
		free(images[i].px);
	}
}

Test(pictures, of_another_back_end_are_the_hosts)
{
	static const int sizes[][3] = { { 32, 32, 3 },   { 28, 28, 1 },   { 1, 1, 3 },
		                            { SIDE, 50, 3 }, { 91, SIDE, 1 }, { 128, 3, 3 } };
	struct backend *b = open_device();
	struct picture_feed *f = picture_feed_new(b, SIDE);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int kind = 0; kind < RESIZE_N_KINDS; kind++)
			for (int scale = PICTURE_UNIT; scale <= PICTURE_BY_128; scale++)
				check(b, f, sizes[i][0], sizes[i][1], sizes[i][2], (enum resize_kind)kind, (enum picture_scale)scale,
				      false);
	check(b, f, 32, 32, 3, RESIZE_CLEAN, PICTURE_BY_128, true);
	picture_feed_free(f);
	backend_free(b);
}

Test(pictures, of_several_sizes_are_told_apart)
{
	struct image_u8 images[2] = { { .h = 2, .w = 3, .c = 3 }, { .h = 2, .w = 3, .c = 3 } };
	cr_expect(pictures_alike(images, 2));
	images[1].c = 1;
	cr_expect(!pictures_alike(images, 2));
}
