/* test_figure.c - the streamed PNG grid, axes, and figures in all formats. */
#include "harness/show/figure.h"
#include "harness/show/figure_axis.h"
#include "harness/show/figure_draw.h"
#include "model/data/png_grid.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
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
	cr_assert_eq(png_grid_open(&g, "/dev/null/x.png", 1, 1, 8, 8, 3, 0, &e), -1);
	cr_assert_null(g);
	uint8_t tile[64] = { 0 };
	cr_assert_eq(png_grid_open(&g, path, 1, 1, 8, 8, 1, 0, &e), 0, "%s", e.msg);
	cr_assert_eq(png_grid_add(g, tile, &e), 0, "%s", e.msg);
	cr_assert_eq(png_grid_add(g, tile, &e), -1);
	png_grid_free(g);
	cr_assert_not(io_exists(path));
	cr_assert_eq(png_grid_open(&g, "/dev/full/x.png", 1, 1, 8, 8, 1, 0, &e), -1);
}

/* --- axes and figures -------------------------------------------------------------------------------------------- */

static bool has_tick(const struct axis *a, double value, const char *text)
{
	for (int i = 0; i < a->n_ticks; i++)
		if (fabs(a->tick[i] - value) <= 1e-9 * fabs(value) + 1e-15)
			return !text || strcmp(a->text[i], text) == 0;
	return false;
}

Test(axis, ticks_are_round_and_cover_the_range)
{
	struct axis a;
	axis_init(&a, (struct axis_range){ .min = 0.13, .max = 9.4 }, 6);
	cr_assert(a.min == 0 && a.max == 10 && has_tick(&a, 4, "4") && a.n_ticks == 6);
	axis_init(&a, (struct axis_range){ .min = 0, .max = 20000, .exact = true }, 5);
	cr_assert(has_tick(&a, 5000, "5000") && has_tick(&a, 20000, "20k"));
	axis_init(&a, (struct axis_range){ .min = 0.002, .max = 80, .log = true, .exact = true }, 6);
	cr_assert(has_tick(&a, 0.01, "0.01") && has_tick(&a, 10, "10") && !has_tick(&a, 100, NULL));
	axis_init(&a, (struct axis_range){ .min = 3, .max = 30, .log = true }, 6);
	cr_assert(has_tick(&a, 5, "5") && has_tick(&a, 20, "20"));
	axis_init(&a, (struct axis_range){ .min = 9, .max = 17, .log = true },
	          6); /* no power of ten but one: the ticks of a linear axis */
	cr_assert(has_tick(&a, 10, "10") && has_tick(&a, 14, "14") && a.n_ticks >= 4);
	axis_init(&a, (struct axis_range){ .min = 7, .max = 7 }, 5);
	cr_assert(a.min < 7 && a.max > 7 && a.n_ticks >= 2);
	axis_init(&a, (struct axis_range){ .min = INFINITY, .max = -INFINITY }, 5);
	cr_assert(a.min < a.max);
	axis_init(&a, (struct axis_range){ .min = -3, .max = -1, .log = true }, 5);
	cr_assert(a.min > 0 && a.min < a.max);
	axis_init(&a, (struct axis_range){ .min = 1e-320, .max = 1e308, .log = true }, 5);
	cr_assert(a.n_ticks >= 2);
	axis_init(&a, (struct axis_range){ .min = -1e300, .max = 1e300 }, 5);
	cr_assert(isfinite(a.min) && isfinite(a.max));
	cr_assert(isnan(axis_place(&a, NAN)));
}

/* What an axis cannot show does not stretch it: a zero would put a log axis at its end. */
Test(axis, ranges_are_of_what_can_be_shown)
{
	double min = INFINITY, max = -INFINITY;
	static const double values[] = { 3, 0, -1, NAN, INFINITY, 5 };
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		axis_extend(&min, &max, values[i], true);
	cr_expect(min == 3 && max == 5, "%g %g", min, max);
	axis_extend(&min, &max, -1, false);
	axis_extend(&min, &max, -INFINITY, false);
	cr_expect(min == -1 && max == 5, "%g %g", min, max);
}

static const double xs[] = { 1, 10, 100, 1000 }, ys[] = { 5, NAN, 2, 1 }, lo[] = { 4, 3, 1.5, 0.9 },
					hi[] = { 6, 5, 3, 1.2 };

static struct figure_series series[] = {
	{ "a <b> & c", FIGURE_LINE, 4, xs, ys, lo, hi, NULL, NULL, 0, false },
	{ "step", FIGURE_STEP, 4, xs, hi, NULL, NULL, NULL, NULL, 0, false },
	{ "points", FIGURE_POINTS, 4, xs, lo, lo, hi, NULL, NULL, 0, false },
};
static const double places[] = { 0, 1, 2, 3 };
static const char *const names[] = { "base", "no EMA teacher", "Pseudo-Huber with a very long name", "σ" };
static struct figure_series bar_series[] = { { "fid", FIGURE_BARS, 4, places, hi, lo, hi, ys, NULL, 0, false } };

static struct figure sample_figure(void)
{
	static struct figure_panel panels[3];
	static const uint8_t pixels[4 * 4 * 3] = { 255, 0, 0, 0, 255 };
	panels[0] = (struct figure_panel){ .title = "curves",
		                               .x = { .label = "step", .log = true },
		                               .y = { .label = "loss", .log = true },
		                               .series = series,
		                               .n_series = 3 };
	panels[1] = (struct figure_panel){ .title = "bars",
		                               .x = { .names = names, .n_names = 4 },
		                               .y = { .label = "FID-10k" },
		                               .series = bar_series,
		                               .n_series = 1 };
	panels[2] = (struct figure_panel){ .title = "samples", .pixels = pixels, .w = 4, .h = 4 };
	return (struct figure){ .title = "A title", .note = "a note", .panels = panels, .n_panels = 3, .cols = 2 };
}

