/* tangent.c - see tangent.h. */
#include "model/graph/tangent.h"

struct tensor *tangent_linear(struct graph *g, struct node *nd, struct tensor *const *d)
{
	struct tensor *src[MAX_SRC];
	for (int i = 0; i < nd->n_src; i++) {
		REQUIRE(i == 0 || !d[i]);
		src[i] = i == 0 ? d[0] : nd->src[i];
	}
	return graph_again(g, nd, src);
}

struct tensor *tangent_product(struct graph *g, struct node *nd, struct tensor *const *d)
{
	struct tensor *sum = NULL;
	for (int changed = 0; changed < nd->n_src; changed++) {
		struct tensor *src[MAX_SRC];
		for (int i = 0; i < nd->n_src; i++)
			src[i] = i == changed ? d[i] : nd->src[i];
		if (d[changed])
			sum = tangent_sum(g, sum, graph_again(g, nd, src));
	}
	return sum;
}

struct tensor *tangent_sum(struct graph *g, struct tensor *a, struct tensor *b)
{
	if (!a || !b)
		return a ? a : b;
	struct tensor *sum = graph_like(g, a);
	(void)graph_node(g, OP_add_scaled, &(union op_args){ .scale = { 1 } }, 2, (struct tensor *[]){ a, b }, 1, &sum);
	return sum;
}

struct tensor *tangent_or_zeros(struct graph *g, struct tensor *d, const struct tensor *x)
{
	if (d)
		return d;
	struct tensor *zeros = graph_like(g, x);
	(void)graph_node(g, OP_constant, &(union op_args){ .scale = { 0 } }, 0, NULL, 1, &zeros);
	return zeros;
}
