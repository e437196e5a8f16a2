/* train_steps.c - some training steps of a preset on given weights, data and noise.
 *
 *     train_steps [--preset NAME] [--set KEY=VALUE].. [--batch B] [--steps N] [--device NAME] [--dtype DTYPE]
 *                 [--dump FILE]
 *     train_steps --float64 [...]     # a verdict, then N passed, N failed
 *
 * Adam, 1e-4, random weights in every layer, the noise levels of the curriculum's first stage. Prints the loss of each
 * step. --dump writes weights, data and noise for another program to train alike (tests/peers/train_peer.py): lines
 * "name dims", an empty line, then floats: the parameters as listed, then for each step x0 and z (N,H,W,C), t, r and
 * the loss's weight (N each). No dropout but with --float64, where the preset's masks are drawn.
 *
 * --float64 (small networks): the same steps by the specifications in double, by the CPU in float, and by the device in
 * float. Judged are the way that the weights went (relative L2) and the losses. The device may be FACTOR times as far
 * from double as the CPU is: both round once per operation, so what differs is the order of sums, and the error of a
 * sum grows with the square root of the terms in a row; one long row is 4 times as far off as 16 that are added at the
 * end. A wrong term is hundreds of times further off: tf32 fails. */
#include "model/config/net_spec.h"
#include "model/consistency/schedule.h"
#include "model/consistency/step.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/graph/graph_impl.h"
#include "model/graph/optim.h"
#include "model/graph/param_store.h"
#include "model/train/model.h"
#include "model/train/update.h"
#include "tests/common/random_weights.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 100, FIRST_LEVELS = 11, FACTOR = 4 };

struct setup {
	struct run_config c;
	struct net_spec net;
	struct params *p;
	float *weights;
	int batch, steps, dtype;
	bool float64;
	const char *device, *dump;
};

/* What steps leave: the weights as doubles, and the losses. */
struct trained {
	double *weights, loss[MAX_STEPS];
};

static const struct optim adam = { OPTIM_ADAM, 1e-4, 0.9, 0.999, 1e-8, 0 };

/* ---- what every step is given ---------------------------------------------------------------- */

struct given {
	size_t values;
	float *x0, *z, *t, *r, *w; /* in one block, which x0 starts */
};

static struct given given_new(const struct setup *s)
{
	size_t values = (size_t)(s->batch * s->net.h * s->net.w * s->net.in_c), n = (size_t)s->batch;
	float *all = xcalloc(2 * values + 3 * n, sizeof *all);
	return (
		struct given){ values, all, all + values, all + 2 * values, all + 2 * values + n, all + 2 * values + 2 * n };
}

static void given_at(struct given *d, const struct setup *s, int step)
{
	double cdf[FIRST_LEVELS];
	index_cdf(cdf, &s->c, FIRST_LEVELS);
	rng_normal(d->x0, d->values, 7, RNG_SYNTHETIC, 1000 + (uint32_t)step, 0);
	rng_normal(d->z, d->values, 7, RNG_NOISE, (uint32_t)step, 0);
	for (size_t i = 0; i < d->values; i++)
		d->x0[i] = fmaxf(-1, fminf(1, 0.5f * d->x0[i]));
	for (int i = 0; i < s->batch; i++) {
		int64_t k = index_of(cdf, FIRST_LEVELS, (2 * ((i + step) % s->batch) + 1) / (2.0 * s->batch));
		double r = sigma_at(&s->c, FIRST_LEVELS, k), t = sigma_at(&s->c, FIRST_LEVELS, k + 1);
		d->t[i] = (float)t;
		d->r[i] = (float)r;
		d->w[i] = (float)loss_weight(&s->c, t, r);
	}
}

static void give(struct step *st, const struct given *d, const struct setup *s, int step)
{
	graph_write(st->g, st->x0, 0, d->x0, d->values);
	graph_write(st->g, st->z, 0, d->z, d->values);
	for (int i = 0; i < s->batch; i++)
		step_set_noise(st, &s->c, i, (double)d->t[i], (double)d->r[i], (double)d->w[i]);
	graph_send(st->g);
	graph_set_step(st->g, 7, (uint32_t)step);
}

