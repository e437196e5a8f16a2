/* graph_impl.h - the inside of struct graph, for graph.c, graph_run.c and the back ends only. */
#ifndef ABLATE_GRAPH_IMPL_H
#define ABLATE_GRAPH_IMPL_H

#include "model/backend.h"
#include "model/base/mem.h"
#include "model/graph.h"

struct graph {
	struct backend *backend;
	struct arena arena;               /* nodes, tensors, names */
	struct node **nodes;
	struct tensor **tensors;          /* all, in order of making; parameters too */
	int n_nodes, cap_nodes, n_tensors, cap_tensors;
	struct step_scalars step;
	char *memory;                     /* one block for every TEMP and INPUT, the back end's */
	size_t bytes;
	double *node_seconds;             /* per node, when profiling */
	int64_t profiled_runs;
	void (*after_node)(void *ctx, int node);
	void *after_ctx;
	bool planned, guarded;
};

#endif
