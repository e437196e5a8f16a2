/* cnn.h - frozen convolutional networks that score pictures: Inception v3, VGG16, AlexNet, SqueezeNet.
 *
 * A network is data: a flat table of tensors (N = 1; H, W, C) and of layers in order of execution, each reading one
 * tensor and writing a range of channels of another, so that a concatenation is several layers with one destination.
 * Back ends walk the table; this file also holds the CPU one (oneDNN).
 *
 *     struct cnn net = { 0 };                                  // describe (nets/inception.c, nets/lpips_nets.c)
 *     int in = cnn_input(&net, 3, 299, 299);
 *     int a = cnn_conv(&net, "Conv2d_1a_3x3", in, 32, 3, 3, 2, 0, 0);
 *     cnn_exec_open(&x, &net, load, ctx, &(struct cnn_options){ .keep = &a, .n_keep = 1 }, e);
 *     cnn_work_open(&w, x, e);                                 // one per thread
 *     cnn_forward(w, pixels);  cnn_read(w, a, dst);
 *
 * One call runs one picture on one thread, so the result for a picture cannot depend on a batch, and a batch is a
 * parallel loop over pictures. Executors are shared between threads, workspaces are not. Memory is planned once. */
#ifndef ABLATE_CNN_H
#define ABLATE_CNN_H

#include "model/base/err.h"
#include "model/base/mem.h"

#include <stdbool.h>
#include <stddef.h>

enum cnn_kind { CNN_CONV, CNN_MAX_POOL, CNN_AVG_POOL };

struct cnn_tensor {
	int c, h, w;
};

struct cnn_layer {
	enum cnn_kind kind;
	const char *name;           /* prefix of its weights; NULL for pools */
	int src, dst;               /* tensor numbers */
	int dst_c, c;               /* writes channels [dst_c, dst_c + c) of dst */
	int kh, kw, stride, ph, pw; /* window, and padding at the top and left */
	bool relu;
	bool pad_counts; /* average pools: does the divisor count padding? */
	bool ceil;       /* pools: a last window hangs over the edge */
};

struct cnn {
	struct cnn_tensor *tensors; /* tensor 0 is the input */
	struct cnn_layer *layers;
	int n_tensors, cap_tensors, n_layers, cap_layers;
	struct arena names;
};

/* Building. Each returns the number of the tensor that it made. Sizes that do not fit are BUG(). */
int cnn_input(struct cnn *net, int c, int h, int w);
int cnn_tensor(struct cnn *net, int c, int h, int w); /* a destination for several layers */
/* Convolution with bias and ReLU, `name` is copied. */
int cnn_conv(struct cnn *net, const char *name, int src, int c, int kh, int kw, int stride, int ph, int pw);
int cnn_conv_into(struct cnn *net, const char *name, int src, int dst, int dst_c, int c, int kh, int kw, int stride,
                  int ph, int pw);
/* A k x k pool. `ceil` lets a last window hang over the edge (PyTorch's ceil_mode). */
int cnn_pool(struct cnn *net, enum cnn_kind kind, int src, int k, int stride, int pad, bool ceil);
void cnn_pool_into(struct cnn *net, enum cnn_kind kind, int src, int dst, int dst_c, int k, int stride, int pad);
void cnn_release(struct cnn *net);
/* Multiply-adds times two of one picture. */
double cnn_flops(const struct cnn *net);

/* Fills weights w[c][c_in][kh][kw] and bias[c] of a convolution with c_in input channels. May be called from several
 * threads at once. */
typedef int cnn_load(void *ctx, const struct cnn_layer *layer, int c_in, float *w, float *bias, struct err *e);

struct cnn_options {
	bool bf16;       /* activations and weights in bfloat16, sums in float; needs avx512_bf16 */
	bool backward;   /* can cnn_backward() be called? Not with bf16 */
	const int *keep; /* tensors that can be read after a forward pass */
	int n_keep;
};

struct cnn_exec;
struct cnn_work;

bool cnn_bf16_available(void); /* can this processor multiply bfloat16? */
/* Packs the weights. `net` must outlive the executor. */
MUST_CHECK int cnn_exec_open(struct cnn_exec **out, const struct cnn *net, cnn_load *load, void *ctx,
                             const struct cnn_options *o, struct err *e);
void cnn_exec_free(struct cnn_exec *x);
MUST_CHECK int cnn_work_open(struct cnn_work **out, const struct cnn_exec *x, struct err *e);
void cnn_work_free(struct cnn_work *w);

/* Runs the picture src[h][w][c] of the input's size. */
void cnn_forward(struct cnn_work *w, const float *src);
/* dst[h][w][c] = a kept tensor. */
void cnn_read(const struct cnn_work *w, int tensor, float *dst);
/* A kept tensor itself, without a copy; not with bf16. */
const float *cnn_data(const struct cnn_work *w, int tensor);
/* dst[c] = the mean of a kept tensor over its pixels, summed in double. */
void cnn_mean(const struct cnn_work *w, int tensor, float *dst);

/* Gradient with respect to the input, after a forward pass: fill cnn_grad() of every kept tensor with dL/d(tensor),
 * then run; dst[h][w][c] receives dL/d(input). */
float *cnn_grad(struct cnn_work *w, int tensor);
void cnn_backward(struct cnn_work *w, float *dst);

#endif
