/* random_weights.h - weights of a network with random numbers in every layer. */
#ifndef ABLATE_RANDOM_WEIGHTS_H
#define ABLATE_RANDOM_WEIGHTS_H

#include "model/graph/params.h"

/* Fills w (params_floats) as training starts, but for layers that start from zeros or nearly so, which would hide what
 * is before them: those are normal with a variance of 1 / fan-in. */
void random_weights(float *w, const struct params *p);

#endif
