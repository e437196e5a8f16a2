/* adaptive_weight.c - the weight of a loss by its own size: d (N) -> w = (d + eps)^-p, through which no gradient flows,
 * so that w d follows a power of d while its gradient has the direction of d's (MeanFlow, arXiv:2505.13447; mf
 * models/meanflow.py:62-64). In double: it is a number per sample. */
#include "model/graph/graph.h"

#include "model/base/err.h"

#include <math.h>

struct tensor *graph_adaptive_weight(struct graph *g, struct tensor *d, double p, double eps)
{
	if (tensor_count(d) != (size_t)d->n)
		BUG("adaptive_weight: %zu values of %lld samples", tensor_count(d), (long long)d->n);
	struct tensor *w = graph_like(g, d);
	(void)graph_node(g, OP_adaptive_weight, &(union op_args){ .power = { p, eps } }, 1, &d, 1, &w);
	return w;
}

static void adaptive_weight_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->ref[i] = pow(nd->src[0]->ref[i] + nd->args.power.eps, -nd->args.power.p);
}

static void adaptive_weight_cpu(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->data[i] = (float)pow((double)nd->src[0]->data[i] + nd->args.power.eps, -nd->args.power.p);
}

const struct op_row op_adaptive_weight = {
	.name = "adaptive_weight", .meaning = "w = (d + eps)^-p", .ref = adaptive_weight_ref, .cpu = adaptive_weight_cpu
};
