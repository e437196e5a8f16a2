/* attention.c - self-attention over the L = H*W pixels of an image, per head (model/README.md, "Attention").
 * qkv (N,H,W,3C): channel (head*Ch + c)*3 + {0: q, 1: k, 2: v}, q/k/v innermost; C = heads*Ch.
 *   W[q,k] = softmax over k of (sum_c Q[q,c] K[k,c] / sqrt(Ch)),  y[q, head*Ch + c] = sum_k W[q,k] V[k,c]
 * Destinations: y (N,H,W,C), W (N,heads,L,L). */
#include "model/cpu/attend.h"
#include "model/cpu/dnn.h"
#include "model/graph/graph.h"

#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/base/cpu.h"

#include <math.h>
#include <stdlib.h>

enum { Q, K, V };

struct tensor *graph_attention(struct graph *g, struct tensor *qkv, int heads)
{
	if (qkv->c % (3 * heads))
		BUG("attention: %lld channels, %d heads", (long long)qkv->c, heads);
	int64_t l = qkv->h * qkv->w;
	struct tensor *dst[2] = { graph_temp(g, qkv->n, qkv->h, qkv->w, qkv->c / 3), graph_temp(g, qkv->n, heads, l, l) };
	(void)graph_node(g, OP_attention, &(union op_args){ .attention = { heads } }, 1, &qkv, 2, dst);
	return dst[0];
}

struct sizes {
	int64_t l, ch, c, heads;
	float scale;
};

static struct sizes sizes_of(const struct node *nd, const struct tensor *qkv)
{
	int64_t heads = nd->args.attention.heads, c = qkv->c / 3;
	return (struct sizes){ qkv->h * qkv->w, c / heads, c, heads, (float)(1 / sqrt((double)(c / heads))) };
}

static int64_t qkv_at(const struct sizes *s, int64_t n, int64_t head, int64_t pixel, int64_t c, int which)
{
	return ((n * s->l + pixel) * s->c + head * s->ch + c) * 3 + which;
}

/* ---- the specification ----------------------------------------------------------------------- */

static void forward_ref(struct node *nd)
{
	const double *x = nd->src[0]->ref;
	struct sizes s = sizes_of(nd, nd->src[0]);
	for (int64_t n = 0; n < nd->src[0]->n; n++)
		for (int64_t head = 0; head < s.heads; head++)
			for (int64_t q = 0; q < s.l; q++) {
				double *w = nd->dst[1]->ref + ((n * s.heads + head) * s.l + q) * s.l, max = -INFINITY, sum = 0;
				for (int64_t k = 0; k < s.l; k++) {
					w[k] = 0;
					for (int64_t c = 0; c < s.ch; c++)
						w[k] += x[qkv_at(&s, n, head, q, c, Q)] * x[qkv_at(&s, n, head, k, c, K)] / sqrt((double)s.ch);
					max = w[k] > max ? w[k] : max;
				}
				for (int64_t k = 0; k < s.l; k++)
					sum += w[k] = exp(w[k] - max);
				for (int64_t k = 0; k < s.l; k++)
					w[k] /= sum;
				for (int64_t c = 0; c < s.ch; c++) {
					double y = 0;
					for (int64_t k = 0; k < s.l; k++)
						y += w[k] * x[qkv_at(&s, n, head, k, c, V)];
					nd->dst[0]->ref[(n * s.l + q) * s.c + head * s.ch + c] = y;
				}
			}
}

/* ---- the CPU path: one (image, head) at a time per thread, by attend.h or, where a processor cannot, by oneDNN's
 * products --- */

static struct attend attend_of(const struct sizes *s)
{
	return (struct attend){ s->l, s->ch, s->c, s->scale };
}

CPU_KERNEL static void unpack(float *restrict q, float *restrict k, float *restrict v, const float *restrict qkv,
                              int64_t l, int64_t ch, int64_t stride)
{
	for (int64_t i = 0; i < l; i++)
		for (int64_t c = 0; c < ch; c++) {
			q[i * ch + c] = qkv[i * stride + c * 3];
			k[i * ch + c] = qkv[i * stride + c * 3 + 1];
			v[i * ch + c] = qkv[i * stride + c * 3 + 2];
		}
}

