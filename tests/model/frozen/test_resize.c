/* test_resize.c - the named resamplings: bicubic against Pillow's bits, bilinear against their definitions, the
 * gradient against its transpose. */
#include "tests/common/formula.h"
#include "model/base/mem.h"
#include "model/frozen/resize.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Checksums of Pillow 9.4's mode-F bicubic result at every seventh pixel, channel by channel. */
static const struct {
	const char *image;
	uint64_t wsum;
} pillow[] = {
	{ "A32p/0", 0x298a197da5bc16e5 }, { "D75x53p/0", 0xab91cab7e0fe84bb }, { "E401x350p/0", 0x4d4f721c6b6fbae6 },
	{ "C64p/0", 0x894cb410175aae31 }, { "B32p/0", 0xda438503d63c0eb2 },    { "E401x350p/2", 0xfdd2f268ad2eebcd },
};

Test(resize, clean_has_the_bits_of_pillow)
{
	enum { SIDE = 299, GRID = 43 };
	SCOPED(free) float *full = xcalloc(SIDE * SIDE * 3, sizeof *full), *grid = xcalloc(GRID * GRID * 3, sizeof *grid);
	for (size_t i = 0; i < sizeof pillow / sizeof *pillow; i++) {
		int h, w;
		SCOPED(free) uint8_t *px = formula_image_named(pillow[i].image, &h, &w);
		resize_u8(full, SIDE, SIDE, px, h, w, 3, RESIZE_CLEAN);
		for (int c = 0; c < 3; c++)
			for (int y = 0; y < GRID; y++)
				for (int x = 0; x < GRID; x++)
					grid[(c * GRID + y) * GRID + x] = full[(y * 7 * SIDE + x * 7) * 3 + c];
		cr_assert_eq(formula_wsum_f32(grid, GRID * GRID * 3), pillow[i].wsum, "%s", pillow[i].image);
	}
}

Test(resize, bilinear_kinds_follow_their_own_grids)
{
	static const float src[4] = { 0, 30, 60, 90 };
	float dst[8];
	resize_f32(dst, 1, 8, src, 1, 4, 1, RESIZE_TORCH_BILINEAR);
	cr_assert_arr_eq(dst, ((float[]){ 0, 7.5f, 22.5f, 37.5f, 52.5f, 67.5f, 82.5f, 90 }), sizeof dst);
	resize_f32(dst, 1, 8, src, 1, 4, 1, RESIZE_TF_BILINEAR);
	cr_assert_arr_eq(dst, ((float[]){ 0, 15, 30, 45, 60, 75, 90, 90 }), sizeof dst);
	resize_f32(dst, 1, 2, src, 1, 4, 1, RESIZE_TORCH_BILINEAR);
	cr_assert_eq(dst[0], 15, "shrinking does not antialias");
	for (int kind = 0; kind < RESIZE_N_KINDS; kind++) {
		resize_f32(dst, 1, 4, src, 1, 4, 1, (enum resize_kind)kind);
		cr_assert_arr_eq(dst, src, sizeof src, "%s changes a picture of the right size",
		                 resize_name((enum resize_kind)kind));
	}
}

Test(resize, grey_is_repeated)
{
	const uint8_t grey[4] = { 1, 2, 3, 200 };
	float dst[12];
	resize_u8(dst, 2, 2, grey, 2, 2, 1, RESIZE_TORCH_BILINEAR);
	cr_assert_arr_eq(dst, ((float[]){ 1, 1, 1, 2, 2, 2, 3, 3, 3, 200, 200, 200 }), sizeof dst);
}

/* <resize(x), g> = <x, backward(g)> for every x and g says that backward is the transpose. */
Test(resize, backward_is_the_transpose)
{
	enum { SH = 5, SW = 4, DH = 9, DW = 11, C = 3 };
	float x[SH * SW * C], g[DH * DW * C], y[DH * DW * C], back[SH * SW * C] = { 0 };
	for (int i = 0; i < SH * SW * C; i++)
		x[i] = (float)formula_u("x", (uint64_t)i);
	for (int i = 0; i < DH * DW * C; i++)
		g[i] = (float)formula_u("g", (uint64_t)i);
	resize_f32(y, DH, DW, x, SH, SW, C, RESIZE_TORCH_BILINEAR);
	resize_backward(back, SH, SW, g, DH, DW, C);
	double left = 0, right = 0;
	for (int i = 0; i < DH * DW * C; i++)
		left += (double)y[i] * (double)g[i];
	for (int i = 0; i < SH * SW * C; i++)
		right += (double)x[i] * (double)back[i];
	cr_assert(fabs(left - right) <= 1e-5, "%.9g and %.9g", left, right);
}

Test(resize, names_are_known_or_refused)
{
	enum resize_kind kind;
	struct err e = ERR_INIT;
	for (int i = 0; i < RESIZE_N_KINDS; i++) {
		cr_assert_eq(resize_by_name(&kind, resize_name((enum resize_kind)i), &e), 0);
		cr_assert_eq(kind, i);
	}
	cr_assert_eq(resize_by_name(&kind, "bicubic", &e), -1);
	cr_assert(strstr(e.msg, "torch-bilinear") && e.code == EXIT_USAGE, "%s", e.msg);
}
