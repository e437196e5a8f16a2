/* dot.c - per image, the sum of the products of two tensors' values: what a slope gives for a change, and the square of
 * an image's norm. In double. And a constant, which slopes of a distance are taken with. */
#include "model/graph/graph.h"

#include "model/base/cpu.h"
#include "model/base/err.h"

/* ---- dot: a, b -> d (N) ------------------------------------------------------------------------- */

struct tensor *graph_dot(struct graph *g, struct tensor *a, struct tensor *b)
{
	if (tensor_count(a) != tensor_count(b) || a->n != b->n)
		BUG("dot: %zu and %zu values", tensor_count(a), tensor_count(b));
	struct tensor *d = graph_temp(g, a->n, 1, 1, 1);
	(void)graph_node(g, OP_dot, NULL, 2, (struct tensor *[]){ a, b }, 1, &d);
	return d;
}

static void dot_ref(struct node *nd)
{
	const struct tensor *a = nd->src[0], *b = nd->src[1];
	size_t per = tensor_count(a) / (size_t)a->n;
	for (size_t n = 0; n < (size_t)a->n; n++) {
		double sum = 0;
		for (size_t i = n * per; i < (n + 1) * per; i++)
			sum += a->ref[i] * b->ref[i];
		nd->dst[0]->ref[n] = sum;
	}
}

CPU_KERNEL static double sum_of_products(const float *a, const float *b, int64_t n)
{
	enum { LANES = 16 };
	double part[LANES] = { 0 }, total = 0;
	int64_t i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			part[j] += (double)a[i + j] * (double)b[i + j];
	for (; i < n; i++)
		total += (double)a[i] * (double)b[i];
	for (int j = 0; j < LANES; j++)
		total += part[j];
	return total;
}

static void dot_range(void *ctx, int64_t first, int64_t last)
{
	const struct node *nd = ctx;
	const struct tensor *a = nd->src[0], *b = nd->src[1];
	int64_t per = a->h * a->w * a->c;
	for (int64_t n = first; n < last; n++)
		nd->dst[0]->data[n] = (float)sum_of_products(a->data + n * per, b->data + n * per, per);
}

static void dot_cpu(struct node *nd)
{
	cpu_split(nd->src[0]->n, 1, dot_range, nd);
}

const struct op_row op_dot = {
	.name = "dot", .meaning = "d[n] = the sum of a b over image n", .ref = dot_ref, .cpu = dot_cpu
};

/* ---- constant: -> s everywhere ------------------------------------------------------------------ */

struct tensor *graph_constant(struct graph *g, const struct tensor *x, double s)
{
	struct tensor *y = graph_like(g, x);
	(void)graph_node(g, OP_constant, &(union op_args){ .scale = { s } }, 0, NULL, 1, &y);
	return y;
}

static void constant_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->ref[i] = nd->args.scale.s;
}

static void constant_cpu(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->data[i] = (float)nd->args.scale.s;
}

const struct op_row op_constant = {
	.name = "constant", .meaning = "y = s", .ref = constant_ref, .cpu = constant_cpu, .low = true
};