CPU_KERNEL static void pack(float *restrict qkv, const float *restrict q, const float *restrict k,
                            const float *restrict v, int64_t l, int64_t ch, int64_t stride)
{
	for (int64_t i = 0; i < l; i++)
		for (int64_t c = 0; c < ch; c++) {
			qkv[i * stride + c * 3] = q[i * ch + c];
			qkv[i * stride + c * 3 + 1] = k[i * ch + c];
			qkv[i * stride + c * 3 + 2] = v[i * ch + c];
		}
}

/* A row's sum or maximum is taken in LANES parts, which are joined in order: vectors that wait for nothing, and the
 * same bits whatever their length. */
enum { LANES = 16 };

CPU_KERNEL static void softmax_row(float *restrict w, int64_t n)
{
	float part[LANES], max, sum = 0;
	int64_t whole = n / LANES * LANES;
	for (int j = 0; j < LANES; j++)
		part[j] = w[j < n ? j : 0];
	for (int64_t i = 0; i < whole; i += LANES)
		for (int j = 0; j < LANES; j++)
			part[j] = w[i + j] > part[j] ? w[i + j] : part[j];
	max = part[0];
	for (int j = 1; j < LANES; j++)
		max = part[j] > max ? part[j] : max;
	for (int64_t i = whole; i < n; i++)
		max = w[i] > max ? w[i] : max;
	for (int j = 0; j < LANES; j++)
		part[j] = 0;
	for (int64_t i = 0; i < whole; i += LANES)
		for (int j = 0; j < LANES; j++) {
			w[i + j] = exp_approx(w[i + j] - max);
			part[j] += w[i + j];
		}
	for (int64_t i = whole; i < n; i++) {
		w[i] = exp_approx(w[i] - max);
		sum += w[i];
	}
	for (int j = 0; j < LANES; j++)
		sum += part[j];
	float one = 1.0f / sum;
	for (int64_t i = 0; i < n; i++)
		w[i] *= one;
}

static float *thread_scratch(struct node *nd, size_t floats)
{
	return nd->work->data + (size_t)cpu_thread() * floats;
}

static size_t scratch_bytes(size_t floats)
{
	return floats * sizeof(float) * (size_t)cpu_threads();
}

static size_t forward_floats(const struct node *nd)
{
	struct sizes s = sizes_of(nd, nd->src[0]);
	struct attend a = attend_of(&s);
	return attend_here() ? attend_floats(&a, ATTEND_FORWARD) : (size_t)(3 * s.l * s.ch);
}

static void forward_attend(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	struct sizes s = sizes_of(nd, nd->src[0]);
	struct attend a = attend_of(&s);
	for (int64_t at = first; at < last; at++) {
		int64_t n = at / s.heads, head = at % s.heads;
		attend_forward(&a, nd->src[0]->data + qkv_at(&s, n, head, 0, 0, Q), nd->dst[1]->data + at * s.l * s.l,
		               nd->dst[0]->data + n * s.l * s.c + head * s.ch, thread_scratch(nd, forward_floats(nd)));
	}
}

static void forward_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	struct sizes s = sizes_of(nd, nd->src[0]);
	float *q = thread_scratch(nd, forward_floats(nd)), *k = q + s.l * s.ch, *v = k + s.l * s.ch;
	for (int64_t at = first; at < last; at++) {
		int64_t n = at / s.heads, head = at % s.heads;
		float *w = nd->dst[1]->data + at * s.l * s.l;
		unpack(q, k, v, nd->src[0]->data + qkv_at(&s, n, head, 0, 0, Q), s.l, s.ch, 3 * s.c);
		dnn_gemm(DNN_PLAIN, DNN_TRANSPOSED, s.l, s.l, s.ch, s.scale, q, s.ch, k, s.ch, 0, w, s.l);
		for (int64_t i = 0; i < s.l; i++)
			softmax_row(w + i * s.l, s.l);
		dnn_gemm(DNN_PLAIN, DNN_PLAIN, s.l, s.ch, s.l, 1, w, s.l, v, s.ch, 0,
		         nd->dst[0]->data + n * s.l * s.c + head * s.ch, s.c);
	}
}

