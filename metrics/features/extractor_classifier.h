/* extractor_classifier.h - features of an in-tree classifier (model/nets/classifier.h): for data sets where Inception
 * is meaningless, and for machines without its weights. Pictures of another size than those that it was trained on
 * are resized (torch-bilinear, unless another resize is named; "none" refuses them), RGB becomes grey by Pillow's
 * weights and grey is repeated where the classifier wants it so.
 *
 * A cell takes the classifier of its data set; data without one, and commands over files, that of CLASSIFIER_DATA. */
#ifndef ABLATE_EXTRACTOR_CLASSIFIER_H
#define ABLATE_EXTRACTOR_CLASSIFIER_H

#include "metrics/features/extractor.h"

MUST_CHECK int extractor_classifier_open(struct extractor **out, const struct extractor_options *o, struct err *e);
MUST_CHECK int extractor_classifier_a_open(struct extractor **out, const struct extractor_options *o, struct err *e);
MUST_CHECK int extractor_classifier_b_open(struct extractor **out, const struct extractor_options *o, struct err *e);
/* The data set whose classifier `which` ("a", "b") stands in for that of `data` (NULL: none is named). */
const char *extractor_classifier_data(const char *data, const char *which);

#endif
