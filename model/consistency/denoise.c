/* denoise.c - see denoise.h. */
#include "model/consistency/denoise.h"

#include "model/consistency/segments.h"

struct denoise denoise_inputs(struct graph *g, int64_t n)
{
	return (struct denoise){ graph_input(g, "sigma", n, 1, 1, 1),
		                     graph_input(g, "c_skip", n, 1, 1, 1),
		                     graph_input(g, "c_out", n, 1, 1, 1),
		                     graph_input(g, "c_in", n, 1, 1, 1),
		                     graph_input(g, "c_noise", n, 1, 1, 1),
		                     { 0 },
		                     NULL };
}

struct tensor *denoise_network(struct graph *g, const struct run_config *c, const struct net_spec *net,
                               const struct params *p, enum store store, struct tensor *scaled, struct tensor *c_noise,
                               struct net_inputs in)
{
	int patch = c->net.patch;
	in.x = patch > 1 ? graph_shuffle(g, scaled, patch, false) : scaled;
	in.c_noise = c_noise;
	struct tensor *f = net_forward(g, net, p, store, &in);
	return patch > 1 ? graph_shuffle(g, f, patch, true) : f;
}

struct tensor *denoise_record(struct graph *g, const struct run_config *c, const struct net_spec *net,
                              const struct params *p, enum store store, struct tensor *x, struct denoise *b,
                              struct net_inputs in)
{
	struct tensor *scaled = graph_lincomb(g, b->c_in, x, NULL, NULL);
	struct node **nodes;
	int first = graph_nodes(g, &nodes);
	in.c_gap = b->c_gap;
	struct tensor *f = denoise_network(g, c, net, p, store, scaled, b->c_noise, in);
	b->pass = (struct pass){ first, graph_nodes(g, &nodes), scaled, b->c_noise, f };
	return graph_lincomb(g, b->c_skip, x, b->c_out, f);
}

struct tensor *denoise_record_change(struct graph *g, enum store store, struct tensor *x, const struct denoise *b,
                                     const struct denoise *from)
{
	struct tensor *scaled = graph_lincomb(g, b->c_in, x, NULL, NULL);
	return graph_lincomb(g, b->c_skip, x, b->c_out, graph_change(g, &from->pass, scaled, b->c_noise, store));
}

void denoise_set(const struct denoise *b, const struct run_config *c, enum precond_kind kind, int i, double sigma)
{
	denoise_set_towards(b, c, kind, i, sigma, 0);
}

void denoise_set_towards(const struct denoise *b, const struct run_config *c, enum precond_kind kind, int i,
                         double sigma, double end)
{
	struct precond p = precond_at(c, kind, sigma > 0 ? sigma : c->sigma.min);
	if (sigma <= 0) { /* what the network says at any other noise is multiplied by 0 */
		p.c_skip = 1;
		p.c_out = 0;
	} else if (end > 0) {
		p = segment_precond(p, sigma, end);
	}
	b->sigma->host[i] = (float)sigma;
	b->c_skip->host[i] = (float)p.c_skip;
	b->c_out->host[i] = (float)p.c_out;
	b->c_in->host[i] = (float)p.c_in;
	b->c_noise->host[i] = (float)p.c_noise;
	if (b->c_gap)
		b->c_gap->host[i] = (float)(c->precond.time_scale * (flow_time(sigma) - flow_time(end)));
}
