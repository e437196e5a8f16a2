/* vit.h - frozen vision transformers (Dosovitskiy et al., arXiv:2010.11929) that give a picture's features:
 *   DINOv2  Oquab et al., arXiv:2304.07193; without registers. Its feature is the last norm's class token. The
 *           network of FD-DINOv2 (Stein et al., arXiv:2306.04675), as dgm-eval feeds it.
 *   CLIP    the picture half (Radford et al., arXiv:2103.00020): the class token, projected, divided by its length.
 *           The network of CMMD (Jayasumana et al., arXiv:2401.09603), as its code feeds it.
 * A block is x + attention(norm x), x + mlp(norm x). Weights have the names of the published files. All is recorded
 * as ops, so it runs wherever graphs do; the last norm and the projection, of one token, are made on the host in
 * double. */
#ifndef ABLATE_VIT_H
#define ABLATE_VIT_H

#include "model/data/image_u8.h"
#include "model/formats/safetensors.h"
#include "model/graph/backend.h"

#include <stdbool.h>

/* What differs beyond sizes. DINOv2: exact GELU, a bias of the patches, a scale per channel after attention and mlp.
 * CLIP: quick GELU, a norm before the first block, a projection, unit length. */
enum vit_family { VIT_DINOV2, VIT_CLIP, VIT_FAMILIES };

struct vit_spec {
	enum vit_family family;
	int side, patch;               /* pixels: of the picture, of a token */
	int table;                     /* tokens a side of the positions in the file; others than side / patch: resized */
	int width, blocks, heads, mlp; /* channels of a token; of the mlp inside */
	int dim;                       /* of the feature; width where nothing projects */
	double eps;                    /* of the norms */
};
extern const struct vit_spec vit_dinov2_l14;   /* 224 pixels, 1024 features */
extern const struct vit_spec vit_clip_l14_336; /* 336 pixels, 768 features */

/* The tensors of a weights file, one by one: name and shape; false after the last. */
bool vit_weight(const struct vit_spec *s, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS]);

struct vit;
/* Checks names and shapes and arranges the weights; `weights` may be freed afterwards. b must outlive it; on a device
 * it computes `batch` pictures at a time, on the CPU one, so that a feature cannot depend on the others. */
MUST_CHECK int vit_open(struct vit **out, const struct vit_spec *s, const struct safetensors *weights,
                        struct backend *b, int batch, struct err *e);
void vit_free(struct vit *v); /* NULL is fine */

/* dst[n][dim] of n pictures, grey or RGB, of any size: prepared as vit_picture.h says, then the network. */
MUST_CHECK int vit_run(struct vit *v, float *dst, const struct image_u8 *images, int n, struct err *e);

/* dst[1 + to * to][c]: a table [1 + from * from][c] of a class row and a grid of positions, the grid resized as DINOv2
 * does it (interpolate_pos_encoding with offset 0.1): bicubic with a = -3/4, edges repeated, no antialias, source
 * (o + 1/2) from / (to + 0.1) - 1/2. With from = to a copy. */
void vit_resize_table(float *dst, int to, const float *src, int from, int c);

#endif
