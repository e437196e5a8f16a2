/* attention.cu - attention.c on a device: q, k and v, which are innermost in qkv, are split into matrices; products are
 * those of cuda_blas.h, batched over images; softmax and its gradient are kernels, a warp per row, in float.
 *
 * Products take bf16 where any of the tensors is bf16, and sum in float. The weights W are a result of the op, so the
 * rows are made whole rather than online; maps here have at most 1024 pixels. */
#include "model/cuda/cuda_blas.h"
#include "model/cuda/kernel.cuh"

#include <math.h>
#include <stdlib.h>

struct sizes {
	int64_t n, l, ch, c, heads;
	float scale;
	int run;
}; /* run: neighbouring channels of a head that a thread takes */

static struct sizes sizes_of(const struct node *nd, const struct tensor *qkv)
{
	int64_t heads = nd->args.attention.heads, c = qkv->c / 3;
	struct sizes s = { qkv->n,
		               qkv->h * qkv->w,
		               c / heads,
		               c,
		               heads,
		               (float)(1 / sqrt((double)(c / heads))),
		               c / heads % VEC == 0 ? VEC : 1 };
	return s;
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* q, k and v of a thread's run of channels, the first of which is the i-th of all: they are innermost, value by
 * value. */
__device__ static inline void load_three(float x[3][VEC], struct val qkv, int64_t i, int run)
{
	float all[3 * VEC];
	if (run == 1) {
		for (int which = 0; which < 3; which++)
			x[which][0] = val_get(qkv, i * 3 + which);
		return;
	}
#pragma unroll
	for (int k = 0; k < 3; k++)
		val_load(all + k * VEC, qkv, i * 3 + k * VEC, VEC);
#pragma unroll
	for (int k = 0; k < 3 * VEC; k++)
		x[k % 3][k / 3] = all[k];
}

__device__ static inline void store_three(struct val qkv, int64_t i, int run, const float x[3][VEC])
{
	float all[3 * VEC];
	if (run == 1) {
		for (int which = 0; which < 3; which++)
			val_put(qkv, i * 3 + which, x[which][0]);
		return;
	}
#pragma unroll
	for (int k = 0; k < 3 * VEC; k++)
		all[k] = x[k % 3][k / 3];
#pragma unroll
	for (int k = 0; k < 3; k++)
		val_store(qkv, i * 3 + k * VEC, VEC, all + k * VEC);
}

/* Where the value of qkv's run i lies in q, k and v, each (n, heads, l, ch). */
__device__ static inline int64_t part_at(const struct sizes &s, int64_t i)
{
	int64_t pixel = i / s.c, c = i % s.c, n = pixel / s.l, head = c / s.ch;
	return ((n * s.heads + head) * s.l + pixel % s.l) * s.ch + c % s.ch;
}

/* parts: q, k and v, one after the other. One thread, one run of each. */
static __global__ void split_kernel(struct sizes s, struct val parts, struct val qkv)
{
	int64_t i = ((int64_t)blockIdx.x * BLOCK + threadIdx.x) * s.run, count = s.n * s.l * s.c;
	if (i >= count)
		return;
	float x[3][VEC] = {};
	load_three(x, qkv, i, s.run);
#pragma unroll
	for (int which = 0; which < 3; which++)
		val_store(parts, which * count + part_at(s, i), s.run, x[which]);
}

static __global__ void join_kernel(struct sizes s, struct val qkv, struct val parts)
{
	int64_t i = ((int64_t)blockIdx.x * BLOCK + threadIdx.x) * s.run, count = s.n * s.l * s.c;
	if (i >= count)
		return;
	float x[3][VEC];
#pragma unroll
	for (int which = 0; which < 3; which++)
		val_load(x[which], parts, which * count + part_at(s, i), s.run);
	store_three(qkv, i, s.run, x);
}

enum { ROW_WARPS = BLOCK / WARP };

/* w = softmax of each row of s, and a copy of another type where that is wanted. */
static __global__ void softmax_kernel(struct val w, struct val copy, const float *s, int64_t l, int64_t rows)
{
	int64_t row = (int64_t)blockIdx.x * ROW_WARPS + threadIdx.x / WARP;
	bool there = row < rows;
	int lane = (int)threadIdx.x % WARP;
	int64_t at = (there ? row : rows - 1) * l;
	float max = -3.402823466e38f, sum = 0;
	for (int64_t i = lane; i < l; i += WARP)
		max = s[at + i] > max ? s[at + i] : max;
	max = warp_max(max);
	for (int64_t i = lane; i < l; i += WARP)
		sum += expf(s[at + i] - max);
	sum = 1.0f / warp_sum(sum);
	for (int64_t i = lane; i < l && there; i += WARP) {
		float value = expf(s[at + i] - max) * sum;
		val_put(w, at + i, value);
		if (copy.p)
			val_put(copy, at + i, value);
	}
}

/* ds = w (dw - sum of w dw) */
static __global__ void softmax_gradient_kernel(struct val ds, const float *dw, struct val w, int64_t l, int64_t rows)
{
	int64_t row = (int64_t)blockIdx.x * ROW_WARPS + threadIdx.x / WARP;
	bool there = row < rows;
	int lane = (int)threadIdx.x % WARP;
	int64_t at = (there ? row : rows - 1) * l;
	float dot = 0;
	for (int64_t i = lane; i < l; i += WARP)
		dot += val_get(w, at + i) * dw[at + i];
	dot = warp_sum(dot);
	for (int64_t i = lane; i < l && there; i += WARP)
		val_put(ds, at + i, val_get(w, at + i) * (dw[at + i] - dot));
}

/* ---- what a node keeps ----------------------------------------------------------------------- */

enum { MAX_PRODUCTS = 4 };

struct attention_state {
	struct cuda_gemm *product[MAX_PRODUCTS];
	enum tensor_type type;
	size_t parts, rows, other, dy, gradients, bytes; /* where in scratch */
};

static struct attention_state *state_of(const struct node *nd)
{
	return (struct attention_state *)nd->state;
}

static size_t reserve(struct attention_state *a, int64_t count, enum tensor_type type)
{
	size_t at = a->bytes;
	a->bytes += piece((size_t)count * type_bytes(type));
	return at;
}

static char *scratch(const struct node *nd, size_t at)
{
	return (char *)nd->work->data + at;
}

static struct attention_state *state_new(struct node *nd, const struct tensor *one, const struct tensor *two,
                                         const struct tensor *three)
{
	struct attention_state *a = (struct attention_state *)calloc(1, sizeof *a);
	if (!a)
		abort();
	nd->state = a;
	a->type = one->type == TENSOR_BF16 || two->type == TENSOR_BF16 || three->type == TENSOR_BF16 ? TENSOR_BF16
	                                                                                             : TENSOR_F32;
	return a;
}

static void release(struct node *nd, struct cuda *)
{
	for (int i = 0; i < MAX_PRODUCTS; i++)
		cuda_gemm_free(state_of(nd)->product[i]);
	free(nd->state);
}

/* One matrix of a product: how far rows are apart, and images. */
struct operand {
	bool transposed;
	int64_t ld, step;
};

static struct cuda_gemm *product_new(struct cuda *cu, const struct sizes *s, int64_t m, int64_t n, int64_t k,
                                     struct operand a, struct operand b, struct operand c, enum tensor_type in,
                                     enum tensor_type out, float alpha)
{
	struct cuda_gemm_shape g = {};
	g.ta = a.transposed, g.tb = b.transposed;
	g.m = m, g.n = n, g.k = k, g.batch = s->n;
	g.lda = a.ld, g.ldb = b.ld, g.ldc = c.ld;
	g.step_a = a.step, g.step_b = b.step, g.step_c = c.step;
	g.in = in, g.out = out, g.alpha = alpha;
	return cuda_gemm_new(cu, &g);
}

/* All heads of all images: the operands of head h start h * step further on. */
static void product_run(struct cuda *cu, struct cuda_gemm *g, const struct sizes *s, const void *a, size_t a_step,
                        const void *b, size_t b_step, void *c, size_t c_step)
{
	for (int64_t head = 0; g && head < s->heads; head++)
		cuda_gemm_run(cu, g, (const char *)a + (size_t)head * a_step, (const char *)b + (size_t)head * b_step, NULL,
		              (char *)c + (size_t)head * c_step);
}

/* What every pass begins with. */
struct pass {
	struct sizes s;
	const struct attention_state *a;
	size_t part, value; /* values of one of q, k, v; bytes of a value as products take it */
	size_t head, map;   /* bytes from head to head of q, k, v; of maps (l, l) */
	int64_t rows;       /* of all maps */
	char *q, *k, *v;    /* in scratch */
};

/* depth: how many matrices (l, ch) each of q, k and v has per image and head. */
static struct pass pass_of(const struct node *nd, const struct tensor *qkv, int64_t depth)
{
	struct pass p = {};
	p.s = sizes_of(nd, qkv);
	p.a = state_of(nd);
	p.part = (size_t)(p.s.n * p.s.l * p.s.c);
	p.value = type_bytes(p.a->type);
	p.head = (size_t)(depth * p.s.l * p.s.ch) * p.value;
	p.map = (size_t)(depth * p.s.l * p.s.l) * p.value;
	p.rows = p.s.n * p.s.heads * p.s.l;
	p.q = scratch(nd, p.a->parts);
	p.k = p.q + (size_t)depth * p.part * p.value;
	p.v = p.k + (size_t)depth * p.part * p.value;
	return p;
}

static struct operand part_of(const struct sizes *s, bool transposed)
{
	struct operand o = { transposed, s->ch, s->heads * s->l * s->ch };
	return o;
}

static struct operand rows_of(const struct sizes *s, bool transposed)
{
	struct operand o = { transposed, s->l, s->heads * s->l * s->l };
	return o;
}

static struct operand image_of(const struct sizes *s)
{
	struct operand o = { false, s->c, s->l * s->c };
	return o;
}

/* ---- forward: qkv -> y, W -------------------------------------------------------------------- */

enum { QK, WV };

static size_t forward_prepare(struct node *nd, struct cuda *cu)
{
	const struct tensor *qkv = nd->src[0], *y = nd->dst[0], *w = nd->dst[1];
	struct sizes s = sizes_of(nd, qkv);
	struct attention_state *a = state_new(nd, qkv, y, w);
	int64_t part = s.n * s.l * s.c, rows = s.n * s.heads * s.l;
	a->parts = reserve(a, 3 * part, a->type);
	a->rows = reserve(a, rows * s.l, TENSOR_F32);
	a->other = w->type == a->type ? 0 : reserve(a, rows * s.l, a->type);
	a->product[QK] = product_new(cu, &s, s.l, s.l, s.ch, part_of(&s, false), part_of(&s, true), rows_of(&s, false),
	                             a->type, TENSOR_F32, s.scale);
	a->product[WV] = product_new(cu, &s, s.l, s.ch, s.l, rows_of(&s, false), part_of(&s, false), image_of(&s), a->type,
	                             y->type, 1);
	return a->bytes;
}

static void forward_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *y = nd->dst[0], *w = nd->dst[1];
	struct pass p = pass_of(nd, nd->src[0], 1);
	const struct attention_state *a = p.a;
	const struct sizes s = p.s;
	float *logits = (float *)(void *)scratch(nd, a->rows);
	struct val other = { NULL, 0, 0 };
	if (w->type != a->type)
		other = val_at(scratch(nd, a->other), a->type);
	LAUNCH(cu, split_kernel, blocks_for(p.part, (unsigned)(BLOCK * s.run)), BLOCK, 0, s, val_at(p.q, a->type),
	       val_of(nd->src[0]));
	product_run(cu, a->product[QK], &s, p.q, p.head, p.k, p.head, logits, (size_t)(s.l * s.l) * sizeof(float));
	LAUNCH(cu, softmax_kernel, blocks_for((size_t)p.rows, ROW_WARPS), BLOCK, 0, val_of(w), other, (const float *)logits,
	       s.l, p.rows);
	product_run(cu, a->product[WV], &s, other.p ? other.p : w->data, p.map, p.v, p.head, y->data,
	            (size_t)s.ch * type_bytes(y->type));
}

