/* image_png.h - PNG to RGB bytes, exactly as Pillow's convert("RGB") does it: a palette is looked up, grey is
 * repeated, alpha and transparency are dropped without compositing, the low byte of 16-bit colour is cut off, and
 * 16-bit grey (which Pillow opens as 32-bit integers) is CLIPPED to 255, not scaled. Gamma and profiles are ignored. An
 * animation is an error. */
#ifndef ABLATE_IMAGE_PNG_H
#define ABLATE_IMAGE_PNG_H

#include "model/data/image_u8.h"
#include "model/base/str.h"

#include <stdbool.h>

bool image_png_is(const uint8_t *bytes, size_t n);
/* On failure (truncated, damaged, over IMAGE_MAX_PIXELS) the message begins with `name`; *im may hold part of a
 * picture, but stays valid. */
MUST_CHECK int image_png_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e);
/* Appends an 8-bit PNG of c = 1 or 3 to out. */
MUST_CHECK int image_png_encode(struct str *out, const uint8_t *px, int h, int w, int c, const char *name,
                                struct err *e);
/* Writes an 8-bit PNG of c = 1 or 3, whole or not at all. */
MUST_CHECK int image_png_write(const char *path, const uint8_t *px, int h, int w, int c, struct err *e);

#endif
