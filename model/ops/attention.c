/* attention.c - self-attention over the L = H*W pixels of an image, per head (model/README.md, "Attention").
 * qkv (N,H,W,3C): channel (head*Ch + c)*3 + {0: q, 1: k, 2: v}, q/k/v innermost; C = heads*Ch.
 *   W[q,k] = softmax over k of (sum_c Q[q,c] K[k,c] / sqrt(Ch)),  y[q, head*Ch + c] = sum_k W[q,k] V[k,c]
 * Destinations: y (N,H,W,C), W (N,heads,L,L). */
#include "model/cpu/attend.h"
#include "model/graph/tangent.h"

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

/* ---- the CPU path of all four: one (image, head) at a time per thread, by attend.h or, where a processor cannot, the
 * specification --- */

struct pass {
	struct node *nd;
	enum attend_pass kind;
};

static const struct tensor *qkv_of(const struct pass *p)
{
	return p->nd->src[p->kind == ATTEND_BACKWARD ? 1 : 0];
}

static struct attend attend_of(const struct sizes *s)
{
	return (struct attend){ s->l, s->ch, s->c, s->scale };
}

static void attend_heads(void *ctx, int64_t first, int64_t last)
{
	const struct pass *p = ctx;
	struct node *nd = p->nd;
	struct sizes s = sizes_of(nd, qkv_of(p));
	struct attend a = attend_of(&s);
	float *scratch = nd->work->data + (size_t)cpu_thread() * attend_floats(&a, p->kind);
	struct tensor **src = nd->src, **dst = nd->dst;
	for (int64_t at = first; at < last; at++) {
		int64_t n = at / s.heads, head = at % s.heads;
		int64_t x = qkv_at(&s, n, head, 0, 0, Q), y = n * s.l * s.c + head * s.ch, w = at * s.l * s.l;
		switch (p->kind) {
		case ATTEND_FORWARD: attend_forward(&a, src[0]->data + x, dst[1]->data + w, dst[0]->data + y, scratch); break;
		case ATTEND_BACKWARD:
			attend_backward(&a, src[0]->data + y, src[1]->data + x, src[2]->data + w, dst[0]->data + x, scratch);
			break;
		case ATTEND_CHANGE:
			attend_change(&a, src[0]->data + x, src[1]->data + x, src[2]->data + w, dst[0]->data + y, scratch);
			break;
		case ATTEND_JVP:
			attend_jvp(&a, src[0]->data + x, src[1]->data + x, src[2]->data + w, dst[0]->data + y, scratch);
			break;
		}
	}
}

static size_t prepare(struct node *nd, enum attend_pass kind)
{
	struct sizes s = sizes_of(nd, qkv_of(&(struct pass){ nd, kind }));
	struct attend a = attend_of(&s);
	return attend_here() ? attend_floats(&a, kind) * sizeof(float) * (size_t)cpu_threads() : 0;
}

static void run(struct node *nd, enum attend_pass kind)
{
	struct pass p = { nd, kind };
	if (attend_here())
		cpu_split(qkv_of(&p)->n * nd->args.attention.heads, 1, attend_heads, &p);
	else
		op_cpu_by_ref(nd);
}

static size_t forward_prepare(struct node *nd)
{
	return prepare(nd, ATTEND_FORWARD);
}

static void forward_cpu(struct node *nd)
{
	run(nd, ATTEND_FORWARD);
}

static void backward(struct graph *g, struct node *nd)
{
	struct tensor *dqkv = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_attention_bwd, &nd->args, 3, (struct tensor *[]){ nd->dst[0]->grad, nd->src[0], nd->dst[1] },
	                 1, &dqkv);
	graph_add_grad(g, nd->src[0], dqkv);
}

static struct tensor *jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	struct tensor *dy = graph_like(g, nd->dst[0]);
	(void)graph_node(g, OP_attention_jvp, &nd->args, 3, (struct tensor *[]){ nd->src[0], d[0], nd->dst[1] }, 1, &dy);
	return dy;
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
	.jvp = jvp,
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

static size_t backward_prepare(struct node *nd)
{
	return prepare(nd, ATTEND_BACKWARD);
}

static void backward_cpu(struct node *nd)
{
	run(nd, ATTEND_BACKWARD);
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

static size_t change_prepare(struct node *nd)
{
	return prepare(nd, ATTEND_CHANGE);
}

static void change_cpu(struct node *nd)
{
	run(nd, ATTEND_CHANGE);
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

/* ---- jvp: qkv, d, W of qkv -> dy ------------------------------------------------------------------
 *   dS = (dQ K' + Q dK') / sqrt(Ch),  dW = W (dS - rowsum(W dS)),  dy = W dV + dW V */

static void jvp_ref(struct node *nd)
{
	const double *x = nd->src[0]->ref, *d = nd->src[1]->ref;
	struct sizes s = sizes_of(nd, nd->src[0]);
	SCOPED(free) double *ds = xcalloc((size_t)s.l, sizeof *ds);
	for (int64_t n = 0; n < nd->src[0]->n; n++)
		for (int64_t head = 0; head < s.heads; head++)
			for (int64_t q = 0; q < s.l; q++) {
				const double *w = nd->src[2]->ref + ((n * s.heads + head) * s.l + q) * s.l;
				double mean = 0;
				for (int64_t k = 0; k < s.l; k++) {
					ds[k] = 0;
					for (int64_t c = 0; c < s.ch; c++) {
						int64_t at_q = qkv_at(&s, n, head, q, c, Q), at_k = qkv_at(&s, n, head, k, c, K);
						ds[k] += (d[at_q] * x[at_k] + x[at_q] * d[at_k]) / sqrt((double)s.ch);
					}
					mean += w[k] * ds[k];
				}
				for (int64_t c = 0; c < s.ch; c++) {
					double y = 0;
					for (int64_t k = 0; k < s.l; k++) {
						int64_t at = qkv_at(&s, n, head, k, c, V);
						y += w[k] * (d[at] + (ds[k] - mean) * x[at]);
					}
					nd->dst[0]->ref[(n * s.l + q) * s.c + head * s.ch + c] = y;
				}
			}
}

static size_t jvp_prepare(struct node *nd)
{
	return prepare(nd, ATTEND_JVP);
}

static void jvp_cpu(struct node *nd)
{
	run(nd, ATTEND_JVP);
}

const struct op_row op_attention_jvp = {
	.name = "attention_jvp",
	.meaning = "change of attention from that of qkv",
	.ref = jvp_ref,
	.prepare = jvp_prepare,
	.cpu = jvp_cpu,
	.flops = change_flops,
	.low = true,
};
