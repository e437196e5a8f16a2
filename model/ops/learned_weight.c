/* learned_weight.c - a loss by a weight that is learned with it: d, w (N) -> e^w d - w, which is least where w is -ln
 * of what d is on average, so that every noise level counts alike (Karras et al., arXiv:2312.02696, section 3.1 with
 * u = -w; sCT, arXiv:2410.11081, equation 8). In double: it is a number per sample. */
#include "model/graph/tangent.h"

#include "model/base/err.h"

#include <math.h>

struct tensor *graph_learned_weight(struct graph *g, struct tensor *d, struct tensor *w)
{
	if (tensor_count(d) != (size_t)d->n || tensor_count(w) != tensor_count(d))
		BUG("learned_weight: %zu values, %zu weights", tensor_count(d), tensor_count(w));
	struct tensor *y = graph_like(g, d);
	(void)graph_node(g, OP_learned_weight, NULL, 2, (struct tensor *[]){ d, w }, 1, &y);
	return y;
}

static void forward_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->ref[i] = exp(nd->src[1]->ref[i]) * nd->src[0]->ref[i] - nd->src[1]->ref[i];
}

static void forward_cpu(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++) {
		double d = (double)nd->src[0]->data[i], w = (double)nd->src[1]->data[i];
		nd->dst[0]->data[i] = (float)(exp(w) * d - w);
	}
}

/* up (N) times the slopes in d and in w. */
static void record_slopes(struct graph *g, const struct node *nd, struct tensor *up, struct tensor *slopes[2])
{
	slopes[0] = graph_like(g, nd->src[0]);
	slopes[1] = graph_like(g, nd->src[1]);
	(void)graph_node(g, OP_learned_weight_bwd, NULL, 3, (struct tensor *[]){ up, nd->src[0], nd->src[1] }, 2, slopes);
}

static void backward(struct graph *g, struct node *nd)
{
	struct tensor *slopes[2];
	record_slopes(g, nd, nd->dst[0]->grad, slopes);
	graph_add_grad(g, nd->src[0], slopes[0]);
	graph_add_grad(g, nd->src[1], slopes[1]);
}

static struct tensor *jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	struct tensor *slopes[2], *sum = NULL;
	record_slopes(g, nd, graph_constant(g, nd->dst[0], 1), slopes);
	for (int i = 0; i < 2; i++)
		sum = d[i] ? tangent_sum(g, sum, graph_dot(g, slopes[i], d[i])) : sum;
	return sum;
}

const struct op_row op_learned_weight = {
	.name = "learned_weight",
	.meaning = "y = e^w d - w, w learned",
	.ref = forward_ref,
	.cpu = forward_cpu,
	.backward = backward,
	.jvp = jvp,
};

/* ---- learned_weight_bwd: dy, d, w -> dd = dy e^w, dw = dy (e^w d - 1) ------------------------------ */

static void backward_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++) {
		double up = nd->src[0]->ref[i], e = exp(nd->src[2]->ref[i]);
		nd->dst[0]->ref[i] = up * e;
		nd->dst[1]->ref[i] = up * (e * nd->src[1]->ref[i] - 1);
	}
}

static void backward_cpu(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++) {
		double up = (double)nd->src[0]->data[i], e = exp((double)nd->src[2]->data[i]);
		nd->dst[0]->data[i] = (float)(up * e);
		nd->dst[1]->data[i] = (float)(up * (e * (double)nd->src[1]->data[i] - 1));
	}
}

const struct op_row op_learned_weight_bwd = {
	.name = "learned_weight_bwd", .meaning = "dd, dw of learned_weight", .ref = backward_ref, .cpu = backward_cpu
};
