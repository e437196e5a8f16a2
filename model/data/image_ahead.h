/* image_ahead.h - pictures by number, in their order and a batch at a time, made by separate threads while the caller
 * works with the previous batch: what waits for pictures, a network on a device or a disk, need not wait for one core's
 * decoder.
 *
 *     SCOPED(image_ahead) struct image_ahead *a = image_ahead_new(&(struct image_maker){ make, ctx, true }, 0, n, 64);
 *     while (!image_ahead_next(a, &images, &n, e) && n > 0)
 *         ...
 *
 * The results are those of making them one after the other, the first failure included, whatever the number of
 * threads. */
#ifndef ABLATE_IMAGE_AHEAD_H
#define ABLATE_IMAGE_AHEAD_H

#include "model/data/image_u8.h"

#include <stdbool.h>

/* make fills `im` with picture i. `parallel`: it may be called for several at once; else for one after the other, by
 * one thread. */
struct image_maker {
	int (*make)(void *ctx, int64_t i, struct image_u8 *im, struct err *e);
	void *ctx;
	bool parallel;
};

struct image_ahead;
/* Pictures first .. n - 1, by as many threads as this process computes with, at most 16. The maker is copied; its ctx
 * outlives the reader. */
struct image_ahead *image_ahead_new(const struct image_maker *m, int64_t first, int64_t n, int batch);
/* The next pictures: `batch` of them, fewer at the end, none (*n = 0) after it. They stay the reader's, and valid until
 * the next call. On failure the first *n are good, and the next could not be made. */
MUST_CHECK int image_ahead_next(struct image_ahead *a, const struct image_u8 **images, int *n, struct err *e);
void image_ahead_free(struct image_ahead *a); /* at any time; accepts NULL */
void scoped_image_ahead(struct image_ahead **a);

#endif