extern "C" const struct cuda_op cuda_attention = { forward_prepare, forward_run, release };

/* ---- backward: dy, qkv, W -> dqkv; formulas in attention.c ----------------------------------- */

enum { DV, DW, DQ, DK };

static size_t backward_prepare(struct node *nd, struct cuda *cu)
{
	const struct tensor *dy = nd->src[0], *qkv = nd->src[1], *w = nd->src[2];
	struct sizes s = sizes_of(nd, qkv);
	struct attention_state *a = state_new(nd, dy, qkv, w);
	int64_t part = s.n * s.l * s.c, rows = s.n * s.heads * s.l;
	a->parts = reserve(a, 3 * part, a->type);
	a->rows = reserve(a, rows * s.l, TENSOR_F32); /* dW */
	a->other = reserve(a, rows * s.l, a->type);   /* W in the form that products take, then dS */
	a->dy = dy->type == a->type ? 0 : reserve(a, part, a->type);
	a->gradients = reserve(a, 3 * part, TENSOR_F32);
	a->product[DV] = product_new(cu, &s, s.l, s.ch, s.l, rows_of(&s, true), image_of(&s), part_of(&s, false), a->type,
	                             TENSOR_F32, 1);
	struct operand v = part_of(&s, true);
	a->product[DW] = product_new(cu, &s, s.l, s.l, s.ch, image_of(&s), v, rows_of(&s, false), a->type, TENSOR_F32, 1);
	a->product[DQ] = product_new(cu, &s, s.l, s.ch, s.l, rows_of(&s, false), part_of(&s, false), part_of(&s, false),
	                             a->type, TENSOR_F32, s.scale);
	a->product[DK] = product_new(cu, &s, s.l, s.ch, s.l, rows_of(&s, true), part_of(&s, false), part_of(&s, false),
	                             a->type, TENSOR_F32, s.scale);
	return a->bytes;
}

