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

/* How the samples of a page lie. Strips are taken as tiles that are as wide as the page. */
struct layout {
	uint32_t w, h, tile_w, tile_h;
	uint16_t bits, samples, photometric, compression, orientation, planar;
	bool tiled;
	uint16_t *colours[3]; /* of a palette: 1 << bits values of 16 bits each, libtiff's */
};

static uint16_t tag16(TIFF *t, uint32_t tag)
{
	uint16_t v = 0;
	(void)TIFFGetFieldDefaulted(t, tag, &v);
	return v;
}

static bool is_grey(const struct layout *l)
{
	return l->photometric == PHOTOMETRIC_MINISBLACK || l->photometric == PHOTOMETRIC_MINISWHITE;
}

static bool is_colour(const struct layout *l)
{
	return l->photometric == PHOTOMETRIC_RGB ||
	       (l->photometric == PHOTOMETRIC_YCBCR && l->compression == COMPRESSION_JPEG);
}

/* Samples of a pixel that are colour; 0: pixels of this kind are not read. */
static int colour_samples(const struct layout *l)
{
	return is_colour(l) ? 3 : is_grey(l) || l->photometric == PHOTOMETRIC_PALETTE ? 1 : 0;
}

static bool in_planes(const struct layout *l)
{
	return l->samples > 1 && l->planar != PLANARCONFIG_CONTIG;
}

/* The bits of a sample that are read. Pillow has no 16-bit grey with alpha, and mixes up 16-bit planes. */
static bool bits_are_read(const struct layout *l)
{
	bool alone = l->samples == 1;
	switch (l->bits) {
	case 8: return alone || l->photometric != PHOTOMETRIC_MINISWHITE;
	case 16: return (is_colour(l) && !in_planes(l)) || (alone && l->photometric == PHOTOMETRIC_MINISBLACK);
	case 1:
	case 2:
	case 4: return alone;
	default: return false;
	}
}

static const char *photometric_text(uint16_t photometric)
{
	switch (photometric) {
	case PHOTOMETRIC_SEPARATED: return "of inks (CMYK)";
	case PHOTOMETRIC_YCBCR: return "of YCbCr that is not JPEG's";
	case PHOTOMETRIC_CIELAB:
	case PHOTOMETRIC_ICCLAB:
	case PHOTOMETRIC_ITULAB: return "of L*a*b* colours";
	case PHOTOMETRIC_MASK: return "that is a mask";
	case PHOTOMETRIC_CFA: return "of a camera's raw samples";
	default: return "that is neither grey nor RGB nor of a palette";
	}
}

/* What of this page is not read, into `text`; false: it is read. */
static bool not_read(char text[120], TIFF *t, const struct layout *l)
{
	uint16_t n_extra = 0, *extra = NULL;
	(void)TIFFGetFieldDefaulted(t, TIFFTAG_EXTRASAMPLES, &n_extra, &extra);
	const char *why = NULL;
	if (TIFFNumberOfDirectories(t) > 1)
		why = "of several pages or pictures, and which is meant is not known";
	else if (tag16(t, TIFFTAG_SAMPLEFORMAT) != SAMPLEFORMAT_UINT)
		why = "of numbers that are not unsigned integers";
	else if (!TIFFIsCODECConfigured(l->compression))
		why = "with a compression that this libtiff does not know";
	else if (!colour_samples(l))
		why = photometric_text(l->photometric);
	else if (n_extra > 1 || l->samples != colour_samples(l) + n_extra ||
	         (l->photometric == PHOTOMETRIC_PALETTE && n_extra))
		why = "with samples of unknown meaning";
	else if (n_extra && extra[0] == EXTRASAMPLE_ASSOCALPHA)
		why = "with premultiplied alpha";
	else if (in_planes(l) && l->photometric == PHOTOMETRIC_YCBCR)
		why = "of YCbCr in separate planes";
	if (why)
		(void)snprintf(text, 120, "%s", why);
	else if (!bits_are_read(l))
		(void)snprintf(text, 120, "with %d sample%s of %d bits for each pixel%s%s", l->samples,
		               l->samples == 1 ? "" : "s", l->bits, in_planes(l) ? ", in separate planes" : "",
		               l->photometric == PHOTOMETRIC_MINISWHITE ? ", where 0 is white" : "");
	else
		return false;
	return true;
}

