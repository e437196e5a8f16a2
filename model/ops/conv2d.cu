/* conv2d.cu - conv2d.c on a device: products by cuda_dnn.h and cuda_blas.h, layouts and bias sums by kernels;
 * layers with few channels by thin_conv.h, which takes every tensor as it is.
 *
 * A pass computes in the type of its result, a weights gradient in that of dy, as the forward pass did; sources of the
 * other type are converted into scratch first. Products read weights as (Cout,kh,kw,Cin) in the pass's type. A store of
 * parameters has them so (graph_by_taps), with its bf16 values beside it; weights that lie as (Cout,Cin,kh,kw) are laid
 * anew at each run. */
#include "model/cuda/cuda_blas.h"
#include "model/cuda/cuda_dnn.h"
#include "model/cuda/kernel.cuh"
#include "model/cuda/thin_conv.h"

extern "C" {
#include "model/ops/conv_shape.h"
}

#include <stdlib.h>

enum { SUM_PIXELS = 16 };

struct conv_state {
	struct cuda_gemm *gemm; /* one of the three */
	struct cuda_conv *conv;
	bool thin;
	enum tensor_type type;
	size_t first, second, w, bias, sums, bytes; /* where in scratch: converted sources, weights, bias, partial sums */
};

static char *scratch(const struct node *nd, size_t at)
{
	return (char *)nd->work->data + at;
}

static struct conv_state *state_of(const struct node *nd)
{
	return (struct conv_state *)nd->state;
}

static size_t reserve_bytes(struct conv_state *s, size_t bytes)
{
	size_t at = s->bytes;
	s->bytes += piece(bytes);
	return at;
}

/* Do a convolution's weights, or their gradient, lie in the order of its product? */
static bool is_by_taps(const struct tensor *w)
{
	return w->by_taps || w->h == 1 || w->w * w->c == 1;
}

/* Room for t as the pass's type, unless it is that already. Returns where. */
static size_t reserve(struct conv_state *s, const struct tensor *t)
{
	return t->type == s->type ? s->bytes : reserve_bytes(s, tensor_count(t) * type_bytes(s->type));
}

static size_t reserve_weights(struct conv_state *s, const struct tensor *w)
{
	return is_by_taps(w) ? reserve(s, w) : reserve_bytes(s, tensor_count(w) * type_bytes(s->type));
}

/* t's values as the pass's type: where it has them, or converted into scratch. */
static void *as_type(struct node *nd, struct cuda *cu, const struct tensor *t, size_t at)
{
	enum tensor_type type = state_of(nd)->type;
	if (t->type == type)
		return t->data;
	if (t->low)
		return val_at(t->low, type).p;
	convert(cu, val_at(scratch(nd, at), type), val_of(t), tensor_count(t));
	return scratch(nd, at);
}

static struct conv_state *state_new(struct node *nd, enum tensor_type type)
{
	struct conv_state *s = (struct conv_state *)calloc(1, sizeof *s);
	if (!s)
		abort();
	s->type = type;
	nd->state = s;
	return s;
}