static void backward_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *dy = nd->src[0], *w = nd->src[2];
	struct pass p = pass_of(nd, nd->src[1], 1);
	const struct attention_state *a = p.a;
	const struct sizes s = p.s;
	size_t dy_step = (size_t)s.ch * p.value;
	size_t float_map = (size_t)(s.l * s.l) * sizeof(float), float_head = (size_t)(s.l * s.ch) * sizeof(float);
	char *other = scratch(nd, a->other);
	float *dw = (float *)(void *)scratch(nd, a->rows);
	float *dq = (float *)(void *)scratch(nd, a->gradients), *dk = dq + p.part, *dv = dk + p.part;
	const void *up = dy->data, *weights = w->data;
	if (dy->type != a->type) {
		convert(cu, val_at(scratch(nd, a->dy), a->type), val_of(dy), p.part);
		up = scratch(nd, a->dy);
	}
	if (w->type != a->type) {
		convert(cu, val_at(other, a->type), val_of(w), (size_t)(p.rows * s.l));
		weights = other;
	}
	LAUNCH(cu, split_kernel, blocks_for(p.part, (unsigned)(BLOCK * s.run)), BLOCK, 0, s, val_at(p.q, a->type),
	       val_of(nd->src[1]));
	product_run(cu, a->product[DV], &s, weights, p.map, up, dy_step, dv, float_head);
	product_run(cu, a->product[DW], &s, up, dy_step, p.v, p.head, dw, float_map);
	LAUNCH(cu, softmax_gradient_kernel, blocks_for((size_t)p.rows, ROW_WARPS), BLOCK, 0, val_at(other, a->type),
	       (const float *)dw, val_of(w), s.l, p.rows);
	product_run(cu, a->product[DQ], &s, other, p.map, p.k, p.head, dq, float_head);
	product_run(cu, a->product[DK], &s, other, p.map, p.q, p.head, dk, float_head);
	LAUNCH(cu, join_kernel, blocks_for(p.part, (unsigned)(BLOCK * s.run)), BLOCK, 0, s, val_of(nd->dst[0]),
	       val_at(dq, TENSOR_F32));
}

