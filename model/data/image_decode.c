/* image_decode.c - see image_decode.h: the table of formats. Signatures are those of the formats' own specifications;
 * where a signature is short enough to begin a text, what must follow it is looked at too. */
#include "model/data/image_decode.h"

#include "model/base/unread.h"
#include "model/data/image_jpeg.h"
#include "model/data/image_png.h"
#include "model/data/image_tiff.h"
#include "model/data/image_webp.h"

#include <string.h>
#include <strings.h>

static bool begins(const uint8_t *b, size_t n, const char *with, size_t len)
{
	return n >= len && memcmp(b, with, len) == 0;
}
#define BEGINS(b, n, with) begins(b, n, with, sizeof(with) - 1)

static bool gif_is(const uint8_t *b, size_t n)
{
	return BEGINS(b, n, "GIF87a") || BEGINS(b, n, "GIF89a");
}

/* "BM", the file's size, two zeros of 16 bits, the data's place, the size of the second header. */
static bool bmp_is(const uint8_t *b, size_t n)
{
	static const uint8_t headers[] = { 12, 40, 52, 56, 64, 108, 124 };
	return BEGINS(b, n, "BM") && n >= 18 && memcmp(b + 6, "\0\0\0", 4) == 0 && memcmp(b + 15, "\0\0", 3) == 0 &&
	       memchr(headers, b[14], sizeof headers);
}

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* P1 to P6, blanks, then a number or a comment; PAM's P7 and the floats of PFM (PF, Pf) likewise. */
static bool pnm_is(const uint8_t *b, size_t n)
{
	if (n < 4 || b[0] != 'P' || !strchr("1234567Ff", b[1]) || b[1] == '\0' || !is_space(b[2]))
		return false;
	size_t at = 2;
	while (at < n && is_space(b[at]))
		at++;
	if (b[1] == '7')
		return begins(b + at, n - at, "WIDTH", 5) || (at < n && b[at] == '#');
	return at < n && ((b[at] >= '0' && b[at] <= '9') || b[at] == '#');
}

/* The container of ISO/IEC 14496-12, which films have too: the brand tells. */
static bool has_brand(const uint8_t *b, size_t n, const char *const *brands, size_t count)
{
	for (size_t i = 0; i < count && n >= 12 && memcmp(b + 4, "ftyp", 4) == 0; i++)
		if (memcmp(b + 8, brands[i], 4) == 0)
			return true;
	return false;
}

static bool avif_is(const uint8_t *b, size_t n)
{
	static const char *const brands[] = { "avif", "avis" };
	return has_brand(b, n, brands, sizeof brands / sizeof *brands);
}

static bool heic_is(const uint8_t *b, size_t n)
{
	static const char *const brands[] = { "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1" };
	return has_brand(b, n, brands, sizeof brands / sizeof *brands);
}

static bool jpeg2000_is(const uint8_t *b, size_t n)
{
	return BEGINS(b, n, "\0\0\0\x0cjP  \r\n\x87\n") || BEGINS(b, n, "\xff\x4f\xff\x51");
}

static bool jpegxl_is(const uint8_t *b, size_t n)
{
	return BEGINS(b, n, "\0\0\0\x0cJXL \r\n\x87\n") || BEGINS(b, n, "\xff\x0a");
}

static bool psd_is(const uint8_t *b, size_t n)
{
	return BEGINS(b, n, "8BPS\0");
}

static bool exr_is(const uint8_t *b, size_t n)
{
	return BEGINS(b, n, "\x76\x2f\x31\x01");
}

static bool qoi_is(const uint8_t *b, size_t n)
{
	return BEGINS(b, n, "qoif");
}

static const struct image_format formats[] = {
	{ "a PNG", image_png_is, image_png_decode },
	{ "a JPEG", image_jpeg_is, image_jpeg_decode },
	{ "a WebP", image_webp_is, image_webp_decode },
	{ "a TIFF", image_tiff_is, image_tiff_decode },
	{ "a GIF", gif_is, NULL },
	{ "a BMP", bmp_is, NULL },
	{ "a PNM", pnm_is, NULL },
	{ "an AVIF", avif_is, NULL },
	{ "a HEIC", heic_is, NULL },
	{ "a JPEG 2000", jpeg2000_is, NULL },
	{ "a JPEG XL", jpegxl_is, NULL },
	{ "a Photoshop", psd_is, NULL },
	{ "an OpenEXR", exr_is, NULL },
	{ "a QOI", qoi_is, NULL },
};

const struct image_format *image_format_of(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (formats[i].is(bytes, n))
			return &formats[i];
	return NULL;
}

static bool is_one_of(const char *ending, const char *const *endings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(ending, endings[i]) == 0)
			return true;
	return false;
}

enum image_ending image_ending_of(const char *name)
{
	static const char *const read[] = { "png", "jpg", "jpeg", "webp", "tif", "tiff" };
	static const char *const others[] = { "apng", "jpe", "jfif", "gif", "bmp",  "dib",  "pbm",  "pgm",
		                                  "ppm",  "pnm", "pam",  "pfm", "avif", "heic", "heif", "jp2",
		                                  "j2k",  "jpx", "jxl",  "psd", "exr",  "qoi",  "tga" };
	const char *slash = strrchr(name, '/'), *dot = strrchr(slash ? slash : name, '.');
	if (!dot)
		return ENDING_OTHER;
	if (is_one_of(dot + 1, read, sizeof read / sizeof *read))
		return ENDING_READ;
	return is_one_of(dot + 1, others, sizeof others / sizeof *others) ? ENDING_PICTURE : ENDING_OTHER;
}

int image_format_refuse(const struct image_format *f, const char *name, struct err *e)
{
	bool moves = f->is == gif_is;
	return err_set(e, "%s: %s picture%s, a format that is not read; convert it to PNG", name, f->what,
	               moves ? " (it may be animated)" : "");
}

int image_u8_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e)
{
	if (n == 0)
		return err_set(e, "%s: empty file, not an image", name);
	const struct image_format *f = image_format_of(bytes, n);
	const char *unread = f ? NULL : unread_what(bytes, n);
	if (unread)
		return err_set(e, "%s: %s", name, unread);
	if (!f)
		return err_set(e, "%s: not a picture by its first bytes (PNG, JPEG, WebP and TIFF are read)", name);
	return f->decode ? f->decode(im, bytes, n, name, e) : image_format_refuse(f, name, e);
}
