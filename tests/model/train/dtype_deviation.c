/* dtype_deviation.c - how far a training step in tf32 and bf16 is from the same step in fp32, by the number N of noise
 * levels: the student's and the teacher's answers nearly cancel late in the curriculum, so what rounding does to their
 * difference grows.
 *
 *     dtype_deviation [--device cuda[:N]] [--preset NAME] [--batch B] [--set KEY=VALUE]..   # a Markdown table, then N
 *     passed, N failed
 *
 * The reference is fp32 on the CPU. The network has random weights everywhere, also where training starts from zeros
 * (which would answer nothing); noise levels are the interval's quantiles 1/8, 3/8, ... of the preset's own
 * distribution. A teacher with weights of its own has the student's times 1 + 0.01 normal. Rows marked "apart" evaluate
 * the teacher in a pass of its own, as is usual elsewhere, rather than by its change from the student
 * (model/nets/change.h): for comparison, judged by nobody. MiB: the step's memory.
 *
 * Another row fails when it is further from fp32 than about three times what was measured (results/gpu/README.md), at
 * any N. */
#include "model/cpu/devices.h"
#include "model/config/net_spec.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/consistency/schedule.h"
#include "model/consistency/step.h"
#include "model/train/model.h"
#include "model/graph/param_store.h"
#include "model/graph/params.h"
#include "tests/common/random_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct setup {
	struct run_config c;
	struct net_spec net;
	struct params *p;
	float *weights, *teacher;
	struct classifier metric;
	int64_t batch;
	bool apart;
};
struct answer {
	double loss;
	float *grad;
	size_t bytes;
};

static void teacher_weights(float *t, const float *w, size_t n)
{
	rng_normal(t, n, 8, RNG_SYNTHETIC, 0, 0);
	for (size_t i = 0; i < n; i++)
		t[i] = w[i] * (1 + 0.01f * t[i]);
}

/* One step at N levels. */
static int step(struct answer *out, const struct setup *s, struct backend *b, int64_t n, struct err *e)
{
	size_t floats = params_floats(s->p);
	float *w, *own, *frozen = NULL, *grad = b->ops->memory.alloc(b, floats * sizeof *grad, e);
	void *w_low = NULL, *own_low = NULL;
	struct graph *g = graph_new_on(b);
	graph_by_taps(g, STORE_STUDENT);
	graph_by_taps(g, STORE_TEACHER);
	graph_by_taps(g, STORE_FROZEN);
	struct step st = step_build(g, &s->c, &s->net, s->p,
	                            &(struct step_options){ .batch = (int)s->batch,
	                                                    .backward = true,
	                                                    .apart = s->apart,
	                                                    .classifier = s->metric.params ? &s->metric : NULL });
	if (b->dtype == DTYPE_BF16)
		(void)graph_set_low(g);
	if (!grad || graph_try_plan(g, e) || params_lend(&w, b, s->p, s->weights, e) ||
	    params_lend(&own, b, s->p, s->teacher, e) || params_low_alloc(&w_low, b, s->p, e) ||
	    params_low_alloc(&own_low, b, s->p, e) ||
	    (s->metric.params && params_lend(&frozen, b, s->metric.params, s->metric.weights, e)))
		return -1;
	graph_bind(g, STORE_FROZEN, frozen);
	graph_bind(g, STORE_STUDENT, w);
	graph_bind(g, STORE_TEACHER, step_has_teacher(&s->c) ? own : w);
	graph_bind(g, STORE_GRAD, grad);
	params_round(b, s->p, w_low, w);
	params_round(b, s->p, own_low, own);
	graph_bind_low(g, STORE_STUDENT, w_low);
	graph_bind_low(g, STORE_TEACHER, step_has_teacher(&s->c) ? own_low : w_low);
	size_t values = tensor_count(st.x0);
	SCOPED(free) float *x = xcalloc(values, sizeof *x), *z = xcalloc(values, sizeof *z);
	rng_normal(x, values, 7, RNG_SYNTHETIC, 1000, 0);
	for (size_t i = 0; i < values; i++)
		x[i] = fmaxf(-1, fminf(1, 0.5f * x[i]));
	rng_normal(z, values, 7, RNG_NOISE, 0, 0);
	graph_write(g, st.x0, 0, x, values);
	graph_write(g, st.z, 0, z, values);
	SCOPED(free) double *cdf = xcalloc((size_t)n, sizeof *cdf);
	index_cdf(cdf, &s->c, n);
	for (int i = 0; i < (int)s->batch; i++) {
		int64_t k = index_of(cdf, n, (2 * i + 1) / (2.0 * (double)s->batch));
		double small = sigma_at(&s->c, n, k), big = sigma_at(&s->c, n, k + 1);
		step_set_noise(&st, &s->c, i, big, small, loss_weight(&s->c, big, small));
	}
	graph_send(g);
	graph_set_step(g, 7, 0);
	graph_run(g);
	float loss;
	graph_read(g, &loss, st.loss, 0, 1);
	out->loss = (double)loss;
	out->grad = xcalloc(floats, sizeof *out->grad);
	params_download(b, s->p, out->grad, grad);
	out->bytes = graph_bytes(g);
	int rc = backend_check(b, e);
	graph_free(g);
	b->ops->memory.release(b, grad);
	backend_return(b, w, s->weights);
	backend_return(b, own, s->teacher);
	void *const low[] = { w_low, own_low };
	for (int i = 0; i < 2; i++)
		if (low[i])
			b->ops->memory.release(b, low[i]);
	if (frozen)
		backend_return(b, frozen, s->metric.weights);
	return rc;
}

