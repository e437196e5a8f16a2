/* unit.c - each image divided by its norm: y = x / (|x| + c), |x| the root of the sum of squares over the image, in
 * double. sCT's tangent normalisation (arXiv:2410.11081, section 4.1); it makes a target, so no gradient flows. */
#include "model/graph/graph.h"

#include "model/base/cpu.h"

#include <math.h>

struct tensor *graph_unit(struct graph *g, struct tensor *x, double c)
{
	struct tensor *y = graph_like(g, x);
	(void)graph_node(g, OP_unit, &(union op_args){ .scale = { c } }, 1, &x, 1, &y);
	return y;
}

static void unit_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0];
	size_t per = tensor_count(x) / (size_t)x->n;
	for (size_t n = 0; n < (size_t)x->n; n++) {
		double squares = 0;
		for (size_t i = n * per; i < (n + 1) * per; i++)
			squares += x->ref[i] * x->ref[i];
		for (size_t i = n * per; i < (n + 1) * per; i++)
			nd->dst[0]->ref[i] = x->ref[i] / (sqrt(squares) + nd->args.scale.s);
	}
}

static void unit_range(void *ctx, int64_t first, int64_t last)
{
	const struct node *nd = ctx;
	const struct tensor *x = nd->src[0];
	int64_t per = x->h * x->w * x->c;
	for (int64_t n = first; n < last; n++) {
		const float *from = x->data + n * per;
		float *to = nd->dst[0]->data + n * per;
		double squares = 0;
		for (int64_t i = 0; i < per; i++)
			squares += (double)from[i] * (double)from[i];
		float by = (float)(1 / (sqrt(squares) + nd->args.scale.s));
		for (int64_t i = 0; i < per; i++)
			to[i] = from[i] * by;
	}
}

static void unit_cpu(struct node *nd)
{
	cpu_split(nd->src[0]->n, 1, unit_range, nd);
}

const struct op_row op_unit = {
	.name = "unit", .meaning = "y = x / (|x| + c) per image", .ref = unit_ref, .cpu = unit_cpu, .inplace = true
};
