/* test_image_formats.c - pictures by their content: WebP and TIFF against Pillow, and every other file told by what it
 * is. The pictures and what Pillow makes of them: fixtures/picture_formats, with the script that made them. */
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/image_decode.h"
#include "model/data/image_tiff.h"
#include "model/data/image_webp.h"
#include "model/formats/npz.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void read_fixture(struct str *bytes, const char *name)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *path = xstrfmt(FIXTURES "/picture_formats/%s", name);
	cr_assert_eq(io_read(bytes, path, 1 << 20, &e), 0, "%s", e.msg);
}

/* Scores were published on what Pillow reads, so any other value of a pixel is another number. */
static void like_pillow(const char *const *names, size_t n)
{
	struct err e = ERR_INIT;
	SCOPED(npz) struct npz *z = NULL;
	cr_assert_eq(npz_open(&z, FIXTURES "/picture_formats/expected_rgb.npz", &e), 0, "%s", e.msg);
	for (size_t i = 0; i < n; i++) {
		SCOPED(free) double *want = NULL;
		SCOPED(str) struct str bytes = { 0 };
		SCOPED(image_u8) struct image_u8 im = { 0 };
		struct npy_info info;
		read_fixture(&bytes, names[i]);
		cr_assert_eq(image_u8_decode(&im, (const uint8_t *)bytes.data, bytes.len, names[i], &e), 0, "%s", e.msg);
		cr_assert_eq(npz_doubles(&want, &info, z, names[i], 1 << 20, &e), 0, "%s", e.msg);
		cr_assert(im.h == info.dims[0] && im.w == info.dims[1] && im.c == 3, "%s", names[i]);
		int worst = 0, allowed = strstr(names[i], "jpeg") ? 2 : 0; /* across versions of libjpeg */
		for (int64_t k = 0; k < info.count; k++) {
			int d = abs((int)want[k] - im.px[k]);
			worst = d > worst ? d : worst;
		}
		cr_expect(worst <= allowed, "%s: off by %d", names[i], worst);
	}
}

static void refused(const uint8_t *bytes, size_t n, const char *name, const char *says)
{
	struct err e = ERR_INIT;
	SCOPED(image_u8) struct image_u8 im = { 0 };
	cr_assert_eq(image_u8_decode(&im, bytes, n, name, &e), -1, "%s", name);
	size_t len = strlen(name);
	cr_expect(strncmp(e.msg, name, len) == 0 && strncmp(e.msg + len, ": ", 2) == 0, "%s", e.msg);
	cr_expect(strstr(e.msg, says), "%s: no '%s'", e.msg, says);
	cr_expect(!strchr(e.msg, '\n'));
}

static void refused_fixture(const char *name, const char *says)
{
	SCOPED(str) struct str bytes = { 0 };
	read_fixture(&bytes, name);
	refused((const uint8_t *)bytes.data, bytes.len, name, says);
}

Test(image_formats, webp_is_what_pillow_reads)
{
	static const char *const names[] = { "lossy.webp", "lossless.webp", "alpha.webp", "lossy_alpha.webp", "grey.webp" };
	if (!image_webp_built()) {
		refused_fixture(names[0], "without libwebp");
		cr_skip_test("built without libwebp");
	}
	like_pillow(names, sizeof names / sizeof *names);
}

Test(image_formats, tiff_is_what_pillow_reads)
{
	static const char *const names[] = {
		"rgb.tif",      "rgb_lzw.tif",   "rgb_deflate.tif", "rgb_jpeg.tif",   "rgba.tif",         "l.tif",
		"la.tif",       "p.tif",         "bit1.tif",        "i16.tif",        "big_endian.tif",   "big.tif",
		"tiles.tif",    "tiles_lzw.tif", "tiles_i16.tif",   "tiles_jpeg.tif", "tiles_planes.tif", "planes.tif",
		"rgb16.tif",    "rgba16.tif",    "white.tif",       "grey2.tif",      "grey4.tif",        "white4.tif",
		"palette2.tif", "palette4.tif",  "planes_rgba.tif",
	};
	if (!image_tiff_built()) {
		refused_fixture(names[0], "without libtiff");
		cr_skip_test("built without libtiff");
	}
	like_pillow(names, sizeof names / sizeof *names);
}

/* Pillow turns a TIFF by its tag, and no other picture: a set of scans is measured upright there. */
Test(image_formats, a_turned_tiff_is_read_upright)
{
	static const char *const names[] = { "turned2.tif", "turned3.tif", "turned4.tif", "turned5.tif",
		                                 "turned6.tif", "turned7.tif", "turned8.tif" };
	if (!image_tiff_built())
		cr_skip_test("built without libtiff");
	like_pillow(names, sizeof names / sizeof *names);
}

/* Whole files of another process than the usual one were called damaged. */
Test(image_formats, a_jpeg_of_another_kind_is_not_called_damaged)
{
	refused_fixture("bits12.jpg", "a JPEG of a kind that is not read, or damaged: ");
	refused_fixture("lossless.jpg", "convert it to PNG");
}

/* Which of several pictures would count is a choice that changes the number. */
Test(image_formats, several_pictures_in_a_file_are_refused)
{
	refused_fixture("moving.png", "an animated PNG");
	refused_fixture("moving.gif", "a GIF picture (it may be animated)");
	if (image_webp_built())
		refused_fixture("moving.webp", "an animated WebP");
	if (image_tiff_built())
		refused_fixture("pages.tif", "of several pages");
}

