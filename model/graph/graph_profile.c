/* graph_profile.c - what a graph must move, and where its time goes: per kind of node, and for the shapes that take
 * most. Every node is waited for, so that a device's time is measured, with some microseconds of waiting in each; a
 * first run, which opens libraries and loads code, is not counted. */
#include "model/graph/graph_impl.h"
#include "model/base/progress.h"

#include <stdlib.h>

enum { SHAPES_SHOWN = 15 };

/* Channels that lie in the wider tensor already are not moved. */
static double moved(const struct node *nd)
{
	double bytes = 0;
	struct channels c;
	for (int i = 0; op_row(nd->op)->channels(nd, i, &c); i++)
		bytes += tensor_lies_in(c.part, c.wide, c.at) ? 0 : 2 * (double)tensor_bytes(c.part);
	return bytes;
}

double node_traffic(const struct node *nd)
{
	double bytes = 0;
	if (op_row(nd->op)->channels)
		return moved(nd);
	for (int i = 0; i < nd->n_src; i++)
		bytes += nd->src[i] ? (double)tensor_bytes(nd->src[i]) : 0;
	for (int i = 0; i < nd->n_dst; i++)
		bytes += nd->dst[i] ? (double)tensor_bytes(nd->dst[i]) : 0;
	return bytes;
}

double graph_traffic(const struct graph *g)
{
	double bytes = 0;
	for (int i = 0; i < g->n_nodes; i++)
		bytes += node_traffic(g->nodes[i]);
	return bytes;
}

/* What nodes of one op and the same shapes cost together. */
struct cost {
	const struct node *like;
	int count;
	double seconds, flops, bytes;
};

static bool same_shape(const struct tensor *a, const struct tensor *b)
{
	return !a || !b ? a == b : a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c && a->type == b->type;
}

static bool alike(const struct node *a, const struct node *b)
{
	return a->op == b->op && same_shape(a->src[0], b->src[0]) && same_shape(a->src[1], b->src[1]) &&
	       same_shape(a->dst[0], b->dst[0]);
}

static int by_seconds(const void *a, const void *b)
{
	const struct cost *p = a, *q = b;
	return p->seconds < q->seconds ? 1 : p->seconds > q->seconds ? -1 : 0;
}

static void add(struct cost *costs, int *n, const struct node *nd, double seconds,
                bool (*together)(const struct node *, const struct node *))
{
	int i = 0;
	while (i < *n && !together(costs[i].like, nd))
		i++;
	if (i == *n)
		costs[(*n)++] = (struct cost){ .like = nd };
	costs[i].count++;
	costs[i].seconds += seconds;
	costs[i].bytes += node_traffic(nd);
	costs[i].flops += op_row(nd->op)->flops ? op_row(nd->op)->flops(nd) : 0;
}

static bool same_op(const struct node *a, const struct node *b)
{
	return a->op == b->op;
}

static void write_shape(FILE *f, const struct tensor *t)
{
	if (t)
		(void)fprintf(f, " %lldx%lldx%lldx%lld%s", (long long)t->n, (long long)t->h, (long long)t->w, (long long)t->c,
		              t->type == TENSOR_BF16 ? " bf16" : "");
}

static void write_costs(FILE *f, struct cost *costs, int n, int64_t runs, double total, bool shapes)
{
	qsort(costs, (size_t)n, sizeof *costs, by_seconds);
	for (int i = 0; i < n && (!shapes || i < SHAPES_SHOWN); i++) {
		const struct cost *c = &costs[i];
		(void)fprintf(f, "%-20s %4d nodes %9.3f ms %5.1f %%", op_row(c->like->op)->name, c->count,
		              1e3 * c->seconds / (double)runs, 100 * c->seconds / total);
		(void)fprintf(f, " %9.1f GB/s", c->bytes * (double)runs / c->seconds / 1e9);
		if (c->flops > 0 || shapes)
			(void)fprintf(f, " %9.1f GFLOP/s", c->flops * (double)runs / c->seconds / 1e9);
		if (shapes) {
			write_shape(f, c->like->src[0]);
			write_shape(f, c->like->src[1]);
			(void)fprintf(f, " ->");
			write_shape(f, c->like->dst[0]);
		}
		(void)fprintf(f, "\n");
	}
}

void graph_profile_run(struct graph *g, int node)
{
	double start = monotonic_s();
	g->backend->ops->nodes.run(g->backend, g->nodes[node]);
	if (g->backend->ops->wait)
		g->backend->ops->wait(g->backend);
	if (g->profiled_runs >= 0)
		g->node_seconds[node] += monotonic_s() - start;
}

bool graph_profiled(const struct graph *g)
{
	return g->node_seconds != NULL;
}

/* What a library computes the convolutions by, as the back end was asked for them. */
static void write_engines(FILE *f, struct backend *b)
{
	char text[1024];
	for (int i = 0; b->ops->convolution && b->ops->convolution(b, i, text, sizeof text); i++)
		(void)fprintf(f, "%s  %s\n", i ? "" : "convolutions and their engines:\n", text);
}

void graph_profile(const struct graph *g, FILE *f)
{
	if (!g->node_seconds || g->profiled_runs < 1)
		return;
	SCOPED(free) struct cost *ops = xcalloc((size_t)g->n_nodes, sizeof *ops);
	SCOPED(free) struct cost *shapes = xcalloc((size_t)g->n_nodes, sizeof *shapes);
	int n_ops = 0, n_shapes = 0;
	double total = 0;
	for (int i = 0; i < g->n_nodes; i++) {
		add(ops, &n_ops, g->nodes[i], g->node_seconds[i], same_op);
		add(shapes, &n_shapes, g->nodes[i], g->node_seconds[i], alike);
		total += g->node_seconds[i];
	}
	(void)fprintf(f, "per kind of operation, of %.3f ms in a step:\n", 1e3 * total / (double)g->profiled_runs);
	write_costs(f, ops, n_ops, g->profiled_runs, total, false);
	(void)fprintf(f, "the shapes that take the most time:\n");
	write_costs(f, shapes, n_shapes, g->profiled_runs, total, true);
	write_engines(f, g->backend);
}
