/* coupling.h - generator-augmented coupling (Issenhuth et al. 2024, arXiv:2406.09570): for a share of the samples the
 * picture that a step's two points are made from is the network's own answer at the lower noise level,
 *
 *   xhat = D(x + r z, r) by an average of the weights (STORE_AVERAGE), without dropout and without gradient
 *   y    = xhat where the sample is chosen, else x;  x_t = y + t z, x_r = y + r z with the same z
 *
 * Where D is the identity, at sigma.min or r = 0, xhat is x + r z. */
#ifndef ABLATE_COUPLING_H
#define ABLATE_COUPLING_H

#include "model/consistency/denoise.h"

struct coupling {
	struct denoise at_r;
	struct tensor *one;           /* input (N): ones */
	struct tensor *keep, *chosen; /* inputs (N): 1 and 0 of a sample that keeps its picture, 0 and 1 of one chosen */
	struct tensor *answer;        /* xhat (N,H,W,C) */
	struct tensor *picture;       /* result: y (N,H,W,C) */
};

/* x, z: (N,H,W,C); labels as the network takes them, or NULL. */
struct coupling coupling_build(struct graph *g, const struct run_config *c, const struct net_spec *net,
                               const struct params *p, struct tensor *x, struct tensor *z, struct tensor *labels);
/* Sample i's lower level r. After graph_plan, as the next. */
void coupling_set(struct coupling *k, const struct run_config *c, int i, double r);
/* Is sample i's picture replaced? */
void coupling_choose(struct coupling *k, int i, bool chosen);

#endif
