/* source_ahead.h - the pictures of a source in their order, a batch at a time, read and decoded by threads of their own while the caller works with
 * the batch before: a device that makes features need not wait for one core's decoder.
 *
 *     SCOPED(source_ahead) struct source_ahead *a = source_ahead_new(s, s->n, 64);
 *     while (!source_ahead_next(a, &images, &n, e) && n > 0)
 *         ...
 *
 * What comes out is what source_read gives one after the other, the first failure included, whatever the number of threads. */
#ifndef ABLATE_SOURCE_AHEAD_H
#define ABLATE_SOURCE_AHEAD_H

#include "sources.h"

struct source_ahead;

/* The first n <= s->n pictures. s is not to be read otherwise meanwhile, and outlives it. Uses as many threads as this process computes with, at most
 * 16, and one where pictures are not files of their own. */
struct source_ahead *source_ahead_new(struct source *s, int64_t n, int batch);
/* The next pictures: `batch` of them, fewer at the end, none (*n = 0) after it. They stay the reader's, and valid until the next call. */
MUST_CHECK int source_ahead_next(struct source_ahead *a, const struct image_u8 **images, int *n, struct err *e);
void source_ahead_free(struct source_ahead *a); /* at any time; accepts NULL */
void scoped_source_ahead(struct source_ahead **a);

#endif
