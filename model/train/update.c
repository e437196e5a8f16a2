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
	float
		*sum; /* another: of the gradients of a step's parts, and after them of their losses; NULL: there is one part */
	float *kept; /* the host's copy of a run's gradients, or NULL */
};

/* The step's gradients, once all its parts have run; NULL: they are handed over. */
static float *whole(const struct update *u)
{
	return u->sum ? u->sum : u->grad;
}

/* The step's loss, once all its parts have run. */
static float *whole_loss(const struct update *u)
{
	return u->sum ? u->sum + params_floats(u->params) : u->loss->data;
}

static void settle(struct update *u)
{
	u->b->ops->training.settle(u->b, u->s.status, whole_loss(u));
}

static void add_part(struct update *u, size_t at, size_t n, const float *part)
{
	u->b->ops->training.add_part(u->b, &(struct part_job){ u->s.control, part, u->sum + at, n });
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
	for (int i = 0; i < u->s.n_more; i++)
		u->b->ops->training.follow(
			u->b, &(struct follow_job){
					  .status = u->s.status, .p = job.p, .to = u->s.more[i].at + at, .of = u->s.more[i].of, .n = n });
}

static void begin(void *ctx)
{
	settle(ctx);
}

static void add_taken(void *ctx, size_t at, size_t n, const float *grad)
{
	add_part(ctx, at, n, grad);
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

struct update_way update_way(const struct backend *b, bool team, int parts)
{
	bool over = b->ops->host_memory && (!team || parts > 1);
	return (struct update_way){ .handed_over = over, .stores = !over + (parts > 1) };
}

int update_new(struct update **out, struct graph *g, struct backend *b, const struct params *p, struct team *team,
               int parts, struct err *e)
{
	struct update *u = xcalloc(1, sizeof *u);
	size_t n = params_floats(p);
	bool over = update_way(b, team != NULL, parts).handed_over;
	*u = (struct update){ .b = b, .g = g, .params = p, .team = team };
	if ((!over && !(u->grad = b->ops->memory.alloc(b, n * sizeof *u->grad, e))) ||
	    (parts > 1 && !(u->sum = b->ops->memory.alloc(b, (n + 1) * sizeof *u->sum, e)))) {
		update_free(u);
		return err_in(e, "gradients");
	}
	if (over && parts > 1)
		graph_hand_over(g, (struct graph_taker){ .ctx = u, .take = add_taken });
	else if (over)
		graph_hand_over(g, (struct graph_taker){ .ctx = u, .begin = begin, .take = take });
	*out = u;
	return 0;
}

void update_free(struct update *u)
{
	if (!u)
		return;
	if (u->grad)
		u->b->ops->memory.release(u->b, u->grad);
	if (u->sum)
		u->b->ops->memory.release(u->b, u->sum);
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
		team_watch(u->team, u->sum ? NULL : u->g, whole(u), params_floats(u->params), whole_loss(u));
}

void update_part(struct update *u)
{
	graph_run(u->g);
	if (!u->sum)
		return;
	if (u->grad)
		add_part(u, 0, params_floats(u->params), u->grad);
	add_part(u, params_floats(u->params), 1, u->loss->data);
}

int update_end(struct update *u, struct err *e)
{
	if (!whole(u)) {
		apply_rest(u);
		return 0;
	}
	if (u->team && team_average(u->team, e))
		return -1;
	settle(u);
	apply(u, 0, params_floats(u->params), whole(u));
	return 0;
}

int update_run(struct update *u, struct err *e)
{
	update_part(u);
	return update_end(u, e);
}

void update_keep(struct update *u)
{
	if (!whole(u) && !u->kept)
		u->kept = xaligned(params_floats(u->params) * sizeof *u->kept);
}

double update_norm(struct update *u)
{
	size_t n = params_floats(u->params);
	double sum = 0;
	if (whole(u) && !u->b->ops->host_memory) {
		u->kept = xaligned(n * sizeof *u->kept);
		u->b->ops->memory.download(u->b, u->kept, whole(u), n * sizeof *u->kept);
	}
	const float *grad = u->kept ? u->kept : whole(u);
	REQUIRE(grad);
	for (size_t i = 0; i < n; i++)
		sum += (double)grad[i] * (double)grad[i];
	free(u->kept);
	u->kept = NULL;
	return sqrt(sum);
}
