/* graph_run.c - planning (liveness, one block of memory) and running, on the CPU and in double. See graph.h.
 *
 * Planning: a tensor lives from the node that makes it to the last that reads it. A node marked in-place takes over its
 * first source's memory when that source dies there. Blocks are placed largest first at the lowest offset that no
 * living neighbour occupies. On a device whose kernels can, what concat joins is written where it belongs, and what
 * slice takes is read where it is, so that neither moves anything. */
#include "model/graph/graph_impl.h"

#include "model/graph/graph_delay.h"
#include "model/graph/graph_life.h"
#include "model/graph/graph_repeat.h"

#include "model/base/env.h"
#include "model/base/progress.h"

#include <stdlib.h>
#include <string.h>

static size_t align_of(const struct graph *g)
{
	return g->backend->ops->align;
}

static bool is_planned(const struct tensor *t)
{
	return t->role != TENSOR_PARAM && t->first >= 0;
}

static struct tensor *root(struct tensor *t)
{
	while (t->alias)
		t = t->alias;
	return t;
}

static int by_readiness(const void *pa, const void *pb)
{
	const struct handed *a = pa, *b = pb;
	if (a->ready != b->ready)
		return a->ready < b->ready ? -1 : 1;
	return (a->param->at > b->param->at) - (a->param->at < b->param->at);
}

/* Gradients that are handed over become planned tensors; each lives until nothing reads its parameter any more. */
static void plan_handing_over(struct graph *g)
{
	for (int i = 0; i < g->n_handed; i++) {
		struct handed *h = &g->handed[i];
		h->ready = h->grad->last > h->param->last ? h->grad->last : h->param->last;
		h->grad->role = TENSOR_TEMP;
		h->grad->last = h->ready;
	}
	if (g->n_handed)
		qsort(g->handed, (size_t)g->n_handed, sizeof *g->handed, by_readiness);
}

enum { CHANNELS_AT_ONCE = 8 }; /* a kernel moves that many: ranges begin and end there */

/* Does every node that touches the part, but `mover`, take a tensor with a pitch? */
static bool all_strided(const struct graph *g, const struct tensor *part, const struct node *mover)
{
	for (int i = part->first; i <= part->last; i++) {
		const struct node *nd = g->nodes[i];
		bool touches = false;
		for (int j = 0; j < nd->n_src; j++)
			touches |= nd->src[j] == part;
		for (int j = 0; j < nd->n_dst; j++)
			touches |= nd->dst[j] == part;
		if (touches && nd != mover && !op_row(nd->op)->strided)
			return false;
	}
	return true;
}

static bool has_parts(const struct graph *g, const struct tensor *t)
{
	for (int i = 0; i < g->n_tensors; i++)
		if (g->tensors[i]->wide == t)
			return true;
	return false;
}

static bool may_be_part(const struct graph *g, const struct channels *c, const struct node *mover)
{
	const struct tensor *part = c->part, *wide = c->wide;
	return part->role == TENSOR_TEMP && wide->role == TENSOR_TEMP && !part->keep && part->type == wide->type &&
	       !part->wide && !wide->wide && !has_parts(g, part) && (part->c | c->at | wide->c) % CHANNELS_AT_ONCE == 0 &&
	       all_strided(g, part, mover);
}

/* Parts of wider tensors lie in them, which then live as long as their parts. */
static void place_parts(struct graph *g)
{
	struct channels c;
	for (int i = 0; i < g->n_nodes && g->backend->ops->strided; i++) {
		const struct node *nd = g->nodes[i];
		for (int k = 0; op_row(nd->op)->channels && op_row(nd->op)->channels(nd, k, &c); k++) {
			if (!may_be_part(g, &c, nd))
				continue;
			c.part->wide = c.wide;
			c.part->wide_at = c.at;
			c.wide->first = c.part->first < c.wide->first ? c.part->first : c.wide->first;
			c.wide->last = c.part->last > c.wide->last ? c.part->last : c.wide->last;
			c.part->first = -1; /* no memory of its own */
		}
	}
}

static void share_in_place(struct graph *g)
{
	for (int i = 0; i < g->n_nodes; i++) {
		struct node *nd = g->nodes[i];
		struct tensor *src = nd->src[0], *dst = nd->dst[0];
		if (!node_in_place(g, nd) || src->wide || dst->wide)
			continue;
		bool by_element = op_row(nd->op)->inplace; /* then another source may be the same tensor */
		for (int j = 1; j < nd->n_src; j++)
			if (nd->src[j] && (nd->src[j] != src || !by_element) && root(nd->src[j]) == root(src))
				src = NULL, j = nd->n_src;
		if (!src || root(src)->last != i || dst->first != i)
			continue;
		dst->alias = root(src);
		root(src)->last = dst->last;
	}
}