static void release(struct node *nd, struct cuda *)
{
	struct conv_state *s = state_of(nd);
	cuda_gemm_free(s->gemm);
	cuda_conv_free(s->conv);
	free(s);
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* dst (o, taps, i) = src (o, i, taps), or back. A thread writes one value; reads of neighbours share lines. */
static __global__ void weights_kernel(struct val dst, struct val src, int64_t inner, int64_t outer, int64_t n)
{
	int64_t at = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (at >= n)
		return;
	int64_t block = inner * outer, o = at / block, a = at % block / inner, b = at % inner; /* dst (o, outer, inner) */
	val_put(dst, at, val_get(src, o * block + b * outer + a));
}

/* w as the product reads it. */
static void *weights(struct node *nd, struct cuda *cu, const struct tensor *w, size_t at)
{
	if (is_by_taps(w))
		return as_type(nd, cu, w, at);
	LAUNCH(cu, weights_kernel, blocks_for(tensor_count(w), BLOCK), BLOCK, 0,
	       val_at(scratch(nd, at), state_of(nd)->type), val_of(w), w->h, w->w * w->c, (int64_t)tensor_count(w));
	return scratch(nd, at);
}

/* dw from what the product wrote: floats or bf16, (Cout,kh,kw,Cin). */
static void weights_from(struct cuda *cu, const struct tensor *dw, struct val src)
{
	if (dw->by_taps)
		convert(cu, val_of(dw), src, tensor_count(dw));
	else
		LAUNCH(cu, weights_kernel, blocks_for(tensor_count(dw), BLOCK), BLOCK, 0, val_of(dw), src, dw->w * dw->c, dw->h,
		       (int64_t)tensor_count(dw));
}

/* y = y + bias, relu: where the library does not do it in its own pass. */
struct finish_conv {
	enum { RESIDENT = 6 };
	struct val y, bias;
	bool relu;
	float b[VEC];
	__device__ void begin(int64_t, int64_t c, int count)
	{
		for (int k = 0; k < VEC; k++)
			b[k] = bias.p && k < count ? val_get(bias, c + k) : 0;
	}
	__device__ void pixel(int64_t at, int count) const
	{
		float v[VEC];
		val_load(v, y, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++) {
			v[k] += b[k];
			v[k] = relu && !(v[k] > 0) ? 0 : v[k];
		}
		val_store(y, at, count, v);
	}
};

static void finish(struct cuda *cu, const struct tensor *y, const struct tensor *bias, bool relu)
{
	struct columns p = columns_of(cu, 1, tensor_pixels(y), y->c, SUM_PIXELS / 4);
	struct finish_conv f = { val_of(y), val_of(bias), relu, {} };
	LAUNCH(cu, sweep_kernel<finish_conv>, columns_blocks(&p), BLOCK, 0, f, p);
}

/* C (m,n) of A (m,k) and B (k,n), whose rows follow one another: what a convolution of single pixels is. */
static struct cuda_gemm_shape product_of(const struct node *nd, enum tensor_type type, enum dnn_stored a,
                                         enum dnn_stored b, int64_t m, int64_t n, int64_t k)
{
	struct cuda_gemm_shape g = {};
	g.ta = a == DNN_TRANSPOSED, g.tb = b == DNN_TRANSPOSED;
	g.m = m, g.n = n, g.k = k, g.batch = 1;
	g.lda = g.ta ? m : k, g.ldb = g.tb ? k : n, g.ldc = n;
	g.in = g.out = type;
	g.alpha = 1;
	g.exact = nd->exact;
	return g;
}

static struct cuda_conv_shape conv_of(const struct node *nd, const struct dnn_shape *shape, enum dnn_pass pass,
                                      enum tensor_type type)
{
	struct cuda_conv_shape c = {};
	c.shape = *shape, c.pass = pass, c.type = type, c.exact = nd->exact;
	return c;
}

static struct thin_weights thin_weights_of(const struct tensor *w)
{
	struct thin_weights t = { val_of(w), w->by_taps };
	return t;
}

/* Is it for thin_conv.h? Then nothing else is prepared. */
static bool take_thin(const struct node *nd, struct cuda *cu, const struct dnn_shape *shape)
{
	struct conv_state *s = state_of(nd);
	s->thin = thin_conv_takes(shape, s->type == TENSOR_F32 && (nd->exact || cu->base.dtype != DTYPE_TF32));
	cu->convs_thin += s->thin && !cu->measuring;
	return s->thin;
}

/* ---- forward: x, w, [b] -> y ----------------------------------------------------------------- */

/* Does the convolution take its bias in the type of the pass? */
static bool takes_bias_in_type(const struct conv_state *s)
{
	return s->conv && cuda_conv_bias(s->conv) == s->type;
}

static size_t forward_prepare(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[0], *w = nd->src[1], *b = nd->src[2], *y = nd->dst[0];
	struct dnn_shape shape = conv_shape_of(nd, x, w, y);
	struct conv_state *s = state_new(nd, y->type);
	if (take_thin(nd, cu, &shape))
		return 0;
	s->first = reserve(s, x);
	s->w = reserve_weights(s, w);
	if (conv_is_matmul(&shape)) {
		struct cuda_gemm_shape g = product_of(nd, s->type, DNN_PLAIN, DNN_TRANSPOSED, tensor_pixels(x), y->c, x->c);
		g.bias = b != NULL, g.relu = nd->args.conv.relu;
		s->gemm = cuda_gemm_new(cu, &g);
		s->bias = b ? reserve(s, b) : 0;
	} else {
		struct cuda_conv_shape c = conv_of(nd, &shape, DNN_FORWARD, s->type);
		c.bias = b != NULL, c.relu = nd->args.conv.relu;
		s->conv = cuda_conv_new(cu, &c);
		s->bias = b && takes_bias_in_type(s) ? reserve(s, b) : 0;
	}
	return s->bytes;
}

static void forward_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[0], *w = nd->src[1], *b = nd->src[2], *y = nd->dst[0];
	struct conv_state *s = state_of(nd);
	struct dnn_shape shape = conv_shape_of(nd, x, w, y);
	if (s->thin) {
		thin_conv_forward(cu, &shape, val_of(x), thin_weights_of(w), val_of(b), nd->args.conv.relu, val_of(y));
	} else if (conv_is_matmul(&shape)) {
		cuda_gemm_run(cu, s->gemm, as_type(nd, cu, x, s->first), weights(nd, cu, w, s->w),
		              b ? as_type(nd, cu, b, s->bias) : NULL, y->data);
	} else {
		cuda_conv_run(cu, s->conv, as_type(nd, cu, x, s->first), weights(nd, cu, w, s->w),
		              !b                      ? NULL
		              : takes_bias_in_type(s) ? as_type(nd, cu, b, s->bias)
		                                      : b->data,
		              y->data);
		if (!cuda_conv_fused(s->conv) && (b || nd->args.conv.relu))
			finish(cu, y, b, nd->args.conv.relu);
	}
}

extern "C" const struct cuda_op cuda_conv2d = { forward_prepare, forward_run, release };

