/* graph_repeat.c - see graph_repeat.h. Times are the numbers of the recorded nodes; a repeat takes place just before a
 * node of the backward pass, in whose time it is counted. */
#include "model/graph/graph_repeat.h"

#include "model/graph/graph_impl.h"
#include "model/graph/graph_life.h"

#include <limits.h>
#include <stdlib.h>

enum { NEVER = INT_MAX };

/* What is decided of a node of the forward pass. */
struct choice {
	bool possible, taken;
	int last_forward; /* the last node of the forward pass that reads dst[0], or the node itself */
	int backward;     /* the first of the backward pass that does; NEVER: none */
	int before;       /* the same with the repeats that read it: where its own repeat goes */
};

struct search {
	struct graph *g;
	struct choice *choices; /* (backward_at) */
	int64_t *change;        /* (n_nodes + 2): bytes that begin to live at a node, less those that ended before it */
	int peak;               /* the node with most in memory ... */
	int64_t most;           /* ... which is so much */
};

/* Signed, for differences. */
static int64_t bytes_of(const struct graph *g, const struct tensor *t)
{
	return (int64_t)graph_block_bytes(g, t);
}

/* The choice that concerns a tensor: of the node that makes it as its first result in the forward pass, or NULL. */
static struct choice *choice_of(const struct search *s, const struct tensor *t)
{
	const struct node *nd = t ? t->maker : NULL;
	return nd && nd->index < s->g->backward_at && nd->dst[0] == t ? &s->choices[nd->index] : NULL;
}

static void find_readers(struct search *s)
{
	const struct graph *g = s->g;
	for (int i = 0; i < g->backward_at; i++) {
		const struct tensor *y = g->nodes[i]->dst[0];
		s->choices[i] = (struct choice){ .possible = op_row(g->nodes[i]->op)->cheap && y->role == TENSOR_TEMP &&
			                                         !y->keep,
			                             .last_forward = i,
			                             .backward = NEVER };
	}
	for (int i = g->n_nodes - 1; i >= 0; i--)
		for (int j = 0; j < g->nodes[i]->n_src; j++) {
			struct choice *c = choice_of(s, g->nodes[i]->src[j]);
			if (c && i >= g->backward_at)
				c->backward = i;
			else if (c && c->last_forward < i)
				c->last_forward = i;
		}
}

/* The sources of repeats live until those, or are repeated before them. */
static void place_repeats(struct search *s)
{
	for (int i = 0; i < s->g->backward_at; i++)
		s->choices[i].before = s->choices[i].backward;
	for (int i = s->g->backward_at - 1; i >= 0; i--) {
		const struct node *nd = s->g->nodes[i];
		int at = s->choices[i].before;
		for (int j = 0; s->choices[i].taken && j < nd->n_src; j++) {
			struct choice *c = choice_of(s, nd->src[j]);
			graph_live_at(nd->src[j], at);
			if (c && c->before > at)
				c->before = at;
		}
		for (int j = 1; s->choices[i].taken && j < nd->n_dst; j++)
			graph_live_at(nd->dst[j], at);
	}
}

/* As they will be with the repeats that were chosen so far. */
static void find_lives(struct search *s)
{
	struct graph *g = s->g;
	graph_find_lives(g);
	for (int i = 0; i < g->n_handed; i++)
		graph_live_at(g->handed[i].grad, g->handed[i].param->last);
	place_repeats(s);
}

/* From `first` to `last`, both with it. */
static void count(struct search *s, int64_t bytes, int first, int last)
{
	if (first <= last) {
		s->change[first] += bytes;
		s->change[last + 1] -= bytes;
	}
}

static void find_peak(struct search *s)
{
	const struct graph *g = s->g;
	find_lives(s);
	for (int i = 0; i <= g->n_nodes + 1; i++)
		s->change[i] = 0;
	for (int i = 0; i < g->n_tensors; i++) {
		const struct tensor *t = g->tensors[i];
		if (t->role != TENSOR_PARAM && t->first >= 0)
			count(s, bytes_of(g, t), t->first, t->last);
	}
	for (int i = 0; i < g->n_handed; i++)
		count(s, bytes_of(g, g->handed[i].grad), g->handed[i].grad->first, g->handed[i].grad->last);
	for (int i = 0; i < g->n_nodes; i++) { /* written over its first source */
		const struct tensor *x = g->nodes[i]->src[0], *y = g->nodes[i]->dst[0];
		if (node_in_place(g, g->nodes[i]) && x->last == i && y->first == i)
			count(s, -bytes_of(g, x), i, i);
	}
	for (int i = 0; i < g->backward_at; i++) {
		const struct choice *c = &s->choices[i];
		if (c->taken)
			count(s, -bytes_of(g, g->nodes[i]->dst[0]), c->last_forward + 1, c->before - 1);
	}
	int64_t living = 0;
	s->most = -1;
	for (int i = 0; i < g->n_nodes; i++) {
		living += s->change[i];
		if (living > s->most)
			s->most = living, s->peak = i;
	}
}

