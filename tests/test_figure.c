/* test_figure.c - pictures: the streamed PNG grid. */
#include "harness/png_grid.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <png.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char *temp_path(const char *name)
{
	return xstrfmt("/tmp/ablate-figure-%ld-%s", (long)getpid(), name);
}

/* The whole picture as RGB bytes. */
static uint8_t *read_png(const char *path, int *w, int *h)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	cr_assert(png_image_begin_read_from_file(&image, path), "%s", image.message);
	image.format = PNG_FORMAT_RGB;
	uint8_t *pixels = xmalloc(PNG_IMAGE_SIZE(image));
	cr_assert(png_image_finish_read(&image, NULL, pixels, 0, NULL), "%s", image.message);
	*w = (int)image.width, *h = (int)image.height;
	return pixels;
}

Test(png_grid, tiles_lie_where_they_belong_and_missing_ones_are_white)
{
	SCOPED(free) char *path = temp_path("grid.png");
	struct err e = ERR_INIT;
	struct png_grid *g;
	cr_assert_eq(png_grid_open(&g, path, 3, 2, 4, 5, 1, 2, &e), 0, "%s", e.msg);
	uint8_t tile[20];
	for (int i = 0; i < 4; i++) {
		memset(tile, 10 * (i + 1), sizeof tile);
		tile[0] = 1; /* the corner shows the orientation */
		cr_assert_eq(png_grid_add(g, tile, &e), 0, "%s", e.msg);
	}
	cr_assert_eq(png_grid_close(g, &e), 0, "%s", e.msg);
	int w, h;
	SCOPED(free) uint8_t *p = read_png(path, &w, &h);
	cr_assert_eq(w, 3 * 6 + 2);
	cr_assert_eq(h, 2 * 7 + 2);
	for (int y = 0; y < h; y++) {
		for (int x = 0; x < w; x++) {
			int col = (x - 2) / 6, row = (y - 2) / 7, in_x = x - 2 - 6 * col, in_y = y - 2 - 7 * row;
			bool inside = x >= 2 && y >= 2 && in_x < 4 && in_y < 5 && 3 * row + col < 4;
			int want = !inside ? 255 : in_x == 0 && in_y == 0 ? 1 : 10 * (3 * row + col + 1);
			cr_assert_eq(p[3 * (y * w + x)], want, "pixel %d,%d is %d, not %d", x, y, p[3 * (y * w + x)], want);
		}
	}
	unlink(path);
}

Test(png_grid, ten_thousand_images_need_no_more_memory_than_one_row)
{
	SCOPED(free) char *path = temp_path("many.png");
	struct err e = ERR_INIT;
	struct png_grid *g;
	struct rusage before, after;
	uint8_t tile[32 * 32 * 3];
	for (size_t i = 0; i < sizeof tile; i++)
		tile[i] = (uint8_t)(i * 7);
	getrusage(RUSAGE_SELF, &before);
	cr_assert_eq(png_grid_open(&g, path, 100, 100, 32, 32, 3, 2, &e), 0, "%s", e.msg);
	for (int i = 0; i < 10000; i++) {
		tile[i % (int)sizeof tile] ^= 255;
		cr_assert_eq(png_grid_add(g, tile, &e), 0, "%s", e.msg);
	}
	cr_assert_eq(png_grid_close(g, &e), 0, "%s", e.msg);
	getrusage(RUSAGE_SELF, &after);
#ifndef ABLATE_SANITIZED
	cr_assert_lt(after.ru_maxrss - before.ru_maxrss, 4 << 10, "%ld KiB", after.ru_maxrss - before.ru_maxrss);
#endif
	int w, h;
	SCOPED(free) uint8_t *p = read_png(path, &w, &h);
	cr_assert_eq(w, 3402);
	cr_assert_eq(h, 3402);
	unlink(path);
}

Test(png_grid, bad_input_is_refused_and_leaves_no_file)
{
	SCOPED(free) char *path = temp_path("bad.png");
	struct err e = ERR_INIT;
	struct png_grid *g = NULL;
	cr_assert_eq(png_grid_open(&g, path, 0, 1, 8, 8, 3, 0, &e), -1);
	cr_assert_eq(png_grid_open(&g, path, 1, 1, 8, 8, 2, 0, &e), -1);
	cr_assert_eq(png_grid_open(&g, path, 10000, 1, 8, 8, 3, 0, &e), -1);
	cr_assert_not_null(strstr(e.msg, "choose other columns"), "%s", e.msg);
	cr_assert_eq(png_grid_open(&g, "/nonexistent/x.png", 1, 1, 8, 8, 3, 0, &e), -1);
	cr_assert_null(g);
	uint8_t tile[64] = { 0 };
	cr_assert_eq(png_grid_open(&g, path, 1, 1, 8, 8, 1, 0, &e), 0, "%s", e.msg);
	cr_assert_eq(png_grid_add(g, tile, &e), 0, "%s", e.msg);
	cr_assert_eq(png_grid_add(g, tile, &e), -1);
	png_grid_free(g);
	cr_assert_not(io_exists(path));
	cr_assert_eq(png_grid_open(&g, "/dev/full/x.png", 1, 1, 8, 8, 1, 0, &e), -1);
}
