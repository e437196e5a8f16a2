/* tangent.h - rules of forward mode (graph_forward_mode) that several ops have: each is an op's jvp (op.h), or a piece
 * of one. */
#ifndef ABLATE_TANGENT_H
#define ABLATE_TANGENT_H

#include "model/graph/graph.h"

/* Of an op that is linear in its first source, which alone may change. */
struct tensor *tangent_linear(struct graph *g, struct node *nd, struct tensor *const *d);
/* Of an op that is linear in each of its sources by itself, so that its change is the sum of one for each. */
struct tensor *tangent_product(struct graph *g, struct node *nd, struct tensor *const *d);
/* a + b, where either may be absent. */
struct tensor *tangent_sum(struct graph *g, struct tensor *a, struct tensor *b);
/* d, or zeros in x's shape where d is NULL. */
struct tensor *tangent_or_zeros(struct graph *g, struct tensor *d, const struct tensor *x);

#endif
