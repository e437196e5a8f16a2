/* train_classifier.h - trains the in-tree classifier from scratch on a data set's train split: Adam, cross entropy, no
 * augmentation but the set's flips. The same seed, machine and thread count give the same file, byte for byte. */
#ifndef ABLATE_TRAIN_CLASSIFIER_H
#define ABLATE_TRAIN_CLASSIFIER_H

#include "model/base/err.h"

#include <stdint.h>

struct progress;

enum classifier_part { PART_ALL, PART_EVEN, PART_ODD };
struct classifier_training {
	int epochs, batch;
	double lr;
	uint64_t seed;
	enum classifier_part part; /* of the training split, by the pictures' numbers */
};
/* How the committed classifiers "a" and "b" (model/nets/classifier.h) were made; exit 2 for another name. */
MUST_CHECK int classifier_training_of(struct classifier_training *out, const char *which, struct err *e);

/* Writes weights to `path` (safetensors; test accuracy, data hash and settings in its metadata). Returns the share of
 * the test split that is classified correctly in *test_accuracy. */
MUST_CHECK int classifier_train(double *test_accuracy, const char *data_name, const struct classifier_training *o,
                                const char *path, struct progress *progress, struct err *e);

#endif
