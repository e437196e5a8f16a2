/* vit_weights.h - the weights of a vision transformer, from the names and layouts of published files to those of the
 * graph that vit.c records. */
#ifndef ABLATE_VIT_WEIGHTS_H
#define ABLATE_VIT_WEIGHTS_H

#include "model/frozen/vit.h"
#include "model/graph/params.h"

/* What the graph takes; those of a block come `blocks` times. */
enum vit_part {
	VIT_PATCH,      /* [width][patch * patch * 3]: rows, columns, channels of a patch */
	VIT_PATCH_BIAS, /* DINOv2 */
	VIT_TABLE,      /* [1 + tokens][width]: positions, the class token added to the first */
	VIT_PRE_WEIGHT, /* CLIP */
	VIT_PRE_BIAS,   /* CLIP */
	VIT_NORM1_WEIGHT,
	VIT_NORM1_BIAS,
	VIT_QKV, /* [3 * width][width]: row (head * width / heads + c) * 3 + {q, k, v}, as graph_attention takes it */
	VIT_QKV_BIAS,
	VIT_PROJ, /* times the scale per channel, where there is one; so is the bias */
	VIT_PROJ_BIAS,
	VIT_NORM2_WEIGHT,
	VIT_NORM2_BIAS,
	VIT_FC1,
	VIT_FC1_BIAS,
	VIT_FC2, /* as VIT_PROJ */
	VIT_FC2_BIAS,
	VIT_N_PARTS
};

struct vit_weights {
	struct params *params; /* places in `values` */
	float *values;
	float *norm, *norm_bias; /* [width], of the last norm */
	float *out;              /* [width][dim] of the projection; NULL: none */
};

/* Absent tensors and other shapes are errors that name them. */
MUST_CHECK int vit_weights_load(struct vit_weights *out, const struct vit_spec *s, const struct safetensors *st,
                                struct err *e);
void vit_weights_release(struct vit_weights *w);
/* The entry of a part in w->params; NULL where the family has none. block: of the parts of blocks, else 0. */
const struct param *vit_weights_part(const struct vit_weights *w, enum vit_part part, int block);

#endif