/* Bytes less at the peak with a repeat of node i; 0 if it is none of its business. */
static int64_t gain(const struct search *s, int i)
{
	const struct choice *c = &s->choices[i];
	const struct node *nd = s->g->nodes[i];
	if (!c->possible || c->taken || c->before == NEVER || s->peak <= c->last_forward || s->peak >= c->before)
		return 0;
	int64_t bytes = bytes_of(s->g, nd->dst[0]);
	for (int j = 0; j < nd->n_src; j++) {
		const struct tensor *x = nd->src[j];
		const struct choice *own = choice_of(s, x);
		if (x && x->role == TENSOR_TEMP && x->last < s->peak && !(own && own->taken))
			bytes -= bytes_of(s->g, x); /* it would have to live longer */
	}
	return bytes;
}

static int choose(struct search *s)
{
	int n = 0;
	find_readers(s);
	find_peak(s);
	for (;;) {
		int best = -1;
		int64_t most = 0, before = s->most;
		for (int i = 0; i < s->g->backward_at; i++)
			if (gain(s, i) > most)
				most = gain(s, i), best = i;
		if (best < 0)
			return n;
		s->choices[best].taken = true;
		find_peak(s);
		if (s->most > before) { /* its sources stand in the way elsewhere */
			s->choices[best].taken = s->choices[best].possible = false;
			find_peak(s);
		} else {
			n++;
		}
	}
}

/* The repeat of a node whose sources have theirs already. */
static struct node *repeat(struct graph *g, const struct node *nd, struct tensor *const *made)
{
	struct node *again = arena_alloc(&g->arena, sizeof *again);
	*again = *nd;
	again->again = true;
	again->work = NULL;
	again->state = NULL;
	for (int j = 0; j < nd->n_src; j++) {
		const struct tensor *x = nd->src[j];
		if (x && x->maker && x == x->maker->dst[0] && x->maker->index < g->backward_at && made[x->maker->index])
			again->src[j] = made[x->maker->index];
	}
	again->dst[0] = graph_like(g, nd->dst[0]);
	again->dst[0]->maker = again;
	return again;
}

/* The nodes again in their order, with repeats where they go; the backward pass reads the repeats' results. */
static void insert(const struct search *s, int n)
{
	struct graph *g = s->g;
	SCOPED(free) struct tensor **made = xcalloc((size_t)g->backward_at, sizeof *made);
	struct node **nodes = xcalloc((size_t)g->n_nodes + (size_t)n, sizeof *nodes);
	int at = g->backward_at, n_recorded = g->n_nodes;
	for (int i = 0; i < g->backward_at; i++)
		nodes[i] = g->nodes[i];
	SCOPED(free) struct node **repeats = xcalloc((size_t)g->backward_at, sizeof *repeats);
	for (int i = 0; i < g->backward_at; i++)
		if (s->choices[i].taken)
			repeats[i] = repeat(g, g->nodes[i], made), made[i] = repeats[i]->dst[0];
	for (int k = g->backward_at; k < n_recorded; k++) {
		struct node *nd = g->nodes[k];
		for (int i = 0; i < g->backward_at; i++)
			if (repeats[i] && s->choices[i].before == k)
				nodes[at++] = repeats[i];
		for (int j = 0; j < nd->n_src; j++) {
			const struct choice *c = choice_of(s, nd->src[j]);
			if (c && c->taken)
				nd->src[j] = made[c - s->choices];
		}
		nodes[at++] = nd;
	}
	free(g->nodes);
	g->nodes = nodes;
	g->n_nodes = g->cap_nodes = at;
	REQUIRE(at == n_recorded + n);
	for (int i = 0; i < at; i++)
		nodes[i]->index = i;
}

int graph_repeat(struct graph *g)
{
	if (g->backward_at <= 0)
		return 0;
	SCOPED(free) struct choice *choices = xcalloc((size_t)g->backward_at, sizeof *choices);
	SCOPED(free) int64_t *change = xcalloc((size_t)g->n_nodes + 2, sizeof *change);
	struct search s = { .g = g, .choices = choices, .change = change };
	int n = choose(&s);
	if (n)
		insert(&s, n);
	return n;
}
