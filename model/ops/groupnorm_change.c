/* groupnorm_change.c - groupnorm of x + d minus groupnorm of x, for passes that carry changes (change.h).
 *   y = groupnorm(x + d; w', b', e') - groupnorm(x; w, b, e), mode, groups, eps, silu and dropout as in groupnorm.c
 * Sources: x, d, w, b, [e], w', b', [e']. The CPU computes it by the specification; a device, without cancellation. */
#include "model/ops/dropout.h"

#include "model/base/err.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { X, D, W, B, E, W2, B2, E2 };

struct tensor *graph_groupnorm_change(struct graph *g, struct tensor *x, struct tensor *d,
                                      const struct norm_change *numbers, const union op_args *args)
{
	if (tensor_count(x) != tensor_count(d))
		BUG("groupnorm_change: %zu and %zu values", tensor_count(x), tensor_count(d));
	struct tensor *y = graph_like(g, x);
	(void)graph_node(g, OP_groupnorm_change, args, 8,
	                 (struct tensor *[]){ x, d, numbers->w[0], numbers->b[0], numbers->e[0], numbers->w[1],
	                                      numbers->b[1], numbers->e[1] },
	                 1, &y);
	return y;
}

/* One of the two norms, of one group of one image. */
struct group {
	const struct node *nd;
	int64_t n, first, per;
	bool second;
};

static double embedding(const struct group *k, enum norm_mode want, int64_t at)
{
	const struct tensor *e = k->nd->src[k->second ? E2 : E];
	return k->nd->args.norm.mode == want ? e->ref[k->n * e->c + at] : 0;
}

static double input(const struct group *k, int64_t pixel, int64_t c)
{
	const struct tensor *x = k->nd->src[X];
	int64_t at = (k->n * x->h * x->w + pixel) * x->c + c;
	return x->ref[at] + (k->second ? k->nd->src[D]->ref[at] : 0) + embedding(k, NORM_ADD, c);
}

static void add_norm(const struct group *k, double sign)
{
	const struct tensor *x = k->nd->src[X], *w = k->nd->src[k->second ? W2 : W], *b = k->nd->src[k->second ? B2 : B];
	int64_t pixels = x->h * x->w;
	double mean = 0, var = 0, count = (double)(k->per * pixels);
	for (int64_t i = 0; i < pixels; i++)
		for (int64_t c = k->first; c < k->first + k->per; c++)
			mean += input(k, i, c) / count;
	for (int64_t i = 0; i < pixels; i++)
		for (int64_t c = k->first; c < k->first + k->per; c++)
			var += (input(k, i, c) - mean) * (input(k, i, c) - mean) / count;
	double rstd = 1 / sqrt(var + k->nd->args.norm.eps);
	for (int64_t i = 0; i < pixels; i++)
		for (int64_t c = k->first; c < k->first + k->per; c++) {
			double z = (input(k, i, c) - mean) * rstd * w->ref[c] + b->ref[c];
			z = z * (1 + embedding(k, NORM_SCALE_SHIFT, c)) + embedding(k, NORM_SCALE_SHIFT, x->c + c);
			k->nd->dst[0]->ref[(k->n * pixels + i) * x->c + c] += sign *
			                                                      (k->nd->args.norm.silu ? z / (1 + exp(-z)) : z);
		}
}

static void change_ref(struct node *nd)
{
	int64_t groups = nd->args.norm.groups, per = nd->src[X]->c / groups;
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->ref[i] = 0;
	for (int64_t n = 0; n < nd->src[X]->n; n++)
		for (int64_t k = 0; k < groups; k++) {
			add_norm(&(struct group){ nd, n, k * per, per, true }, 1);
			add_norm(&(struct group){ nd, n, k * per, per, false }, -1);
		}
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->ref[i] *= dropout_factor(nd, nd->dst[0], nd->args.norm.drop, i);
}

const struct op_row op_groupnorm_change = {
	.name = "groupnorm_change",
	.meaning = "groupnorm(x + d) - groupnorm(x)",
	.ref = change_ref,
	.cpu = op_cpu_by_ref,
	.low = true,
};
