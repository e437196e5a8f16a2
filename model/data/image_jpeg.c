/* image_jpeg.c - see image_jpeg.h. */
#include "model/data/image_jpeg.h"

#include "model/base/mem.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <jerror.h>

#define JPEG_MAX_SCANS 200 /* progressive files of a few kB can ask for hours of scans */

struct jpeg_job {
	struct jpeg_error_mgr errors; /* first: libjpeg knows the job by this address */
	struct jpeg_progress_mgr progress;
	jmp_buf jump;
	const char *name;
	struct err *e;
	uint8_t *row; /* CMYK */
};

bool image_jpeg_is(const uint8_t *bytes, size_t n)
{
	return n >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

/* What a whole file meets that is of 12 bits, lossless, JPEG-LS or of two components; a damaged one may, too. */
static bool is_another_kind(int code)
{
	return code == JERR_BAD_PRECISION || code == JERR_SOF_UNSUPPORTED || code == JERR_UNKNOWN_MARKER ||
	       code == JERR_ARITH_NOTIMPL || code == JERR_CONVERSION_NOTIMPL;
}

static _Noreturn void jpeg_failed(j_common_ptr cinfo)
{
	struct jpeg_job *job = (struct jpeg_job *)cinfo->err;
	char text[JMSG_LENGTH_MAX];
	cinfo->err->format_message(cinfo, text);
	if (is_another_kind(cinfo->err->msg_code))
		(void)err_set(job->e, "%s: a JPEG of a kind that is not read, or damaged: %s; convert it to PNG", job->name,
		              text);
	else
		(void)err_set(job->e, "%s: damaged JPEG: %s", job->name, text);
	longjmp(job->jump, 1);
}

/* Level -1 is a warning; only the one for a file that ends early is fatal, as in Pillow. */
static void jpeg_said(j_common_ptr cinfo, int level)
{
	struct jpeg_job *job = (struct jpeg_job *)cinfo->err;
	if (level < 0 && cinfo->err->msg_code == JWRN_JPEG_EOF) {
		(void)err_set(job->e, "%s: truncated JPEG", job->name);
		longjmp(job->jump, 1);
	}
}

static void jpeg_scanned(j_common_ptr cinfo)
{
	struct jpeg_job *job = (struct jpeg_job *)cinfo->err;
	if (((j_decompress_ptr)cinfo)->input_scan_number > JPEG_MAX_SCANS) {
		(void)err_set(job->e, "%s: JPEG of more than %d scans", job->name, JPEG_MAX_SCANS);
		longjmp(job->jump, 1);
	}
}

static uint8_t div255(unsigned x)
{
	x += 128;
	return (uint8_t)((x + (x >> 8)) >> 8);
}

/* Pillow's CMYK to RGB. It takes every file's inks as inverted, the way Adobe writes them, whether or not the file says
 * so. */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, int w)
{
	for (int x = 0; x < w; x++, rgb += 3, cmyk += 4)
		for (int c = 0; c < 3; c++)
			rgb[c] = (uint8_t)(cmyk[3] - div255((255u - cmyk[c]) * cmyk[3]));
}

static int jpeg_read_body(struct jpeg_decompress_struct *d, struct jpeg_job *job, struct image_u8 *im,
                          const uint8_t *bytes, size_t n)
{
	jpeg_mem_src(d, bytes, n);
	(void)jpeg_read_header(d, TRUE);
	bool cmyk = d->jpeg_color_space == JCS_CMYK || d->jpeg_color_space == JCS_YCCK;
	d->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
	if (image_u8_shape(im, d->image_height, d->image_width, 3, job->name, job->e))
		return -1;
	(void)jpeg_start_decompress(d);
	if (cmyk)
		job->row = xmalloc((size_t)im->w * 4);
	while (d->output_scanline < d->output_height) {
		uint8_t *rgb = im->px + (size_t)d->output_scanline * (size_t)im->w * 3;
		JSAMPROW row = cmyk ? job->row : rgb;
		(void)jpeg_read_scanlines(d, &row, 1);
		if (cmyk)
			cmyk_to_rgb(rgb, row, im->w);
	}
	(void)jpeg_finish_decompress(d);
	return 0;
}

int image_jpeg_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e)
{
	struct jpeg_job job = { .name = name, .e = e };
	struct jpeg_decompress_struct d = { .err = jpeg_std_error(&job.errors) };
	job.errors.error_exit = jpeg_failed;
	job.errors.emit_message = jpeg_said;
	if (setjmp(job.jump)) {
		jpeg_destroy_decompress(&d);
		free(job.row);
		return -1;
	}
	jpeg_create_decompress(&d);
	job.progress.progress_monitor = jpeg_scanned;
	d.progress = &job.progress;
	int r = jpeg_read_body(&d, &job, im, bytes, n);
	jpeg_destroy_decompress(&d);
	free(job.row);
	return r;
}
