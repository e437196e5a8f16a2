/* bench_pictures.h - how fast pictures are decoded for scores and imports: by all threads, as a share of what one of
 * them does times their number. */
#ifndef ABLATE_BENCH_PICTURES_H
#define ABLATE_BENCH_PICTURES_H

#include "model/base/err.h"

#include <jansson.h>

/* Appends one object per size of picture to `out` (an array); about `seconds` are spent on each. */
MUST_CHECK int bench_pictures(json_t *out, double seconds, struct err *e);

#endif
