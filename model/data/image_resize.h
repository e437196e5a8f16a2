/* image_resize.h - pictures of bytes made smaller or larger, value for value as Pillow's Image.resize does it:
 * coefficients in double, rounded to fixed point of 22 bits, a horizontal pass rounded to bytes, then a vertical
 * one. */
#ifndef ABLATE_IMAGE_RESIZE_H
#define ABLATE_IMAGE_RESIZE_H

#include "model/data/image_u8.h"

enum image_filter { FILTER_BOX, FILTER_BICUBIC }; /* bicubic: a = -1/2; both are widened when shrinking */

MUST_CHECK int image_u8_resize(struct image_u8 *im, int h, int w, enum image_filter filter, const char *name,
                               struct err *e);
/* A square of side x side as guided-diffusion cuts it (image_datasets.py, Dhariwal & Nichol 2021): halved by box while
 * the shorter side is at least twice too long, then bicubic until it fits, then the centre. An image that is such a
 * square already is left alone. */
MUST_CHECK int image_u8_centre_crop(struct image_u8 *im, int side, const char *name, struct err *e);

#endif