/* Pillow reads these; what is not read as Pillow does must not be read otherwise. */
Test(image_formats, what_else_a_tiff_can_hold_is_refused)
{
	if (!image_tiff_built())
		cr_skip_test("built without libtiff");
	refused_fixture("planes16.tif", "with 3 samples of 16 bits for each pixel, in separate planes");
	refused_fixture("white16.tif", "with 1 sample of 16 bits for each pixel, where 0 is white");
	refused_fixture("lab.tif", "of L*a*b* colours");
	refused_fixture("associated.tif", "premultiplied alpha");
	refused_fixture("cmyk.tif", "of inks (CMYK)");
	refused_fixture("float.tif", "not unsigned integers");
}

/* A picture of a format that is not read is named as what it is; so a listing can tell it from a text. */
Test(image_formats, other_formats_are_known)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *says;
	} heads[] = {
		{ "\0\0\0\x1c"
		  "ftypheic\0\0\0\0mif1",
		  20, "a HEIC" },
		{ "\0\0\0\x0cJXL \r\n\x87\n", 12, "a JPEG XL" },
		{ "\xff\x0a\xff\x07", 4, "a JPEG XL" },
		{ "\xff\x4f\xff\x51\0\x2f", 6, "a JPEG 2000" },
		{ "P7\nWIDTH 3\n", 11, "a PNM" },
		{ "P5\n# from a camera\n", 19, "a PNM" },
		{ "8BPS\0\1", 6, "a Photoshop" },
		{ "\x76\x2f\x31\x01\2\0\0\0", 8, "an OpenEXR" },
		{ "qoif\0\0\0\4", 8, "a QOI" },
	};
	refused_fixture("x.bmp", "a BMP picture, a format that is not read; convert it to PNG");
	refused_fixture("x.gif", "a GIF");
	refused_fixture("x.ppm", "a PNM");
	refused_fixture("x.pgm", "a PNM");
	refused_fixture("x.jp2", "a JPEG 2000");
	refused_fixture("x.avif", "an AVIF");
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
		refused((const uint8_t *)heads[i].bytes, heads[i].n, "x", heads[i].says);
}

/* Texts that begin like a picture, and films in the container of AVIF: a note beside pictures is no error. */
Test(image_formats, what_is_no_picture_is_not_taken_for_one)
{
	static const char *const texts[] = { "BMW, Audi and Opel: which of them",
		                                 "P1 is the first point of the list",
		                                 "P5: see below",
		                                 "RIFF....WAVEfmt ",
		                                 "II. The second chapter",
		                                 "PFx",
		                                 "GIF is a format",
		                                 "" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		cr_expect(!image_format_of((const uint8_t *)texts[i], strlen(texts[i])), "%s", texts[i]);
	cr_expect(!image_format_of((const uint8_t *)"\0\0\0\x18"
	                                            "ftypisom\0\0\2\0",
	                           16));
	refused((const uint8_t *)"a text", 6, "x.png", "not a picture by its first bytes");
	refused((const uint8_t *)"", 0, "x.png", "empty file");
}

Test(image_formats, endings_in_any_case)
{
	static const char *const read[] = { "a.png",  "A.PNG", "b.c/x.Jpg", "x.JPEG",
		                                "x.webp", "x.TIF", "x.tiff",    "x.txt.png" };
	static const char *const pictures[] = { "x.bmp", "x.GIF", "x.ppm", "x.avif", "x.heic", "a/x.jxl" };
	static const char *const no[] = { "png", "a.png/x", "x.txt", "x.png.txt", "dataset.json", "x.mp4", "x.", "x.pngs" };
	for (size_t i = 0; i < sizeof read / sizeof *read; i++)
		cr_expect_eq(image_ending_of(read[i]), ENDING_READ, "%s", read[i]);
	for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
		cr_expect_eq(image_ending_of(pictures[i]), ENDING_PICTURE, "%s", pictures[i]);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		cr_expect_eq(image_ending_of(no[i]), ENDING_OTHER, "%s", no[i]);
}

/* Every length is a possible end of a copy that was interrupted. */
Test(image_formats, a_file_cut_anywhere_is_an_error)
{
	static const char *const names[] = { "lossless.webp", "lossy_alpha.webp", "rgb.tif", "rgb_lzw.tif", "p.tif" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		SCOPED(str) struct str bytes = { 0 };
		read_fixture(&bytes, names[i]);
		for (size_t n = 0; n < bytes.len; n++) {
			struct err e = ERR_INIT;
			SCOPED(image_u8) struct image_u8 im = { 0 };
			SCOPED(free) uint8_t *copy = xmalloc(n + 1);
			memcpy(copy, bytes.data, n);
			int rc = image_u8_decode(&im, copy, n, "x", &e);
			/* A WebP's last byte may be padding, and bytes after a TIFF's last strip are not asked for. */
			cr_expect(rc == -1 || n + 1 == bytes.len, "%s cut at %zu of %zu", names[i], n, bytes.len);
			cr_expect(rc == 0 || strncmp(e.msg, "x: ", 3) == 0, "%s", e.msg);
		}
	}
}
