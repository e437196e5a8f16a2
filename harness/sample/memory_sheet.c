/* memory_sheet.c - see memory_sheet.h. */
#include "harness/sample/memory_sheet.h"

#include "model/base/mem.h"
#include "model/data/png_grid.h"

enum { PAIRS_A_ROW = 5, MARGIN = 2 };

static int read_rgb(struct image_u8 *im, struct source *s, int64_t i, struct err *e)
{
	if (source_read(s, i, im, e))
		return -1;
	image_u8_to_rgb(im);
	return 0;
}

static int add_pair(struct png_grid *g, struct source *generated, struct source *train, const struct memory_near *near,
                    struct image_u8 im[2], struct err *e)
{
	return read_rgb(&im[0], generated, near->generated, e) || png_grid_add(g, im[0].px, e) ||
	       read_rgb(&im[1], train, near->train, e) || png_grid_add(g, im[1].px, e);
}

static int draw(const char *path, struct source *generated, struct source *train, const struct memory_near *near,
                int64_t n, struct image_u8 im[2], struct err *e)
{
	struct png_grid *g;
	if (read_rgb(&im[0], generated, 0, e) || read_rgb(&im[1], train, 0, e))
		return -1;
	if (im[0].h != im[1].h || im[0].w != im[1].w)
		return err_set(e, "%s: images of %d x %d pixels, and of %d x %d in %s; a sheet shows ones of one size",
		               generated->path, im[0].w, im[0].h, im[1].w, im[1].h, train->path);
	int columns = 2 * (n < PAIRS_A_ROW ? (int)n : PAIRS_A_ROW), rows = (int)((n + PAIRS_A_ROW - 1) / PAIRS_A_ROW);
	if (png_grid_open(&g, path, columns, rows, im[0].w, im[0].h, 3, MARGIN, e))
		return -1;
	for (int64_t i = 0; i < n; i++)
		if (add_pair(g, generated, train, &near[i], im, e)) {
			png_grid_free(g);
			return -1;
		}
	return png_grid_close(g, e);
}

int memory_sheet(const char *path, struct source *generated, struct source *train, const struct memory_near *near,
                 int64_t n, struct err *e)
{
	struct image_u8 im[2] = { { 0 } };
	int bad = draw(path, generated, train, near, n, im, e);
	image_u8_release(&im[0]);
	image_u8_release(&im[1]);
	return bad ? -1 : 0;
}