static int passed, failed;

/* 32-bit floats, 11 bits, 8 bits: rounding of a step, by BACKEND_*; with a metric that has relus, whose kinks a rounded
 * answer crosses. The floats' deviation grows with a network's width: 1.2e-4 at 16 channels, 3.8e-4 at 64, by own
 * convolutions under emulation. */
static const double allowed[][2] = { { 1.2e-3, 1.2e-3 }, { 6e-3, 5e-2 }, { 6e-2, 3.5e-1 } };

static void judge(int dtype, bool learned, double gradient)
{
	bool good = gradient <= allowed[dtype][learned]; /* false for a NaN */
	passed += good;
	failed += !good;
}

static void row(const struct answer *want, const struct answer *got, const struct setup *s, int64_t levels, int d)
{
	static const char *const dtypes[] = { "fp32", "tf32", "bf16" };
	double diff = 0, a = 0, b = 0, ab = 0;
	size_t n = params_floats(s->p);
	for (size_t i = 0; i < n; i++) {
		double x = (double)want->grad[i], y = (double)got->grad[i];
		diff += (x - y) * (x - y);
		a += x * x;
		b += y * y;
		ab += x * y;
	}
	if (!s->apart)
		judge(d, s->metric.params != NULL, sqrt(diff / a));
	printf("| %lld | %s%s | %.2e | %+.3f %% | %.6f | %.2f |\n", (long long)levels, dtypes[d], s->apart ? ", apart" : "",
	       sqrt(diff / a), 100 * (got->loss / want->loss - 1), ab / sqrt(a * b), (double)got->bytes / 0x1p20);
	(void)fflush(stdout);
}

static int table(struct setup *s, const char *device, struct err *e)
{
	static const int64_t levels[] = { 11, 161, 641, 1281 };
	printf("| N | dtype | gradient, relative L2 | loss | cosine | MiB |\n|---:|---|---:|---:|---:|---:|\n");
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		struct answer want, got;
		if (step(&want, s, backend_cpu(), levels[i], e))
			return -1;
		for (int d = DTYPE_FP32; d <= DTYPE_BF16; d++) {
			struct backend *b;
			if (backend_open(&b, device, d, e))
				return -1;
			for (int apart = 0; apart <= (d != DTYPE_FP32); apart++) {
				s->apart = apart;
				if (step(&got, s, b, levels[i], e))
					return -1;
				row(&want, &got, s, levels[i], d);
				free(got.grad);
			}
			backend_free(b);
		}
		free(want.grad);
	}
	return 0;
}

/* KEY=VALUE */
static int set(struct run_config *c, const char *text, struct err *e)
{
	const char *is = strchr(text, '=');
	if (!is)
		return err_set(e, "--set %s: not KEY=VALUE", text);
	SCOPED(free) char *key = xstrndup(text, (size_t)(is - text));
	return config_set_text(c, key, is + 1, e);
}

static int options(struct setup *s, const char **device, int argc, char **argv, struct err *e)
{
	const char *preset = "ict-shapes8-ci";
	for (int i = 1; i + 1 < argc; i += 2)
		preset = strcmp(argv[i], "--preset") == 0 ? argv[i + 1] : preset;
	config_defaults(&s->c);
	if (config_preset(&s->c, preset, e))
		return -1;
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return err_set(e, "%s wants a value", argv[i]);
		if (strcmp(argv[i], "--device") == 0)
			*device = argv[i + 1];
		else if (strcmp(argv[i], "--batch") == 0)
			s->batch = strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--set") == 0 && set(&s->c, argv[i + 1], e))
			return -1;
	}
	return s->batch < 1 ? err_set(e, "--batch wants at least 1") : config_finish(&s->c, e);
}

int main(int argc, char **argv)
{
	const char *device = "cuda";
	struct setup s = { .batch = 4 };
	struct err e = ERR_INIT;
	model_init(0);
	if (options(&s, &device, argc, argv, &e)) {
		(void)fprintf(stderr, "dtype_deviation: %s\n", e.msg);
		return EXIT_USAGE;
	}
	if (s.c.loss.kind == LOSS_LPIPS_CLASSIFIER && classifier_load(&s.metric, s.c.data.name, CLASSIFIER_OF_LOSS, &e)) {
		(void)fprintf(stderr, "dtype_deviation: %s\n", e.msg);
		return EXIT_INCOMPLETE;
	}
	s.net = net_spec_of(&s.c);
	s.p = net_params(&s.net);
	s.weights = xaligned(params_floats(s.p) * sizeof *s.weights);
	s.teacher = xaligned(params_floats(s.p) * sizeof *s.teacher);
	random_weights(s.weights, s.p);
	teacher_weights(s.teacher, s.weights, params_floats(s.p));
	int rc = table(&s, device, &e);
	if (rc)
		(void)fprintf(stderr, "dtype_deviation: %s\n", e.msg);
	free(s.weights);
	free(s.teacher);
	params_free(s.p);
	if (s.metric.params)
		classifier_release(&s.metric);
	printf("\n%d passed, %d failed, 0 skipped\n", passed, failed + (rc != 0));
	return rc || failed ? EXIT_INCOMPLETE : EXIT_OK;
}
