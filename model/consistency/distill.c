/* distill.c - see distill.h. */
#include "model/consistency/distill.h"

static struct tensor *number(struct graph *g, const char *name, int64_t n)
{
	return graph_input(g, name, n, 1, 1, 1);
}

struct distill distill_build(struct graph *g, const struct run_config *c, const struct net_spec *net,
                             const struct params *p, struct tensor *x_t, struct tensor *labels)
{
	int64_t n = x_t->n;
	struct net_inputs in = { .labels = labels };
	struct distill d = { .solver = (enum cd_solver)c->cd.solver,
		                 .at_t = denoise_inputs(g, n),
		                 .keep = number(g, "keep", n),
		                 .move = number(g, "move", n) };
	struct tensor *clean = denoise_record(g, c, net, p, STORE_DIFFUSION, x_t, &d.at_t, in);
	d.result = graph_lincomb(g, d.keep, x_t, d.move, clean);
	if (d.solver == SOLVER_EULER)
		return d;
	d.at_r = denoise_inputs(g, n);
	d.c_x = number(g, "c_x", n), d.c_d = number(g, "c_d", n), d.c_e = number(g, "c_e", n), d.c_f = number(g, "c_f", n);
	struct tensor *euler = d.result, *again = denoise_record(g, c, net, p, STORE_DIFFUSION, euler, &d.at_r, in);
	struct tensor *first = graph_lincomb(g, d.c_x, x_t, d.c_d, clean),
				  *second = graph_lincomb(g, d.c_e, euler, d.c_f, again);
	d.result = graph_add_scaled(g, first, second, 1);
	return d;
}

void distill_set(struct distill *d, const struct run_config *c, int i, double t, double r)
{
	denoise_set(&d->at_t, c, PRECOND_EDM, i, t);
	d->keep->host[i] = (float)(r / t);
	d->move->host[i] = (float)(1 - r / t);
	if (d->solver == SOLVER_EULER)
		return;
	double half = (r - t) / 2, back = r > 0 ? half / r : 0;
	denoise_set(&d->at_r, c, PRECOND_EDM, i, r);
	d->c_x->host[i] = (float)(r > 0 ? 1 + half / t : 0);
	d->c_d->host[i] = (float)(r > 0 ? -half / t : 0);
	d->c_e->host[i] = (float)(r > 0 ? back : 1);
	d->c_f->host[i] = (float)(r > 0 ? -back : 0);
}
