/* inception.h - Inception v3 (Szegedy et al., arXiv:1512.00567) as a feature extractor, in the two forms that scores
 * are computed with:
 *   inception-2015   the network of the FID (TensorFlow's 2015 graph, as pytorch-fid rebuilds it): average pools do not
 *                    count padding, the pool of the last block takes the maximum, 1008 classes
 *   inception-keras  the same with an average in the last block (Keras applications); classes optional
 * Weights are a safetensors file with torchvision's names (NAME.conv.weight, NAME.bn.*, fc.*). Batch norm is folded
 * into the convolutions in double; its epsilon and the input's range come from the file's metadata ("bn_eps", default
 * 0.001; "input_range", default "[-1,1]"). */
#ifndef ABLATE_INCEPTION_H
#define ABLATE_INCEPTION_H

#include "model/graph/backend.h"
#include "model/frozen/cnn.h"
#include "model/frozen/device_moments.h"
#include "model/frozen/pictures.h"
#include "model/formats/safetensors.h"

#include <stdbool.h>

enum {
	INCEPTION_SIDE = 299,
	INCEPTION_PIXELS = INCEPTION_SIDE * INCEPTION_SIDE * 3,
	INCEPTION_SPATIAL = 17 * 17 * 7, /* sFID: the first 7 channels of mixed_6/conv, positions first */
	INCEPTION_CLASSES = 1008,
};

enum inception_kind { INCEPTION_2015, INCEPTION_KERAS };

/* Tensors worth reading: the outputs of the blocks with 64, 192, 768 and 2048 channels, and of Mixed_6d. */
struct inception_taps {
	int d64, d192, d768, d2048, mixed_6d;
};

/* Appends the network to an empty description. */
void inception_describe(struct cnn *net, struct inception_taps *taps, enum inception_kind kind);
/* The tensors of a weights file, one by one: name (static until the next call in this thread), shape; false after the
 * last. fc.weight and fc.bias come last. */
bool inception_weight(const struct cnn *net, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS]);

struct inception;
/* Checks names and shapes and packs the weights; `weights` may be freed afterwards. classes: 0 when the file has
 * none. */
MUST_CHECK int inception_open(struct inception **out, enum inception_kind kind, const struct safetensors *weights,
                              bool bf16, struct err *e);
/* The same on a back end other than the CPU's, `batch` pictures at a time, in its precision (what is kept of a block is
 * fp32). b must outlive it. */
MUST_CHECK int inception_open_on(struct inception **out, enum inception_kind kind, const struct safetensors *weights,
                                 struct backend *b, int batch, struct err *e);
void inception_free(struct inception *net);
int inception_classes(const struct inception *net);

/* On a device, the moments of d2048 of all pictures run from here on are counted there, into *out, which the network
 * owns; called again, it starts over. *out is NULL on the CPU. */
MUST_CHECK int inception_count(struct device_moments **out, struct inception *net, struct err *e);

/* What to compute for n pictures; NULL = not wanted. logits have the last layer's bias, logits_unbiased do not. */
struct inception_out {
	float *d64, *d192, *d768, *d2048; /* [n][64] ...: means over the block's pixels */
	float *logits, *logits_unbiased;  /* [n][classes] */
	float *spatial;                   /* [n][INCEPTION_SPATIAL] */
};
/* Fills dst[299][299][3] with picture i in the network's input range; called by several threads. */
typedef void inception_picture(void *ctx, int i, float *dst);
/* A picture's results do not depend on n or on the others: on the CPU each is computed on its own. */
MUST_CHECK int inception_run(struct inception *net, const struct inception_out *out, inception_picture *picture,
                             void *ctx, int n, struct err *e);
/* The same of pictures of bytes, grey or RGB: resized and scaled here into the network's range as in the scores with
 * that resize, on the device where the network is on one (pictures of one size). */
MUST_CHECK int inception_run_pictures(struct inception *net, const struct inception_out *out,
                                      const struct image_u8 *images, int n, enum resize_kind kind, struct err *e);

#endif