static int larger_first(const void *pa, const void *pb)
{
	const struct tensor *a = *(struct tensor *const *)pa, *b = *(struct tensor *const *)pb;
	size_t na = tensor_bytes(a), nb = tensor_bytes(b);
	if (na != nb)
		return na < nb ? 1 : -1;
	return a->first != b->first ? (a->first < b->first ? -1 : 1) : (a->last < b->last) - (a->last > b->last);
}

static int by_offset(const void *pa, const void *pb)
{
	const struct tensor *a = *(struct tensor *const *)pa, *b = *(struct tensor *const *)pb;
	return (a->offset > b->offset) - (a->offset < b->offset);
}

static bool lives_at(const struct tensor *t, int node)
{
	return t->first <= node && node <= t->last;
}

/* The node with most in memory. */
static int fullest_node(const struct graph *g, struct tensor *const *tensors, int n)
{
	size_t most = 0;
	int fullest = 0;
	for (int node = 0; node < g->n_nodes; node++) {
		size_t live = 0;
		for (int i = 0; i < n; i++)
			live += lives_at(tensors[i], node) ? graph_block_bytes(g, tensors[i]) : 0;
		if (live > most) {
			most = live;
			fullest = node;
		}
	}
	return fullest;
}

static int longer_first(const void *pa, const void *pb)
{
	const struct tensor *a = *(struct tensor *const *)pa, *b = *(struct tensor *const *)pb;
	int la = a->last - a->first, lb = b->last - b->first;
	return la != lb ? (la < lb ? 1 : -1) : larger_first(pa, pb);
}

/* What lives at the fullest node first, without a gap: the one that lives longest at the bottom. */
static void order_by_peak(const struct graph *g, struct tensor **order, int n)
{
	int peak = fullest_node(g, order, n), n_live = 0;
	for (int i = 0; i < n; i++)
		if (lives_at(order[i], peak)) {
			struct tensor *t = order[i];
			order[i] = order[n_live];
			order[n_live++] = t;
		}
	qsort(order, (size_t)n_live, sizeof *order, longer_first);
	qsort(order + n_live, (size_t)(n - n_live), sizeof *order, larger_first);
}

/* Each in turn, in the first gap that holds it beside those that live when it does. Returns the bytes of all. */
static size_t place_in_turn(const struct graph *g, struct tensor **order, int n)
{
	size_t bytes = 0;
	SCOPED(free) struct tensor **busy = xcalloc((size_t)n + 1, sizeof *busy);
	for (int i = 0; i < n; i++) {
		struct tensor *t = order[i];
		int n_busy = 0;
		for (int j = 0; j < i; j++)
			if (order[j]->first <= t->last && t->first <= order[j]->last)
				busy[n_busy++] = order[j];
		qsort(busy, (size_t)n_busy, sizeof *busy, by_offset);
		size_t at = 0;
		for (int j = 0; j < n_busy; j++) {
			if (busy[j]->offset >= at + graph_block_bytes(g, t))
				break;
			size_t end = busy[j]->offset + graph_block_bytes(g, busy[j]);
			at = end > at ? end : at;
		}
		t->offset = at;
		if (at + graph_block_bytes(g, t) > bytes)
			bytes = at + graph_block_bytes(g, t);
	}
	return bytes;
}

/* Which of two orders leaves less space unused depends on the network: the better one is taken. */
static void place(struct graph *g)
{
	int n = 0;
	SCOPED(free) struct tensor **order = xcalloc((size_t)g->n_tensors + 1, sizeof *order);
	for (int i = 0; i < g->n_tensors; i++)
		if (is_planned(g->tensors[i]) && !g->tensors[i]->alias)
			order[n++] = g->tensors[i];
	order_by_peak(g, order, n);
	size_t by_peak = place_in_turn(g, order, n);
	qsort(order, (size_t)n, sizeof *order, larger_first);
	g->bytes = place_in_turn(g, order, n);
	if (by_peak < g->bytes) {
		order_by_peak(g, order, n);
		g->bytes = place_in_turn(g, order, n);
	}
}

/* Every tensor on its own, a guard block before and after each. */
static void place_apart(struct graph *g)
{
	g->bytes = align_of(g);
	for (int i = 0; i < g->n_tensors; i++) {
		struct tensor *t = g->tensors[i];
		if (!is_planned(t))
			continue;
		t->offset = g->bytes;
		g->bytes += graph_block_bytes(g, t) + align_of(g);
	}
}

/* Guard bytes differ from place to place, and are numbers beyond 1e38 as floats and as bf16, so that reading them
 * shows. */
