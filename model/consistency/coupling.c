/* coupling.c - see coupling.h. */
#include "model/consistency/coupling.h"

struct coupling coupling_build(struct graph *g, const struct run_config *c, const struct net_spec *net,
                               const struct params *p, struct tensor *x, struct tensor *z, struct tensor *labels)
{
	int64_t n = x->n;
	struct coupling k = { .at_r = denoise_inputs(g, n),
		                  .one = graph_input(g, "coupling.one", n, 1, 1, 1),
		                  .keep = graph_input(g, "coupling.keep", n, 1, 1, 1),
		                  .chosen = graph_input(g, "coupling.chosen", n, 1, 1, 1) };
	struct tensor *x_r = graph_lincomb(g, k.one, x, k.at_r.sigma, z);
	k.answer = denoise_record(g, c, net, p, STORE_AVERAGE, x_r, &k.at_r, (struct net_inputs){ .labels = labels });
	k.picture = graph_lincomb(g, k.keep, x, k.chosen, k.answer);
	return k;
}

void coupling_set(struct coupling *k, const struct run_config *c, int i, double r)
{
	denoise_set(&k->at_r, c, (enum precond_kind)c->precond.kind, i, r);
	k->one->host[i] = 1;
}

void coupling_choose(struct coupling *k, int i, bool chosen)
{
	k->keep->host[i] = chosen ? 0 : 1;
	k->chosen->host[i] = chosen ? 1 : 0;
}
