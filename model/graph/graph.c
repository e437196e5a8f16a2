/* graph.c - recording, and the backward pass as more recording. Planning and running are in graph_run.c. See
 * graph.h. */
#include "model/graph/graph_impl.h"

#include <stdlib.h>

struct graph *graph_new_on(struct backend *b)
{
	struct graph *g = xcalloc(1, sizeof *g);
	g->backend = b;
	return g;
}

void graph_free_ref(struct graph *g)
{
	for (int i = 0; i < g->n_tensors; i++) {
		free(g->tensors[i]->ref);
		g->tensors[i]->ref = NULL;
	}
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	for (int i = 0; i < g->n_nodes; i++)
		g->backend->ops->nodes.release(g->backend, g->nodes[i]);
	graph_free_ref(g);
	if (g->memory)
		g->backend->ops->memory.release(g->backend, g->memory);
	free(g->nodes);
	free(g->tensors);
	free(g->handed);
	free(g->node_seconds);
	arena_release(&g->arena);
	free(g);
}

static struct tensor *make(struct graph *g, int64_t n, int64_t h, int64_t w, int64_t c)
{
	if (n <= 0 || h <= 0 || w <= 0 || c <= 0)
		BUG("tensor of %lld x %lld x %lld x %lld", (long long)n, (long long)h, (long long)w, (long long)c);
	if (g->planned)
		BUG("recording into a planned graph");
	struct tensor *t = arena_alloc(&g->arena, sizeof *t);
	*t = (struct tensor){ .name = "", .n = n, .h = h, .w = w, .c = c, .first = -1, .last = -1 };
	VEC_PUSH(g->tensors, g->n_tensors, g->cap_tensors) = t;
	return t;
}

struct tensor *graph_temp(struct graph *g, int64_t n, int64_t h, int64_t w, int64_t c)
{
	return make(g, n, h, w, c);
}

struct tensor *graph_like(struct graph *g, const struct tensor *t)
{
	struct tensor *like = make(g, t->n, t->h, t->w, t->c);
	like->by_taps = t->by_taps;
	return like;
}

struct tensor *graph_input(struct graph *g, const char *name, int64_t n, int64_t h, int64_t w, int64_t c)
{
	struct tensor *t = make(g, n, h, w, c);
	t->role = TENSOR_INPUT;
	t->keep = true;
	t->name = arena_strdup(&g->arena, name);
	return t;
}

void graph_by_taps(struct graph *g, enum store store)
{
	g->by_taps[store] = g->backend->ops->by_taps;
}

struct tensor *graph_param(struct graph *g, const char *name, enum store store, size_t at, int64_t n, int64_t h,
                           int64_t w, int64_t c)
{
	struct tensor *t = make(g, n, h, w, c);
	t->role = TENSOR_PARAM;
	t->store = store;
	t->at = at;
	t->by_taps = g->by_taps[store] && h > 1 && w * c > 1; /* else both orders are one */
	t->needs_grad = store == STORE_STUDENT;
	t->name = arena_strdup(&g->arena, name);
	return t;
}

void graph_forward_mode(struct graph *g, bool on)
{
	g->forward_mode = on;
}

void graph_keep(struct tensor *t)
{
	t->keep = true;
}

/* What changes of nd's first result, by its op's rule. */
static void record_tangent(struct graph *g, struct node *nd)
{
	struct tensor *d[MAX_SRC] = { NULL };
	bool changes = false;
	for (int i = 0; i < nd->n_src; i++) {
		d[i] = nd->src[i] ? nd->src[i]->tangent : NULL;
		changes |= d[i] != NULL;
	}
	if (!changes || !op_row(nd->op)->jvp)
		return;
	int first = g->n_tensors;
	bool exact = g->exact;
	g->forward_mode = false;
	g->exact = nd->exact;
	nd->dst[0]->tangent = op_row(nd->op)->jvp(g, nd, d);
	g->exact = exact;
	g->forward_mode = true;
	for (int i = first; i < g->n_tensors; i++)
		g->tensors[i]->needs_grad = false;
}

struct node *graph_node(struct graph *g, enum op op, const union op_args *args, int n_src, struct tensor *const *src,
                        int n_dst, struct tensor *const *dst)
{
	REQUIRE(n_src <= MAX_SRC && n_dst <= MAX_DST && n_dst > 0);
	struct node *nd = arena_alloc(&g->arena, sizeof *nd);
	*nd = (struct node){
		.op = op, .index = g->n_nodes, .n_src = n_src, .n_dst = n_dst, .step = &g->step, .exact = g->exact
	};
	if (args)
		nd->args = *args;
	nd->exact |= g->backend->dtype == DTYPE_FP32;
	nd->exact |= n_src > 0 && src[0] && tensor_is_vector(src[0]) && tensor_is_vector(dst[0]);
	bool needs_grad = false;
	for (int i = 0; i < n_src; i++) {
		nd->src[i] = src[i];
		needs_grad |= src[i] && src[i]->needs_grad;
	}
	for (int i = 0; i < n_dst; i++) {
		nd->dst[i] = dst[i];
		if (dst[i] && !dst[i]->maker)
			dst[i]->maker = nd;
	}
	if (op_row(op)->backward)
		dst[0]->needs_grad = needs_grad;
	VEC_PUSH(g->nodes, g->n_nodes, g->cap_nodes) = nd;
	if (g->forward_mode)
		record_tangent(g, nd);
	return nd;
}

