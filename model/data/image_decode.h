/* image_decode.h - pictures recognised and decoded by their content, whatever their names. Decoders give the same as
 * Pillow's `Image.open(f).convert("RGB")`, since that is what the published scores were computed on. */
#ifndef ABLATE_IMAGE_DECODE_H
#define ABLATE_IMAGE_DECODE_H

#include "model/data/image_u8.h"

#include <stdbool.h>

enum { IMAGE_HEAD = 32 }; /* so many first bytes of a file say which format it has */

/* A format of pictures. Those that are not decoded are known all the same, so that such a file is refused by name and
 * never taken for something that is no picture. */
struct image_format {
	const char *what; /* with its article: "a PNG", "an AVIF" */
	bool (*is)(const uint8_t *bytes, size_t n);
	/* NULL: not read. Else fails with a message that begins with `name`. */
	int (*decode)(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e);
};

/* The format of a file that begins so; NULL: no picture that we know. */
const struct image_format *image_format_of(const uint8_t *bytes, size_t n);
/* What a file's name promises, in upper or lower case: ENDING_READ ".png", ".JPEG", ".tif", ... of formats that are
 * read, ENDING_PICTURE ".bmp", ".gif", ... of others. */
enum image_ending { ENDING_OTHER, ENDING_READ, ENDING_PICTURE };
enum image_ending image_ending_of(const char *name);
/* The error for a file of a format that is not read; -1. */
int image_format_refuse(const struct image_format *f, const char *name, struct err *e);

/* PNG, JPEG, WebP and TIFF (the last two where their libraries were there at build time), recognised by the first
 * bytes, to RGB. Files of several pictures (animations, pages) and all other formats are errors that say what the file
 * is. `name` is for messages only. */
MUST_CHECK int image_u8_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e);

#endif