static int dump(const struct setup *s, struct err *e)
{
	SCOPED(file) FILE *f = fopen(s->dump, "wb");
	struct given d = given_new(s);
	if (!f)
		return err_set(e, "%s: cannot be written", s->dump);
	for (int i = 0; i < params_count(s->p); i++) {
		const struct param *q = params_get(s->p, i);
		(void)fprintf(f, "%s", q->name);
		for (int k = 0; k < q->ndim; k++)
			(void)fprintf(f, " %lld", (long long)q->dims[k]);
		(void)fprintf(f, "\n");
	}
	(void)fprintf(f, "\n");
	for (int i = 0; i < params_count(s->p); i++)
		(void)fwrite(s->weights + params_get(s->p, i)->at, sizeof *s->weights, params_get(s->p, i)->count, f);
	for (int k = 0; k < s->steps; k++) {
		given_at(&d, s, k);
		(void)fwrite(d.x0, sizeof *d.x0, 2 * d.values + 3 * (size_t)s->batch, f);
	}
	free(d.x0);
	return fflush(f) || ferror(f) ? err_set(e, "%s: cannot be written", s->dump) : 0;
}

static struct step record(struct graph *g, const struct setup *s)
{
	return step_build(g, &s->c, &s->net, s->p,
	                  &(struct step_options){ .batch = s->batch, .backward = true, .dropout = s->float64 });
}

/* ---- by the specifications, in double -------------------------------------------------------- */

static void weights_into(struct graph *g, const double *w)
{
	for (int i = 0; i < g->n_tensors; i++) {
		struct tensor *t = g->tensors[i];
		if (t->role == TENSOR_PARAM && t->store != STORE_GRAD)
			memcpy(t->ref, w + t->at, tensor_count(t) * sizeof *t->ref);
	}
}

static void adam_step(double *w, double *m, double *v, const struct graph *g, int k)
{
	double c1 = 1 - pow(adam.beta1, k), c2 = 1 - pow(adam.beta2, k);
	for (int i = 0; i < g->n_tensors; i++) {
		const struct tensor *t = g->tensors[i];
		for (size_t j = 0; t->role == TENSOR_PARAM && t->store == STORE_GRAD && j < tensor_count(t); j++) {
			size_t at = t->at + j;
			m[at] = adam.beta1 * m[at] + (1 - adam.beta1) * t->ref[j];
			v[at] = adam.beta2 * v[at] + (1 - adam.beta2) * t->ref[j] * t->ref[j];
			w[at] -= adam.lr * (m[at] / c1) / (sqrt(v[at] / c2) + adam.eps);
		}
	}
}

static void train_in_double(struct trained *out, const struct setup *s)
{
	size_t n = params_floats(s->p);
	SCOPED(free) double *m = xcalloc(n, sizeof *m), *v = xcalloc(n, sizeof *v);
	SCOPED(free) float *grad = xaligned(n * sizeof *grad);
	struct graph *g = graph_new();
	struct step st = record(g, s);
	struct given d = given_new(s);
	graph_plan(g);
	graph_bind(g, STORE_STUDENT, s->weights);
	graph_bind(g, STORE_TEACHER, s->weights);
	graph_bind(g, STORE_GRAD, grad);
	for (size_t i = 0; i < n; i++)
		out->weights[i] = (double)s->weights[i];
	for (int k = 0; k < s->steps; k++) {
		given_at(&d, s, k);
		give(&st, &d, s, k);
		graph_load_ref(g);
		weights_into(g, out->weights);
		graph_rerun_ref(g);
		out->loss[k] = st.loss->ref[0];
		adam_step(out->weights, m, v, g, k + 1);
	}
	free(d.x0);
	graph_free(g);
}

/* ---- by a back end --------------------------------------------------------------------------- */

enum { WEIGHTS, MOMENT, SQUARE, N_STORES_HERE };

static float *zeros_on(struct backend *b, size_t n, struct err *e)
{
	SCOPED(free) float *host = xcalloc(n, sizeof *host);
	float *p = b->ops->memory.alloc(b, n * sizeof *p, e);
	if (p)
		b->ops->memory.upload(b, p, host, n * sizeof *p);
	return p;
}

