/* graph_life.c - see graph_life.h. */
#include "model/graph/graph_life.h"

#include "model/graph/graph_impl.h"

size_t graph_block_bytes(const struct graph *g, const struct tensor *t)
{
	size_t align = g->backend->ops->align;
	return (tensor_bytes(t) + align - 1) / align * align;
}

void graph_live_at(struct tensor *t, int at)
{
	if (t && t->first < 0)
		t->first = at;
	if (t && t->last < at)
		t->last = at;
}

void graph_find_lives(struct graph *g)
{
	for (int i = 0; i < g->n_tensors; i++)
		g->tensors[i]->first = g->tensors[i]->last = -1;
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *nd = g->nodes[i];
		for (int j = 0; j < nd->n_src; j++)
			graph_live_at(nd->src[j], i);
		for (int j = 0; j < nd->n_dst; j++)
			graph_live_at(nd->dst[j], i);
		graph_live_at(nd->work, i);
	}
	for (int i = 0; i < g->n_tensors; i++) {
		struct tensor *t = g->tensors[i];
		if (t->role == TENSOR_INPUT)
			t->first = 0;
		if (t->keep && t->first >= 0)
			t->last = g->n_nodes;
	}
}