static size_t forward_prepare(struct node *nd)
{
	return scratch_bytes(forward_floats(nd));
}

static void forward_cpu(struct node *nd)
{
	cpu_split(nd->src[0]->n * nd->args.attention.heads, 1, attend_here() ? forward_attend : forward_range, nd);
}

static void backward(struct graph *g, struct node *nd)
{
	struct tensor *dqkv = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_attention_bwd, &nd->args, 3, (struct tensor *[]){ nd->dst[0]->grad, nd->src[0], nd->dst[1] },
	                 1, &dqkv);
	graph_add_grad(g, nd->src[0], dqkv);
}

static double forward_flops(const struct node *nd)
{
	struct sizes s = sizes_of(nd, nd->src[0]);
	return 4.0 * (double)(nd->src[0]->n * s.l * s.l * s.c);
}

const struct op_row op_attention = {
	.name = "attention",
	.meaning = "y = softmax(q k' / sqrt(ch)) v per head; q, k, v innermost",
	.ref = forward_ref,
	.prepare = forward_prepare,
	.cpu = forward_cpu,
	.backward = backward,
	.flops = forward_flops,
	.low = true,
};

/* ---- backward: dy, qkv, W -> dqkv ---------------------------------------------------------------
 *   dV = W' dy,  dW = dy V',  dS = W (dW - rowsum(W dW)),  dQ = dS K / sqrt(Ch),  dK = dS' Q / sqrt(Ch) */

static void backward_ref(struct node *nd)
{
	const struct tensor *dy = nd->src[0], *qkv = nd->src[1], *weights = nd->src[2];
	double *out = nd->dst[0]->ref;
	struct sizes s = sizes_of(nd, qkv);
	double root = sqrt((double)s.ch);
	for (size_t i = 0; i < tensor_count(qkv); i++)
		out[i] = 0;
	double *ds = xcalloc((size_t)s.l, sizeof *ds);
	for (int64_t n = 0; n < qkv->n; n++)
		for (int64_t head = 0; head < s.heads; head++)
			for (int64_t q = 0; q < s.l; q++) {
				const double *w = weights->ref + ((n * s.heads + head) * s.l + q) * s.l;
				const double *g = dy->ref + (n * s.l + q) * s.c + head * s.ch;
				double dot = 0;
				for (int64_t k = 0; k < s.l; k++) {
					ds[k] = 0;
					for (int64_t c = 0; c < s.ch; c++) {
						ds[k] += g[c] * qkv->ref[qkv_at(&s, n, head, k, c, V)];
						out[qkv_at(&s, n, head, k, c, V)] += w[k] * g[c];
					}
					dot += w[k] * ds[k];
				}
				for (int64_t k = 0; k < s.l; k++) {
					double d = w[k] * (ds[k] - dot) / root;
					for (int64_t c = 0; c < s.ch; c++) {
						out[qkv_at(&s, n, head, q, c, Q)] += d * qkv->ref[qkv_at(&s, n, head, k, c, K)];
						out[qkv_at(&s, n, head, k, c, K)] += d * qkv->ref[qkv_at(&s, n, head, q, c, Q)];
					}
				}
			}
	free(ds);
}

/* Row by row: ds = w * (dw - sum(w dw)), in place of dw. */
CPU_KERNEL static void softmax_gradient(float *restrict dw, const float *restrict w, int64_t n)
{
	float part[LANES] = { 0 }, dot = 0;
	int64_t whole = n / LANES * LANES;
	for (int64_t i = 0; i < whole; i += LANES)
		for (int j = 0; j < LANES; j++)
			part[j] += w[i + j] * dw[i + j];
	for (int64_t i = whole; i < n; i++)
		dot += w[i] * dw[i];
	for (int j = 0; j < LANES; j++)
		dot += part[j];
	for (int64_t i = 0; i < n; i++)
		dw[i] = w[i] * (dw[i] - dot);
}

