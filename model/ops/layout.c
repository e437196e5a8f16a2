/* layout.c - ops that only move values: concatenation and slices of channels, space-to-depth. */
#include "model/graph/tangent.h"

#include "model/base/err.h"
#include "model/base/cpu.h"

#include <string.h>

/* Rows of channels copied between tensors of different width: dst[row][to..] = src[row][from..] */
struct copy {
	float *dst;
	const float *src;
	int64_t dst_c, src_c, c;
};

typedef float loose __attribute__((vector_size(64), aligned(4), may_alias)); /* 16 channels as they may lie in memory */

/* Rows of n vectors, a number that the compiler knows: a call of memcpy costs as much as such a row. */
ALWAYS_INLINE void copy_vectors(float *restrict dst, const float *restrict src, int64_t dst_c, int64_t src_c,
                                int64_t rows, const int n)
{
	for (; rows > 0; rows--, dst += dst_c, src += src_c) {
#pragma GCC unroll 8
		for (int i = 0; i < n; i++)
			*(loose *)(dst + 16 * i) = *(const loose *)(src + 16 * i);
	}
}

CPU_KERNEL static void copy_rows(float *restrict dst, const float *restrict src, int64_t dst_c, int64_t src_c,
                                 int64_t rows, int64_t c)
{
	switch (c) {
	case 16: copy_vectors(dst, src, dst_c, src_c, rows, 1); return;
	case 32: copy_vectors(dst, src, dst_c, src_c, rows, 2); return;
	case 64: copy_vectors(dst, src, dst_c, src_c, rows, 4); return;
	case 96: copy_vectors(dst, src, dst_c, src_c, rows, 6); return;
	case 128: copy_vectors(dst, src, dst_c, src_c, rows, 8); return;
	default:
		for (; rows > 0; rows--, dst += dst_c, src += src_c)
			memcpy(dst, src, (size_t)c * sizeof *dst);
	}
}

static void copy_range(void *ctx, int64_t first, int64_t last)
{
	const struct copy *p = ctx;
	copy_rows(p->dst + first * p->dst_c, p->src + first * p->src_c, p->dst_c, p->src_c, last - first, p->c);
}

/* Both parts of a range, in runs: so that rows are written near each other in time. */
static void join_range(void *ctx, int64_t first, int64_t last)
{
	enum { RUN = 64 };
	struct copy *parts = ctx;
	for (int64_t i = first; i < last; i += RUN)
		for (int k = 0; k < 2; k++)
			copy_range(&parts[k], i, i + RUN < last ? i + RUN : last);
}

/* ---- concat: a, b -> [a | b] ----------------------------------------------------------------- */

struct tensor *graph_concat(struct graph *g, struct tensor *a, struct tensor *b)
{
	if (a->n != b->n || a->h != b->h || a->w != b->w)
		BUG("concat: %lldx%lld and %lldx%lld pixels", (long long)a->h, (long long)a->w, (long long)b->h,
		    (long long)b->w);
	struct tensor *y = graph_temp(g, a->n, a->h, a->w, a->c + b->c);
	(void)graph_node(g, OP_concat, NULL, 2, (struct tensor *[]){ a, b }, 1, &y);
	return y;
}

static void concat_ref(struct node *nd)
{
	const struct tensor *a = nd->src[0], *b = nd->src[1];
	struct tensor *y = nd->dst[0];
	for (int64_t i = 0; i < tensor_pixels(y); i++)
		for (int64_t c = 0; c < y->c; c++)
			y->ref[i * y->c + c] = c < a->c ? a->ref[i * a->c + c] : b->ref[i * b->c + c - a->c];
}

static void concat_cpu(struct node *nd)
{
	const struct tensor *a = nd->src[0], *b = nd->src[1];
	struct tensor *y = nd->dst[0];
	struct copy parts[] = { { y->data, a->data, y->c, a->c, a->c }, { y->data + a->c, b->data, y->c, b->c, b->c } };
	cpu_split(tensor_pixels(y), 1024, join_range, parts);
}

static void concat_backward(struct graph *g, struct node *nd)
{
	struct tensor *a = nd->src[0], *b = nd->src[1], *dy = nd->dst[0]->grad;
	if (a->needs_grad)
		graph_add_grad(g, a, graph_slice(g, dy, 0, a->c));
	if (b->needs_grad)
		graph_add_grad(g, b, graph_slice(g, dy, a->c, b->c));
}

static struct tensor *concat_jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	return graph_concat(g, tangent_or_zeros(g, d[0], nd->src[0]), tangent_or_zeros(g, d[1], nd->src[1]));
}

static bool concat_channels(const struct node *nd, int i, struct channels *out)
{
	if (i > 1)
		return false;
	*out = (struct channels){ nd->dst[0], nd->src[i], i ? nd->src[0]->c : 0 };
	return true;
}

const struct op_row op_concat = { .name = "concat",
	                              .meaning = "dst = [a | b] along channels",
	                              .ref = concat_ref,
	                              .cpu = concat_cpu,
	                              .backward = concat_backward,
	                              .jvp = concat_jvp,
	                              .channels = concat_channels,
	                              .strided = true,
	                              .low = true,
	                              .cheap = true };

