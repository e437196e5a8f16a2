/* random_input.h - random numbers in a tensor of a planned graph, on any device. */
#ifndef ABLATE_RANDOM_INPUT_H
#define ABLATE_RANDOM_INPUT_H

#include "model/graph/graph.h"

/* All of t: normal numbers of (seed, RNG_SYNTHETIC, stream), times spread. */
void random_input(struct graph *g, struct tensor *t, uint64_t seed, uint32_t stream, float spread);

#endif
