/* posterior.h - targets of less variance (SCT, arXiv:2410.18958; stable targets of diffusion, Newbeeer/stf): the way
 * from the student's point x_t to the teacher's does not lead to the sample's own picture x but to the mean of all
 * pictures that x_t may be, as far as a set of references y_1 .. y_M and x tell it:
 *
 *   W_j = softmax over j of -|x_t - y_j|^2 / (2 t^2)      xhat = sum_j W_j y_j
 *   x_r = xhat + (r/t) (x_t - xhat)                       x + r z where the weights are those of x alone
 *
 * x is one of them, and not twice where it is among the references. With classes only references of x's count. */
#ifndef ABLATE_POSTERIOR_H
#define ABLATE_POSTERIOR_H

#include "model/graph/graph.h"

struct posterior {
	struct tensor *y;              /* (M,H,W,C) input: the references */
	struct tensor *y_label;        /* (M) input: their classes */
	struct tensor *at, *label;     /* (N) inputs: which reference is the sample's own picture, or -1; its class */
	struct tensor *stay, *towards; /* (N) inputs: r/t and 1 - r/t */
	struct tensor *mean, *x_r;     /* results (N,H,W,C) */
};

/* M references. x_t (N,H,W,C) at noise levels t (N), made from pictures x. */
struct posterior posterior_build(struct graph *g, int references, struct tensor *x_t, struct tensor *x,
                                 struct tensor *t);
/* Sample i's levels. After graph_plan, as the next two. */
void posterior_set(struct posterior *p, int i, double t, double r);
/* at: the reference that is sample i's own picture, or -1; label: its class, 0 where the network has none. */
void posterior_set_sample(struct posterior *p, int i, int at, int label);
void posterior_set_reference(struct posterior *p, int j, int label);

#endif