static unsigned char guard_byte(size_t at)
{
	return at % 2 ? 0x7F : (unsigned char)((at / 2 * 37 + at / 256 * 11) % 0x80);
}

/* Guards are in front of each block and in the unused tail of its last line. */
static void paint(struct graph *g)
{
	SCOPED(free) char *image = xmalloc(g->bytes);
	for (size_t i = 0; i < g->bytes; i++)
		image[i] = (char)guard_byte(i);
	for (int i = 0; i < g->n_tensors; i++) {
		struct tensor *t = g->tensors[i];
		if (is_planned(t))
			memset(image + t->offset, 0xFF, tensor_bytes(t)); /* a NaN */
	}
	g->backend->ops->memory.upload(g->backend, g->memory, image, g->bytes);
}

const char *graph_check_guards(const struct graph *g)
{
	SCOPED(free) unsigned char *image = xmalloc(g->bytes);
	g->backend->ops->memory.download(g->backend, image, g->memory, g->bytes);
	for (int i = 0; i < g->n_tensors; i++) {
		const struct tensor *t = g->tensors[i];
		if (!is_planned(t))
			continue;
		const unsigned char *start = image + t->offset;
		const unsigned char *end = start + tensor_bytes(t), *next = start + graph_block_bytes(g, t) + align_of(g);
		for (const unsigned char *p = end; p < next; p++)
			if (*p != guard_byte((size_t)(p - image)))
				return t->maker ? op_row(t->maker->op)->name : t->name;
	}
	return NULL;
}

void graph_plan_guarded(struct graph *g)
{
	g->guarded = true;
	graph_plan(g);
}

void graph_plan(struct graph *g)
{
	struct err e = ERR_INIT;
	if (graph_try_plan(g, &e))
		BUG("%s", e.msg);
}

static void find_scratch(struct graph *g, struct node *nd, size_t (*prepare)(struct backend *b, struct node *nd))
{
	size_t scratch = prepare(g->backend, nd);
	if (scratch)
		nd->work = graph_temp(g, 1, 1, 1, (int64_t)((scratch + sizeof(float) - 1) / sizeof(float)));
}

/* Lifetimes and places of all tensors; prepare: of the back end, for the scratch of a node. */
static int find_places(struct graph *g, size_t (*prepare)(struct backend *b, struct node *nd), struct err *e)
{
	REQUIRE(!g->planned);
	if (g->backend->ops->repeats)
		(void)graph_delay(g);
	for (int i = 0; i < g->n_nodes; i++)
		find_scratch(g, g->nodes[i], prepare);
	if (g->backend->ops->repeats && graph_repeat(g))
		for (int i = g->backward_at; i < g->n_nodes; i++)
			if (g->nodes[i]->again)
				find_scratch(g, g->nodes[i], prepare);
	if (g->backend->ops->check(g->backend, e))
		return -1;
	graph_find_lives(g);
	plan_handing_over(g);
	if (g->guarded) {
		place_apart(g);
	} else {
		place_parts(g);
		share_in_place(g);
		place(g);
	}
	return 0;
}

int graph_measure(struct graph *g, struct err *e)
{
	const struct backend_nodes *nodes = &g->backend->ops->nodes;
	return find_places(g, nodes->measure ? nodes->measure : nodes->prepare, e);
}

int graph_try_plan(struct graph *g, struct err *e)
{
	if (find_places(g, g->backend->ops->nodes.prepare, e))
		return -1;
	g->memory = g->backend->ops->memory.alloc(g->backend, g->bytes, e);
	if (!g->memory)
		return -1;
	if (g->guarded)
		paint(g);
	for (int i = 0; i < g->n_tensors; i++) {
		struct tensor *t = g->tensors[i];
		if (is_planned(t))
			t->data = (float *)(void *)(g->memory + root(t)->offset);
		if (is_planned(t) && t->role == TENSOR_INPUT && tensor_count(t) == (size_t)t->n)
			t->host = g->backend->ops->host_memory ? t->data : arena_alloc(&g->arena, tensor_bytes(t));
	}
	for (int i = 0; i < g->n_tensors; i++) {
		struct tensor *t = g->tensors[i];
		size_t value = t->type == TENSOR_BF16 ? 2 : 4;
		if (t->wide)
			t->data = (float *)(void *)((char *)t->wide->data + (size_t)t->wide_at * value);
	}
	g->planned = true;
	if (env_get(ENV_ABLATE_PROFILE))
		g->node_seconds = xcalloc((size_t)g->n_nodes, sizeof *g->node_seconds);
	g->profiled_runs = -1; /* the first is not counted */
	return 0;
}

void graph_bind(struct graph *g, enum store store, float *values)
{
	for (int i = 0; i < g->n_tensors; i++) {
		struct tensor *t = g->tensors[i];
		if (t->role == TENSOR_PARAM && t->store == store)
			t->data = values + t->at;
	}
}

