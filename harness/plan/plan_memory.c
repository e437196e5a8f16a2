/* plan_memory.c - see plan_memory.h. */
#include "harness/plan/plan_memory.h"

#include "model/cpu/devices.h"
#include "model/train/fit.h"

#include <stdlib.h>
#include <string.h>

/* The device, as it was last opened: for a dtype. */
struct opened_device {
	struct backend *b;
	enum dtype_kind dtype;
};

static void close_device(struct opened_device *d)
{
	backend_free(d->b);
	d->b = NULL;
	backend_leave_devices();
}

static int open_for(struct opened_device *d, const char *device, enum dtype_kind dtype, struct err *e)
{
	if (d->b && d->dtype == dtype)
		return 0;
	backend_free(d->b);
	d->b = NULL;
	d->dtype = dtype;
	return backend_open(&d->b, device, dtype, e);
}

static void block_arm(struct plan *p, int arm, const char *reason)
{
	for (int i = 0; i < p->n_cells; i++)
		if (p->cells[i].arm == arm && p->cells[i].state == CELL_PENDING) {
			p->cells[i].state = CELL_BLOCKED;
			(void)snprintf(p->cells[i].reason, sizeof p->cells[i].reason, "%s", reason);
		}
}

/* Averages that a cell's training keeps beside that of the cell's own ema.decay. */
static int averages_of(const struct plan *p, const struct plan_cell *cell)
{
	const struct plan_training *t = &p->trainings[cell->training];
	double own = p->arms[cell->arm].config.ema.decay;
	int n = 0;
	for (int k = 0; k < t->n_ema; k++)
		n += t->ema[k] < own || t->ema[k] > own;
	return n;
}

static const struct plan_cell *first_cell(const struct plan *p, int arm)
{
	const struct plan_cell *c = p->cells;
	while (c->arm != arm)
		c++;
	return c;
}

static int measure(struct plan *p, int arm, const struct plan_place *place, const struct recipe *r, struct backend *b,
                   struct err *e)
{
	struct plan_arm *a = &p->arms[arm];
	const struct fit_place on = { .b = b,
		                          .ranks = place->ranks,
		                          .averages = averages_of(p, first_cell(p, arm)),
		                          .sharers = place->jobs * (b->ops->host_memory ? place->ranks : 1) };
	struct split s;
	struct fit f, smallest;
	int largest = 0;
	bool choose = place->microbatch == MICROBATCH_AUTO;
	int micro = choose ? 0 : place->microbatch ? place->microbatch : a->config.train.microbatch;
	if (split_of(&s, &a->config, place->ranks, micro, e) || fit_measure(&f, r, &on, &s, e))
		return -1;
	f.limit = place->elsewhere ? 0 : f.limit;
	if (!fits(&f)) {
		if (fit_largest(&largest, &smallest, r, &on, e))
			return -1;
		if (choose && largest > 0) {
			f = smallest;
			s.micro = largest, s.parts = s.share / largest;
		}
	}
	(void)snprintf(a->memory.device, sizeof a->memory.device, "%s", b->name);
	a->memory.bytes = fit_need(&f);
	a->memory.limit = f.limit;
	a->gflop = f.gflop;
	a->step_gflop = f.gflop * s.parts * place->ranks;
	a->memory.micro = s.micro, a->memory.parts = s.parts, a->memory.largest = largest;
	if (!fits(&f)) {
		struct err why = ERR_INIT;
		(void)fit_refuse(&why, b->name, &f, s.micro, largest);
		block_arm(p, arm, why.msg);
	}
	return 0;
}

/* Arithmetic of one evaluation of the network for one picture. */
static double image_gflop(const struct recipe *r, struct backend *b)
{
	struct graph *g = graph_new_on(b);
	(void)denoiser_build(g, r->c, &r->net, r->params, STORE_STUDENT, 1);
	double gflop = graph_flops(g) / 1e9;
	graph_free(g);
	return gflop;
}

/* Of an arm whose dtype this device lacks: what it would compute, without what it would take of the memory. */
static int count_arm(struct plan_arm *a, struct err *e)
{
	SCOPED(recipe) struct recipe r = { 0 };
	struct backend *b;
	struct step step;
	struct err lacks = ERR_INIT;
	if (recipe_sketch(&r, &a->config, &lacks))
		return 0;
	if (backend_open(&b, "cpu", DTYPE_FP32, e))
		return -1;
	struct graph *g = recipe_record(&step, &r, b, a->config.train.batch);
	a->step_gflop = graph_flops(g) / 1e9;
	graph_free(g);
	a->image_gflop = image_gflop(&r, b);
	backend_free(b);
	return 0;
}

