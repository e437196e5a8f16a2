/* update.c - see update.h. */
#include "model/train/update.h"

#include "model/base/mem.h"
#include "model/train/team.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct update {
	struct backend *b;
	struct graph *g;
	const struct params *params;
	struct team *team;
	struct update_stores s;
	struct tensor *loss;
	float *grad; /* the flat store, in the back end's memory; NULL: gradients are handed over */
	float *kept; /* the host's copy of a run's gradients, or NULL */
};

static void settle(struct update *u)
{
	u->b->ops->training.settle(u->b, u->s.status, u->loss->data);
}

static void *low_at(void *low, size_t at)
{
	return low ? (uint16_t *)low + at : NULL;
}

/* Updates [at, at + n) of the stores. */
static void apply(struct update *u, size_t at, size_t n, const float *grad)
{
	struct update_job job = { .control = u->s.control,
		                      .status = u->s.status,
		                      .grad = grad,
		                      .p = u->s.p + at,
		                      .m = u->s.m + at,
		                      .v = u->s.v + at,
		                      .ema = u->s.ema ? u->s.ema + at : NULL,
		                      .teacher = u->s.teacher ? u->s.teacher + at : NULL,
		                      .low = low_at(u->s.low, at),
		                      .low_teacher = low_at(u->s.low_teacher, at),
		                      .n = n };
	u->b->ops->training.update(u->b, &job);
}

static void begin(void *ctx)
{
	settle(ctx);
}

static void take(void *ctx, size_t at, size_t n, const float *grad)
{
	struct update *u = ctx;
	if (u->kept)
		memcpy(u->kept + at, grad, n * sizeof *grad);
	apply(u, at, n, grad);
}

/* The averages of parameters that no gradient reaches (Fourier frequencies) still follow them, as in one sweep over the
 * stores. */
static void apply_rest(struct update *u)
{
	for (int i = 0; i < params_count(u->params); i++) {
		const struct param *q = params_get(u->params, i);
		if (!graph_hands_over(u->g, q->at))
			apply(u, q->at, q->count, NULL);
	}
}

int update_new(struct update **out, struct graph *g, struct backend *b, const struct params *p, struct team *team,
               struct err *e)
{
	struct update *u = xcalloc(1, sizeof *u);
	*u = (struct update){ .b = b, .g = g, .params = p, .team = team };
	if (!team && b->ops->host_memory) {
		graph_hand_over(g, (struct graph_taker){ .ctx = u, .begin = begin, .take = take });
	} else if (!(u->grad = b->ops->memory.alloc(b, params_floats(p) * sizeof *u->grad, e))) {
		free(u);
		return err_in(e, "gradients");
	}
	*out = u;
	return 0;
}

void update_free(struct update *u)
{
	if (!u)
		return;
	if (u->grad)
		u->b->ops->memory.release(u->b, u->grad);
	free(u->kept);
	free(u);
}

void update_bind(struct update *u, const struct update_stores *s, struct tensor *loss)
{
	u->s = *s;
	u->loss = loss;
	if (u->grad)
		graph_bind(u->g, STORE_GRAD, u->grad);
	if (u->team)
		team_watch(u->team, u->g, u->grad, params_floats(u->params), loss->data);
}

int update_run(struct update *u, struct err *e)
{
	graph_run(u->g);
	if (!u->grad) {
		apply_rest(u);
		return 0;
	}
	if (u->team && team_average(u->team, e))
		return -1;
	settle(u);
	apply(u, 0, params_floats(u->params), u->grad);
	return 0;
}

void update_keep(struct update *u)
{
	if (!u->grad && !u->kept)
		u->kept = xaligned(params_floats(u->params) * sizeof *u->kept);
}

double update_norm(struct update *u)
{
	size_t n = params_floats(u->params);
	double sum = 0;
	if (u->grad && !u->b->ops->host_memory) {
		u->kept = xaligned(n * sizeof *u->kept);
		u->b->ops->memory.download(u->b, u->kept, u->grad, n * sizeof *u->grad);
	}
	const float *grad = u->kept ? u->kept : u->grad;
	REQUIRE(grad);
	for (size_t i = 0; i < n; i++)
		sum += (double)grad[i] * (double)grad[i];
	free(u->kept);
	u->kept = NULL;
	return sqrt(sum);
}
