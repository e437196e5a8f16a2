/* fit.c - see fit.h. */
#include "model/train/fit.h"

#include "model/base/mem.h"
#include "model/data/shapes.h"
#include "model/graph/backend.h"
#include "model/graph/param_store.h"
#include "model/train/ckpt.h"
#include "model/train/update.h"

int split_of(struct split *out, const struct run_config *c, int ranks, int micro, struct err *e)
{
	int share = c->train.batch / ranks;
	if (c->train.batch % ranks)
		return err_code(e, EXIT_USAGE, "train.batch = %d cannot be shared equally by %d processes", c->train.batch,
		                ranks);
	if (micro > 0 && share % micro)
		return err_code(e, EXIT_USAGE, "micro-batches of %d do not divide the %d samples of train.batch = %d%s", micro,
		                share, c->train.batch, ranks > 1 ? " that each process has" : "");
	micro = micro > 0 ? micro : share;
	*out = (struct split){ .share = share, .micro = micro, .parts = share / micro };
	return 0;
}

double fit_need(const struct fit *f)
{
	return f->stores + f->step;
}

bool fits(const struct fit *f)
{
	return !(f->limit > 0) || fit_need(f) <= f->limit;
}

int fit_refuse(struct err *e, const char *device, const struct fit *f, int micro, int largest)
{
	SCOPED(free)
	char *remedy = largest > 0 ? xstrfmt("--microbatch %d would fit", largest)
	                           : xstrdup("one sample at once does not fit");
	return err_code(e, EXIT_USAGE, "%d sample%s at once need%s %.3g GB of %s's memory and %.3g are there; %s", micro,
	                micro == 1 ? "" : "s", micro == 1 ? "s" : "", fit_need(f) / 1e9, device, f->limit / 1e9, remedy);
}

/* What is there whatever a step's size: as train.c's set_up_memory and initial_weights ask for. */
static int stores_of(double *bytes, const struct recipe *r, const struct fit_place *on, int parts, struct err *e)
{
	struct data_shape d;
	float *weights;
	const struct params *frozen = recipe_frozen(&weights, r);
	const struct backend *b = on->b;
	int stores = N_CKPT_PARTS + on->averages - !step_has_average(r->c) + update_way(b, on->ranks > 1, parts).stores +
	             (r->c->method.kind == METHOD_CD);
	if (data_shape_find(&d, r->c->data.name, e))
		return -1;
	*bytes = (double)sizeof(float) * stores * (double)params_floats(r->params);
	if (frozen)
		*bytes += (double)sizeof(float) * (double)params_floats(frozen);
	*bytes += (double)params_low_bytes(b, r->params) * (1 + step_has_average(r->c) + (r->c->method.kind == METHOD_CD));
	*bytes += (double)d.n_train * d.h * d.w * d.c;
	return 0;
}

int fit_measure(struct fit *out, const struct recipe *r, const struct fit_place *on, const struct split *s,
                struct err *e)
{
	struct backend_facts facts;
	struct step step;
	struct fit f = { 0 };
	bool team = on->ranks > 1;
	if (stores_of(&f.stores, r, on, s->parts, e))
		return -1;
	struct graph *g = recipe_record(&step, r, on->b, s->micro);
	if (update_way(on->b, team, s->parts).handed_over)
		graph_hand_over(g, (struct graph_taker){ 0 });
	int rc = graph_measure(g, e);
	f.step = (double)graph_bytes(g);
	f.gflop = graph_flops(g) / 1e9;
	graph_free(g);
	if (rc)
		return -1;
	on->b->ops->facts(on->b, &facts);
	f.limit = (double)(facts.memory_free ? facts.memory_free : facts.memory) / on->sharers;
	*out = f;
	return 0;
}

/* What divides n, rising; how many. */
static int divisors_of(int **out, int n)
{
	int *v = NULL, k = 0, cap = 0;
	for (int d = 1; d <= n; d++)
		if (n % d == 0)
			VEC_PUSH(v, k, cap) = d;
	*out = v;
	return k;
}

int fit_largest(int *micro, struct fit *out, const struct recipe *r, const struct fit_place *on, struct err *e)
{
	struct split s = { 0 };
	SCOPED(free) int *v = NULL;
	*micro = 0;
	if (split_of(&s, r->c, on->ranks, 0, e))
		return -1;
	int fitting = -1,
		too_many = divisors_of(&v, s.share); /* more samples take more; halved until they are neighbours */
	while (too_many - fitting > 1) {
		int mid = fitting + (too_many - fitting) / 2;
		struct fit f;
		s.micro = v[mid], s.parts = s.share / v[mid];
		if (fit_measure(&f, r, on, &s, e))
			return -1;
		if (fits(&f))
			fitting = mid;
		else
			too_many = mid;
		if (fits(&f) || mid == 0)
			*out = f;
	}
	*micro = fitting >= 0 ? v[fitting] : 0;
	return 0;
}