void graph_bind_low(struct graph *g, enum store store, const void *low)
{
	for (int i = 0; i < g->n_tensors; i++) {
		struct tensor *t = g->tensors[i];
		if (t->role == TENSOR_PARAM && t->store == store)
			t->low = low ? (const uint16_t *)low + t->at : NULL;
	}
}

void graph_set_step(struct graph *g, uint64_t seed, uint32_t step)
{
	g->step.seed = seed;
	g->step.step = step;
	g->backend->ops->nodes.set_step(g->backend, &g->step);
}

void graph_set_first(struct graph *g, uint32_t first)
{
	g->step.first = first;
}

void graph_after_node(struct graph *g, void (*call)(void *ctx, int node), void *ctx)
{
	g->after_node = call;
	g->after_ctx = ctx;
}

void graph_run(struct graph *g)
{
	REQUIRE(g->planned);
	const struct handed *h = g->handed, *end = h + g->n_handed;
	for (int i = 0; i < g->n_nodes; i++) {
		if (g->taker.begin && i == g->backward_at)
			g->taker.begin(g->taker.ctx);
		if (g->node_seconds)
			graph_profile_run(g, i);
		else
			g->backend->ops->nodes.run(g->backend, g->nodes[i]);
		if (g->after_node)
			g->after_node(g->after_ctx, i);
		for (; h < end && h->ready <= i; h++)
			g->taker.take(g->taker.ctx, h->param->at, tensor_count(h->param), h->grad->data);
	}
	g->profiled_runs++;
}

static uint16_t bf16_of(float x) /* round to nearest even; a NaN stays one */
{
	uint32_t u;
	memcpy(&u, &x, sizeof u);
	if (x != x)
		return (uint16_t)(u >> 16 | 0x40);
	return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

static float of_bf16(uint16_t x)
{
	uint32_t u = (uint32_t)x << 16;
	float v;
	memcpy(&v, &u, sizeof v);
	return v;
}

void graph_write(struct graph *g, struct tensor *t, size_t first, const float *src, size_t n)
{
	REQUIRE(t->data && !t->by_taps && first + n <= tensor_count(t));
	if (t->type == TENSOR_F32) {
		g->backend->ops->memory.upload(g->backend, t->data + first, src, n * sizeof *src);
		return;
	}
	SCOPED(free) uint16_t *low = xcalloc(n + 1, sizeof *low);
	for (size_t i = 0; i < n; i++)
		low[i] = bf16_of(src[i]);
	g->backend->ops->memory.upload(g->backend, (char *)t->data + 2 * first, low, 2 * n);
}

void graph_send(struct graph *g)
{
	for (int i = 0; i < g->n_tensors; i++) {
		struct tensor *t = g->tensors[i];
		if (t->host && t->host != t->data)
			graph_write(g, t, 0, t->host, tensor_count(t));
	}
}

void graph_read(const struct graph *g, float *dst, const struct tensor *t, size_t first, size_t n)
{
	REQUIRE(t->data && !t->by_taps && first + n <= tensor_count(t));
	if (t->type == TENSOR_F32) {
		g->backend->ops->memory.download(g->backend, dst, t->data + first, n * sizeof *dst);
		return;
	}
	SCOPED(free) uint16_t *low = xcalloc(n + 1, sizeof *low);
	g->backend->ops->memory.download(g->backend, low, (const char *)t->data + 2 * first, 2 * n);
	for (size_t i = 0; i < n; i++)
		dst[i] = of_bf16(low[i]);
}

/* ---- in double -------------------------------------------------------------------------------------------------- */

static void load_ref(const struct graph *g, struct tensor *t)
{
	size_t n = tensor_count(t);
	bool fresh = !t->ref;
	if (fresh)
		t->ref = xcalloc(n, sizeof *t->ref);
	if (t->maker || !t->data || (t->role == TENSOR_PARAM && t->store == STORE_GRAD))
		return;
	SCOPED(free) float *values = xcalloc(n, sizeof *values);
	graph_read(g, values, t, 0, n);
	for (size_t i = 0; i < n; i++)
		t->ref[i] = (double)values[i];
}

void graph_rerun_ref(struct graph *g)
{
	for (int i = 0; i < g->n_nodes; i++)
		op_row(g->nodes[i]->op)->ref(g->nodes[i]);
}

void graph_load_ref(struct graph *g)
{
	for (int i = 0; i < g->n_tensors; i++)
		load_ref(g, g->tensors[i]);
}

void graph_run_ref(struct graph *g)
{
	graph_load_ref(g);
	graph_rerun_ref(g);
}