static size_t backward_floats(const struct node *nd)
{
	struct sizes s = sizes_of(nd, nd->src[1]);
	struct attend a = attend_of(&s);
	return attend_here() ? attend_floats(&a, ATTEND_BACKWARD) : (size_t)(6 * s.l * s.ch + s.l * s.l);
}

static void backward_attend(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	struct sizes s = sizes_of(nd, nd->src[1]);
	struct attend a = attend_of(&s);
	for (int64_t at = first; at < last; at++) {
		int64_t n = at / s.heads, head = at % s.heads, place = qkv_at(&s, n, head, 0, 0, Q);
		attend_backward(&a, nd->src[0]->data + n * s.l * s.c + head * s.ch, nd->src[1]->data + place,
		                nd->src[2]->data + at * s.l * s.l, nd->dst[0]->data + place,
		                thread_scratch(nd, backward_floats(nd)));
	}
}

static void backward_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *dy = nd->src[0], *qkv = nd->src[1];
	struct sizes s = sizes_of(nd, qkv);
	int64_t lc = s.l * s.ch;
	float *q = thread_scratch(nd, backward_floats(nd)), *k = q + lc, *v = k + lc, *dq = v + lc, *dk = dq + lc,
		  *dv = dk + lc, *ds = dv + lc;
	for (int64_t at = first; at < last; at++) {
		int64_t n = at / s.heads, head = at % s.heads;
		const float *w = nd->src[2]->data + at * s.l * s.l, *g = dy->data + n * s.l * s.c + head * s.ch;
		unpack(q, k, v, qkv->data + qkv_at(&s, n, head, 0, 0, Q), s.l, s.ch, 3 * s.c);
		dnn_gemm(DNN_TRANSPOSED, DNN_PLAIN, s.l, s.ch, s.l, 1, w, s.l, g, s.c, 0, dv, s.ch);
		dnn_gemm(DNN_PLAIN, DNN_TRANSPOSED, s.l, s.l, s.ch, 1, g, s.c, v, s.ch, 0, ds, s.l);
		for (int64_t i = 0; i < s.l; i++)
			softmax_gradient(ds + i * s.l, w + i * s.l, s.l);
		dnn_gemm(DNN_PLAIN, DNN_PLAIN, s.l, s.ch, s.l, s.scale, ds, s.l, k, s.ch, 0, dq, s.ch);
		dnn_gemm(DNN_TRANSPOSED, DNN_PLAIN, s.l, s.ch, s.l, s.scale, ds, s.l, q, s.ch, 0, dk, s.ch);
		pack(nd->dst[0]->data + qkv_at(&s, n, head, 0, 0, Q), dq, dk, dv, s.l, s.ch, 3 * s.c);
	}
}

static size_t backward_prepare(struct node *nd)
{
	return scratch_bytes(backward_floats(nd));
}

static void backward_cpu(struct node *nd)
{
	cpu_split(nd->src[1]->n * nd->args.attention.heads, 1, attend_here() ? backward_attend : backward_range, nd);
}

static double backward_flops(const struct node *nd)
{
	struct sizes s = sizes_of(nd, nd->src[1]);
	return 8.0 * (double)(nd->src[1]->n * s.l * s.l * s.c);
}

const struct op_row op_attention_bwd = {
	.name = "attention_bwd",
	.meaning = "dqkv of attention from dy, qkv and the softmax weights",
	.ref = backward_ref,
	.prepare = backward_prepare,
	.cpu = backward_cpu,
	.flops = backward_flops,
	.low = true,
};

/* ---- change: qkv, d, W of qkv -> y(qkv + d) - y(qkv): change.h -------------------------------- */

