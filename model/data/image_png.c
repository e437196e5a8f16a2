/* image_png.c - see image_png.h. Errors leave libpng by longjmp, so nothing that must be freed is held in a local
 * that changes between setjmp and the jump: it all lives in struct png_job. */
#include "model/data/image_png.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

struct png_job {
	const uint8_t *bytes;
	size_t n, at;
	const char *name;
	struct err *e;
	png_structp png;
	png_infop info;
	uint8_t *wide; /* 16-bit grey as it comes from the file */
	png_bytep *rows;
	struct str *out; /* of the writer */
	bool truncated;
};

bool image_png_is(const uint8_t *bytes, size_t n)
{
	return n >= 8 && png_sig_cmp((png_const_bytep)bytes, 0, 8) == 0;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Chunks are length, type, data, checksum; the number of frames is the first of acTL, which comes before IDAT. */
static bool is_animated(const uint8_t *bytes, size_t n)
{
	for (size_t at = 8; at + 12 <= n && memcmp(bytes + at + 4, "IDAT", 4) != 0;) {
		size_t length = be32(bytes + at);
		if (length > n - at - 12)
			return false;
		if (memcmp(bytes + at + 4, "acTL", 4) == 0)
			return length >= 4 && be32(bytes + at + 8) > 1;
		at += 12 + length;
	}
	return false;
}

static _Noreturn void png_failed(png_structp png, png_const_charp msg)
{
	struct png_job *job = png_get_error_ptr(png);
	if (job->truncated)
		(void)err_set(job->e, "%s: truncated PNG (%zu bytes)", job->name, job->n);
	else
		(void)err_set(job->e, "%s: damaged PNG: %s", job->name, msg);
	longjmp(png_jmpbuf(png), 1);
}

static void png_ignored(png_structp png, png_const_charp msg)
{
	(void)png;
	(void)msg;
}

static void png_take(png_structp png, png_bytep to, size_t n)
{
	struct png_job *job = png_get_io_ptr(png);
	if (n > job->n - job->at) {
		job->truncated = true;
		png_error(png, "the file ends too early");
	}
	memcpy(to, job->bytes + job->at, n);
	job->at += n;
}

static void job_end_read(struct png_job *job)
{
	png_destroy_read_struct(&job->png, &job->info, NULL);
	free(job->wide);
	free(job->rows);
}

/* Pillow's palette is a grey ramp until a file's colours overwrite its beginning: a pixel beyond them is its own number
 * in grey, where libpng would make it black. */
static void complete_palette(png_structp png, png_infop info, int depth)
{
	png_color full[256], *colours = NULL;
	int n = 0;
	for (int i = 0; i < 256; i++)
		full[i] = (png_color){ (png_byte)i, (png_byte)i, (png_byte)i };
	if (png_get_PLTE(png, info, &colours, &n) && n > 0 && n < 1 << depth) {
		memcpy(full, colours, (size_t)n * sizeof *full);
		png_set_PLTE(png, info, full, 1 << depth);
	}
}

/* Everything that may jump. Returns through setjmp's caller only. */
static int png_read_body(struct png_job *job, struct image_u8 *im)
{
	png_structp png = job->png;
	png_infop info = job->info;
	png_set_user_limits(png, IMAGE_MAX_PIXELS, IMAGE_MAX_PIXELS);
	png_set_chunk_malloc_max(png, 64 << 20);
	png_set_read_fn(png, job, png_take);
	png_read_info(png, info);
	int depth = png_get_bit_depth(png, info), type = png_get_color_type(png, info);
	if (image_u8_shape(im, png_get_image_height(png, info), png_get_image_width(png, info), 3, job->name, job->e))
		return -1;
	bool wide_grey = type == PNG_COLOR_TYPE_GRAY && depth == 16;
	if (type == PNG_COLOR_TYPE_PALETTE) {
		complete_palette(png, info, depth);
		png_set_palette_to_rgb(png);
	}
	if (type == PNG_COLOR_TYPE_GRAY && depth < 8)
		png_set_expand_gray_1_2_4_to_8(png);
	if (depth == 16 && !wide_grey)
		png_set_strip_16(png);
	png_set_strip_alpha(png);
	if (!wide_grey && (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA))
		png_set_gray_to_rgb(png);
	(void)png_set_interlace_handling(png);
	png_read_update_info(png, info);
	size_t h = (size_t)im->h, w = (size_t)im->w, stride = wide_grey ? 2 * w : 3 * w;
	if (png_get_rowbytes(png, info) != stride)
		BUG("PNG rows of %zu bytes, expected %zu", (size_t)png_get_rowbytes(png, info), stride);
	if (wide_grey)
		job->wide = xmalloc(h * stride);
	job->rows = xcalloc(h, sizeof *job->rows);
	for (size_t y = 0; y < h; y++)
		job->rows[y] = (wide_grey ? job->wide : im->px) + y * stride;
	png_read_image(png, job->rows);
	png_read_end(png, NULL);
	if (wide_grey)
		for (size_t i = 0; i < h * w; i++) {
			uint8_t v = job->wide[2 * i] ? 255 : job->wide[2 * i + 1];
			im->px[3 * i] = im->px[3 * i + 1] = im->px[3 * i + 2] = v;
		}
	return 0;
}

int image_png_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e)
{
	struct png_job job = { .bytes = bytes, .n = n, .name = name, .e = e };
	if (is_animated(bytes, n))
		return err_set(e, "%s: an animated PNG, and which of its pictures is meant is not known; save one as PNG",
		               name);
	job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, png_failed, png_ignored);
	job.info = job.png ? png_create_info_struct(job.png) : NULL;
	if (!job.info)
		BUG("libpng cannot start");
	if (setjmp(png_jmpbuf(job.png))) {
		job_end_read(&job);
		return -1;
	}
	int r = png_read_body(&job, im);
	job_end_read(&job);
	return r;
}

static void png_give(png_structp png, png_bytep from, size_t n)
{
	struct png_job *job = png_get_io_ptr(png);
	str_addn(job->out, from, n);
}

static void png_flush_nothing(png_structp png)
{
	(void)png;
}

int image_png_encode(struct str *out, const uint8_t *px, int h, int w, int c, const char *name, struct err *e)
{
	REQUIRE(c == 1 || c == 3);
	struct png_job job = { .name = name, .e = e, .out = out };
	job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, png_failed, png_ignored);
	job.info = job.png ? png_create_info_struct(job.png) : NULL;
	if (!job.info)
		BUG("libpng cannot start");
	if (setjmp(png_jmpbuf(job.png))) {
		png_destroy_write_struct(&job.png, &job.info);
		return -1;
	}
	png_set_write_fn(job.png, &job, png_give, png_flush_nothing);
	png_set_IHDR(job.png, job.info, (png_uint_32)w, (png_uint_32)h, 8,
	             c == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
	             PNG_FILTER_TYPE_DEFAULT);
	png_write_info(job.png, job.info);
	for (int y = 0; y < h; y++)
		png_write_row(job.png, (png_const_bytep)px + (size_t)y * (size_t)w * (size_t)c);
	png_write_end(job.png, NULL);
	png_destroy_write_struct(&job.png, &job.info);
	return 0;
}

int image_png_write(const char *path, const uint8_t *px, int h, int w, int c, struct err *e)
{
	SCOPED(str) struct str bytes = { 0 };
	return image_png_encode(&bytes, px, h, w, c, path, e) ? -1 : io_write_atomic(path, bytes.data, bytes.len, e);
}
