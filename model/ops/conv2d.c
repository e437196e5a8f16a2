/* conv2d.c - cross-correlation on (N,H,W,C) with weights (Cout,Cin,kh,kw):
 *   y[n,i,j,o] = b[o] + sum over c,p,q of w[o,c,p,q] x[n, i*stride + p - pad_h, j*stride + q - pad_w, c], zero outside.
 * A matrix product (a linear layer, a 1x1 convolution) is the case kh = kw = 1 and takes the gemm path on the CPU.
 * relu folds max(y, 0) in; its gradient is taken by relu_bwd before the others. */
#include "model/ops/conv_shape.h"
#include "model/cpu/dnn_images.h"
#include "model/cpu/dnn_product.h"
#include "model/graph/tangent.h"
#include "model/cpu/winograd.h"

#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/base/cpu.h"
#include "model/base/cpu_clock.h"

#include <stdlib.h>
#include <string.h>

struct tensor *graph_conv2d(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b, int stride,
                            int pad_h, int pad_w, bool relu)
{
	int64_t kh = w->w, kw = w->c, oh = (x->h + 2 * pad_h - kh) / stride + 1, ow = (x->w + 2 * pad_w - kw) / stride + 1;
	if (w->h != x->c || (b && b->c != w->n))
		BUG("conv2d %s: x has %lld channels, w is for %lld", w->name, (long long)x->c, (long long)w->h);
	struct tensor *y = graph_temp(g, x->n, oh, ow, w->n);
	union op_args a = { .conv = { stride, pad_h, pad_w, relu } };
	(void)graph_node(g, OP_conv2d, &a, 3, (struct tensor *[]){ x, w, b }, 1, &y);
	return y;
}

static double conv_flops(const struct tensor *y, const struct tensor *w)
{
	return 2.0 * (double)tensor_count(y) * (double)(w->h * w->w * w->c);
}

/* One term x[n,ih,iw,c] * w[o,c,p,q] -> y[n,oh,ow,o] of the sum, for every index: what the three passes share. */
#define FOR_EACH_TERM(s, BODY) \
	for (int64_t n = 0; n < (s).n; n++) \
		for (int64_t i = 0; i < (s).oh; i++) \
			for (int64_t j = 0; j < (s).ow; j++) \
				for (int64_t p = 0; p < (s).kh; p++) \
					for (int64_t q = 0; q < (s).kw; q++) { \
						int64_t ih = i * (s).stride + p - (s).pad_h, iw = j * (s).stride + q - (s).pad_w; \
						if (ih < 0 || ih >= (s).h || iw < 0 || iw >= (s).w) \
							continue; \
						for (int64_t o = 0; o < (s).oc; o++) \
							for (int64_t c = 0; c < (s).ic; c++) { \
								int64_t xi = ((n * (s).h + ih) * (s).w + iw) * (s).ic + c; \
								int64_t wi = ((o * (s).ic + c) * (s).kh + p) * (s).kw + q; \
								int64_t yi = ((n * (s).oh + i) * (s).ow + j) * (s).oc + o; \
								BODY; \
							} \
					}

/* ---- forward: x, w, [b] -> y ----------------------------------------------------------------- */

static void forward_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0], *w = nd->src[1], *b = nd->src[2];
	struct tensor *y = nd->dst[0];
	struct dnn_shape s = conv_shape_of(nd, x, w, y);
	for (size_t i = 0; i < tensor_count(y); i++)
		y->ref[i] = b ? b->ref[i % (size_t)y->c] : 0;
	FOR_EACH_TERM(s, y->ref[yi] += x->ref[xi] * w->ref[wi]);
	for (size_t i = 0; nd->args.conv.relu && i < tensor_count(y); i++)
		y->ref[i] = y->ref[i] > 0 ? y->ref[i] : 0;
}

/* What runs a convolution on the CPU: one of the two, or neither for a matrix product. */
struct conv {
	struct winograd *winograd;
	struct dnn_images *dnn;
};

static size_t prepare_pass(struct node *nd, enum dnn_pass pass, const struct tensor *x, const struct tensor *w,
                           const struct tensor *y, bool bias)
{
	struct dnn_shape s = conv_shape_of(nd, x, w, y);
	bool relu = nd->args.conv.relu, matmul = conv_is_matmul(&s) && !relu;
	struct winograd *winograd = winograd_new(&s, pass, relu, !nd->exact);
	if (!winograd && matmul)
		return 0;
	struct conv *c = xcalloc(1, sizeof *c);
	nd->state = c;
	c->winograd = winograd;
	if (winograd)
		return winograd_scratch(winograd);
	c->dnn = dnn_images_new(&s, pass, bias, relu);
	return dnn_images_scratch(c->dnn);
}

