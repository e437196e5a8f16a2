/* lpips_graph.h - the distance of lpips.h by a graph of ops, for back ends other than the CPU's own executor: pairs of
 * pictures of one size, a batch at a time, distances and their parts without gradients. Products take floats unrounded.
 * Used by lpips_open_on. */
#ifndef ABLATE_LPIPS_GRAPH_H
#define ABLATE_LPIPS_GRAPH_H

#include "model/graph/backend.h"
#include "model/frozen/lpips.h"

struct lpips_graph;
/* b must outlive it; the weights need not. */
MUST_CHECK int lpips_graph_open(struct lpips_graph **out, const struct lpips_options *o,
                                const struct safetensors *backbone, const struct safetensors *heads, struct backend *b,
                                int batch, struct err *e);
void lpips_graph_free(struct lpips_graph *x); /* accepts NULL */
/* As lpips_run, any n; waits for the device. */
MUST_CHECK int lpips_graph_run(struct lpips_graph *x, double *distance, double *layers, const float *in0,
                               const float *in1, int n, struct err *e);

#endif
