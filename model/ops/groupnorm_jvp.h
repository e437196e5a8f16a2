/* groupnorm_jvp.h - groupnorm's rule of forward mode (op.h); in a file of its own because groupnorm.c is long. */
#ifndef ABLATE_GROUPNORM_JVP_H
#define ABLATE_GROUPNORM_JVP_H

#include "model/graph/graph.h"

struct tensor *groupnorm_jvp(struct graph *g, struct node *nd, struct tensor *const *d);

#endif
