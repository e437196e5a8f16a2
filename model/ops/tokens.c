/* tokens.c - the sequence that a vision transformer attends over (Dosovitskiy et al., arXiv:2010.11929): one token that
 * is no picture's, then the pixels in their order, with a table of positions added.
 *   y[n,0,:] = table[0,:],  y[n,1+i,:] = x[n,i,:] + table[1+i,:]
 * x (N,H,W,C), table (1,1,H*W+1,C), which has the class token in its first row; y (N,1,H*W+1,C). */
#include "model/graph/tangent.h"

#include "model/base/cpu.h"
#include "model/base/err.h"

#include <string.h>

struct tensor *graph_tokens(struct graph *g, struct tensor *x, struct tensor *table)
{
	int64_t l = x->h * x->w + 1;
	if (table->n != 1 || table->h != 1 || table->w != l || table->c != x->c)
		BUG("tokens: %lld pixels of %lld channels, a table of %lld of %lld", (long long)(l - 1), (long long)x->c,
		    (long long)table->w, (long long)table->c);
	struct tensor *y = graph_temp(g, x->n, 1, l, x->c);
	(void)graph_node(g, OP_tokens, NULL, 2, (struct tensor *[]){ x, table }, 1, &y);
	return y;
}

static void forward_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0], *table = nd->src[1];
	int64_t row = table->w * table->c, at = 0;
	for (int64_t n = 0; n < x->n; n++)
		for (int64_t i = 0; i < row; i++, at++)
			nd->dst[0]->ref[at] = table->ref[i] + (i < x->c ? 0 : x->ref[at - (n + 1) * x->c]);
}

static void forward_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *x = nd->src[0], *table = nd->src[1];
	for (int64_t t = first; t < last; t++) {
		int64_t n = t / table->w, i = t % table->w, c = table->c;
		float *y = nd->dst[0]->data + t * c;
		const float *place = table->data + i * c, *value = x->data + (t - n - 1) * c;
		for (int64_t k = 0; k < c; k++)
			y[k] = i ? value[k] + place[k] : place[k];
	}
}

static void forward_cpu(struct node *nd)
{
	cpu_split(tensor_pixels(nd->dst[0]), 64, forward_range, nd);
}

static void backward(struct graph *g, struct node *nd)
{
	struct tensor *x = nd->src[0], *table = nd->src[1];
	struct tensor *dst[2] = { graph_like(g, x), graph_grad_dst(g, table) };
	(void)graph_node(g, OP_tokens_bwd, NULL, 1, (struct tensor *[]){ nd->dst[0]->grad }, 2, dst);
	for (int i = 0; i < 2; i++)
		if (nd->src[i]->needs_grad)
			graph_add_grad(g, nd->src[i], dst[i]);
}

static struct tensor *jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	return graph_tokens(g, tangent_or_zeros(g, d[0], nd->src[0]), tangent_or_zeros(g, d[1], nd->src[1]));
}

const struct op_row op_tokens = { .name = "tokens",
	                              .meaning = "y = [class token | pixels] + table of positions",
	                              .ref = forward_ref,
	                              .cpu = forward_cpu,
	                              .backward = backward,
	                              .jvp = jvp };

/* ---- tokens_bwd: dy -> dx, dtable; on a CPU, where no network trains through it, the specification ---- */

static void backward_ref(struct node *nd)
{
	const struct tensor *dy = nd->src[0];
	struct tensor *dx = nd->dst[0], *table = nd->dst[1];
	int64_t row = table->w * table->c, at = 0;
	memset(table->ref, 0, (size_t)row * sizeof *table->ref);
	for (int64_t n = 0; n < dy->n; n++)
		for (int64_t i = 0; i < row; i++, at++) {
			table->ref[i] += dy->ref[at];
			if (i >= dx->c)
				dx->ref[at - (n + 1) * dx->c] = dy->ref[at];
		}
}

const struct op_row op_tokens_bwd = {
	.name = "tokens_bwd", .meaning = "dx and dtable of tokens", .ref = backward_ref, .cpu = op_cpu_by_ref
};
