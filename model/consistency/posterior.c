/* posterior.c - see posterior.h. */
#include "model/consistency/posterior.h"

struct posterior posterior_build(struct graph *g, int references, struct tensor *x_t, struct tensor *x,
                                 struct tensor *t)
{
	int64_t n = x_t->n;
	struct posterior p = { .y = graph_input(g, "references", references, x->h, x->w, x->c),
		                   .y_label = graph_input(g, "references.label", references, 1, 1, 1),
		                   .at = graph_input(g, "references.at", n, 1, 1, 1),
		                   .label = graph_input(g, "posterior.label", n, 1, 1, 1),
		                   .stay = graph_input(g, "posterior.stay", n, 1, 1, 1),
		                   .towards = graph_input(g, "posterior.towards", n, 1, 1, 1) };
	p.mean = graph_posterior_mean(
		g, &(struct posterior_sources){
			   .x = x_t, .own = x, .y = p.y, .sigma = t, .at = p.at, .label = p.label, .y_label = p.y_label });
	p.x_r = graph_lincomb(g, p.stay, x_t, p.towards, p.mean);
	return p;
}

void posterior_set(struct posterior *p, int i, double t, double r)
{
	p->stay->host[i] = (float)(r / t);
	p->towards->host[i] = (float)(1 - r / t);
}

void posterior_set_sample(struct posterior *p, int i, int at, int label)
{
	p->at->host[i] = (float)at;
	p->label->host[i] = (float)label;
}

void posterior_set_reference(struct posterior *p, int j, int label)
{
	p->y_label->host[j] = (float)label;
}
