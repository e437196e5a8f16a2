/* graph_impl.h - the inside of struct graph, for graph.c, graph_run.c and the back ends only. */
#ifndef ABLATE_GRAPH_IMPL_H
#define ABLATE_GRAPH_IMPL_H

#include "model/graph/backend.h"
#include "model/base/mem.h"
#include "model/graph/graph.h"

/* A parameter's gradient in planned memory, and the node after which it may be taken. */
struct handed {
	struct tensor *param, *grad;
	int ready;
};

struct graph {
	struct backend *backend;
	struct arena arena; /* nodes, tensors, names */
	struct node **nodes;
	struct tensor **tensors; /* all, in order of making; parameters too */
	int n_nodes, cap_nodes, n_tensors, cap_tensors;
	int backward_at; /* the first node of the backward pass */
	struct graph_taker taker;
	struct handed *handed; /* for the taker; in the order of their nodes once planned */
	int n_handed, cap_handed;
	struct step_scalars step;
	char *memory; /* one block for every TEMP and INPUT, the back end's */
	size_t bytes;
	double *node_seconds;  /* per node, when profiling */
	int64_t profiled_runs; /* how many node_seconds holds; -1 before the first run, which it leaves out */
	void (*after_node)(void *ctx, int node);
	void *after_ctx;
	bool planned, guarded, exact, forward_mode, by_taps[N_STORES];
};

/* May the node write dst[0] over src[0], if that ends there? */
bool node_in_place(const struct graph *g, const struct node *nd);
/* Bytes: each source and each result touched once, the minimum that the memory behind the caches must move for a node
 * by itself (graph_profile.c). */
double node_traffic(const struct node *nd);
/* Runs one node, waits for it and adds up its time (graph_profile.c). */
void graph_profile_run(struct graph *g, int node);

#endif
