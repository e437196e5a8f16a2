/* conv_shape.h - a convolution node's shape as products are asked for it, on the CPU and on a device. */
#ifndef ABLATE_CONV_SHAPE_H
#define ABLATE_CONV_SHAPE_H

#include "model/cpu/dnn.h"
#include "model/graph/op.h"

/* Of any of its passes: x (N,H,W,Cin), w (Cout,Cin,kh,kw) and y (N,OH,OW,Cout) or their gradients. */
static inline struct dnn_shape conv_shape_of(const struct node *nd, const struct tensor *x, const struct tensor *w,
                                             const struct tensor *y)
{
	struct dnn_shape s = { x->n,
		                   x->h,
		                   x->w,
		                   x->c,
		                   y->c,
		                   w->w,
		                   w->c,
		                   y->h,
		                   y->w,
		                   nd->args.conv.stride,
		                   nd->args.conv.pad_h,
		                   nd->args.conv.pad_w };
	return s;
}

/* Is it a matrix product of its pixels? */
static inline bool conv_is_matmul(const struct dnn_shape *s)
{
	return s->kh == 1 && s->kw == 1 && s->stride == 1 && s->pad_h == 0 && s->pad_w == 0;
}

#endif
