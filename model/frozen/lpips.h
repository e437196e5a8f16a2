/* lpips.h - LPIPS v0.1 (Zhang et al., arXiv:1801.03924): a learned perceptual distance of two pictures, its parts and
 * its gradient, as a metric and as a training loss.
 *
 * Pictures in [-1,1], H,W,C with C = 3, are shifted and scaled per channel and run through a frozen backbone; at each
 * tap features are divided by their length (eps 1e-10 outside the root), squared differences weighted by a linear head,
 * averaged over pixels, and the taps summed. Backbone weights have torchvision's names (features.N.weight), heads those
 * of the publication (linK.model.1.weight). Where a pixel's features are all zero the peers' gradient is NaN; here that
 * pixel contributes nothing.
 *
 * `average` swaps the backbone's maximum pools for averages, `resize` = 224 resamples first (torch-bilinear): both
 * together are how OpenAI's consistency_models train with VGG. */
#ifndef ABLATE_LPIPS_H
#define ABLATE_LPIPS_H

#include "model/graph/backend.h"
#include "model/frozen/cnn.h"
#include "model/formats/safetensors.h"

#include <stdbool.h>

enum lpips_net { LPIPS_ALEX, LPIPS_VGG, LPIPS_SQUEEZE, LPIPS_N_NETS };
enum { LPIPS_MAX_TAPS = 7 };

const char *lpips_net_name(enum lpips_net net); /* "alex" */
/* An unknown name is a usage error that lists the known ones. */
MUST_CHECK int lpips_net_by_name(enum lpips_net *out, const char *name, struct err *e);

/* Describes a backbone for pictures of h x w; returns the number of taps. Fails when the pictures are too small. */
MUST_CHECK int lpips_describe(struct cnn *net, int taps[LPIPS_MAX_TAPS], int *n_taps, enum lpips_net kind, int h, int w,
                              bool average, struct err *e);
/* The tensors of the weights files, one by one; false after the last. */
bool lpips_backbone_weight(enum lpips_net kind, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS]);
bool lpips_head_weight(enum lpips_net kind, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS]);

struct lpips_options {
	enum lpips_net net;
	int h, w;      /* of the pictures given */
	int resize;    /* 0 = as they are; else resampled to resize x resize */
	bool average;  /* average pools */
	bool backward; /* will gradients be asked for? */
};

struct lpips;
/* Packs the weights; the two files may be freed afterwards. */
MUST_CHECK int lpips_open(struct lpips **out, const struct lpips_options *o, const struct safetensors *backbone,
                          const struct safetensors *heads, struct err *e);
/* The same on another back end, `batch` pairs at a time, without gradients; b must outlive it. On the CPU's it is
 * lpips_open. */
MUST_CHECK int lpips_open_on(struct lpips **out, const struct lpips_options *o, const struct safetensors *backbone,
                             const struct safetensors *heads, struct backend *b, int batch, struct err *e);
void lpips_free(struct lpips *l);
int lpips_taps(const struct lpips *l);
/* distance[n]; layers[n][taps] or NULL; d_in0[n][h][w][3] = d distance[i] / d in0[i], or NULL. Each pair is computed on
 * its own, whatever n is; pairs are shared out over the threads. */
MUST_CHECK int lpips_run(struct lpips *l, double *distance, double *layers, float *d_in0, const float *in0,
                         const float *in1, int n, struct err *e);

#endif