static int steps_on(struct trained *out, const struct setup *s, struct backend *b, struct step *st, struct update *u,
                    float **stores, void *low, struct err *e)
{
	size_t n = params_floats(s->p);
	struct step_control *control = b->ops->memory.alloc(b, sizeof *control, e);
	struct step_status *status = b->ops->memory.alloc(b, sizeof *status, e), none = { 0 };
	struct given d = given_new(s);
	SCOPED(free) float *now = xcalloc(n, sizeof *now);
	int rc = control && status ? 0 : -1;
	if (!rc) {
		params_upload(b, s->p, stores[WEIGHTS], s->weights);
		params_round(b, s->p, low, stores[WEIGHTS]);
		b->ops->memory.upload(b, status, &none, sizeof none);
		update_bind(u,
		            &(struct update_stores){ .p = stores[WEIGHTS],
		                                     .m = stores[MOMENT],
		                                     .v = stores[SQUARE],
		                                     .low = low,
		                                     .control = control,
		                                     .status = status },
		            st->loss);
	}
	for (int k = 0; !rc && k < s->steps; k++) {
		struct step_control c = { .scalars = { 7, (uint32_t)k, 0 }, .optim = optim_step_at(&adam, k + 1) };
		float loss;
		given_at(&d, s, k);
		give(st, &d, s, k);
		b->ops->memory.upload(b, control, &c, sizeof c);
		rc = update_run(u, e) || backend_check(b, e) ? -1 : 0;
		graph_read(st->g, &loss, st->loss, 0, 1);
		out->loss[k] = (double)loss;
	}
	if (!rc)
		params_download(b, s->p, now, stores[WEIGHTS]);
	for (size_t i = 0; i < n; i++)
		out->weights[i] = (double)now[i];
	free(d.x0);
	if (control)
		b->ops->memory.release(b, control);
	if (status)
		b->ops->memory.release(b, status);
	return rc;
}

static int train_on(struct trained *out, const struct setup *s, struct backend *b, struct err *e)
{
	struct graph *g = graph_new_on(b);
	graph_by_taps(g, STORE_STUDENT);
	graph_by_taps(g, STORE_TEACHER);
	struct step st = record(g, s);
	struct update *u = NULL;
	float *stores[N_STORES_HERE];
	void *low = NULL;
	int rc = params_low_alloc(&low, b, s->p, e);
	if (b->dtype == DTYPE_BF16)
		(void)graph_set_low(g);
	for (int i = 0; i < N_STORES_HERE; i++)
		rc |= !(stores[i] = zeros_on(b, params_floats(s->p), e));
	if (!rc && !(rc = update_new(&u, g, b, s->p, NULL, 1, e) || graph_try_plan(g, e))) {
		graph_bind(g, STORE_STUDENT, stores[WEIGHTS]);
		graph_bind(g, STORE_TEACHER, stores[WEIGHTS]);
		graph_bind_low(g, STORE_STUDENT, low);
		graph_bind_low(g, STORE_TEACHER, low);
		rc = steps_on(out, s, b, &st, u, stores, low, e);
	}
	update_free(u);
	graph_free(g);
	for (int i = 0; i < N_STORES_HERE; i++)
		if (stores[i])
			b->ops->memory.release(b, stores[i]);
	if (low)
		b->ops->memory.release(b, low);
	return rc ? -1 : 0;
}

/* ---- the verdict ----------------------------------------------------------------------------- */

struct distance {
	double way, loss;
};

static struct distance distance_of(const struct trained *got, const struct trained *want, const struct setup *s)
{
	struct distance d = { 0, 0 };
	double diff = 0, norm = 0;
	for (size_t i = 0; i < params_floats(s->p); i++) {
		double way = want->weights[i] - (double)s->weights[i], off = got->weights[i] - want->weights[i];
		diff += off * off;
		norm += way * way;
	}
	d.way = sqrt(diff / norm);
	for (int k = 0; k < s->steps; k++) {
		double off = fabs(got->loss[k] / want->loss[k] - 1);
		d.loss = off <= d.loss ? d.loss : off; /* a NaN stays */
	}
	return d;
}

static bool judge(const char *what, double device, double cpu)
{
	double allowed = FACTOR * cpu + (double)FLT_EPSILON; /* where the CPU happens to hit it, one last place */
	bool good = device <= allowed;
	printf("%-4s %-8s device %.2e  cpu %.2e from double (<= %.2e)\n", good ? "ok" : "FAIL", what, device, cpu, allowed);
	return good;
}

