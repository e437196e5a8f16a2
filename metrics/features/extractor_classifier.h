/* extractor_classifier.h - features of the in-tree classifier: for data sets where Inception is meaningless, and for
 * machines without its weights. Pictures must have the size and channels of the data set it was trained on. */
#ifndef ABLATE_EXTRACTOR_CLASSIFIER_H
#define ABLATE_EXTRACTOR_CLASSIFIER_H

#include "metrics/features/extractor.h"

MUST_CHECK int extractor_classifier_open(struct extractor **out, const struct extractor_options *o, struct err *e);

#endif
