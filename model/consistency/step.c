/* step.c - see step.h. */
#include "model/consistency/step.h"

#include "model/base/err.h"
#include "model/consistency/segments.h"

enum { STUDENT, TEACHER };

/* A distance with a c: the config's, or by samples. */
static struct tensor *distance(struct graph *g, const struct run_config *c, struct tensor *x, struct tensor *target,
                               enum dist_kind kind, struct tensor *by)
{
	return by ? graph_distance_by(g, x, target, kind, by) : graph_distance(g, x, target, kind, c->loss.c.value);
}

/* The metric of a config as an op of two images; by: struct step's c. */
static struct tensor *metric(struct graph *g, const struct run_config *c, struct tensor *x, struct tensor *target,
                             struct tensor *by, const struct step_options *o)
{
	const struct classifier *classifier = o->classifier;
	bool mean = c->loss.reduce == REDUCE_MEAN;
	switch ((enum loss_kind)c->loss.kind) {
	case LOSS_PSEUDO_HUBER:
		if (c->method.kind == METHOD_CT_CONTINUOUS) /* of a gap that vanishes: continuous.h */
			return graph_scale(g, graph_distance(g, x, target, DIST_L2_SUM, 0), 1 / (2 * c->loss.c.value));
		return distance(g, c, x, target, DIST_HUBER, by);
	case LOSS_CAUCHY: return distance(g, c, x, target, mean ? DIST_CAUCHY_MEAN : DIST_CAUCHY_SUM, by);
	case LOSS_HUBER_PIXEL: return graph_distance(g, x, target, DIST_HUBER_PIXEL, c->loss.c.value);
	case LOSS_HUBER_ELEMENT: return graph_distance(g, x, target, DIST_HUBER_ELEMENT, c->loss.c.value);
	case LOSS_L2: return graph_distance(g, x, target, mean ? DIST_L2_MEAN : DIST_L2_SUM, 0);
	case LOSS_L1: return graph_distance(g, x, target, mean ? DIST_L1_MEAN : DIST_L1_SUM, 0);
	case LOSS_LPIPS_CLASSIFIER: {
		REQUIRE(classifier);
		struct classifier_out a = classifier_forward(g, classifier->params, STORE_FROZEN, x, classifier->classes);
		struct classifier_out b = classifier_forward(g, classifier->params, STORE_FROZEN, target, classifier->classes);
		struct tensor *sum = NULL;
		for (int i = 0; i < CLASSIFIER_TAPS; i++) {
			struct tensor *d = graph_feature_dist(g, a.taps[i], b.taps[i], NULL);
			sum = sum ? graph_add_scaled(g, sum, d, 1) : d;
		}
		return sum;
	}
	case LOSS_LPIPS:
	case LOSS_LPIPS_AVERAGE: REQUIRE(o->lpips); return lpips_loss_distance(g, o->lpips, x, target);
	}
	BUG("loss.kind %d has no graph", c->loss.kind);
}

bool step_has_teacher(const struct run_config *c)
{
	return c->teacher.ema.named || c->teacher.ema.value > 0;
}

bool step_has_average(const struct run_config *c)
{
	return step_has_teacher(c) || c->method.kind == METHOD_TCM || config_generator_share(c) > 0;
}

static struct step begin(struct graph *g, const struct run_config *c, const struct net_spec *net, int64_t n)
{
	int64_t h = net->h * c->net.patch, w = net->w * c->net.patch, ch = net->in_c / (c->net.patch * c->net.patch);
	struct step s = { .g = g,
		              .x0 = graph_input(g, "x0", n, h, w, ch),
		              .z = graph_input(g, "z", n, h, w, ch),
		              .weight = graph_input(g, "weight", n, 1, 1, 1) };
	if (net->classes)
		s.labels = graph_input(g, "labels", n, 1, 1, net->classes);
	s.one = graph_input(g, "one", n, 1, 1, 1);
	return s;
}