static void release(struct node *nd)
{
	struct conv *c = nd->state;
	if (!c)
		return;
	winograd_free(c->winograd);
	dnn_images_free(c->dnn);
	free(c);
}

static size_t forward_prepare(struct node *nd)
{
	return prepare_pass(nd, DNN_FORWARD, nd->src[0], nd->src[1], nd->dst[0], nd->src[2] != NULL);
}

static void fill_rows(float *y, const float *b, int64_t rows, int64_t c)
{
	for (int64_t i = 0; i < rows; i++)
		memcpy(y + i * c, b, (size_t)c * sizeof *y);
}

struct fill {
	float *y;
	const float *b;
	int64_t c;
};

static void fill_range(void *ctx, int64_t first, int64_t last)
{
	struct fill *f = ctx;
	fill_rows(f->y + first * f->c, f->b, last - first, f->c);
}

static void run(struct node *nd, struct tensor *x, struct tensor *w, struct tensor *b, struct tensor *y)
{
	struct conv *c = nd->state;
	void *scratch = nd->work ? nd->work->data : NULL;
	if (c->winograd)
		winograd_run(c->winograd, x->data, w->data, b ? b->data : NULL, y->data, scratch);
	else
		dnn_images_run(c->dnn, x->data, w->data, b ? b->data : NULL, y->data, scratch);
}

static void forward_cpu(struct node *nd)
{
	struct tensor *x = nd->src[0], *w = nd->src[1], *b = nd->src[2], *y = nd->dst[0];
	if (nd->state) {
		run(nd, x, w, b, y);
		return;
	}
	if (b) {
		enum cpu_part before = cpu_clock_part(CPU_ELEMENTWISE);
		cpu_split(tensor_pixels(y), 4096, fill_range, &(struct fill){ y->data, b->data, y->c });
		(void)cpu_clock_part(before);
	}
	dnn_product(DNN_TRANSPOSED, tensor_pixels(x), y->c, x->c, x->data, w->data, b ? 1 : 0, y->data);
}

static void backward(struct graph *g, struct node *nd)
{
	struct tensor *x = nd->src[0], *w = nd->src[1], *b = nd->src[2], *y = nd->dst[0], *dy = y->grad;
	union op_args a = nd->args;
	a.conv.relu = false;
	if (nd->args.conv.relu) {
		struct tensor *dz = graph_like(g, y);
		(void)graph_node(g, OP_relu_bwd, NULL, 2, (struct tensor *[]){ dy, y }, 1, &dz);
		dy = dz;
	}
	if (w->needs_grad) {
		struct tensor *dst[2] = { graph_grad_dst(g, w), b ? graph_grad_dst(g, b) : NULL };
		bool both = b && !graph_sum_pixels(g, dst[1], dy);
		(void)graph_node(g, OP_conv2d_bwd_weights, &a, 2, (struct tensor *[]){ x, dy }, both ? 2 : 1, dst);
		graph_add_grad(g, w, dst[0]);
		if (b)
			graph_add_grad(g, b, dst[1]);
	}
	if (x->needs_grad) {
		struct tensor *dx = graph_like(g, x);
		(void)graph_node(g, OP_conv2d_bwd_data, &a, 2, (struct tensor *[]){ dy, w }, 1, &dx);
		graph_add_grad(g, x, dx);
	}
}

static struct tensor *jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	struct tensor *x = nd->src[0], *w = nd->src[1], *dx = d[0], *y = NULL;
	int stride = nd->args.conv.stride, pad_h = nd->args.conv.pad_h, pad_w = nd->args.conv.pad_w;
	if (!dx && !d[1]) /* the bias alone */
		dx = graph_constant(g, x, 0);
	if (dx)
		y = graph_conv2d(g, dx, w, d[1] ? NULL : d[2], stride, pad_h, pad_w, false);
	if (d[1])
		y = tangent_sum(g, y, graph_conv2d(g, x, d[1], d[2], stride, pad_h, pad_w, false));
	if (!nd->args.conv.relu)
		return y;
	struct tensor *dy = graph_like(g, y);
	(void)graph_node(g, OP_relu_bwd, NULL, 2, (struct tensor *[]){ y, nd->dst[0] }, 1, &dy);
	return dy;
}

static double forward_flops(const struct node *nd)
{
	return conv_flops(nd->dst[0], nd->src[1]);
}

const struct op_row op_conv2d = {
	.name = "conv2d",
	.meaning = "y = x * w + b (cross-correlation), optionally relu",
	.ref = forward_ref,
	.prepare = forward_prepare,
	.cpu = forward_cpu,
	.release = release,
	.backward = backward,
	.jvp = jvp,
	.flops = forward_flops,
	.low = true,
};

/* ---- data gradient: dy, w -> dx -------------------------------------------------------------- */

