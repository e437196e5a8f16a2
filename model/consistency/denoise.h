/* denoise.h - D(x, sigma) = c_skip x + c_out F(c_in x, c_noise) as part of a graph, and its numbers per sample. The numbers are
 * inputs, so one graph serves every noise level. */
#ifndef ABLATE_DENOISE_H
#define ABLATE_DENOISE_H

#include "model/config.h"
#include "model/graph.h"
#include "model/nets/net.h"

struct denoise { struct tensor *sigma, *c_skip, *c_out, *c_in, *c_noise; }; /* inputs (N) */

struct denoise denoise_inputs(struct graph *g, int64_t n);
/* `in` says all but x and c_noise. */
struct tensor *denoise_record(struct graph *g, const struct run_config *c, const struct net_spec *net, const struct params *p, enum store store,
                              struct tensor *x, const struct denoise *b, struct net_inputs in);
/* Sample i at noise sigma, in host memory: graph_send brings it to a device. sigma = 0: the answer is x itself, and the network is asked at sigma.min for nothing. */
void denoise_set(const struct denoise *b, const struct run_config *c, enum precond_kind kind, int i, double sigma);

#endif
