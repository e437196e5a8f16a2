/* graph_life.h - from which node to which a graph's tensors live, and the memory that each takes. */
#ifndef ABLATE_GRAPH_LIFE_H
#define ABLATE_GRAPH_LIFE_H

#include <stddef.h>

struct graph;
struct tensor;

/* What a tensor takes in the graph's memory: whole lines of the back end's alignment. */
size_t graph_block_bytes(const struct graph *g, const struct tensor *t);
/* Makes t (NULL: nothing) live at node `at`, too. */
void graph_live_at(struct tensor *t, int at);
/* Sets first and last of all tensors: the nodes that touch it; from the beginning for an input; beyond the last node
 * for what is kept, as inputs are. -1 where nothing touches it. */
void graph_find_lives(struct graph *g);

#endif
