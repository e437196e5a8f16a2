/* image_tiff.c - see image_tiff.h. Tags are those of TIFF 6.0 (Adobe 1992). */
#include "model/data/image_tiff.h"

#include <string.h>

#ifdef ABLATE_TIFF
#include "model/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <tiffio.h>
#endif

/* Byte order, then 42 or, where sizes have 64 bits, 43. */
bool image_tiff_is(const uint8_t *bytes, size_t n)
{
	static const char *const heads[] = { "II*\0", "MM\0*", "II+\0", "MM\0+" };
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
		if (n >= 4 && memcmp(bytes, heads[i], 4) == 0)
			return true;
	return false;
}

#ifdef ABLATE_TIFF

enum { TIFF_MAX_ALLOC = 512 << 20 }; /* bytes that libtiff may ask for at once, whatever a file says */

/* A file in memory, as libtiff reads it. */
struct tiff_job {
	const uint8_t *bytes;
	size_t n, at;
	bool failed;
	char why[200]; /* the first of libtiff's errors */
};

static tmsize_t job_read(thandle_t handle, void *to, tmsize_t want)
{
	struct tiff_job *j = handle;
	size_t left = j->at < j->n ? j->n - j->at : 0, take = (size_t)want < left ? (size_t)want : left;
	memcpy(to, j->bytes + (take ? j->at : 0), take);
	j->at += take;
	return (tmsize_t)take;
}

static tmsize_t job_write(thandle_t handle, void *from, tmsize_t n)
{
	(void)handle;
	(void)from;
	(void)n;
	return -1;
}

static toff_t job_seek(thandle_t handle, toff_t to, int whence)
{
	struct tiff_job *j = handle;
	toff_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? j->at : j->n;
	j->at = (size_t)(base + to);
	return j->at;
}

static int job_close(thandle_t handle)
{
	(void)handle;
	return 0;
}

static toff_t job_size(thandle_t handle)
{
	return ((struct tiff_job *)handle)->n;
}

static int job_error(TIFF *t, void *user, const char *module, const char *fmt, va_list ap)
{
	(void)t;
	(void)module;
	struct tiff_job *j = user;
	if (!j->failed)
		(void)vsnprintf(j->why, sizeof j->why, fmt, ap);
	j->failed = true;
	return 1;
}

static int job_warning(TIFF *t, void *user, const char *module, const char *fmt, va_list ap)
{
	(void)t;
	(void)user;
	(void)module;
	(void)fmt;
	(void)ap;
	return 1;
}

static TIFF *job_open(struct tiff_job *j)
{
	TIFFOpenOptions *o = TIFFOpenOptionsAlloc();
	TIFFOpenOptionsSetMaxSingleMemAlloc(o, TIFF_MAX_ALLOC);
	TIFFOpenOptionsSetErrorHandlerExtR(o, job_error, j);
	TIFFOpenOptionsSetWarningHandlerExtR(o, job_warning, j);
	TIFF *t = TIFFClientOpenExt("picture", "rm", j, job_read, job_write, job_seek, job_close, job_size, NULL, NULL, o);
	TIFFOpenOptionsFree(o);
	return t;
}

/* How the samples of a page lie. */
struct layout {
	uint32_t w, h;
	uint16_t bits, samples, photometric, compression;
	uint16_t *colours[3]; /* of a palette: 256 values of 16 bits each, libtiff's */
};

static uint16_t tag16(TIFF *t, uint32_t tag)
{
	uint16_t v = 0;
	(void)TIFFGetFieldDefaulted(t, tag, &v);
	return v;
}

/* What of this page is not read; NULL: it is. */
static const char *not_read(TIFF *t, const struct layout *l)
{
	uint16_t n_extra = 0, *extra = NULL;
	(void)TIFFGetFieldDefaulted(t, TIFFTAG_EXTRASAMPLES, &n_extra, &extra);
	bool grey = l->photometric == PHOTOMETRIC_MINISBLACK || l->photometric == PHOTOMETRIC_MINISWHITE;
	bool palette = l->photometric == PHOTOMETRIC_PALETTE;
	bool colour = l->photometric == PHOTOMETRIC_RGB ||
	              (l->photometric == PHOTOMETRIC_YCBCR && l->compression == COMPRESSION_JPEG);
	if (TIFFNumberOfDirectories(t) > 1)
		return "of several pages or pictures, and which is meant is not known";
	if (TIFFIsTiled(t))
		return "in tiles";
	if (tag16(t, TIFFTAG_ORIENTATION) != ORIENTATION_TOPLEFT)
		return "with an orientation other than upright";
	if (tag16(t, TIFFTAG_SAMPLEFORMAT) != SAMPLEFORMAT_UINT)
		return "of numbers that are not unsigned integers";
	if (!TIFFIsCODECConfigured(l->compression))
		return "with a compression that this libtiff does not know";
	if (!grey && !palette && !colour)
		return "that is neither grey nor RGB nor of a palette";
	if (l->samples > 1 && tag16(t, TIFFTAG_PLANARCONFIG) != PLANARCONFIG_CONTIG)
		return "in separate planes";
	if (n_extra > 1 || l->samples != (colour ? 3 : 1) + n_extra || (palette && n_extra))
		return "with samples of unknown meaning";
	if (n_extra && extra[0] == EXTRASAMPLE_ASSOCALPHA)
		return "with premultiplied alpha";
	bool plain = l->bits == 8 && !(l->photometric == PHOTOMETRIC_MINISWHITE && n_extra);
	bool one_grey = grey && !n_extra && (l->bits == 1 || (l->bits == 16 && l->photometric == PHOTOMETRIC_MINISBLACK));
	return plain || one_grey ? NULL : "with a number of bits that is not read";
}

