/* thin_conv.h - convolutions with few channels on one side, by kernels whose ceiling is memory: an image's last layer
 * (256 -> 3 channels) and, where floats have to stay floats, its first. For these cuDNN has engines for large products
 * only: nearly all of a tile is padding, and the weights gradient, long sums of few results, runs on few
 * multiprocessors.
 *
 * The wide image is read or written once, in the type that it has; weights and their gradient are floats where they
 * lie (struct thin_weights); bias, relu and the bias's gradient come along. Sums are in float, parts of a gradient are
 * added in double, in an order that shape and device decide: no atomics. */
#ifndef ABLATE_THIN_CONV_H
#define ABLATE_THIN_CONV_H

#include "model/cuda/kernel.cuh"

extern "C" {
#include "model/cpu/dnn.h"
}

/* Is this one for these kernels? Stride 1, 3x3 or 1x1, at most 4 output channels; or at most 4 input channels and
 * `strict`: no tensor cores, so that a library has no better way. */
bool thin_conv_takes(const struct dnn_shape *s, bool strict);

/* Weights or their gradient: (Cout,kh,kw,Cin) if by_taps (graph_by_taps), else (Cout,Cin,kh,kw). */
struct thin_weights {
	struct val v;
	bool by_taps;
};

/* y = conv(x, w) + bias (absent: 0), relu. */
void thin_conv_forward(struct cuda *cu, const struct dnn_shape *s, struct val x, struct thin_weights w, struct val bias,
                       bool relu, struct val y);
/* dx from dy and w. */
void thin_conv_data(struct cuda *cu, const struct dnn_shape *s, struct val dy, struct thin_weights w, struct val dx);
/* dw and, where db is not absent, db from x and dy. scratch: as many bytes as thin_conv_scratch says. */
void thin_conv_weights(struct cuda *cu, const struct dnn_shape *s, struct val x, struct val dy, struct thin_weights dw,
                       struct val db, float *scratch);
size_t thin_conv_scratch(const struct cuda *cu, const struct dnn_shape *s);

#endif
