/* image_tiff.h - TIFF (and BigTIFF) to RGB bytes through libtiff, exactly as Pillow's convert("RGB") gives them, for
 * what pictures come in: strips or tiles of grey (1, 2, 4, 8, 16 bits), grey with alpha, palettes (1 to 8 bits), RGB
 * and RGBA of 8 or 16 bits, those of 8 in separate planes too, with any compression that libtiff knows. Alpha is
 * dropped without compositing; 16-bit grey is CLIPPED to 255, not scaled, of 16-bit colour the upper 8 bits are taken,
 * and a picture whose tag Orientation says so is turned. What else TIFF can hold (several pages, floats, CMYK,
 * premultiplied alpha, ...) is an error that says what it is. Where libtiff was absent at build time every file is
 * refused with what to do. */
#ifndef ABLATE_IMAGE_TIFF_H
#define ABLATE_IMAGE_TIFF_H

#include "model/data/image_u8.h"

#include <stdbool.h>

bool image_tiff_is(const uint8_t *bytes, size_t n);
/* On failure (truncated, damaged, over IMAGE_MAX_PIXELS) the message begins with `name`. */
MUST_CHECK int image_tiff_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e);
bool image_tiff_built(void); /* was libtiff there at build time? */

#endif
