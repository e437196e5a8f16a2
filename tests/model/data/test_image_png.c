/* test_image_png.c - PNG and JPEG of every mode against Pillow, and grey against colour. */
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/image_decode.h"
#include "model/data/image_png.h"
#include "model/formats/npz.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

Test(image, every_png_and_jpeg_mode_as_pillow_gives_it)
{
	static const char *const names[] = {
		"bit1.png", "i16.png",         "l.png",       "la.png",      "p.png",    "p_trns.png",        "rgb.png",
		"rgba.png", "rgb_q75_420.jpg", "rgb_q95.jpg", "p_short.png", "cmyk.jpg", "cmyk_unmarked.jpg", "ycck.jpg"
	};
	struct err e = ERR_INIT;
	SCOPED(npz) struct npz *z = NULL;
	cr_assert_eq(npz_open(&z, FIXTURES "/png_modes/expected_rgb.npz", &e), 0, "%s", e.msg);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		SCOPED(free) char *path = xstrfmt(FIXTURES "/png_modes/%s", names[i]);
		SCOPED(free) double *want = NULL;
		SCOPED(str) struct str bytes = { 0 };
		SCOPED(image_u8) struct image_u8 im = { 0 };
		struct npy_info info;
		cr_assert_eq(io_read(&bytes, path, 1 << 20, &e), 0, "%s", e.msg);
		cr_assert_eq(image_u8_decode(&im, (const uint8_t *)bytes.data, bytes.len, names[i], &e), 0, "%s", e.msg);
		cr_assert_eq(npz_doubles(&want, &info, z, names[i], 1 << 20, &e), 0, "%s", e.msg);
		cr_assert(im.h == info.dims[0] && im.w == info.dims[1] && im.c == 3, "%s", names[i]);
		int worst = 0, allowed = strstr(names[i], ".jpg") ? 2 : 0;
		for (int64_t k = 0; k < info.count; k++) {
			int d = abs((int)want[k] - im.px[k]);
			worst = d > worst ? d : worst;
		}
		cr_assert(worst <= allowed, "%s: off by %d", names[i], worst);
	}
}

Test(image, a_png_cut_anywhere_is_an_error_that_names_it)
{
	struct err e = ERR_INIT;
	SCOPED(str) struct str bytes = { 0 };
	cr_assert_eq(io_read(&bytes, FIXTURES "/png_modes/p_trns.png", 1 << 20, &e), 0, "%s", e.msg);
	SCOPED(image_u8) struct image_u8 im = { 0 };
	for (size_t n = 0; n < bytes.len; n++) {
		e = ERR_INIT;
		cr_assert_eq(image_u8_decode(&im, (const uint8_t *)bytes.data, n, "x.png", &e), -1, "cut at %zu", n);
		cr_assert(strncmp(e.msg, "x.png: ", 7) == 0, "%s", e.msg);
	}
	SCOPED(str) struct str jpeg = { 0 };
	cr_assert_eq(io_read(&jpeg, FIXTURES "/png_modes/rgb_q95.jpg", 1 << 20, &e), 0, "%s", e.msg);
	cr_assert_eq(image_u8_decode(&im, (const uint8_t *)jpeg.data, jpeg.len / 2, "x.jpg", &e), -1);
	cr_assert(strstr(e.msg, "x.jpg: truncated"), "%s", e.msg);
}

Test(image, a_huge_png_is_refused_before_it_is_allocated)
{
	uint8_t px[3] = { 0 };
	char *dir = tempdir_make();
	SCOPED(free) char *path = tempdir_file(dir, "x.png", NULL, 0);
	struct err e = ERR_INIT;
	cr_assert_eq(image_png_write(path, px, 1, 1, 3, &e), 0, "%s", e.msg);
	SCOPED(str) struct str b = { 0 };
	cr_assert_eq(io_read(&b, path, 1 << 20, &e), 0);
	memcpy(b.data + 16, "\0\1\0\0\0\1\0\0", 8); /* 65536 x 65536, with its checksum */
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)b.data + 12, 17);
	for (int i = 0; i < 4; i++)
		b.data[29 + i] = (char)(crc >> (24 - 8 * i));
	SCOPED(image_u8) struct image_u8 im = { 0 };
	cr_assert_eq(image_u8_decode(&im, (const uint8_t *)b.data, b.len, "x.png", &e), -1);
	cr_assert(strstr(e.msg, "megapixels"), "%s", e.msg);
	tempdir_remove(dir);
}

Test(image, grey_and_back)
{
	SCOPED(image_u8) struct image_u8 im = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(image_u8_shape(&im, 1, 3, 3, "x", &e), 0);
	memcpy(im.px, (uint8_t[]){ 255, 0, 0, 10, 20, 30, 0, 255, 0 }, 9);
	image_u8_to_grey(&im);
	cr_assert(im.c == 1 && im.px[0] == 76 && im.px[1] == 18, "%d %d", im.px[0], im.px[1]);
	cr_assert_eq(im.px[2], 150, "149.685 is rounded");
	image_u8_to_rgb(&im);
	cr_assert_arr_eq(im.px, ((uint8_t[]){ 76, 76, 76, 18, 18, 18, 150, 150, 150 }), 9);
}
