/* graph_repeat.h - results that are made again for the backward pass instead of being kept for it.
 *
 * What a cheap op (op_row.cheap) made in the forward pass and what the backward pass reads again need not lie in memory
 * in between: the op is recorded once more right before its first reader in the backward pass, and the readers there
 * read that. The bits are the same, as a repeat has the same sources, settings and counters of random numbers; its
 * sources have to live until then. The idea is Chen et al. 2016 (arXiv:1604.06174), here only where the graph's peak
 * falls by it: while it does, of the cheap results that lie idle at the node with most in memory the one whose repeat
 * frees most there is chosen. */
#ifndef ABLATE_GRAPH_REPEAT_H
#define ABLATE_GRAPH_REPEAT_H

struct graph;

/* Of a graph with a backward pass, when the scratch of its nodes is known and before lifetimes are found: inserts the
 * repeats (node.again) into the backward pass and returns how many. Their own scratch is not asked for yet. */
int graph_repeat(struct graph *g);

#endif