static int compare(const struct setup *s, struct backend *b, struct err *e)
{
	size_t n = params_floats(s->p);
	struct trained by[3];
	for (int i = 0; i < 3; i++)
		by[i].weights = xcalloc(n, sizeof *by[i].weights);
	train_in_double(&by[0], s);
	int rc = train_on(&by[1], s, backend_cpu(), e) || train_on(&by[2], s, b, e) ? -1 : 0, failed = 0;
	if (!rc) {
		struct distance cpu = distance_of(&by[1], &by[0], s), device = distance_of(&by[2], &by[0], s);
		failed += !judge("weights", device.way, cpu.way);
		failed += !judge("losses", device.loss, cpu.loss);
	}
	for (int i = 0; i < 3; i++)
		free(by[i].weights);
	printf("%d passed, %d failed, 0 skipped\n", rc ? 0 : 2 - failed, rc ? 2 : failed);
	return rc ? -1 : failed;
}

static int losses(const struct setup *s, struct backend *b, struct err *e)
{
	struct trained by = { .weights = xcalloc(params_floats(s->p), sizeof(double)) };
	int rc = train_on(&by, s, b, e);
	for (int k = 0; !rc && k < s->steps; k++)
		printf("loss %d %.9g\n", k + 1, by.loss[k]);
	free(by.weights);
	return rc;
}

/* ---- options --------------------------------------------------------------------------------- */

static int set(struct run_config *c, const char *text, struct err *e)
{
	const char *is = strchr(text, '=');
	if (!is)
		return err_set(e, "--set %s: not KEY=VALUE", text);
	SCOPED(free) char *key = xstrndup(text, (size_t)(is - text));
	return config_set_text(c, key, is + 1, e);
}

static int one_option(struct setup *s, const char *name, const char *value, struct err *e)
{
	if (strcmp(name, "--preset") == 0) /* done before the others */
		return 0;
	if (strcmp(name, "--set") == 0)
		return set(&s->c, value, e);
	if (strcmp(name, "--device") == 0)
		s->device = value;
	else if (strcmp(name, "--dump") == 0)
		s->dump = value;
	else if (strcmp(name, "--batch") == 0)
		s->batch = (int)strtol(value, NULL, 10);
	else if (strcmp(name, "--steps") == 0)
		s->steps = (int)strtol(value, NULL, 10);
	else if (strcmp(name, "--dtype") == 0)
		for (s->dtype = 0; s->dtype < N_DTYPES && strcmp(value, dtype_name(s->dtype)) != 0;)
			s->dtype++;
	else
		return err_set(e, "unknown option %s", name);
	return 0;
}

static int options(struct setup *s, int argc, char **argv, struct err *e)
{
	const char *preset = "ict-shapes8-ci";
	for (int i = 1; i + 1 < argc; i++)
		preset = strcmp(argv[i], "--preset") == 0 ? argv[i + 1] : preset;
	config_defaults(&s->c);
	if (config_preset(&s->c, preset, e))
		return -1;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--float64") == 0)
			s->float64 = true;
		else if (++i == argc)
			return err_set(e, "%s wants a value", argv[i - 1]);
		else if (one_option(s, argv[i - 1], argv[i], e))
			return -1;
	}
	if (s->batch < 1 || s->steps < 1 || s->steps > MAX_STEPS || s->dtype == N_DTYPES)
		return err_set(e, "--batch and --steps want 1 or more (at most %d steps), --dtype one of %s", MAX_STEPS,
		               DTYPE_CHOICES);
	return config_finish(&s->c, e);
}

int main(int argc, char **argv)
{
	struct setup s = { .batch = 4, .steps = 20, .device = "cuda" };
	struct backend *b;
	struct err e = ERR_INIT;
	model_init(0);
	if (options(&s, argc, argv, &e)) {
		(void)fprintf(stderr, "train_steps: %s\n", e.msg);
		return EXIT_USAGE;
	}
	s.net = net_spec_of(&s.c);
	s.p = net_params(&s.net);
	s.weights = xaligned(params_floats(s.p) * sizeof *s.weights);
	random_weights(s.weights, s.p);
	int rc = s.dump ? dump(&s, &e) : 0;
	if (!rc && !(rc = backend_open(&b, s.device, s.dtype, &e))) {
		rc = s.float64 ? compare(&s, b, &e) : losses(&s, b, &e);
		backend_free(b);
	}
	if (rc < 0)
		(void)fprintf(stderr, "train_steps: %s\n", e.msg);
	free(s.weights);
	params_free(s.p);
	return rc ? EXIT_INCOMPLETE : EXIT_OK;
}
