/* image_jpeg.h - JPEG to RGB bytes through libjpeg-turbo with the settings that Pillow leaves at their defaults (slow
 * integer DCT, fancy upsampling): agreement within 2 levels across versions of the library. Grey is repeated, CMYK is
 * converted as Pillow does. A file that ends early is an error, as in Pillow. */
#ifndef ABLATE_IMAGE_JPEG_H
#define ABLATE_IMAGE_JPEG_H

#include "model/data/image_u8.h"

#include <stdbool.h>

bool image_jpeg_is(const uint8_t *bytes, size_t n);
MUST_CHECK int image_jpeg_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e);

#endif
