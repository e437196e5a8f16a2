/* dropout.h - masks that are drawn, for the ops that apply them: see dropout.c. */
#ifndef ABLATE_DROPOUT_H
#define ABLATE_DROPOUT_H

#include "model/graph/graph.h"

/* What element i of x, a result of nd, is multiplied by: 1 / (1 - p) or 0; 1 where p = 0. */
double dropout_factor(const struct node *nd, const struct tensor *x, struct drop drop, size_t i);
/* y = x with its mask applied, on the CPU, for as many floats as `like` has; p > 0. y may be x. */
void dropout_cpu(float *y, const float *x, const struct node *nd, const struct tensor *like, struct drop drop);

#endif
