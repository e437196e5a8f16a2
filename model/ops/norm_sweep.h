/* norm_sweep.h - what the CPU paths of group norms share: vectors of channels, and images cut over threads.
 *
 * Channels are taken LANES at a time, as a vector (two or four where the processor's are shorter), and what is left
 * over one by one. Per-channel sums are in float over runs of RUN pixels, and in double over the runs. */
#ifndef ABLATE_NORM_SWEEP_H
#define ABLATE_NORM_SWEEP_H

#include "model/graph/graph.h"

enum { LANES = 16, RUN = 16 };
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4), may_alias)); /* as it may lie in memory */
typedef double loose_d __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
#define READ(p)           ((vec) * (const loose *)(p))
#define ADD_DOUBLE(to, v) (*(loose_d *)(to) += __builtin_convertvector(v, loose_d))

/* Calls item(nd, n, g0, g1) for ranges of groups that are together all of every image n of x, on the threads.
 * Groups: nd->args.norm.groups of x's channels. A range is whole groups, so no sum depends on the cuts. */
void norm_sweep(struct node *nd, const struct tensor *x,
                void (*item)(struct node *nd, int64_t n, int64_t g0, int64_t g1));

#endif
