/* distill.h - the target's point in consistency distillation (Song et al. 2023, Algorithm 2): one step of the
 * probability-flow ODE dx/dsigma = (x - D(x, sigma)) / sigma from noise t down to noise r, where D is a frozen
 * diffusion network (STORE_DIFFUSION) with EDM's preconditioning and without dropout. Consistency training uses the
 * data itself for D instead.
 *
 *   Euler   x_r = x_t + (r - t) d,  d = (x_t - D(x_t, t)) / t
 *   Heun    x_r = x_t + (r - t)/2 (d + d'),  d' = (e - D(e, r)) / r,  e = Euler's x_r
 *
 * Both are sums with coefficients per sample; r = 0 takes Euler's step, as EDM's sampler does. */
#ifndef ABLATE_DISTILL_H
#define ABLATE_DISTILL_H

#include "model/consistency/denoise.h"

struct distill {
	enum cd_solver solver;
	struct denoise at_t, at_r;            /* at_r: Heun only */
	struct tensor *keep, *move;           /* e = keep x_t + move D(x_t, t) */
	struct tensor *c_x, *c_d, *c_e, *c_f; /* Heun: x_r = c_x x_t + c_d D(x_t, t) + c_e e + c_f D(e, r) */
	struct tensor *result;                /* x_r */
};

struct distill distill_build(struct graph *g, const struct run_config *c, const struct net_spec *net,
                             const struct params *p, struct tensor *x_t, struct tensor *labels);
/* Sample i steps from t to r. After graph_plan. */
void distill_set(struct distill *d, const struct run_config *c, int i, double t, double r);

#endif