/* Sample s of pixel x of a row that holds `samples` of each, as 8 bits (of a palette: as its number). */
static uint8_t sample(const struct layout *l, const uint8_t *row, size_t x, size_t samples, size_t s)
{
	size_t at = x * samples + s;
	if (l->bits == 8)
		return row[at];
	if (l->bits == 16) {
		uint16_t wide;
		memcpy(&wide, row + 2 * at, 2); /* libtiff swaps to this machine's order */
		if (is_grey(l))
			return (uint8_t)(wide > 255 ? 255 : wide);
		return (uint8_t)(wide >> 8);
	}
	unsigned byte = row[at * l->bits / 8], most = (1u << l->bits) - 1,
			 v = byte >> (8 - l->bits - at * l->bits % 8) & most;
	return (uint8_t)(is_grey(l) ? v * (255 / most) : v);
}

/* A row of a tile: of all samples, or, in separate planes, of sample `plane`. */
static void to_rgb(uint8_t *rgb, const struct layout *l, const uint8_t *row, uint32_t w, int plane)
{
	size_t samples = plane < 0 ? l->samples : 1;
	for (uint32_t x = 0; x < w; x++, rgb += 3) {
		if (is_colour(l) && plane >= 0)
			rgb[plane] = sample(l, row, x, 1, 0);
		else if (is_colour(l))
			for (size_t c = 0; c < 3; c++)
				rgb[c] = sample(l, row, x, samples, c);
		else if (l->photometric == PHOTOMETRIC_PALETTE)
			for (size_t c = 0; c < 3; c++)
				rgb[c] = (uint8_t)(l->colours[c][sample(l, row, x, 1, 0)] / 256);
		else {
			uint8_t v = sample(l, row, x, samples, 0);
			rgb[0] = rgb[1] = rgb[2] = l->photometric == PHOTOMETRIC_MINISWHITE ? (uint8_t)(255 - v) : v;
		}
	}
}

static int job_failed(const struct tiff_job *j, const char *name, struct err *e)
{
	return err_set(e, "%s: damaged or truncated TIFF: %s", name, j->failed ? j->why : "no picture in it");
}

/* All tiles of the page, or of one of its planes (-1: there is one). */
static int read_tiles(struct image_u8 *im, TIFF *t, struct tiff_job *j, const struct layout *l, int plane,
                      const char *name, struct err *e)
{
	size_t samples = plane < 0 ? l->samples : 1, stride = ((size_t)l->tile_w * samples * l->bits + 7) / 8;
	tmsize_t size = l->tiled ? TIFFTileSize(t) : TIFFStripSize(t);
	if (j->failed || size <= 0 || (size_t)size < stride * l->tile_h)
		return job_failed(j, name, e);
	if (size > TIFF_MAX_ALLOC)
		return err_set(e, "%s: a TIFF with pieces of more than %d MiB; convert it to PNG", name, TIFF_MAX_ALLOC >> 20);
	SCOPED(free) uint8_t *tile = xcalloc((size_t)size, 1);
	uint16_t s = (uint16_t)(plane < 0 ? 0 : plane);
	for (uint32_t y0 = 0; y0 < l->h; y0 += l->tile_h)
		for (uint32_t x0 = 0; x0 < l->w; x0 += l->tile_w) {
			uint32_t h = l->h - y0 < l->tile_h ? l->h - y0 : l->tile_h,
					 w = l->w - x0 < l->tile_w ? l->w - x0 : l->tile_w;
			tmsize_t got = l->tiled ? TIFFReadTile(t, tile, x0, y0, 0, s)
			                        : TIFFReadEncodedStrip(t, TIFFComputeStrip(t, y0, s), tile, size);
			if (got < 0 || (size_t)got < stride * h || j->failed)
				return job_failed(j, name, e);
			for (uint32_t y = 0; y < h; y++)
				to_rgb(im->px + ((size_t)(y0 + y) * l->w + x0) * 3, l, tile + y * stride, w, plane);
		}
	return 0;
}

