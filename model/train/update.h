/* update.h - what follows a step's gradients: the optimizer and both averages, applied where the gradients are.
 *
 *     update_new(&u, g, b, params, team, 1, e);  graph_try_plan(g, e);  update_bind(u, &stores, loss);
 *     for (;;) { ...; update_run(u, e); }              // in micro-batches: update_part for each, then update_end
 *
 * On the CPU, alone, each parameter is updated during the backward pass, as soon as its gradient is whole and nothing
 * reads the parameter any more: only a few gradients exist at a time. Where a team averages them first, and on a
 * device, which does better with one sweep than with hundreds, they are in a flat store and are applied after the pass.
 * Which of the two it is changes no bit: an update concerns each element alone, and none is made after a loss that is
 * not finite.
 *
 * A step in micro-batches runs the graph once for each and adds up gradients and loss in a store of their own, in the
 * order of the parts; the weights of the samples are such that the sums are the whole batch's. */
#ifndef ABLATE_UPDATE_H
#define ABLATE_UPDATE_H

#include "model/graph/backend.h"
#include "model/graph/graph.h"
#include "model/graph/params.h"

struct team;

/* An average beside the first; its store is params_floats values in the back end's memory. */
struct update_average {
	float *at;
	struct average of;
};

/* The flat stores of params_floats values that a step changes, and what it is given and returns: in the back end's
 * memory. ema and teacher may be NULL, and so may their values in bf16 (param_store.h). */
struct update_stores {
	float *p, *m, *v, *ema, *teacher;
	const struct update_average *more; /* n_more averages that follow p beside ema; borrowed */
	int n_more;
	void *low, *low_teacher;
	const struct step_control *control;
	struct step_status *status;
};

/* How an update gets its gradients: one by one during the pass, or from a flat store; and how many flat stores of the
 * parameters' length it has of its own. */
struct update_way {
	bool handed_over;
	int stores;
};
struct update_way update_way(const struct backend *b, bool team, int parts);

struct update;
/* For a graph with a backward pass, before it is planned: sets where its gradients go. parts: how often the graph runs
 * in a step. Everything is borrowed; team may be NULL. */
MUST_CHECK int update_new(struct update **out, struct graph *g, struct backend *b, const struct params *p,
                          struct team *team, int parts, struct err *e);
void update_free(struct update *u); /* accepts NULL; before its graph and back end */
/* Once the graph is planned: what runs change, and the loss that they end with. */
void update_bind(struct update *u, const struct update_stores *s, struct tensor *loss);
/* Runs the graph for one part of a step, the one that the control's `part` says. On a device it is only started. */
void update_part(struct update *u);
/* After a step's parts: applies the result. */
MUST_CHECK int update_end(struct update *u, struct err *e);
/* A step of one part: both. */
MUST_CHECK int update_run(struct update *u, struct err *e);
/* The next run will leave its gradients readable for update_norm, which takes a copy where they are handed over one by
 * one. */
void update_keep(struct update *u);
/* Their length (L2), summed in the order of the store; ends what update_keep began. */
double update_norm(struct update *u);

#endif