struct tensor *graph_attention_change(struct graph *g, struct tensor *qkv, struct tensor *d, struct tensor *weights,
                                      int heads)
{
	struct tensor *y = graph_temp(g, qkv->n, qkv->h, qkv->w, qkv->c / 3);
	(void)graph_node(g, OP_attention_change, &(union op_args){ .attention = { heads } }, 3,
	                 (struct tensor *[]){ qkv, d, weights }, 1, &y);
	return y;
}

/* A row's weights W' with qkv + d: W exp(ds) over its sum, ds what d changes of the logits. Returns the sum of W
 * itself, 1 but for rounding. */
static double second_weights(double *w, const struct node *nd, const struct sizes *s, int64_t n, int64_t head,
                             int64_t q, const double *first)
{
	const double *x = nd->src[0]->ref, *d = nd->src[1]->ref;
	double max = -INFINITY, sum = 0, one = 0;
	for (int64_t k = 0; k < s->l; k++) {
		w[k] = 0;
		for (int64_t c = 0; c < s->ch; c++) {
			int64_t at_q = qkv_at(s, n, head, q, c, Q), at_k = qkv_at(s, n, head, k, c, K);
			w[k] += ((x[at_q] + d[at_q]) * d[at_k] + d[at_q] * x[at_k]) / sqrt((double)s->ch);
		}
		max = w[k] > max ? w[k] : max;
	}
	for (int64_t k = 0; k < s->l; k++) {
		sum += w[k] = first[k] * exp(w[k] - max);
		one += first[k];
	}
	for (int64_t k = 0; k < s->l; k++)
		w[k] /= sum;
	return one;
}

static void change_ref(struct node *nd)
{
	const double *x = nd->src[0]->ref, *d = nd->src[1]->ref;
	struct sizes s = sizes_of(nd, nd->src[0]);
	SCOPED(free) double *w = xcalloc((size_t)s.l, sizeof *w);
	for (int64_t n = 0; n < nd->src[0]->n; n++)
		for (int64_t head = 0; head < s.heads; head++)
			for (int64_t q = 0; q < s.l; q++) {
				const double *first = nd->src[2]->ref + ((n * s.heads + head) * s.l + q) * s.l;
				double one = second_weights(w, nd, &s, n, head, q, first);
				for (int64_t c = 0; c < s.ch; c++) {
					double y = 0;
					for (int64_t k = 0; k < s.l; k++) {
						int64_t at = qkv_at(&s, n, head, k, c, V);
						y += w[k] * d[at] + (w[k] - first[k] / one) * x[at];
					}
					nd->dst[0]->ref[(n * s.l + q) * s.c + head * s.ch + c] = y;
				}
			}
}

/* A row of the second weights, and what they are more than the first, from what the logits change by, in place of that.
 * With e = exp(change - its maximum) - 1 and its mean by the first weights: W' = W (1 + e) / (1 + mean), and
 * W' - W = W (e - mean) / (1 + mean), in which nothing large cancels. W / its sum is taken for W. */
CPU_KERNEL static void change_row(float *restrict second, float *restrict more, const float *restrict first, int64_t n)
{
	float part[LANES], ones[LANES] = { 0 }, max, one = 0, mean = 0;
	int64_t whole = n / LANES * LANES;
	for (int j = 0; j < LANES; j++)
		part[j] = more[j < n ? j : 0];
	for (int64_t i = 0; i < whole; i += LANES)
		for (int j = 0; j < LANES; j++)
			part[j] = more[i + j] > part[j] ? more[i + j] : part[j];
	max = part[0];
	for (int j = 1; j < LANES; j++)
		max = part[j] > max ? part[j] : max;
	for (int64_t i = whole; i < n; i++)
		max = more[i] > max ? more[i] : max;
	for (int j = 0; j < LANES; j++)
		part[j] = 0;
	for (int64_t i = 0; i < whole; i += LANES)
		for (int j = 0; j < LANES; j++) {
			float d = more[i + j] - max;
			more[i + j] = expm1_within(CPU_OPAQUE(d < -87.0f ? -87.0f : d));
			part[j] += first[i + j] * more[i + j];
			ones[j] += first[i + j];
		}
	for (int64_t i = whole; i < n; i++) {
		float d = more[i] - max;
		more[i] = expm1_within(CPU_OPAQUE(d < -87.0f ? -87.0f : d));
		mean += first[i] * more[i];
		one += first[i];
	}
	for (int j = 0; j < LANES; j++) {
		mean += part[j];
		one += ones[j];
	}
	mean /= one;
	float scale = 1.0f / (one * (1.0f + mean));
	for (int64_t i = 0; i < n; i++) {
		second[i] = first[i] * (1.0f + more[i]) * scale;
		more[i] = first[i] * (more[i] - mean) * scale;
	}
}

