/* classifier.h - the in-tree classifier: a small convolutional net whose pooled features replace Inception's on
 * data where Inception is meaningless, and whose layers serve as a learned metric (lpips-classifier) where no LPIPS
 * weights are at hand. Images are (N,H,W,C) in [-1,1]. */
#ifndef ABLATE_CLASSIFIER_H
#define ABLATE_CLASSIFIER_H

#include "model/base/io.h"
#include "model/graph/graph.h"
#include "model/graph/params.h"

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

/* Weights: model/weights/classifier-NAME.safetensors beside the program or in the source tree. */
struct classifier {
	struct params *params;
	float *weights;
	int h, w, channels, classes;
	char sha256[SHA256_HEX]; /* of the file */
	bool shipped;            /* is it the one that comes with the program? */
	double test_accuracy;    /* as measured by its training */
};
MUST_CHECK int classifier_load(struct classifier *out, const char *data_name, struct err *e);
void classifier_release(struct classifier *c);

#endif