/* ---- slice: x -> x[first .. first + c) ------------------------------------------------------- */

struct tensor *graph_slice(struct graph *g, struct tensor *x, int64_t first, int64_t c)
{
	if (first < 0 || first + c > x->c)
		BUG("slice %lld + %lld of %lld channels", (long long)first, (long long)c, (long long)x->c);
	struct tensor *y = graph_temp(g, x->n, x->h, x->w, c);
	(void)graph_node(g, OP_slice, &(union op_args){ .slice = { first } }, 1, &x, 1, &y);
	return y;
}

static void slice_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0];
	struct tensor *y = nd->dst[0];
	for (int64_t i = 0; i < tensor_pixels(y); i++)
		for (int64_t c = 0; c < y->c; c++)
			y->ref[i * y->c + c] = x->ref[i * x->c + nd->args.slice.first + c];
}

static void slice_cpu(struct node *nd)
{
	const struct tensor *x = nd->src[0];
	struct tensor *y = nd->dst[0];
	cpu_split(tensor_pixels(y), 1024, copy_range,
	          &(struct copy){ y->data, x->data + nd->args.slice.first, y->c, x->c, y->c });
}

static bool slice_channels(const struct node *nd, int i, struct channels *out)
{
	*out = (struct channels){ nd->src[0], nd->dst[0], nd->args.slice.first };
	return i == 0;
}

const struct op_row op_slice = { .name = "slice",
	                             .meaning = "dst = channels first .. first+c-1 of x",
	                             .ref = slice_ref,
	                             .cpu = slice_cpu,
	                             .jvp = tangent_linear,
	                             .channels = slice_channels,
	                             .strided = true,
	                             .low = true };

/* ---- shuffle: (N,H,W,C) <-> (N,H/p,W/p,p*p*C), channel (dy*p + dx)*C + c --------------------- */

struct tensor *graph_shuffle(struct graph *g, struct tensor *x, int patch, bool inverse)
{
	int64_t p = patch;
	if (inverse ? x->c % (p * p) : (x->h % p || x->w % p))
		BUG("shuffle %lldx%lldx%lld by %d", (long long)x->h, (long long)x->w, (long long)x->c, patch);
	struct tensor *y = inverse ? graph_temp(g, x->n, x->h * p, x->w * p, x->c / (p * p))
	                           : graph_temp(g, x->n, x->h / p, x->w / p, x->c * p * p);
	(void)graph_node(g, OP_shuffle, &(union op_args){ .shuffle = { patch, inverse } }, 1, &x, 1, &y);
	return y;
}

/* Where pixel `at` of the fine tensor starts in the coarse one. */
static int64_t coarse_at(const struct tensor *fine, int64_t p, int64_t at)
{
	int64_t n = at / (fine->h * fine->w), i = at / fine->w % fine->h, j = at % fine->w;
	int64_t pixel = (n * (fine->h / p) + i / p) * (fine->w / p) + j / p;
	return (pixel * p * p + i % p * p + j % p) * fine->c;
}

static void shuffle_ref(struct node *nd)
{
	bool inverse = nd->args.shuffle.inverse;
	const struct tensor *fine = inverse ? nd->dst[0] : nd->src[0];
	for (int64_t at = 0; at < tensor_pixels(fine); at++) {
		int64_t coarse = coarse_at(fine, nd->args.shuffle.patch, at);
		for (int64_t c = 0; c < fine->c; c++) {
			if (inverse)
				nd->dst[0]->ref[at * fine->c + c] = nd->src[0]->ref[coarse + c];
			else
				nd->dst[0]->ref[coarse + c] = nd->src[0]->ref[at * fine->c + c];
		}
	}
}

static void shuffle_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	bool inverse = nd->args.shuffle.inverse;
	const struct tensor *fine = inverse ? nd->dst[0] : nd->src[0];
	for (int64_t at = first; at < last; at++) {
		int64_t coarse = coarse_at(fine, nd->args.shuffle.patch, at);
		float *dst = nd->dst[0]->data + (inverse ? at * fine->c : coarse);
		const float *src = nd->src[0]->data + (inverse ? coarse : at * fine->c);
		for (int64_t c = 0; c < fine->c; c++)
			dst[c] = src[c];
	}
}

static void shuffle_cpu(struct node *nd)
{
	cpu_split(tensor_pixels(nd->args.shuffle.inverse ? nd->dst[0] : nd->src[0]), 1024, shuffle_range, nd);
}

static void shuffle_backward(struct graph *g, struct node *nd)
{
	graph_add_grad(g, nd->src[0],
	               graph_shuffle(g, nd->dst[0]->grad, nd->args.shuffle.patch, !nd->args.shuffle.inverse));
}

const struct op_row op_shuffle = { .name = "shuffle",
	                               .meaning = "space-to-depth or its inverse",
	                               .ref = shuffle_ref,
	                               .cpu = shuffle_cpu,
	                               .backward = shuffle_backward,
	                               .jvp = tangent_linear };