static size_t change_floats(const struct node *nd)
{
	struct sizes s = sizes_of(nd, nd->src[0]);
	struct attend a = attend_of(&s);
	return attend_here() ? attend_floats(&a, ATTEND_CHANGE) : (size_t)(6 * s.l * s.ch + 2 * s.l * s.l);
}

static void change_attend(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	struct sizes s = sizes_of(nd, nd->src[0]);
	struct attend a = attend_of(&s);
	for (int64_t at = first; at < last; at++) {
		int64_t n = at / s.heads, head = at % s.heads, place = qkv_at(&s, n, head, 0, 0, Q);
		attend_change(&a, nd->src[0]->data + place, nd->src[1]->data + place, nd->src[2]->data + at * s.l * s.l,
		              nd->dst[0]->data + n * s.l * s.c + head * s.ch, thread_scratch(nd, change_floats(nd)));
	}
}

static void change_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	struct sizes s = sizes_of(nd, nd->src[0]);
	int64_t lc = s.l * s.ch;
	float *q = thread_scratch(nd, change_floats(nd)), *k = q + lc, *v = k + lc, *dq = v + lc, *dk = dq + lc,
		  *dv = dk + lc, *second = dv + lc, *more = second + s.l * s.l;
	for (int64_t at = first; at < last; at++) {
		int64_t n = at / s.heads, head = at % s.heads;
		const float *w = nd->src[2]->data + at * s.l * s.l;
		float *y = nd->dst[0]->data + n * s.l * s.c + head * s.ch;
		unpack(q, k, v, nd->src[0]->data + qkv_at(&s, n, head, 0, 0, Q), s.l, s.ch, 3 * s.c);
		unpack(dq, dk, dv, nd->src[1]->data + qkv_at(&s, n, head, 0, 0, Q), s.l, s.ch, 3 * s.c);
		dnn_gemm(DNN_PLAIN, DNN_TRANSPOSED, s.l, s.l, s.ch, s.scale, dq, s.ch, k, s.ch, 0, more, s.l);
		for (int64_t i = 0; i < lc; i++)
			q[i] += dq[i];
		dnn_gemm(DNN_PLAIN, DNN_TRANSPOSED, s.l, s.l, s.ch, s.scale, q, s.ch, dk, s.ch, 1, more, s.l);
		for (int64_t i = 0; i < s.l; i++)
			change_row(second + i * s.l, more + i * s.l, w + i * s.l, s.l);
		dnn_gemm(DNN_PLAIN, DNN_PLAIN, s.l, s.ch, s.l, 1, second, s.l, dv, s.ch, 0, y, s.c);
		dnn_gemm(DNN_PLAIN, DNN_PLAIN, s.l, s.ch, s.l, 1, more, s.l, v, s.ch, 1, y, s.c);
	}
}

static size_t change_prepare(struct node *nd)
{
	return scratch_bytes(change_floats(nd));
}

static void change_cpu(struct node *nd)
{
	cpu_split(nd->src[0]->n * nd->args.attention.heads, 1, attend_here() ? change_attend : change_range, nd);
}

static double change_flops(const struct node *nd)
{
	return 2 * forward_flops(nd);
}

const struct op_row op_attention_change = {
	.name = "attention_change",
	.meaning = "attention(qkv + d) - attention(qkv)",
	.ref = change_ref,
	.prepare = change_prepare,
	.cpu = change_cpu,
	.flops = change_flops,
	.low = true,
};