/* ---- data gradient: dy, w -> dx -------------------------------------------------------------- */

static size_t data_prepare(struct node *nd, struct cuda *cu)
{
	const struct tensor *dy = nd->src[0], *w = nd->src[1], *dx = nd->dst[0];
	struct dnn_shape shape = conv_shape_of(nd, dx, w, dy);
	struct conv_state *s = state_new(nd, dx->type);
	if (take_thin(nd, cu, &shape))
		return 0;
	s->first = reserve(s, dy);
	s->w = reserve_weights(s, w);
	if (conv_is_matmul(&shape)) {
		struct cuda_gemm_shape g = product_of(nd, s->type, DNN_PLAIN, DNN_PLAIN, tensor_pixels(dx), dx->c, dy->c);
		s->gemm = cuda_gemm_new(cu, &g);
	} else {
		struct cuda_conv_shape c = conv_of(nd, &shape, DNN_BACKWARD_DATA, s->type);
		s->conv = cuda_conv_new(cu, &c);
	}
	return s->bytes;
}

static void data_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *dy = nd->src[0], *w = nd->src[1], *dx = nd->dst[0];
	struct conv_state *s = state_of(nd);
	struct dnn_shape shape = conv_shape_of(nd, dx, w, dy);
	if (s->thin) {
		thin_conv_data(cu, &shape, val_of(dy), thin_weights_of(w), val_of(dx));
		return;
	}
	void *from = as_type(nd, cu, dy, s->first), *by = weights(nd, cu, w, s->w);
	if (conv_is_matmul(&shape))
		cuda_gemm_run(cu, s->gemm, from, by, NULL, dx->data);
	else
		cuda_conv_run(cu, s->conv, dx->data, by, NULL, from);
}

extern "C" const struct cuda_op cuda_conv2d_bwd_data = { data_prepare, data_run, release };

/* ---- weights gradient: x, dy -> dw, [db] ----------------------------------------------------- */

static struct columns bias_columns(const struct cuda *cu, const struct tensor *dy)
{
	return columns_of(cu, 1, tensor_pixels(dy), dy->c, SUM_PIXELS);
}

static size_t weights_prepare(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[0], *dy = nd->src[1], *dw = nd->dst[0];
	struct dnn_shape shape = conv_shape_of(nd, x, dw, dy);
	struct conv_state *s = state_new(nd, dy->type);
	if (take_thin(nd, cu, &shape))
		return thin_conv_scratch(cu, &shape);
	s->first = reserve(s, x);
	s->second = reserve(s, dy);
	if (conv_is_matmul(&shape)) {
		struct cuda_gemm_shape g = product_of(nd, s->type, DNN_TRANSPOSED, DNN_PLAIN, dy->c, x->c, tensor_pixels(x));
		g.out = TENSOR_F32;
		s->gemm = cuda_gemm_new(cu, &g);
	} else {
		struct cuda_conv_shape c = conv_of(nd, &shape, DNN_BACKWARD_WEIGHTS, s->type);
		s->conv = cuda_conv_new(cu, &c);
		if (!is_by_taps(dw) || s->type != dw->type)
			s->w = reserve_bytes(s, tensor_count(dw) * sizeof(float));
	}
	if (nd->dst[1]) {
		struct columns p = bias_columns(cu, dy);
		s->sums = reserve_bytes(s, (size_t)(p.chunks * p.c) * sizeof(float));
	}
	return s->bytes;
}

static void weights_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[0], *dy = nd->src[1], *dw = nd->dst[0], *db = nd->dst[1];
	struct conv_state *s = state_of(nd);
	struct dnn_shape shape = conv_shape_of(nd, x, dw, dy);
	if (s->thin) {
		thin_conv_weights(cu, &shape, val_of(x), val_of(dy), thin_weights_of(dw), val_of(db),
		                  (float *)(void *)scratch(nd, 0));
		return;
	}
	void *px = as_type(nd, cu, x, s->first), *py = as_type(nd, cu, dy, s->second);
	if (conv_is_matmul(&shape)) {
		cuda_gemm_run(cu, s->gemm, py, px, NULL, dw->data);
	} else {
		bool direct = is_by_taps(dw) && cuda_conv_dw(s->conv) == dw->type;
		cuda_conv_run(cu, s->conv, px, direct ? (void *)dw->data : scratch(nd, s->w), NULL, py);
		if (!direct)
			weights_from(cu, dw, val_at(scratch(nd, s->w), cuda_conv_dw(s->conv)));
	}
	if (!db)
		return;
	struct columns p = bias_columns(cu, dy);
	struct sum_terms terms = { val_of(dy) };
	float *partial = (float *)(void *)scratch(nd, s->sums);
	LAUNCH(cu, column_sums_kernel<sum_terms>, columns_blocks(&p), BLOCK, 0, terms, p, partial);
	rows_sum(cu, val_of(db), partial, 1, p.chunks, p.c, p.c, 1);
}

extern "C" const struct cuda_op cuda_conv2d_bwd_weights = { weights_prepare, weights_run, release };
