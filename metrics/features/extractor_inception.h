/* extractor_inception.h - the two Inception v3 networks as extractors: 2048 pooled features, class scores without the
 * last layer's bias, and the spatial features of sFID. Pre-processing is one of the named resizes to 299 x 299, then
 * what the corresponding peer does: 2 (u / 255) - 1 after torch-bilinear, (u - 128) / 128 after tf-bilinear and clean;
 * weights whose metadata ask for [0,1] get u / 255. */
#ifndef ABLATE_EXTRACTOR_INCEPTION_H
#define ABLATE_EXTRACTOR_INCEPTION_H

#include "metrics/features/extractor.h"

MUST_CHECK int extractor_inception_2015_open(struct extractor **out, const struct extractor_options *o, struct err *e);
MUST_CHECK int extractor_inception_keras_open(struct extractor **out, const struct extractor_options *o, struct err *e);

#endif
