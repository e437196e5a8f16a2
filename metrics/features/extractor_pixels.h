/* extractor_pixels.h - features without a network: the mean of each cell of an 8 x 8 grid over the picture, per
 * channel, in [0, 1]. Exact and instant, so that everything downstream can be tested and tried without weights. */
#ifndef ABLATE_EXTRACTOR_PIXELS_H
#define ABLATE_EXTRACTOR_PIXELS_H

#include "metrics/features/extractor.h"

enum { EXTRACTOR_PIXELS_SIDE = 8, EXTRACTOR_PIXELS_DIM = 3 * 8 * 8 };

MUST_CHECK int extractor_pixels_open(struct extractor **out, const struct extractor_options *o, struct err *e);

#endif
