/* extractor_pixels.h - features without a network, in [0, 1]: the mean of each cell of an 8 x 8 grid over the picture,
 * per channel (`pixels`), or every value of it (`all-pixels`, for which the size must be known). Exact and instant, so
 * that everything downstream can be tested and tried without weights; and nobody's network has a say in them. */
#ifndef ABLATE_EXTRACTOR_PIXELS_H
#define ABLATE_EXTRACTOR_PIXELS_H

#include "metrics/features/extractor.h"

enum { EXTRACTOR_PIXELS_SIDE = 8, EXTRACTOR_PIXELS_DIM = 3 * 8 * 8, EXTRACTOR_ALL_PIXELS_MOST = 16384 };

MUST_CHECK int extractor_pixels_open(struct extractor **out, const struct extractor_options *o, struct err *e);
MUST_CHECK int extractor_all_pixels_open(struct extractor **out, const struct extractor_options *o, struct err *e);

#endif
