/* image_u8.h - one picture of bytes in memory.
 *
 * Layout H,W,C with C = 3 (red, green, blue) or 1 (grey). A zero-initialised struct is empty and valid.
 * Decoders: image_decode.h. */
#ifndef ABLATE_IMAGE_U8_H
#define ABLATE_IMAGE_U8_H

#include "model/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAX_PIXELS \
	64000000 /* a larger picture is refused before anything is allocated for it; ImageNet's largest has 20 million */

struct image_u8 {
	int h, w, c;
	uint8_t *px; /* [h*w*c], heap, owned */
	size_t cap;  /* bytes behind px: kept between pictures of one size */
};

void image_u8_release(struct image_u8 *im);
void scoped_image_u8(struct image_u8 *im); /* SCOPED(image_u8) struct image_u8 im = { 0 }; */
/* Is h x w a size that may be allocated? The message begins with `name`. */
MUST_CHECK int image_u8_check(int64_t h, int64_t w, const char *name, struct err *e);
/* Makes room for h x w x c bytes (contents undefined); fails when h*w is over IMAGE_MAX_PIXELS or a size is < 1. */
MUST_CHECK int image_u8_shape(struct image_u8 *im, int64_t h, int64_t w, int c, const char *name, struct err *e);
/* RGB to grey in place with Pillow's integer weights (ITU-R 601); a grey image is left as it is. */
void image_u8_to_grey(struct image_u8 *im);
/* Grey to three equal channels; an RGB image is left as it is. */
void image_u8_to_rgb(struct image_u8 *im);

#endif
