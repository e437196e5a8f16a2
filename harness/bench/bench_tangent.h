/* bench_tangent.h - the speed of networks' forward passes alone and with the first-order change of their answer
 * (graph_forward_mode of model/graph/graph.h), which sCT and MeanFlow take their targets from. Weights are random. */
#ifndef ABLATE_BENCH_TANGENT_H
#define ABLATE_BENCH_TANGENT_H

#include "model/base/err.h"

#include <jansson.h>

/* Appends two objects per network to `out` (an array): the pass alone, and with the change, whose times_forward is the
 * time of both divided by that of the first. preset NULL: a few networks. batch 0 = 8; about `seconds` are spent on
 * each. */
MUST_CHECK int bench_tangent(json_t *out, const char *preset, int batch, double seconds, struct err *e);

#endif
