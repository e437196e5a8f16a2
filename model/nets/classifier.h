/* classifier.h - the in-tree classifiers: small convolutional nets whose pooled features replace Inception's on data
 * where Inception is meaningless, and whose layers serve as a learned metric (lpips-classifier) where no LPIPS
 * weights are at hand. Images are (N,H,W,C) in [-1,1].
 *
 * There are two of a data set, so that what trains and what scores are different networks: A is the learned metric's,
 * B scores (extractor `classifier:b`). They share the architecture and nothing else: A saw the even pictures of the
 * training split, B the odd ones, and they began from different seeds (model/train/train_classifier.h). */
#ifndef ABLATE_CLASSIFIER_H
#define ABLATE_CLASSIFIER_H

#include "model/base/io.h"
#include "model/graph/graph.h"
#include "model/graph/params.h"

#include <stdbool.h>

enum { CLASSIFIER_TAPS = 3, CLASSIFIER_DIM = 128 };

struct classifier_out {
	struct tensor *taps[CLASSIFIER_TAPS]; /* after each stage's last relu: 32, 64, 128 channels at H, H/2, H/4 */
	struct tensor *features;              /* (N,1,1,CLASSIFIER_DIM) mean of the last tap over pixels */
	struct tensor *logits;                /* (N,1,1,classes) */
};

struct params *classifier_params(int channels, int classes);
/* Records the forward pass on parameters of `store`. */
struct classifier_out classifier_forward(struct graph *g, const struct params *p, enum store store, struct tensor *x,
                                         int classes);

#define CLASSIFIER_DATA    "fashion-mnist" /* whose classifiers are taken for data without any of its own */
#define CLASSIFIER_OF_LOSS "a"

struct classifier {
	struct params *params;
	float *weights;
	int h, w, channels, classes; /* of the pictures that it was trained on; any others of 4x4 or more pass, too */
	char sha256[SHA256_HEX];     /* of the file */
	double test_accuracy;        /* as measured by its training */
};
/* model/weights/classifier-DATA-WHICH.safetensors beside the program or in the source tree; which: "a" or "b". Missing:
 * an error that says how to train it. */
MUST_CHECK int classifier_load(struct classifier *out, const char *data_name, const char *which, struct err *e);
/* Is that file there? */
bool classifier_is_here(const char *data_name, const char *which);
/* The weights in a file that `ablate classifier` wrote. */
MUST_CHECK int classifier_read(struct classifier *out, const char *path, struct err *e);
void classifier_release(struct classifier *c);

#endif