/* From student and teacher to the loss and back. learned: the student's weight of its loss, or NULL. */
static void finish(struct step *s, const struct run_config *c, struct tensor *learned, const struct step_options *o)
{
	graph_keep(s->student);
	graph_keep(s->teacher);
	graph_set_exact(s->g, true); /* features of two answers that nearly agree cancel as the answers do */
	if (c->loss.c_schedule != C_CONSTANT)
		s->c = graph_input(s->g, "c", s->x0->n, 1, 1, 1);
	s->d = metric(s->g, c, s->student, s->teacher, s->c, o);
	if (learned)
		s->d = graph_learned_weight(s->g, s->d, learned);
	if (c->weight.kind == WEIGHT_ADAPTIVE)
		s->d = graph_lincomb(s->g, graph_adaptive_weight(s->g, s->d, c->weight.p, c->weight.eps), s->d, NULL, NULL);
	s->loss = graph_weighted_mean(s->g, s->d, s->weight);
	graph_set_exact(s->g, false);
	graph_keep(s->d);
	graph_keep(s->loss);
	if (o->backward)
		graph_backward(s->g, s->loss);
}

static struct step build_continuous(struct graph *g, const struct run_config *c, const struct net_spec *net,
                                    const struct params *p, const struct step_options *o)
{
	struct step s = begin(g, c, net, o->batch);
	struct tensor *learned = NULL;
	struct net_inputs in = { .labels = s.labels,
		                     .masks = o->masks,
		                     .n_masks = o->n_masks,
		                     .train = o->dropout,
		                     .weight = net->weight_head ? &learned : NULL };
	s.continuous = continuous_build(g, c, net, p, s.x0, s.z, in);
	graph_keep(s.continuous.change);
	s.student = s.continuous.student;
	s.teacher = s.continuous.target;
	finish(&s, c, learned, o);
	return s;
}

struct step step_build(struct graph *g, const struct run_config *c, const struct net_spec *net, const struct params *p,
                       const struct step_options *o)
{
	if (config_is_continuous(c))
		return build_continuous(g, c, net, p, o);
	int64_t n = o->batch;
	struct step s = begin(g, c, net, n);
	struct tensor *one = s.one, *learned = NULL, *answer[2], *x[2], *picture = s.x0;
	struct denoise by[2];
	if (config_generator_share(c) > 0) {
		s.coupling = coupling_build(g, c, net, p, s.x0, s.z, s.labels);
		picture = s.coupling.picture;
	}
	for (int k = STUDENT; k <= TEACHER; k++) {
		struct denoise b = by[k] = denoise_inputs(g, n);
		s.sigma[k] = b.sigma, s.c_skip[k] = b.c_skip, s.c_out[k] = b.c_out, s.c_in[k] = b.c_in,
		s.c_noise[k] = b.c_noise;
		if (k == TEACHER && config_references(c)) {
			s.posterior = posterior_build(g, config_references(c), x[STUDENT], s.x0, by[STUDENT].sigma);
			x[k] = s.posterior.x_r;
		} else if (k == STUDENT || c->method.kind != METHOD_CD) {
			x[k] = graph_lincomb(g, one, picture, b.sigma, s.z);
		} else { /* where a diffusion network's ODE leads from the student's point */
			s.distill = distill_build(g, c, net, p, x[STUDENT], s.labels);
			x[k] = s.distill.result;
		}
	}
	bool change = graph_is_low(g) && c->teacher.shared_dropout && !o->apart, truncated = c->method.kind == METHOD_TCM;
	struct tensor *frozen = NULL;
	if (truncated)
		s.frozen = denoise_inputs(g, n);
	for (int i = 0; i < 2;
	     i++) { /* a teacher by itself goes first: nothing of it is kept, so the student reuses its memory */
		int k = change ? i : TEACHER - i;
		bool shared = c->teacher.shared_dropout || k == STUDENT;
		struct net_inputs in = { .labels = s.labels,
			                     .masks = o->masks,
			                     .n_masks = o->n_masks,
			                     .train = o->dropout,
			                     .first_layer = shared ? 0 : (uint32_t)net_dropout_layers(net),
			                     .weight = k == STUDENT && net->weight_head ? &learned : NULL };
		if (k == TEACHER && change)
			answer[k] = denoise_record_change(g, step_has_teacher(c) ? STORE_TEACHER : STORE_STUDENT, x[k], &by[k],
			                                  &by[STUDENT]);
		else
			answer[k] = denoise_record(g, c, net, p, k == STUDENT ? STORE_STUDENT : STORE_TEACHER, x[k], &by[k], in);
		if (k == TEACHER && truncated)
			frozen = change ? denoise_record_change(g, STORE_AVERAGE, x[k], &s.frozen, &by[STUDENT])
			                : denoise_record(g, c, net, p, STORE_AVERAGE, x[k], &s.frozen, in);
	}
	s.student = answer[STUDENT];
	s.teacher = frozen ? graph_add_scaled(g, answer[TEACHER], frozen, 1) : answer[TEACHER];
	finish(&s, c, learned, o);
	return s;
}

