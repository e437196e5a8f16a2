/* png_grid.c - libpng fed one pixel row at a time from one row of tiles; its longjmp errors are turned into struct err
 * at every entry. */
#include "model/data/png_grid.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <png.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BACKGROUND = 255, WRITE_BUFFER = 1 << 16 };

struct png_grid {
	struct io_atomic file;
	png_structp png;
	png_infop info;
	int cols, rows, w, h, c, margin;
	int row, col;    /* where the next tile goes */
	size_t stride;   /* bytes of one pixel row of the picture */
	uint8_t *band;   /* (h, stride): the row of tiles being filled */
	uint8_t *blank;  /* (stride): a row of margin */
	uint8_t *buffer; /* WRITE_BUFFER bytes on their way to the file */
	size_t buffered;
	struct err *e; /* where a failing libpng call reports */
};

static int flush(struct png_grid *g)
{
	if (g->buffered && io_atomic_write(&g->file, g->buffer, g->buffered, g->e))
		return -1;
	g->buffered = 0;
	return 0;
}

static void on_write(png_structp png, png_bytep data, png_size_t n)
{
	struct png_grid *g = png_get_io_ptr(png);
	while (n) {
		size_t room = WRITE_BUFFER - g->buffered, part = n < room ? n : room;
		memcpy(g->buffer + g->buffered, data, part);
		g->buffered += part, data += part, n -= part;
		if (g->buffered == WRITE_BUFFER && flush(g))
			png_longjmp(png, 1); /* the error is set already */
	}
}

static void on_flush(png_structp png)
{
	(void)png;
}

_Noreturn static void on_error(png_structp png, png_const_charp text)
{
	struct png_grid *g = png_get_error_ptr(png);
	(void)err_set(g->e, "%s: libpng: %s", g->file.path, text);
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
	(void)png, (void)text;
}

/* Every call into libpng that may fail sits in one of these two functions. */
static int write_header(struct png_grid *g, png_uint_32 width, png_uint_32 height)
{
	g->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, g, on_error, on_warning);
	g->info = g->png ? png_create_info_struct(g->png) : NULL;
	if (!g->info)
		return err_set(g->e, "%s: libpng cannot start", g->file.path);
	if (setjmp(png_jmpbuf(g->png)))
		return -1;
	png_set_write_fn(g->png, g, on_write, on_flush);
	png_set_IHDR(g->png, g->info, width, height, 8, g->c == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
	             PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_set_compression_level(g->png, 4);
	png_set_filter(g->png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB | PNG_FILTER_UP);
	png_write_info(g->png, g->info);
	return 0;
}

static int write_rows(struct png_grid *g, uint8_t *rows, int n, size_t step, bool end)
{
	if (setjmp(png_jmpbuf(g->png)))
		return -1;
	for (int i = 0; i < n; i++)
		png_write_row(g->png, rows + (size_t)i * step);
	if (end)
		png_write_end(g->png, g->info);
	return 0;
}

static int write_band(struct png_grid *g)
{
	if (write_rows(g, g->band, g->h, g->stride, false) || write_rows(g, g->blank, g->margin, 0, false))
		return -1;
	memset(g->band, BACKGROUND, (size_t)g->h * g->stride);
	g->row++, g->col = 0;
	return 0;
}

static int check(const char *path, const char *what, int got, int min, int max, struct err *e)
{
	return got >= min && got <= max
	           ? 0
	           : err_code(e, EXIT_USAGE, "%s: a picture of %d %s: %d to %d are possible", path, got, what, min, max);
}

int png_grid_open(struct png_grid **out, const char *path, int cols, int rows, int w, int h, int c, int margin,
                  struct err *e)
{
	if (check(path, "columns", cols, 1, 10000, e) || check(path, "rows", rows, 1, 10000, e) ||
	    check(path, "pixels of tile width", w, 1, 16384, e) || check(path, "pixels of tile height", h, 1, 16384, e) ||
	    check(path, "pixels of margin", margin, 0, 256, e))
		return -1;
	if (c != 1 && c != 3)
		return err_code(e, EXIT_USAGE, "%s: a picture of %d channels: 1 (grey) and 3 (RGB) are possible", path, c);
	int64_t width = (int64_t)cols * (w + margin) + margin, height = (int64_t)rows * (h + margin) + margin;
	if (width > PNG_GRID_MAX_SIDE || height > PNG_GRID_MAX_SIDE)
		return err_code(e, EXIT_USAGE, "%s: a picture of %lld x %lld pixels; at most %d each way: choose other columns",
		                path, (long long)width, (long long)height, PNG_GRID_MAX_SIDE);
	struct png_grid *g = xcalloc(1, sizeof *g);
	*g = (struct png_grid){ .cols = cols,
		                    .rows = rows,
		                    .w = w,
		                    .h = h,
		                    .c = c,
		                    .margin = margin,
		                    .e = e,
		                    .stride = (size_t)width * (size_t)c };
	if (io_atomic_open(&g->file, path, e)) {
		free(g);
		return -1;
	}
	g->band = xmalloc((size_t)h * g->stride);
	g->blank = xmalloc(g->stride);
	g->buffer = xmalloc(WRITE_BUFFER);
	memset(g->band, BACKGROUND, (size_t)h * g->stride);
	memset(g->blank, BACKGROUND, g->stride);
	if (write_header(g, (png_uint_32)width, (png_uint_32)height) || write_rows(g, g->blank, margin, 0, false)) {
		png_grid_free(g);
		return -1;
	}
	*out = g;
	return 0;
}

int png_grid_add(struct png_grid *g, const uint8_t *image, struct err *e)
{
	g->e = e;
	if (g->row == g->rows)
		return err_set(e, "%s: all %d x %d tiles are filled", g->file.path, g->cols, g->rows);
	size_t line = (size_t)g->w * (size_t)g->c;
	size_t at = ((size_t)g->margin + (size_t)g->col * (size_t)(g->w + g->margin)) * (size_t)g->c;
	for (int y = 0; y < g->h; y++)
		memcpy(g->band + (size_t)y * g->stride + at, image + (size_t)y * line, line);
	return ++g->col == g->cols ? write_band(g) : 0;
}

int png_grid_close(struct png_grid *g, struct err *e)
{
	g->e = e;
	int failed = 0;
	while (!failed && g->row < g->rows)
		failed = write_band(g);
	failed = failed || write_rows(g, NULL, 0, 0, true) || flush(g);
	failed = failed || io_atomic_commit(&g->file, e);
	png_grid_free(g);
	return failed ? -1 : 0;
}

void png_grid_free(struct png_grid *g)
{
	if (!g)
		return;
	if (g->png)
		png_destroy_write_struct(&g->png, &g->info);
	io_atomic_abort(&g->file); /* does nothing after a commit */
	free(g->band);
	free(g->blank);
	free(g->buffer);
	free(g);
}
