/* change.c - see change.h. A walk over the first pass's nodes; every tensor of it is, in the second pass, either the
 * same, or another one that is computed in full, or itself plus a change. */
#include "model/nets/change.h"

#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/graph/graph_impl.h"

#include <stdlib.h>

enum form { SAME, WHOLE, CHANGED };
struct twin {
	enum form form;
	struct tensor *t;
}; /* CHANGED: t is the change */

struct changes {
	struct graph *g;
	const struct pass *from;
	struct twin x, noise, *made; /* made: of node from->first + i's first result */
	enum store store;
};

bool graph_is_low(const struct graph *g)
{
	return g->backend->dtype != DTYPE_FP32;
}

static struct twin twin_of(const struct changes *k, struct tensor *t)
{
	if (t == k->from->x)
		return k->x;
	if (t == k->from->noise)
		return k->noise;
	if (t->role == TENSOR_PARAM && t->store != k->store)
		return (struct twin){ WHOLE, graph_param(k->g, t->name, k->store, t->at, t->n, t->h, t->w, t->c) };
	if (t->maker && t->maker->index >= k->from->first)
		return k->made[t->maker->index - k->from->first];
	return (struct twin){ SAME, t };
}

static struct tensor *of_conv(struct graph *g, const struct node *nd, const struct twin *t)
{
	REQUIRE(!nd->args.conv.relu);
	struct tensor *y = graph_again(g, nd, (struct tensor *[]){ t[0].t, t[1].t, NULL });
	if (t[1].form == SAME)
		return y;
	struct tensor *dw = graph_detached(g, t[1].t, nd->src[1], -1),
				  *db = nd->src[2] ? graph_detached(g, t[2].t, nd->src[2], -1) : NULL;
	return graph_add_scaled(g, y, graph_again(g, nd, (struct tensor *[]){ nd->src[0], dw, db }), 1);
}

static struct tensor *of_norm(struct graph *g, const struct node *nd, const struct twin *t)
{
	struct norm_change numbers = { { nd->src[1], t[1].t }, { nd->src[2], t[2].t }, { nd->src[3], t[3].t } };
	return graph_groupnorm_change(g, nd->src[0], t[0].t, &numbers, &nd->args);
}

static struct tensor *changed(struct changes *k, const struct node *nd, const struct twin *t)
{
	struct tensor *src[MAX_SRC] = { NULL };
	for (int i = 0; i < nd->n_src; i++)
		src[i] = t[i].t;
	switch (nd->op) {
	case OP_conv2d: return of_conv(k->g, nd, t);
	case OP_groupnorm: return of_norm(k->g, nd, t);
	case OP_attention: return graph_attention_change(k->g, nd->src[0], t[0].t, nd->dst[1], nd->args.attention.heads);
	case OP_add_scaled:
	case OP_concat: REQUIRE(t[0].form == CHANGED && t[1].form == CHANGED); return graph_again(k->g, nd, src);
	case OP_scale:
	case OP_resample:
	case OP_slice:
	case OP_shuffle:
	case OP_dropout: return graph_again(k->g, nd, src);
	default: BUG("%s of a change", op_row(nd->op)->name);
	}
}

static struct twin walk_node(struct changes *k, const struct node *nd)
{
	struct twin t[MAX_SRC] = { 0 };
	struct tensor *src[MAX_SRC] = { NULL };
	enum form form = SAME;
	for (int i = 0; i < nd->n_src; i++) {
		if (nd->src[i])
			t[i] = twin_of(k, nd->src[i]);
		src[i] = t[i].t;
		form = t[i].form > form ? t[i].form : form;
	}
	if (form == SAME)
		return (struct twin){ SAME, nd->dst[0] };
	return (struct twin){ form, form == CHANGED ? changed(k, nd, t) : graph_again(k->g, nd, src) };
}

struct tensor *graph_change(struct graph *g, const struct pass *from, struct tensor *x, struct tensor *noise,
                            enum store store)
{
	struct changes k = { .g = g, .from = from, .noise = { WHOLE, noise }, .store = store };
	SCOPED(free) struct twin *made = xcalloc((size_t)(from->last - from->first) + 1, sizeof *made);
	k.made = made;
	k.x = (struct twin){ CHANGED, graph_detached(g, x, from->x, -1) };
	for (int i = from->first; i < from->last; i++)
		made[i - from->first] = walk_node(&k, g->nodes[i]);
	struct twin last = twin_of(&k, from->result);
	REQUIRE(last.form == CHANGED);
	return graph_detached(g, from->result, last.t, 1);
}