void step_set_noise(struct step *s, const struct run_config *c, int i, double t, double r, double w)
{
	double sigma[2] = { t, r }, end = segment_below(c, t);
	if (r < end)
		BUG("teacher noise %g below its segment, which ends at %g", r, end);
	for (int k = STUDENT; k <= TEACHER; k++)
		denoise_set_towards(
			&(struct denoise){ s->sigma[k], s->c_skip[k], s->c_out[k], s->c_in[k], s->c_noise[k], { 0 }, NULL }, c,
			(enum precond_kind)c->precond.kind, i, sigma[k], end);
	if (c->method.kind == METHOD_CD)
		distill_set(&s->distill, c, i, t, r);
	if (config_generator_share(c) > 0)
		coupling_set(&s->coupling, c, i, r);
	if (config_references(c))
		posterior_set(&s->posterior, i, t, r);
	s->weight->host[i] = (float)w;
	s->one->host[i] = 1;
}

/* The answer counts for nothing, whatever it is. */
static void silence(const struct tensor *c_skip, const struct tensor *c_out, int i)
{
	c_skip->host[i] = c_out->host[i] = 0;
}

void step_set_truncated(struct step *s, const struct run_config *c, int i, double t, double r, double w, bool frozen)
{
	step_set_noise(s, c, i, t, r, w);
	denoise_set(&s->frozen, c, (enum precond_kind)c->precond.kind, i, r);
	if (frozen)
		silence(s->c_skip[TEACHER], s->c_out[TEACHER], i);
	else
		silence(s->frozen.c_skip, s->frozen.c_out, i);
}

void step_set_continuous(struct step *s, const struct run_config *c, int i, double sigma, double warm, double w)
{
	continuous_set(&s->continuous, c, i, sigma, warm);
	s->weight->host[i] = (float)w;
}

void step_set_flow(struct step *s, const struct run_config *c, int i, double sigma, double lower, double w)
{
	continuous_set_flow(&s->continuous, c, i, sigma, lower);
	s->weight->host[i] = (float)w;
}

void step_set_c(struct step *s, double c)
{
	for (int64_t i = 0; s->c && i < s->c->n; i++)
		s->c->host[i] = (float)c;
}

struct denoiser denoiser_build(struct graph *g, const struct run_config *c, const struct net_spec *net,
                               const struct params *p, enum store store, int batch)
{
	int64_t n = batch, h = net->h * c->net.patch, w = net->w * c->net.patch,
			ch = net->in_c / (c->net.patch * c->net.patch);
	struct denoise b = denoise_inputs(g, n);
	if (net->second_time)
		b.c_gap = graph_input(g, "c_gap", n, 1, 1, 1);
	struct denoiser d = { .g = g,
		                  .x = graph_input(g, "x", n, h, w, ch),
		                  .sigma = b.sigma,
		                  .c_skip = b.c_skip,
		                  .c_out = b.c_out,
		                  .c_in = b.c_in,
		                  .c_noise = b.c_noise,
		                  .c_gap = b.c_gap };
	if (net->classes)
		d.labels = graph_input(g, "labels", n, 1, 1, net->classes);
	d.out = denoise_record(g, c, net, p, store, d.x, &b, (struct net_inputs){ .labels = d.labels });
	graph_keep(d.out);
	return d;
}

void denoiser_set_sigma(struct denoiser *d, const struct run_config *c, double sigma)
{
	denoiser_set_towards(d, c, sigma, 0);
}

void denoiser_set_towards(struct denoiser *d, const struct run_config *c, double sigma, double end)
{
	struct denoise b = { d->sigma, d->c_skip, d->c_out, d->c_in, d->c_noise, { 0 }, d->c_gap };
	/* of the others, sampling always knows sigma_min (ect networks.py:706) */
	bool in_sampling_too = c->precond.kind == PRECOND_TRIGFLOW || c->precond.kind == PRECOND_FLOW;
	enum precond_kind kind = in_sampling_too ? (enum precond_kind)c->precond.kind : PRECOND_CM;
	for (int i = 0; i < (int)d->x->n; i++)
		denoise_set_towards(&b, c, kind, i, sigma, end);
	graph_send(d->g);
}
