/* image_decode.h - pictures decoded by their content, whatever their names. Decoders give the same as Pillow's
 * `Image.open(f).convert("RGB")`, since that is what the published scores were computed on. */
#ifndef ABLATE_IMAGE_DECODE_H
#define ABLATE_IMAGE_DECODE_H

#include "model/data/image_u8.h"

/* PNG or JPEG, recognised by the first bytes, to RGB. `name` is for messages only. */
MUST_CHECK int image_u8_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e);

#endif