struct tensor *graph_again(struct graph *g, const struct node *nd, struct tensor *const *src)
{
	struct tensor *dst[MAX_DST] = { NULL };
	for (int i = 0; i < nd->n_dst; i++)
		dst[i] = nd->dst[i] ? graph_like(g, nd->dst[i]) : NULL;
	(void)graph_node(g, nd->op, &nd->args, nd->n_src, src, nd->n_dst, dst);
	return dst[0];
}

/* ---- gradients -------------------------------------------------------------------------------------------------- */

struct tensor *graph_grad_dst(struct graph *g, struct tensor *t)
{
	if (t->role != TENSOR_PARAM)
		return graph_like(g, t);
	struct tensor *grad = graph_like(g, t);
	if (t->grad) /* a second use of the same parameter: made separately, then added to the first */
		return grad;
	grad->role = TENSOR_PARAM;
	grad->store = STORE_GRAD;
	grad->at = t->at;
	grad->name = t->name;
	return grad;
}

bool graph_sum_pixels(struct graph *g, struct tensor *sums, struct tensor *x)
{
	struct node *nd = x->maker;
	int at = nd && nd->dst[0] == x && op_row(nd->op)->sums ? op_row(nd->op)->sums(nd) : 0;
	if (!g->backend->ops->sums || !at)
		return false;
	if (nd->dst[at]) {
		(void)graph_node(g, OP_scale, &(union op_args){ .scale = { 1 } }, 1, &nd->dst[at], 1, &sums);
		return true;
	}
	nd->dst[at] = sums;
	nd->n_dst = at + 1;
	sums->maker = nd;
	return true;
}

void graph_add_grad(struct graph *g, struct tensor *t, struct tensor *grad)
{
	if (!t->needs_grad)
		return;
	if (!t->grad) {
		t->grad = grad;
		return;
	}
	struct tensor *sum = t->grad->role == TENSOR_PARAM ? t->grad : graph_like(g, t);
	(void)graph_node(g, OP_add_scaled, &(union op_args){ .scale = { 1 } }, 2, (struct tensor *[]){ t->grad, grad }, 1,
	                 (struct tensor *[]){ sum });
	t->grad = sum;
}

struct tensor *graph_take_grad(struct tensor *t)
{
	struct tensor *grad = t->grad;
	t->grad = NULL;
	return grad;
}

void graph_backward(struct graph *g, struct tensor *loss)
{
	g->backward_at = g->n_nodes;
	for (int i = g->backward_at - 1; i >= 0; i--) {
		struct node *nd = g->nodes[i];
		if (!nd->dst[0]->needs_grad || (!nd->dst[0]->grad && nd->dst[0] != loss))
			continue;
		g->exact = nd->exact;
		op_row(nd->op)->backward(g, nd);
	}
	g->exact = false;
	for (int i = 0; i < g->n_tensors; i++) { /* an input's gradient is a result */
		struct tensor *t = g->tensors[i];
		if (t->role == TENSOR_INPUT && t->grad)
			t->grad->keep = true;
	}
}

void graph_hand_over(struct graph *g, struct graph_taker to)
{
	REQUIRE(!g->planned && g->backward_at > 0 && g->n_handed == 0);
	g->taker = to;
	for (int i = 0; i < g->n_tensors; i++) {
		struct tensor *t = g->tensors[i];
		if (t->role == TENSOR_PARAM && t->store == STORE_STUDENT && t->grad)
			VEC_PUSH(g->handed, g->n_handed, g->cap_handed) = (struct handed){ .param = t, .grad = t->grad };
	}
}

bool graph_hands_over(const struct graph *g, size_t at)
{
	for (int i = 0; i < g->n_handed; i++)
		if (g->handed[i].param->at == at)
			return true;
	return false;
}

void graph_set_exact(struct graph *g, bool exact)
{
	g->exact = exact;
}

int graph_set_low(struct graph *g)
{
	int n = 0;
	REQUIRE(!g->planned);
	for (int i = 0; g->backend->ops->training.round && i < g->n_tensors; i++) {
		struct tensor *t = g->tensors[i];
		if (t->role == TENSOR_TEMP && !t->keep && !tensor_is_vector(t) && t->maker && op_row(t->maker->op)->low &&
		    !t->maker->exact && t->maker->dst[0] == t)
			t->type = TENSOR_BF16;
	}
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *nd = g->nodes[i];
		for (int j = 0; j < nd->n_src; j++)
			if (nd->src[j] && (!op_row(nd->op)->low || nd->exact))
				nd->src[j]->type = TENSOR_F32;
	}
	for (int i = 0; i < g->n_tensors; i++)
		n += g->tensors[i]->type == TENSOR_BF16;
	return n;
}

int graph_nodes(const struct graph *g, struct node ***nodes)
{
	*nodes = g->nodes;
	return g->n_nodes;
}

bool node_in_place(const struct graph *g, const struct node *nd)
{
	const struct op_row *row = op_row(nd->op);
	const struct tensor *x = nd->src[0], *y = nd->dst[0];
	return (row->inplace || (row->inplace_cpu && g->backend->ops->host_memory)) && x && x != y &&
	       x->role == TENSOR_TEMP && y->role == TENSOR_TEMP && tensor_bytes(x) == tensor_bytes(y);
}

size_t graph_bytes(const struct graph *g)
{
	return g->bytes;
}

double graph_flops(const struct graph *g)
{
	double total = 0;
	for (int i = 0; i < g->n_nodes; i++)
		if (op_row(g->nodes[i]->op)->flops)
			total += op_row(g->nodes[i]->op)->flops(g->nodes[i]);
	return total;
}
