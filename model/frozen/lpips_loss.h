/* lpips_loss.h - LPIPS as the metric of a training loss: the backbones of lpips.h recorded as ops of a graph, so that
 * any device that runs graphs can train with it. Same weights, same definition: both forms give the same numbers.
 *
 * Images are (N,H,W,C) in [-1,1]; C = 1 counts as three equal channels. They are resampled to `side` x `side` first, as
 * consistency training does (224). */
#ifndef ABLATE_LPIPS_LOSS_H
#define ABLATE_LPIPS_LOSS_H

#include "model/graph/graph.h"
#include "model/frozen/lpips.h"
#include "model/graph/params.h"

enum { LPIPS_LOSS_SIDE = 224 };

struct lpips_loss {
	enum lpips_net net;
	int side;              /* 0 = images as they are */
	bool average;          /* average pools */
	int channels;          /* of the images: 1 or 3 */
	struct params *params; /* names and positions in `weights` */
	float *weights;        /* STORE_FROZEN */
};

struct lpips_loss_options {
	enum lpips_net net;
	int side, channels;
	bool average;
};

/* Without backbone and heads (both NULL): what it is made of, without weights, to record graphs that do not run. */
MUST_CHECK int lpips_loss_init(struct lpips_loss *out, const struct lpips_loss_options *o,
                               const struct safetensors *backbone, const struct safetensors *heads, struct err *e);
void lpips_loss_release(struct lpips_loss *l);
/* d (N,1,1,1) = LPIPS(x, target); the gradient flows to x alone. Images too small for the network are BUG(). */
struct tensor *lpips_loss_distance(struct graph *g, const struct lpips_loss *l, struct tensor *x,
                                   struct tensor *target);
/* Its summands, one per tap. Returns how many. */
int lpips_loss_parts(struct tensor *parts[LPIPS_MAX_TAPS], struct graph *g, const struct lpips_loss *l,
                     struct tensor *x, struct tensor *target);

#endif