extern "C" const struct cuda_op cuda_attention_bwd = { backward_prepare, backward_run, release };

/* ---- change, jvp: qkv, d, W -> dy; formulas in attention.c ---------------------------------------------------------------
 * Both differences of products are one product of twice the depth: logits' [q + dq, dq] [dk, k]', answers' [W', W' - W]
 * [dv; v]. */

/* q2 (l, 2ch) = [q + dq, dq], or [q, dq] of a change to first order, k2 (l, 2ch) = [dk, k], v2 (2l, ch) = [dv; v], per
 * image and head. One thread, one run of each. */
static __global__ void pairs_kernel(struct sizes s, struct val q2, struct val k2, struct val v2, struct val qkv,
                                    struct val d, bool first_order)
{
	int64_t i = ((int64_t)blockIdx.x * BLOCK + threadIdx.x) * s.run, count = s.n * s.l * s.c;
	if (i >= count)
		return;
	int64_t pixel = i / s.c % s.l, c = i % s.c, matrix = i / s.c / s.l * s.heads + c / s.ch;
	int64_t wide = (matrix * s.l + pixel) * 2 * s.ch + c % s.ch, tall = (matrix * 2 * s.l + pixel) * s.ch + c % s.ch;
	float x[3][VEC] = {}, dx[3][VEC] = {};
	load_three(x, qkv, i, s.run);
	load_three(dx, d, i, s.run);
#pragma unroll
	for (int k = 0; k < VEC; k++)
		x[0][k] += first_order ? 0 : dx[0][k];
	val_store(q2, wide, s.run, x[0]);
	val_store(q2, wide + s.ch, s.run, dx[0]);
	val_store(k2, wide, s.run, dx[1]);
	val_store(k2, wide + s.ch, s.run, x[1]);
	val_store(v2, tall, s.run, dx[2]);
	val_store(v2, tall + s.l * s.ch, s.run, x[2]);
}

