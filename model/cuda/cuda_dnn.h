/* cuda_dnn.h - convolutions on a device, planned once and run many times in the back end's stream: by cuDNN, fenced and
 * opened at run time, or, where it is missing or has no engine, by the plugin's own kernels (own_product.h; products.cu
 * chooses).
 *
 * Images are NHWC, weights (Cout, kh, kw, Cin). cuDNN's engine is the first of cuDNN's heuristic list that is
 * deterministic, fits the back end's workspace, need not be compiled first and, for floats without TF32, keeps to float
 * arithmetic: the library's version and the device, which are recorded, decide it. With ABLATE_CUDNN_TUNE=FILE the
 * first few such engines are timed when a shape runs for the first time, and FILE decides from then on (tune.h). The
 * emulation's twin is tests/cuda_emu/emu_libraries.cc. */
#ifndef ABLATE_CUDA_DNN_H
#define ABLATE_CUDA_DNN_H

#include "model/cuda/cuda.h"

extern "C" {
#include "model/cpu/dnn.h"
#include "model/cuda/tune.h"
}

struct cuda_conv_shape {
	struct dnn_shape shape;
	enum dnn_pass pass;
	enum tensor_type type; /* of images and weights; sums are in float */
	bool bias, relu;       /* wanted in the same pass (forward) */
	bool exact;            /* floats stay floats: no TF32 */
};

/* Is the same asked? Then one plan serves both. */
static inline bool cuda_conv_same(const struct cuda_conv_shape *a, const struct cuda_conv_shape *b)
{
	const struct dnn_shape *p = &a->shape, *q = &b->shape;
	return a->pass == b->pass && a->type == b->type && a->bias == b->bias && a->relu == b->relu &&
	       a->exact == b->exact && p->n == q->n && p->h == q->h && p->w == q->w && p->ic == q->ic && p->oc == q->oc &&
	       p->kh == q->kh && p->kw == q->kw && p->oh == q->oh && p->ow == q->ow && p->stride == q->stride &&
	       p->pad_h == q->pad_h && p->pad_w == q->pad_w;
}

struct cuda_conv;
/* Heap; NULL with cu->failed set. Counted in cu: convs_by_library, convs_by_kernel. */
struct cuda_conv *cuda_conv_new(struct cuda *cu, const struct cuda_conv_shape *s);
bool cuda_conv_fused(const struct cuda_conv *c); /* bias and relu are made by run; else the caller adds them */
enum tensor_type cuda_conv_bias(
	const struct cuda_conv *c);                           /* the type that run expects the bias in, where it is fused */
enum tensor_type cuda_conv_dw(const struct cuda_conv *c); /* the type that a weights gradient is written in */
/* forward: y = conv(x, w) [+ bias (Cout)]; data: x from y and w; weights: w from x and y. */
void cuda_conv_run(struct cuda *cu, struct cuda_conv *c, void *x, void *w, const void *bias, void *y);
void cuda_conv_free(struct cuda_conv *c); /* accepts NULL */
/* The i-th shape that the library was asked for, and by what it is computed, for records; false: there is none. */
bool cuda_conv_text(const struct cuda *cu, int i, char *out, size_t bytes);

/* The library's half, for products.cu; as above, but NULL where no engine computes this as wanted, and the back end
 * owns the plan until it is closed. A plan begins with at most `most` engines, of which the first computes. */
struct dnn_plan;
enum { DNN_MOST_ENGINES = 5 };
bool dnn_there(void);                   /* opens it at the first call */
void dnn_text(char *out, size_t bytes); /* its name and version, or what replaces it and why */
void dnn_close(struct cuda *cu);
struct dnn_plan *dnn_plan_of(struct cuda *cu, const struct cuda_conv_shape *s, int most);
int dnn_plan_engines(const struct dnn_plan *c);
const struct tune_engine *dnn_plan_engine(const struct dnn_plan *c, int i);
/* Keeps this engine alone, built anew from its number and knobs where it is not among the plan's. Whether that is
 * possible; else nothing changes. */
bool dnn_plan_keep(struct cuda *cu, struct dnn_plan *c, const struct tune_engine *engine);
/* The i-th shape asked for so far, or NULL; *c: its plan, or NULL. */
const struct cuda_conv_shape *dnn_plan_at(const struct cuda *cu, int i, const struct dnn_plan **c);
bool dnn_plan_fused(const struct dnn_plan *c);
enum tensor_type dnn_plan_bias(const struct dnn_plan *c);
enum tensor_type dnn_plan_dw(const struct dnn_plan *c);
void dnn_plan_run(struct cuda *cu, struct dnn_plan *c, int i, void *x, void *w, const void *bias, void *y);

#endif
