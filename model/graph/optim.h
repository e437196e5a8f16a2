/* optim.h - Adam and RAdam over one flat buffer, with the EMAs that follow a step taken in the same sweep.
 * RAdam as torch 1.13 radam.py:205-237 (Liu et al. 2020): rho_t > 5 rectifies, eps is added to sqrt(v) before the bias
 * correction; Adam (Kingma & Ba 2015) adds it after. */
#ifndef ABLATE_OPTIM_H
#define ABLATE_OPTIM_H

#include "model/graph/step_control.h"

#include <stddef.h>
#include <stdint.h>

enum optim_kind { OPTIM_RADAM, OPTIM_ADAM };

struct optim {
	enum optim_kind kind;
	double lr, beta1, beta2, eps, weight_decay; /* L2 added to the gradient, as torch's weight_decay of these two */
};

struct optim_step optim_step_at(const struct optim *o, int64_t t); /* t = 1 for the first step */
double radam_rho(double beta2, int64_t t);
double radam_rectification(double beta2, int64_t t); /* 0 where rho_t <= 5 */

/* Updates p, m, v (n floats each) from g (NULL: zeros), then ema = decay * ema + (1 - decay) * p, then teacher likewise
 * with mu; ema and teacher may be NULL. Threads split the buffer: the bits do not depend on how. */
void optim_apply(const struct optim_step *s, size_t n, float *p, const float *g, float *m, float *v, float *ema,
                 double decay, float *teacher, double mu);
struct average average_of(double decay);
/* The same with averages in the form of a step's control. */
void optim_sweep(const struct optim_step *s, size_t n, float *p, const float *g, float *m, float *v, float *ema,
                 struct average of_ema, float *teacher, struct average of_teacher);
/* A further average of p, to the bit as those above. */
void optim_follow(size_t n, float *to, const float *p, struct average of);

#endif
