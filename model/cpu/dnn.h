/* dnn.h - oneDNN, wrapped: convolutions and matrix products on the CPU. Nothing else includes its headers but
 * nets/cnn_*.c, whose frozen networks pack weights once and run one picture on one thread.
 *
 * A dnn_conv holds one primitive of a convolution (forward, data gradient or weights gradient) on NHWC activations
 * and OIHW weights; where the primitive needs packed weights it reorders them in the caller's scratch.
 *
 * No signal handler may run on a thread that is in oneDNN: oneDNN 2.6's generated matrix products keep values far below
 * the stack pointer, where a signal's frame goes. Block signals on threads that compute (harness/run/worker.c does). */
#ifndef ABLATE_DNN_H
#define ABLATE_DNN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dnn_shape {
	int64_t n, h, w, ic, oc, kh, kw, oh, ow;
	int stride, pad_h, pad_w;
};

enum dnn_pass { DNN_FORWARD, DNN_BACKWARD_DATA, DNN_BACKWARD_WEIGHTS };

struct dnn_conv;
struct dnn_conv *dnn_conv_new(const struct dnn_shape *s, enum dnn_pass pass, bool bias, bool relu);
void dnn_conv_free(struct dnn_conv *c);
size_t dnn_conv_scratch(const struct dnn_conv *c);   /* bytes, 64-aligned, needed by every run */
const char *dnn_conv_impl(const struct dnn_conv *c); /* which implementation was chosen: recorded, shown by doctor */
/* forward: y = conv(x, w) + b; data: x = gradient from y and w; weights: w and b = gradients from x and y. */
void dnn_conv_run(struct dnn_conv *c, float *x, float *w, float *b, float *y, void *scratch);

/* Row-major C (m,n) = alpha * op(A) op(B) + beta * C, op(A) (m,k) and op(B) (k,n) by how A and B are stored. lda.. are
 * row strides. On the calling thread alone, since oneDNN cuts sums as its threads are: dnn_product.h is for all. */
enum dnn_stored { DNN_PLAIN, DNN_TRANSPOSED };
void dnn_gemm(enum dnn_stored as, enum dnn_stored bs, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
              int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

const char *dnn_version(void); /* "2.6.3" */
const char *dnn_isa(void);     /* the instruction set oneDNN uses here */

#endif