Test(figure, all_formats_come_from_one_description_and_are_the_same_twice)
{
	struct figure f = sample_figure();
	static const struct {
		const char *format, *magic;
	} formats[] = { { "svg", "<?xml" }, { "pdf", "%PDF-" }, { "png", "\x89PNG" } };
	for (size_t i = 0; i < 3; i++) {
		struct err e = ERR_INIT;
		SCOPED(str) struct str a = { 0 }, b = { 0 };
		cr_assert_eq(figure_render(&a, &f, formats[i].format, &e), 0, "%s", e.msg);
		cr_assert_eq(figure_render(&b, &f, formats[i].format, &e), 0, "%s", e.msg);
		cr_assert(strncmp(a.data, formats[i].magic, strlen(formats[i].magic)) == 0, "%s", formats[i].format);
		cr_assert(a.len == b.len && memcmp(a.data, b.data, a.len) == 0, "%s differs between two runs",
		          formats[i].format);
		const char *keep = getenv("ABLATE_KEEP_FIGURE"); /* a folder: to look at the pictures */
		if (keep) {
			SCOPED(free) char *path = xstrfmt("%s/sample.%s", keep, formats[i].format);
			cr_assert_eq(io_write_atomic(path, a.data, a.len, &e), 0, "%s", e.msg);
		}
	}
}

Test(figure, a_curve_is_drawn_where_its_values_are)
{
	static const double x[] = { 0, 10 }, y[] = { 0, 10 };
	static struct figure_series s[] = { { "", FIGURE_LINE, 2, x, y, NULL, NULL, NULL, NULL, 0, false } };
	static struct figure_panel p[] = { { .series = s, .n_series = 1 } };
	struct figure f = { .panels = p, .n_panels = 1 };
	SCOPED(free) char *path = temp_path("curve.png");
	struct err e = ERR_INIT;
	cr_assert_eq(figure_write(&f, path, &e), 0, "%s", e.msg);
	int w, h;
	SCOPED(free) uint8_t *px = read_png(path, &w, &h);
	unlink(path);
	cr_assert(w == 600 && h == 420);
	/* the plotting area is [58, 286] x [24, 166] points; the line its rising diagonal, so the other one is empty */
	for (int k = 1; k <= 3; k++) {
		int cx = 2 * (58 + 57 * k), up = 2 * (166 - 35 * k - k / 2), blue = 0, off = 0;
		for (int dy = -6; dy <= 6; dy++) {
			const uint8_t *on = px + 3 * ((up + dy) * w + cx);
			blue += on[2] > on[0] + 80;
		}
		for (int dy = -3; dy <= 3 && k != 2; dy++) {
			const uint8_t *at = px + 3 * ((2 * (24 + 35 * k) + dy) * w + cx);
			off += at[2] > at[0] + 80;
		}
		cr_assert(blue >= 2, "k %d: %d blue pixels", k, blue);
		cr_assert_eq(off, 0);
	}
}

Test(figure, bad_requests_are_refused)
{
	struct figure f = sample_figure();
	struct err e = ERR_INIT;
	cr_assert_eq(figure_write(&f, "/tmp/x.gif", &e), -1);
	cr_assert_eq(e.code, EXIT_USAGE);
	cr_assert_not_null(strstr(e.msg, "svg, pdf or png"), "%s", e.msg);
	cr_assert_eq(figure_write(&f, "/tmp/noextension", &e), -1);
	cr_assert_eq(figure_write(&f, "/dev/null/a.svg", &e), -1);
	f.n_panels = 0;
	cr_assert_eq(figure_write(&f, "/tmp/x.svg", &e), -1);
	f = sample_figure();
	f.panel_w = 1e6;
	cr_assert_eq(figure_write(&f, "/tmp/x.png", &e), -1);
	/* nothing to draw is a picture, too */
	struct figure_panel empty = { .title = "no values yet", .y = { .log = true } };
	f = (struct figure){ .panels = &empty, .n_panels = 1 };
	SCOPED(str) struct str s = { 0 };
	cr_assert_eq(figure_render(&s, &f, "svg", &e), 0, "%s", e.msg);
}

Test(figure, fonts_of_the_program_are_for_machines_without_any)
{
	char *root = tempdir_make();
	struct err e = ERR_INIT;
	SCOPED(free)
	char *folder = xstrfmt("%s/fonts", root), *conf = xstrfmt("%s/fonts.conf", folder),
		 *none = xstrfmt("%s/none", root);
	cr_assert(unsetenv("FONTCONFIG_FILE") == 0 && unsetenv("FONTCONFIG_PATH") == 0 &&
	          setenv("ABLATE_DATA", root, 1) == 0);
	cr_assert_null(figure_own_fonts(none), "there are none yet");
	cr_assert(io_mkdirs(folder, &e) == 0 && io_write_atomic(conf, "x", 1, &e) == 0, "%s", e.msg);
	SCOPED(free) char *own = figure_own_fonts(none);
	cr_assert(own && strcmp(own, conf) == 0, "%s", own ? own : "nothing");
	cr_assert_null(figure_own_fonts(conf), "the system has a configuration");
	cr_assert(setenv("FONTCONFIG_FILE", "/elsewhere", 1) == 0);
	cr_assert_null(figure_own_fonts(none), "the environment names one");
	tempdir_remove(root);
}