static int measure_arm(struct plan *p, int arm, const struct plan_place *place, struct opened_device *d, struct err *e)
{
	const struct run_config *c = &p->arms[arm].config;
	struct err lacks = ERR_INIT; /* what blocks the cell, or ends it with its own words when it starts */
	SCOPED(recipe) struct recipe r = { 0 };
	if (open_for(d, place->device, (enum dtype_kind)c->train.dtype, &lacks)) {
		if (c->train.dtype != DTYPE_FP32 && err_exit_code(&lacks) == EXIT_USAGE) /* it has no such dtype */
			block_arm(p, arm, lacks.msg);
		return count_arm(&p->arms[arm], e);
	}
	if (recipe_sketch(&r, c, &lacks))
		return 0;
	p->arms[arm].image_gflop = image_gflop(&r, d->b);
	return measure(p, arm, place, &r, d->b, e) ? err_in(e, "%s", p->rows[p->arms[arm].rows[0]].name) : 0;
}

/* What was measured for arms of a shape. */
struct measured {
	struct run_config shape;
	int arm, averages;
};

/* The settings less those that are numbers in the step and leave its graph as it is: most axes of large grids, whose
 * arms would else be measured one by one. */
static struct run_config shape_of(const struct run_config *c)
{
	struct run_config s = *c;
	s.loss.c.value = s.noise.mean = s.noise.std = 0;
	s.sigma.min = s.sigma.max = s.sigma.data = s.sigma.rho = 0;
	s.optim.lr = s.optim.beta1 = s.optim.beta2 = s.optim.eps = 0;
	s.weight.p = s.weight.eps = s.meanflow.share = 0;
	s.ema.decay = s.teacher.mu0 = s.precond.time_scale = 0;
	s.train.steps = s.disc.s0 = s.disc.s1 = s.eval.every = 0;
	memset(&s.ect, 0, sizeof s.ect);
	memset(&s.tcm, 0, sizeof s.tcm);
	memset(&s.tangent, 0, sizeof s.tangent);
	s.coupling.ema = 0;
	s.noise.pairing = 0;
	memset(&s.sample, 0, sizeof s.sample);
	return s;
}

static const char *why_blocked(const struct plan *p, int arm)
{
	for (int i = 0; i < p->n_cells; i++)
		if (p->cells[i].arm == arm && p->cells[i].state == CELL_BLOCKED)
			return p->cells[i].reason;
	return NULL;
}

int plan_memory(struct plan *p, const struct plan_place *place, struct err *e)
{
	struct opened_device d = { 0 };
	SCOPED(free) struct measured *known = NULL;
	int rc = 0, last = -1, n = 0, cap = 0;
	for (int i = 0; i < p->n_cells && !rc; i++) {
		if (p->cells[i].state == CELL_CACHED || p->cells[i].arm == last)
			continue;
		struct plan_arm *arm = &p->arms[last = p->cells[i].arm];
		struct run_config shape = shape_of(&arm->config);
		int k = 0, averages = averages_of(p, &p->cells[i]);
		while (k < n && (known[k].averages != averages || memcmp(&known[k].shape, &shape, sizeof shape) != 0))
			k++;
		if (k == n) {
			VEC_PUSH(known, n, cap) = (struct measured){ shape, last, averages };
			rc = measure_arm(p, last, place, &d, e);
			continue;
		}
		arm->memory = p->arms[known[k].arm].memory;
		arm->gflop = p->arms[known[k].arm].gflop;
		arm->step_gflop = p->arms[known[k].arm].step_gflop;
		arm->image_gflop = p->arms[known[k].arm].image_gflop;
		if (arm->memory.limit > 0 && arm->memory.bytes > arm->memory.limit && why_blocked(p, known[k].arm))
			block_arm(p, last, why_blocked(p, known[k].arm));
	}
	close_device(&d);
	return rc;
}

int plan_training_memory(struct plan *p, int training, const struct plan_place *place, struct err *e)
{
	struct opened_device d = { 0 };
	int rc = 0, last = -1;
	for (int i = 0; i < p->n_cells && !rc; i++)
		if (p->cells[i].training == training && p->cells[i].arm != last)
			rc = measure_arm(p, last = p->cells[i].arm, place, &d, e);
	close_device(&d);
	return rc;
}

int plan_arm_microbatch(const struct plan_arm *arm)
{
	return arm->memory.parts > 1 ? arm->memory.micro : 0;
}
