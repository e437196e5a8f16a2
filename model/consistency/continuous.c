/* continuous.c - see continuous.h. */
#include "model/consistency/continuous.h"

#include "model/consistency/denoise.h"
#include "model/consistency/schedule.h"

#include <math.h>

static struct tensor *number(struct graph *g, const char *name, int64_t n)
{
	return graph_input(g, name, n, 1, 1, 1);
}

struct continuous continuous_build(struct graph *g, const struct run_config *c, const struct net_spec *net,
                                   const struct params *p, struct tensor *x, struct tensor *z, struct net_inputs in)
{
	int64_t n = x->n;
	struct continuous k = { .in_x = number(g, "in_x", n),
		                    .in_z = number(g, "in_z", n),
		                    .d_x = number(g, "d_x", n),
		                    .d_z = number(g, "d_z", n),
		                    .to_f = number(g, "to_f", n),
		                    .to_j = number(g, "to_j", n),
		                    .to_x = number(g, "to_x", n),
		                    .to_z = number(g, "to_z", n),
		                    .c_noise = number(g, "c_noise", n),
		                    .d_noise = number(g, "d_noise", n) };
	struct tensor *point = graph_lincomb(g, k.in_x, x, k.in_z, z);
	point->tangent = graph_lincomb(g, k.d_x, x, k.d_z, z);
	k.c_noise->tangent = k.d_noise;
	if (net->second_time) {
		k.c_gap = in.c_gap = number(g, "c_gap", n);
		k.d_gap = in.c_gap->tangent = number(g, "d_gap", n);
	}
	graph_forward_mode(g, true);
	k.f = denoise_network(g, c, net, p, STORE_STUDENT, point, k.c_noise, in);
	graph_forward_mode(g, false);
	k.change = k.f->tangent;
	k.direction = graph_detached(g, graph_lincomb(g, k.to_f, k.f, k.to_j, k.change),
	                             graph_lincomb(g, k.to_x, x, k.to_z, z), 1);
	k.student = k.f;
	switch ((enum method_kind)c->method.kind) {
	case METHOD_SCT: k.target = graph_detached(g, k.f, graph_unit(g, k.direction, c->tangent.c), 1); return k;
	case METHOD_MEANFLOW: k.target = k.direction; return k;
	default: break;
	}
	k.out_f = number(g, "out_f", n);
	k.out_x = number(g, "out_x", n);
	k.out_z = number(g, "out_z", n);
	struct tensor *kept = graph_lincomb(g, k.out_x, x, k.out_z, z);
	k.student = graph_add_scaled(g, graph_lincomb(g, k.out_f, k.f, NULL, NULL), kept, 1);
	k.target = graph_detached(g, k.student, k.direction, 1);
	return k;
}

static void set_ct(struct continuous *k, const struct run_config *c, int i, double t)
{
	struct precond p = precond_at(c, (enum precond_kind)c->precond.kind, t);
	struct precond slope = precond_slope_at(c, (enum precond_kind)c->precond.kind, t);
	k->in_x->host[i] = (float)p.c_in;
	k->in_z->host[i] = (float)(p.c_in * t);
	k->d_x->host[i] = (float)(t * slope.c_in);
	k->d_z->host[i] = (float)(t * (slope.c_in * t + p.c_in));
	k->c_noise->host[i] = (float)p.c_noise;
	k->d_noise->host[i] = (float)(t * slope.c_noise);
	k->out_f->host[i] = (float)p.c_out;
	k->out_x->host[i] = (float)p.c_skip;
	k->out_z->host[i] = (float)(p.c_skip * t);
	k->to_f->host[i] = (float)-slope.c_out;
	k->to_j->host[i] = (float)(-p.c_out / t);
	k->to_x->host[i] = (float)-slope.c_skip;
	k->to_z->host[i] = (float)(-slope.c_skip * t - p.c_skip);
}

static void set_sct(struct continuous *k, const struct run_config *c, int i, double sigma, double warm)
{
	double sd = c->sigma.data, scale = c->precond.time_scale, t = atan(sigma / sd), cs = cos(t), sn = sin(t);
	k->in_x->host[i] = (float)(cs / sd);
	k->in_z->host[i] = (float)sn;
	k->d_x->host[i] = (float)(-cs * sn * sn / sd);
	k->d_z->host[i] = (float)(cs * cs * sn);
	k->c_noise->host[i] = (float)(scale * t);
	k->d_noise->host[i] = (float)(scale * cs * sn);
	k->to_f->host[i] = (float)(-cs * cs * sd);
	k->to_j->host[i] = (float)(-warm * sd);
	k->to_x->host[i] = (float)(-cs * cs * sn * (1 + warm));
	k->to_z->host[i] = (float)(cs * sd * (cs * cs - warm * sn * sn));
}

void continuous_set(struct continuous *k, const struct run_config *c, int i, double sigma, double warm)
{
	if (c->method.kind == METHOD_SCT)
		set_sct(k, c, i, sigma, warm);
	else
		set_ct(k, c, i, sigma);
}

void continuous_set_flow(struct continuous *k, const struct run_config *c, int i, double sigma, double lower)
{
	double scale = c->precond.time_scale, s = flow_time(sigma), gap = s - flow_time(lower);
	k->in_x->host[i] = (float)(1 / (1 + sigma));
	k->in_z->host[i] = (float)s;
	k->d_x->host[i] = -1;
	k->d_z->host[i] = 1;
	k->c_noise->host[i] = (float)(scale * s);
	k->c_gap->host[i] = (float)(scale * gap);
	k->d_noise->host[i] = k->d_gap->host[i] = (float)scale;
	k->to_f->host[i] = 0;
	k->to_j->host[i] = (float)-gap;
	k->to_x->host[i] = -1;
	k->to_z->host[i] = 1;
}
