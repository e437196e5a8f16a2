/* graph_delay.c - see graph_delay.h. */
#include "model/graph/graph_delay.h"

#include "model/graph/graph_impl.h"

static bool reads(const struct node *nd, const struct tensor *t)
{
	for (int j = 0; j < nd->n_src; j++)
		if (nd->src[j] == t)
			return true;
	return false;
}

/* The first node from `from` on that reads t; n_nodes: none does. */
static int next_reader(const struct graph *g, const struct tensor *t, int from)
{
	while (from < g->n_nodes && !reads(g->nodes[from], t))
		from++;
	return from;
}

/* A gradient in STORE_GRAD may be added to in place, so its readers keep their order. */
static bool may_wait(const struct node *nd)
{
	bool may = nd->n_dst == 1 && nd->dst[0]->role == TENSOR_TEMP && !nd->dst[0]->keep;
	for (int j = 0; j < nd->n_src; j++)
		may &= !nd->src[j] || nd->src[j]->role != TENSOR_PARAM || nd->src[j]->store != STORE_GRAD;
	return may;
}

/* What a source takes if it has to live until node `at`: itself, or a gradient that is taken only when its parameter is
 * no longer read. */
static size_t cost(const struct graph *g, const struct tensor *x, int at)
{
	if (!x || x->keep || next_reader(g, x, at) < g->n_nodes)
		return 0;
	if (x->role == TENSOR_TEMP)
		return tensor_bytes(x);
	return x->role == TENSOR_PARAM && g->n_handed && x->grad ? tensor_bytes(x->grad) : 0;
}

static void move(struct graph *g, int from, int to)
{
	struct node *nd = g->nodes[from];
	for (int i = from; i < to; i++)
		g->nodes[i] = g->nodes[i + 1];
	g->nodes[to] = nd;
}

int graph_delay(struct graph *g)
{
	int n = 0;
	for (int i = g->n_nodes - 1; g->backward_at > 0 && i >= g->backward_at; i--) {
		const struct node *nd = g->nodes[i];
		if (!may_wait(nd))
			continue;
		int reader = next_reader(g, nd->dst[0], i + 1);
		size_t costs = 0;
		if (reader == i + 1 || reader == g->n_nodes)
			continue;
		for (int j = 0; j < nd->n_src; j++)
			costs += cost(g, nd->src[j], reader);
		if (costs < tensor_bytes(nd->dst[0]))
			move(g, i, reader - 1), n++;
	}
	for (int i = 0; i < g->n_nodes; i++)
		g->nodes[i]->index = i;
	return n;
}
