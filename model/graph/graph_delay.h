/* graph_delay.h - backward nodes that wait for their readers.
 *
 * The backward pass is recorded op by op, so that a result may lie in memory long before it is read: the gradient that
 * the 1x1 convolution beside a block sends to a joined tensor, which is wider than what it is made from. Such a node is
 * moved to just before the first that reads its result, if fewer bytes have to live longer for it than live shorter.
 * Which node runs first of two that do not read each other changes no bit. */
#ifndef ABLATE_GRAPH_DELAY_H
#define ABLATE_GRAPH_DELAY_H

struct graph;

/* Of a graph with a backward pass, before lifetimes are found. Returns how many nodes were moved. */
int graph_delay(struct graph *g);

#endif
