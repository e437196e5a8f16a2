/* image_webp.h - WebP, lossy or lossless, to RGB bytes through libwebp, exactly as Pillow's convert("RGB") gives them:
 * alpha is dropped without compositing. An animation is an error. Where libwebp was absent at build time every file is
 * refused with what to do. */
#ifndef ABLATE_IMAGE_WEBP_H
#define ABLATE_IMAGE_WEBP_H

#include "model/data/image_u8.h"

#include <stdbool.h>

bool image_webp_is(const uint8_t *bytes, size_t n);
/* On failure (truncated, damaged, over IMAGE_MAX_PIXELS) the message begins with `name`. */
MUST_CHECK int image_webp_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e);
bool image_webp_built(void); /* was libwebp there at build time? */

#endif