/* w2 (l, 2l) = [W', W' - W] from W and the change ds of the logits: W' = W exp(ds - z), z = ln of the sum of W exp(ds).
 * A warp per row. Where all of ds is small, z is too, and is summed as such. */
static __global__ void softmax_change_kernel(struct val w2, struct val w, const float *ds, int64_t l, int64_t rows)
{
	int64_t row = (int64_t)blockIdx.x * ROW_WARPS + threadIdx.x / WARP;
	bool there = row < rows;
	int lane = (int)threadIdx.x % WARP;
	int64_t at = (there ? row : rows - 1) * l;
	float most = 0, max = -3.402823466e38f, small = 0, large = 0;
	for (int64_t i = lane; i < l; i += WARP) {
		float x = ds[at + i], logit = x + logf(val_get(w, at + i));
		most = fabsf(x) > most ? fabsf(x) : most;
		max = logit > max ? logit : max;
	}
	most = warp_max(most);
	max = warp_max(max);
	for (int64_t i = lane; i < l; i += WARP) {
		float x = ds[at + i], v = val_get(w, at + i);
		small += v * expm1f(x);
		large += expf(x + logf(v) - max);
	}
	small = warp_sum(small);
	large = warp_sum(large);
	float z = most < 0.5f ? log1pf(small) : max + logf(large);
	for (int64_t i = lane; i < l && there; i += WARP) {
		float v = val_get(w, at + i), x = ds[at + i] - z, change = v > 0 ? v * expm1f(x) : 0;
		val_put(w2, row * 2 * l + i, v + change);
		val_put(w2, row * 2 * l + l + i, change);
	}
}