/* Where 0,0 of the page is shown (TIFF 6.0, Orientation); Pillow turns the picture so, too, which it does for no other
 * format. */
static int turn(struct image_u8 *im, uint16_t orientation, const char *name, struct err *e)
{
	bool aside = orientation >= ORIENTATION_LEFTTOP;
	bool right = orientation == ORIENTATION_TOPRIGHT || orientation == ORIENTATION_BOTRIGHT ||
	             orientation == ORIENTATION_RIGHTTOP || orientation == ORIENTATION_RIGHTBOT;
	bool bottom = orientation == ORIENTATION_BOTRIGHT || orientation == ORIENTATION_BOTLEFT ||
	              orientation == ORIENTATION_RIGHTBOT || orientation == ORIENTATION_LEFTBOT;
	if (!aside && !right && !bottom)
		return 0;
	SCOPED(image_u8) struct image_u8 shown = { 0 };
	if (image_u8_shape(&shown, aside ? im->w : im->h, aside ? im->h : im->w, 3, name, e))
		return -1;
	for (int y = 0; y < shown.h; y++)
		for (int x = 0; x < shown.w; x++) {
			int from_top = bottom ? shown.h - 1 - y : y, from_left = right ? shown.w - 1 - x : x;
			int row = aside ? from_left : from_top, column = aside ? from_top : from_left;
			memcpy(shown.px + ((size_t)y * (size_t)shown.w + (size_t)x) * 3,
			       im->px + ((size_t)row * (size_t)im->w + (size_t)column) * 3, 3);
		}
	struct image_u8 laid = *im;
	*im = shown;
	shown = laid;
	return 0;
}

/* Strips and tiles; a strip is as high as the page where the file does not say how high. */
static bool read_layout(struct layout *l, TIFF *t)
{
	*l = (struct layout){ .bits = tag16(t, TIFFTAG_BITSPERSAMPLE),
		                  .samples = tag16(t, TIFFTAG_SAMPLESPERPIXEL),
		                  .compression = tag16(t, TIFFTAG_COMPRESSION),
		                  .orientation = tag16(t, TIFFTAG_ORIENTATION),
		                  .planar = tag16(t, TIFFTAG_PLANARCONFIG),
		                  .tiled = TIFFIsTiled(t) };
	if (!TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &l->w) || !TIFFGetField(t, TIFFTAG_IMAGELENGTH, &l->h) ||
	    !TIFFGetField(t, TIFFTAG_PHOTOMETRIC, &l->photometric))
		return false;
	if (l->tiled)
		return TIFFGetField(t, TIFFTAG_TILEWIDTH, &l->tile_w) && TIFFGetField(t, TIFFTAG_TILELENGTH, &l->tile_h) &&
		       l->tile_w && l->tile_h;
	l->tile_w = l->w;
	(void)TIFFGetFieldDefaulted(t, TIFFTAG_ROWSPERSTRIP, &l->tile_h);
	if (l->tile_h == 0 || l->tile_h > l->h)
		l->tile_h = l->h;
	return true;
}

static int read_page(struct image_u8 *im, TIFF *t, struct tiff_job *j, const char *name, struct err *e)
{
	struct layout l;
	char why[120];
	if (!read_layout(&l, t))
		return job_failed(j, name, e);
	if (not_read(why, t, &l))
		return err_set(e, "%s: a TIFF %s; convert it to PNG", name, why);
	if (image_u8_shape(im, l.h, l.w, 3, name, e))
		return -1;
	if (l.photometric == PHOTOMETRIC_YCBCR && !TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB))
		return job_failed(j, name, e);
	if (l.photometric == PHOTOMETRIC_PALETTE &&
	    !TIFFGetField(t, TIFFTAG_COLORMAP, &l.colours[0], &l.colours[1], &l.colours[2]))
		return job_failed(j, name, e);
	for (int c = 0; c < (in_planes(&l) ? colour_samples(&l) : 1); c++)
		if (read_tiles(im, t, j, &l, in_planes(&l) ? c : -1, name, e))
			return -1;
	return turn(im, l.orientation, name, e);
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
