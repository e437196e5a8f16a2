/* pictures.h - pictures of bytes as a scoring network's input: resized (resize.h), then scaled as in the published
 * scores. On a device other than the host the bytes are uploaded, 12 (grey: 36) times smaller than floats at the
 * source's size, and the rest is done there. */
#ifndef ABLATE_PICTURES_H
#define ABLATE_PICTURES_H

#include "model/graph/backend.h"
#include "model/data/image_u8.h"
#include "model/frozen/resize.h"

/* dst (side, side, 3) of one picture, grey or RGB. */
void picture_values(float *dst, int side, const struct image_u8 *im, enum resize_kind kind, enum picture_scale scale);
/* Do all n have the same size? */
bool pictures_alike(const struct image_u8 *images, int n);

struct picture_feed;
/* Memory on a back end that has ops->scores; b must outlive it. */
struct picture_feed *picture_feed_new(struct backend *b, int side);
void picture_feed_free(struct picture_feed *f); /* accepts NULL */
/* dst, in the device's memory, (n, side, side, 3) floats or bf16, of n pictures of one size. Enqueued; the images may
 * be reused at once. */
MUST_CHECK int picture_feed_run(struct picture_feed *f, void *dst, bool low, const struct image_u8 *images, int n,
                                enum resize_kind kind, enum picture_scale scale, struct err *e);

#endif
