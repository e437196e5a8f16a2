/* plan_memory.c - see plan_memory.h. */
#include "harness/plan/plan_memory.h"

#include "harness/plan/inputs.h"
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

static int measure(struct plan *p, int arm, const struct plan_place *place, const struct recipe *r, struct backend *b,
                   struct err *e)
{
	struct plan_arm *a = &p->arms[arm];
	const struct fit_place on = { .b = b,
		                          .ranks = place->ranks,
		                          .sharers = place->jobs * (b->ops->host_memory ? place->ranks : 1) };
	struct split s;
	struct fit f, smallest;
	int largest = 0;
	bool choose = place->microbatch == MICROBATCH_AUTO;
	int micro = choose ? 0 : place->microbatch ? place->microbatch : a->config.train.microbatch;
	if (split_of(&s, &a->config, place->ranks, micro, e) || fit_measure(&f, r, &on, &s, e))
		return -1;
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
	a->memory.micro = s.micro, a->memory.parts = s.parts, a->memory.largest = largest;
	if (!fits(&f)) {
		struct err why = ERR_INIT;
		(void)fit_refuse(&why, b->name, &f, s.micro, largest);
		block_arm(p, arm, why.msg);
	}
	return 0;
}

static int measure_arm(struct plan *p, int arm, const struct plan_place *place, struct opened_device *d, struct err *e)
{
	const struct run_config *c = &p->arms[arm].config;
	struct err lacks = ERR_INIT; /* what blocks the cell, or ends it with its own words when it starts */
	SCOPED(recipe) struct recipe r = { 0 };
	SCOPED(free) char *backbone = inputs_weights(c, "lpips-vgg-backbone"), *heads = inputs_weights(c, "lpips-vgg");
	if (open_for(d, place->device, (enum dtype_kind)c->train.dtype, &lacks) ||
	    recipe_open(&r, c, backbone, heads, &lacks))
		return 0;
	return measure(p, arm, place, &r, d->b, e) ? err_in(e, "%s", p->rows[p->arms[arm].rows[0]].name) : 0;
}

int plan_memory(struct plan *p, const struct plan_place *place, struct err *e)
{
	struct opened_device d = { 0 };
	int rc = 0, last = -1;
	for (int i = 0; i < p->n_cells && !rc; i++)
		if (p->cells[i].state != CELL_CACHED && p->cells[i].arm != last)
			rc = measure_arm(p, last = p->cells[i].arm, place, &d, e);
	close_device(&d);
	return rc;
}

int plan_arm_memory(struct plan *p, int arm, const struct plan_place *place, struct err *e)
{
	struct opened_device d = { 0 };
	int rc = measure_arm(p, arm, place, &d, e);
	close_device(&d);
	return rc;
}

int plan_arm_microbatch(const struct plan_arm *arm)
{
	return arm->memory.parts > 1 ? arm->memory.micro : 0;
}