/* w2 (l, 2l) = [W, W (ds - sum of W ds)]. A warp per row. */
static __global__ void softmax_jvp_kernel(struct val w2, struct val w, const float *ds, int64_t l, int64_t rows)
{
	int64_t row = (int64_t)blockIdx.x * ROW_WARPS + threadIdx.x / WARP;
	bool there = row < rows;
	int lane = (int)threadIdx.x % WARP;
	int64_t at = (there ? row : rows - 1) * l;
	float mean = 0;
	for (int64_t i = lane; i < l; i += WARP)
		mean += val_get(w, at + i) * ds[at + i];
	mean = warp_sum(mean);
	for (int64_t i = lane; i < l && there; i += WARP) {
		float v = val_get(w, at + i);
		val_put(w2, row * 2 * l + i, v);
		val_put(w2, row * 2 * l + l + i, v * (ds[at + i] - mean));
	}
}

enum { CHANGE_QK, CHANGE_WV };

static size_t change_prepare(struct node *nd, struct cuda *cu)
{
	const struct tensor *qkv = nd->src[0], *d = nd->src[1], *y = nd->dst[0];
	struct sizes s = sizes_of(nd, qkv);
	struct attention_state *a = state_new(nd, qkv, d, y);
	int64_t part = s.n * s.l * s.c, rows = s.n * s.heads * s.l;
	struct operand wide = { false, 2 * s.ch, s.heads * s.l * 2 * s.ch }, turned = { true, wide.ld, wide.step };
	struct operand weights = { false, 2 * s.l, s.heads * s.l * 2 * s.l },
				   tall = { false, s.ch, s.heads * 2 * s.l * s.ch };
	a->parts = reserve(a, 6 * part, a->type);       /* q2, k2, v2 */
	a->rows = reserve(a, rows * s.l, TENSOR_F32);   /* change of the logits */
	a->other = reserve(a, 2 * rows * s.l, a->type); /* w2 */
	a->product[CHANGE_QK] = product_new(cu, &s, s.l, s.l, 2 * s.ch, wide, turned, rows_of(&s, false), a->type,
	                                    TENSOR_F32, s.scale);
	a->product[CHANGE_WV] = product_new(cu, &s, s.l, s.ch, 2 * s.l, weights, tall, image_of(&s), a->type, y->type, 1);
	return a->bytes;
}

/* Of a finite change, or of one to first order. */
static void run_change(struct node *nd, struct cuda *cu, bool first_order)
{
	const struct tensor *y = nd->dst[0];
	struct pass p = pass_of(nd, nd->src[0], 2);
	const struct attention_state *a = p.a;
	const struct sizes s = p.s;
	char *w2 = scratch(nd, a->other);
	float *ds = (float *)(void *)scratch(nd, a->rows);
	LAUNCH(cu, pairs_kernel, blocks_for(p.part, (unsigned)(BLOCK * s.run)), BLOCK, 0, s, val_at(p.q, a->type),
	       val_at(p.k, a->type), val_at(p.v, a->type), val_of(nd->src[0]), val_of(nd->src[1]), first_order);
	product_run(cu, a->product[CHANGE_QK], &s, p.q, p.head, p.k, p.head, ds, (size_t)(s.l * s.l) * sizeof(float));
	void (*kernel)(struct val, struct val, const float *, int64_t, int64_t) = first_order ? softmax_jvp_kernel
	                                                                                      : softmax_change_kernel;
	LAUNCH(cu, kernel, blocks_for((size_t)p.rows, ROW_WARPS), BLOCK, 0, val_at(w2, a->type), val_of(nd->src[2]),
	       (const float *)ds, s.l, p.rows);
	product_run(cu, a->product[CHANGE_WV], &s, w2, p.map, p.v, p.head, y->data, (size_t)s.ch * type_bytes(y->type));
}

static void change_run(struct node *nd, struct cuda *cu)
{
	run_change(nd, cu, false);
}

static void jvp_run(struct node *nd, struct cuda *cu)
{
	run_change(nd, cu, true);
}

extern "C" const struct cuda_op cuda_attention_change = { change_prepare, change_run, release };
extern "C" const struct cuda_op cuda_attention_jvp = { change_prepare, jvp_run, release };
