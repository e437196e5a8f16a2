/* change.h - a network's second answer as its first one plus a change.
 *
 * A step evaluates one network twice, at neighbouring noise levels, and learns from the difference of the outputs,
 * which late in the curriculum is a thousandth of them. Where products take operands of few bits, two separate passes
 * round that difference away: what is left of it is mostly rounding (results/gpu/README.md has the table). So in such a
 * precision the second pass carries, instead of its activations a', the change d = a' - a against the first pass's
 * stored activations a:
 *   - what is linear is applied to d itself: conv(d), resample(d), ... at the same cost as conv(a');
 *   - groupnorm (with silu) and attention have ops that make f(a + d) - f(a) from a and d without cancellation;
 *   - vectors per sample (noise and label embeddings) are floats and are computed in full.
 * Rounding then costs a fixed fraction of the change, however small that is.
 *
 * With weights of its own, w' = w + dw, a second pass also carries conv(a, dw): one more product per layer. */
#ifndef ABLATE_CHANGE_H
#define ABLATE_CHANGE_H

#include "model/graph/graph.h"

/* Nodes [first, last) of a record made `result` from the image x, the vector noise, and what both passes share (labels,
 * masks). */
struct pass {
	int first, last;
	struct tensor *x, *noise, *result;
};

/* Does the graph's back end round the operands of products to fewer bits than float has? */
bool graph_is_low(const struct graph *g);
/* Records what `from` would have computed from x and noise, by changes; store: whose parameters, STORE_STUDENT or one
 * of the same layout. No gradient flows through the result. The nodes are those that U-Nets record; another op in them
 * is a BUG. */
struct tensor *graph_change(struct graph *g, const struct pass *from, struct tensor *x, struct tensor *noise,
                            enum store store);

#endif
