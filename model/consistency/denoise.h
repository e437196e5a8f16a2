/* denoise.h - D(x, sigma) = c_skip x + c_out F(c_in x, c_noise) as part of a graph, and its numbers per sample. The
 * numbers are inputs, so one graph serves every noise level. */
#ifndef ABLATE_DENOISE_H
#define ABLATE_DENOISE_H

#include "model/nets/change.h"
#include "model/config/config.h"
#include "model/nets/net.h"

struct denoise {
	struct tensor *sigma, *c_skip, *c_out, *c_in, *c_noise; /* inputs (N) */
	struct pass pass;                                       /* the network's part, set by denoise_record */
	struct tensor *c_gap; /* input (N) of a network of two times (net_spec.second_time), or NULL */
};

struct denoise denoise_inputs(struct graph *g, int64_t n);
/* F by itself, of an input that is scaled already; `in` gives everything but x and c_noise, and c_gap only here. */
struct tensor *denoise_network(struct graph *g, const struct run_config *c, const struct net_spec *net,
                               const struct params *p, enum store store, struct tensor *scaled, struct tensor *c_noise,
                               struct net_inputs in);
/* `in` as above. */
struct tensor *denoise_record(struct graph *g, const struct run_config *c, const struct net_spec *net,
                              const struct params *p, enum store store, struct tensor *x, struct denoise *b,
                              struct net_inputs in);
/* The same network's answer at another x and noise, by what changes against an earlier record `from` (change.h): same
 * labels, same dropout; no gradient flows through the network. store: STORE_STUDENT or one of other weights. */
struct tensor *denoise_record_change(struct graph *g, enum store store, struct tensor *x, const struct denoise *b,
                                     const struct denoise *from);
/* Sample i at noise sigma, in host memory: graph_send brings it to a device. sigma = 0: the answer is x itself, and the
 * network runs at sigma.min to no effect. */
void denoise_set(const struct denoise *b, const struct run_config *c, enum precond_kind kind, int i, double sigma);
/* The same of what an Euler step makes of the answer, down to noise `end` only (segments.h), or of where a network of
 * two times says that the ODE leads; end = 0: the answer. */
void denoise_set_towards(const struct denoise *b, const struct run_config *c, enum precond_kind kind, int i,
                         double sigma, double end);

#endif