static void data_ref(struct node *nd)
{
	const struct tensor *dy = nd->src[0], *w = nd->src[1];
	struct tensor *dx = nd->dst[0];
	struct dnn_shape s = conv_shape_of(nd, dx, w, dy);
	memset(dx->ref, 0, tensor_count(dx) * sizeof *dx->ref);
	FOR_EACH_TERM(s, dx->ref[xi] += dy->ref[yi] * w->ref[wi]);
}

static size_t data_prepare(struct node *nd)
{
	return prepare_pass(nd, DNN_BACKWARD_DATA, nd->dst[0], nd->src[1], nd->src[0], false);
}

static void data_cpu(struct node *nd)
{
	struct tensor *dy = nd->src[0], *w = nd->src[1], *dx = nd->dst[0];
	if (nd->state)
		run(nd, dx, w, NULL, dy);
	else
		dnn_product(DNN_PLAIN, tensor_pixels(dx), dx->c, dy->c, dy->data, w->data, 0, dx->data);
}

static double data_flops(const struct node *nd)
{
	return conv_flops(nd->src[0], nd->src[1]);
}

const struct op_row op_conv2d_bwd_data = {
	.name = "conv2d_bwd_data",
	.meaning = "dx of conv2d from dy and w",
	.ref = data_ref,
	.prepare = data_prepare,
	.cpu = data_cpu,
	.release = release,
	.flops = data_flops,
	.low = true,
};

/* ---- weights gradient: x, dy -> dw, [db] ----------------------------------------------------- */

static void weights_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0], *dy = nd->src[1];
	struct tensor *dw = nd->dst[0], *db = nd->dst[1];
	struct dnn_shape s = conv_shape_of(nd, x, dw, dy);
	memset(dw->ref, 0, tensor_count(dw) * sizeof *dw->ref);
	FOR_EACH_TERM(s, dw->ref[wi] += dy->ref[yi] * x->ref[xi]);
	if (!db)
		return;
	memset(db->ref, 0, tensor_count(db) * sizeof *db->ref);
	for (size_t i = 0; i < tensor_count(dy); i++)
		db->ref[i % (size_t)dy->c] += dy->ref[i];
}

static size_t weights_prepare(struct node *nd)
{
	const struct tensor *x = nd->src[0], *dy = nd->src[1];
	size_t bytes = prepare_pass(nd, DNN_BACKWARD_WEIGHTS, x, nd->dst[0], dy, nd->dst[1] != NULL);
	return nd->state ? bytes : dnn_product_sum_scratch(dy->c, x->c, tensor_pixels(x));
}

/* Column sums of (rows, c): in double, so that a million rows lose nothing. */
CPU_KERNEL static void column_sums(float *dst, const float *src, int64_t rows, int64_t stride, int64_t c)
{
	enum { BLOCK = 64 };
	for (int64_t at = 0; at < c; at += BLOCK) {
		int64_t n = c - at < BLOCK ? c - at : BLOCK;
		double sum[BLOCK] = { 0 };
		for (int64_t i = 0; i < rows; i++)
			for (int64_t j = 0; j < n; j++)
				sum[j] += (double)src[i * stride + at + j];
		for (int64_t j = 0; j < n; j++)
			dst[at + j] = (float)sum[j];
	}
}

struct sums {
	float *dst;
	const float *src;
	int64_t rows, c;
};

static void sums_range(void *ctx, int64_t first, int64_t last)
{
	struct sums *s = ctx;
	int64_t a = first * 16, b = last * 16 < s->c ? last * 16 : s->c;
	column_sums(s->dst + a, s->src + a, s->rows, s->c, b - a);
}

static void weights_cpu(struct node *nd)
{
	struct tensor *x = nd->src[0], *dy = nd->src[1], *dw = nd->dst[0], *db = nd->dst[1];
	struct conv *c = nd->state;
	if (c)
		run(nd, x, dw, db, dy);
	else
		dnn_product_sum(dy->c, x->c, tensor_pixels(x), dy->data, x->data, dw->data, nd->work ? nd->work->data : NULL);
	if (!db || (c && !c->winograd))
		return;
	enum cpu_part before = cpu_clock_part(CPU_ELEMENTWISE);
	/* 16 channels a share: a cache line is never split between threads */
	cpu_split((dy->c + 15) / 16, 1, sums_range, &(struct sums){ db->data, dy->data, tensor_pixels(dy), dy->c });
	(void)cpu_clock_part(before);
}

static double weights_flops(const struct node *nd)
{
	return conv_flops(nd->src[1], nd->dst[0]);
}

const struct op_row op_conv2d_bwd_weights = {
	.name = "conv2d_bwd_weights",
	.meaning = "dw and db of conv2d from x and dy",
	.ref = weights_ref,
	.prepare = weights_prepare,
	.cpu = weights_cpu,
	.release = release,
	.flops = weights_flops,
	.low = true,
};
