/* test_image_resize.c - pictures cut and resized as Pillow and guided-diffusion do it. */
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/image_resize.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static uint8_t formula(int x, int y, int c)
{
	return (uint8_t)((x + y + c) % 11 == 0 ? 255 : (7 * x + 13 * y + 29 * c + x * y) % 251);
}

static void fill(struct image_u8 *im, int h, int w, int c)
{
	struct err e = ERR_INIT;
	cr_assert_eq(image_u8_shape(im, h, w, c, "formula", &e), 0);
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++)
			for (int k = 0; k < c; k++)
				im->px[(y * w + x) * c + k] = formula(x, y, k);
}

Test(image_resize, crops_as_pillow_and_guided_diffusion_do)
{
	static const int sizes[][2] = { { 37, 53 }, { 20, 17 }, { 100, 64 }, { 9, 12 }, { 33, 200 } };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct err e = ERR_INIT;
		SCOPED(image_u8) struct image_u8 im = { 0 };
		SCOPED(str) struct str want = { 0 };
		SCOPED(free) char *path = xstrfmt(FIXTURES "/resize/crop_%dx%d.bin", sizes[i][0], sizes[i][1]);
		fill(&im, sizes[i][1], sizes[i][0], 3);
		cr_assert_eq(io_read(&want, path, 4096, &e), 0, "%s", e.msg);
		cr_assert_eq(image_u8_centre_crop(&im, 16, "formula", &e), 0, "%s", e.msg);
		cr_assert(im.h == 16 && im.w == 16 && want.len == 768);
		int differ = 0;
		for (size_t k = 0; k < want.len; k++)
			differ += im.px[k] != (uint8_t)want.data[k];
		cr_expect_eq(differ, 0, "%dx%d: %d of 768 values differ", sizes[i][0], sizes[i][1], differ);
	}
}

/* Python's round() takes halves to the even number: 15 columns times 5 / 6 are 12.5, and become 12. */
Test(image_resize, a_half_becomes_the_even_number)
{
	enum { SIDE = 5, H = 6, W = 15, SMALLER = 12, LEFT = 3 };
	struct err e = ERR_INIT;
	SCOPED(image_u8) struct image_u8 cropped = { 0 }, whole = { 0 };
	cr_assert_eq(image_u8_shape(&cropped, H, W, 1, "x", &e) || image_u8_shape(&whole, H, W, 1, "x", &e), 0);
	for (int i = 0; i < H * W; i++)
		cropped.px[i] = whole.px[i] = (uint8_t)(i * i * 7 + i);
	cr_assert_eq(image_u8_centre_crop(&cropped, SIDE, "x", &e), 0, "%s", e.msg);
	cr_assert_eq(image_u8_resize(&whole, SIDE, SMALLER, FILTER_BICUBIC, "x", &e), 0, "%s", e.msg);
	cr_assert(cropped.h == SIDE && cropped.w == SIDE);
	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++)
			cr_expect_eq(cropped.px[y * SIDE + x], whole.px[y * SMALLER + LEFT + x], "%d, %d", y, x);
}