static uint8_t grey_of(const struct layout *l, const uint8_t *row, uint32_t x)
{
	uint8_t v;
	if (l->bits == 16) {
		uint16_t wide;
		memcpy(&wide, row + 2 * (size_t)x, 2); /* libtiff swaps to this machine's order */
		return (uint8_t)(wide > 255 ? 255 : wide);
	}
	if (l->bits == 1)
		v = row[x / 8] >> (7 - x % 8) & 1 ? 255 : 0;
	else
		v = row[(size_t)x * l->samples];
	return l->photometric == PHOTOMETRIC_MINISWHITE ? (uint8_t)(255 - v) : v;
}

static void to_rgb(uint8_t *rgb, const struct layout *l, const uint8_t *row)
{
	for (uint32_t x = 0; x < l->w; x++, rgb += 3) {
		if (l->photometric == PHOTOMETRIC_RGB || l->photometric == PHOTOMETRIC_YCBCR)
			memcpy(rgb, row + (size_t)x * l->samples, 3);
		else if (l->photometric == PHOTOMETRIC_PALETTE)
			for (int c = 0; c < 3; c++)
				rgb[c] = (uint8_t)(l->colours[c][row[x]] / 256);
		else
			rgb[0] = rgb[1] = rgb[2] = grey_of(l, row, x);
	}
}

static int job_failed(const struct tiff_job *j, const char *name, struct err *e)
{
	return err_set(e, "%s: damaged or truncated TIFF: %s", name, j->failed ? j->why : "no picture in it");
}

static int read_page(struct image_u8 *im, TIFF *t, const struct tiff_job *j, const char *name, struct err *e)
{
	struct layout l = { .bits = tag16(t, TIFFTAG_BITSPERSAMPLE),
		                .samples = tag16(t, TIFFTAG_SAMPLESPERPIXEL),
		                .compression = tag16(t, TIFFTAG_COMPRESSION) };
	if (!TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &l.w) || !TIFFGetField(t, TIFFTAG_IMAGELENGTH, &l.h) ||
	    !TIFFGetField(t, TIFFTAG_PHOTOMETRIC, &l.photometric))
		return job_failed(j, name, e);
	const char *why = not_read(t, &l);
	if (why)
		return err_set(e, "%s: a TIFF %s; convert it to PNG", name, why);
	if (image_u8_shape(im, l.h, l.w, 3, name, e))
		return -1;
	if (l.photometric == PHOTOMETRIC_YCBCR && !TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB))
		return job_failed(j, name, e);
	if (l.photometric == PHOTOMETRIC_PALETTE &&
	    !TIFFGetField(t, TIFFTAG_COLORMAP, &l.colours[0], &l.colours[1], &l.colours[2]))
		return job_failed(j, name, e);
	tmsize_t size = TIFFScanlineSize(t), need = (tmsize_t)(((size_t)l.w * l.samples * l.bits + 7) / 8);
	if (size < need)
		return job_failed(j, name, e);
	SCOPED(free) uint8_t *row = xcalloc((size_t)size, 1);
	for (uint32_t y = 0; y < l.h; y++) {
		if (TIFFReadScanline(t, row, y, 0) != 1 || j->failed)
			return job_failed(j, name, e);
		to_rgb(im->px + (size_t)y * l.w * 3, &l, row);
	}
	return 0;
}

int image_tiff_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e)
{
	struct tiff_job j = { .bytes = bytes, .n = n };
	TIFF *t = job_open(&j);
	if (!t)
		return job_failed(&j, name, e);
	int rc = read_page(im, t, &j, name, e);
	TIFFClose(t);
	return rc;
}

bool image_tiff_built(void)
{
	return true;
}

#else

int image_tiff_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e)
{
	(void)im;
	(void)bytes;
	(void)n;
	return err_set(e, "%s: a TIFF picture, which this program was built without libtiff to read; convert it to PNG",
	               name);
}

bool image_tiff_built(void)
{
	return false;
}

#endif
