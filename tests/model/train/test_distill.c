/* test_distill.c - consistency distillation: the ODE step of the frozen network against the same step taken by hand in
 * double and against its closed solution, and whole trainings from a teacher in a file. */
#include "model/base/mem.h"
#include "model/config/net_spec.h"
#include "model/cpu/devices.h"
#include "model/base/rng.h"
#include "model/consistency/schedule.h"
#include "model/consistency/step.h"
#include "model/formats/safetensors.h"
#include "model/train/train.h"
#include "tests/common/formula.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 3 };

static struct run_config tiny(const char *const *settings)
{
	struct run_config c;
	struct err e = ERR_INIT;
	config_defaults(&c);
	static const char *const base[] = { "train.steps", "6",  "train.batch", "8",       "net.channels", "8",
		                                "method.kind", "cd", "cd.teacher",  "x.st",    "disc.kind",    "constant",
		                                "disc.s0",     "17", "noise.dist",  "uniform", "weight.kind",  "uniform",
		                                "loss.kind",   "l2", NULL };
	cr_assert_eq(config_preset(&c, "ict-shapes8-ci", &e), 0, "%s", e.msg);
	for (const char *const *s = base; s[0]; s += 2)
		cr_assert_eq(config_set_text(&c, s[0], s[1], &e), 0, "%s", e.msg);
	for (; settings && settings[0]; settings += 2)
		cr_assert_eq(config_set_text(&c, settings[0], settings[1], &e), 0, "%s", e.msg);
	cr_assert_eq(config_finish(&c, &e), 0, "%s", e.msg);
	return c;
}

/* Weights that any name gives; 0.3 keeps a network of random weights tame. */
static float *weights_named(const struct params *p, const char *prefix)
{
	float *w = xaligned(params_floats(p) * sizeof *w);
	for (int i = 0; i < params_count(p); i++) {
		const struct param *q = params_get(p, i);
		SCOPED(free) char *name = xstrfmt("%s%s", prefix, q->name);
		for (size_t k = 0; k < q->count; k++)
			w[q->at + k] = (float)(q->ndim > 1
			                           ? formula_u(name, k) * sqrt(3.0 / (double)(q->count / (size_t)q->dims[0]))
			                           : 0.3 * formula_u(name, k));
	}
	return w;
}

struct taken {
	double *x_t, *x_r;
	size_t per;
};

/* One step of the graph: the student's points and where the teacher's ODE leads from them, for noise levels t -> r. */
static struct taken take_step(const struct run_config *c, const struct net_spec *net, const struct params *p,
                              float *diffusion, const double *t, const double *r)
{
	float *student = weights_named(p, "student/"), *grad = xaligned(params_floats(p) * sizeof *grad);
	struct graph *g = graph_new();
	struct step s = step_build(g, c, net, p, &(struct step_options){ .batch = BATCH, .backward = true });
	graph_keep(s.distill.result);
	graph_plan(g);
	graph_bind(g, STORE_STUDENT, student);
	graph_bind(g, STORE_TEACHER, student);
	graph_bind(g, STORE_GRAD, grad);
	graph_bind(g, STORE_DIFFUSION, diffusion);
	struct taken out = { .per = tensor_count(s.x0) / BATCH };
	rng_normal(s.x0->data, tensor_count(s.x0), 1, RNG_SYNTHETIC, 0, 0);
	rng_normal(s.z->data, tensor_count(s.z), 1, RNG_NOISE, 0, 0);
	out.x_t = xcalloc(BATCH * out.per, sizeof *out.x_t);
	out.x_r = xcalloc(BATCH * out.per, sizeof *out.x_r);
	for (int i = 0; i < BATCH; i++) {
		step_set_noise(&s, c, i, t[i], r[i], 1);
		for (size_t k = 0; k < out.per; k++)
			out.x_t[(size_t)i * out.per + k] = (double)s.x0->data[(size_t)i * out.per + k] +
			                                   t[i] * (double)s.z->data[(size_t)i * out.per + k];
	}
	graph_run(g);
	for (size_t k = 0; k < BATCH * out.per; k++)
		out.x_r[k] = (double)s.distill.result->data[k];
	cr_assert(isfinite((double)s.loss->data[0]));
	graph_free(g);
	free(student);
	free(grad);
	return out;
}

/* D(x, sigma) of one sample in double, EDM's preconditioning written out. */
static void clean_of(double *out, const struct run_config *c, const struct net_spec *net, const struct params *p,
                     float *weights, const double *x, size_t per, double sigma)
{
	struct graph *g = graph_new();
	struct tensor *in = graph_input(g, "in", 1, net->h, net->w, net->in_c),
				  *noise = graph_input(g, "noise", 1, 1, 1, 1);
	struct tensor *f = net_forward(g, net, p, STORE_STUDENT, &(struct net_inputs){ .x = in, .c_noise = noise });
	graph_keep(f);
	graph_plan(g);
	graph_bind(g, STORE_STUDENT, weights);
	memset(in->data, 0, per * sizeof *in->data);
	graph_load_ref(g);
	double sd = c->sigma.data, root = sqrt(sigma * sigma + sd * sd);
	noise->ref[0] = 0.25 * log(sigma);
	for (size_t k = 0; k < per; k++)
		in->ref[k] = x[k] / root;
	graph_rerun_ref(g);
	for (size_t k = 0; k < per; k++)
		out[k] = sd * sd / (root * root) * x[k] + sigma * sd / root * f->ref[k];
	graph_free_ref(g);
	graph_free(g);
}

static double relative_error(const double *got, const double *want, size_t n)
{
	double diff = 0, norm = 0;
	for (size_t k = 0; k < n; k++) {
		diff += (got[k] - want[k]) * (got[k] - want[k]);
		norm += want[k] * want[k];
	}
	return sqrt(diff / norm);
}

static void expect_step_by_hand(const char *solver)
{
	struct run_config c = tiny((const char *[]){ "cd.solver", solver, NULL });
	struct net_spec net = net_spec_of(&c);
	struct params *p = net_params(&net);
	float *diffusion = weights_named(p, "teacher/");
	static const double t[BATCH] = { 80, 1.7, 0.02 }, r[BATCH] = { 57, 1.1, 0 };
	struct taken s = take_step(&c, &net, p, diffusion, t, r);
	SCOPED(free) double *d = xcalloc(3 * s.per, sizeof *d);
	double *euler = d + s.per, *want = d + 2 * s.per;
	for (int i = 0; i < BATCH; i++) {
		const double *x = s.x_t + (size_t)i * s.per;
		clean_of(d, &c, &net, p, diffusion, x, s.per, t[i]);
		for (size_t k = 0; k < s.per; k++)
			want[k] = euler[k] = x[k] + (r[i] - t[i]) * (x[k] - d[k]) / t[i];
		if (strcmp(solver, "heun") == 0 && r[i] > 0) {
			for (size_t k = 0; k < s.per; k++)
				want[k] = x[k] + (r[i] - t[i]) / 2 * (x[k] - d[k]) / t[i];
			clean_of(d, &c, &net, p, diffusion, euler, s.per, r[i]);
			for (size_t k = 0; k < s.per; k++)
				want[k] += (r[i] - t[i]) / 2 * (euler[k] - d[k]) / r[i];
		}
		double error = relative_error(s.x_r + (size_t)i * s.per, want, s.per);
		cr_expect(error <= 5e-6, "%s, sample %d: relative error %g", solver, i, error);
	}
	free(s.x_t);
	free(s.x_r);
	free(diffusion);
	params_free(p);
}

Test(distill, heuns_step_is_the_one_taken_by_hand)
{
	expect_step_by_hand("heun");
}

Test(distill, eulers_step_is_the_one_taken_by_hand)
{
	expect_step_by_hand("euler");
}

/* A network that says 0 is the exact denoiser of N(0, sigma_data^2) data, whose ODE is solved by x
 * sqrt((r^2+sd^2)/(t^2+sd^2)). */
Test(distill, follows_the_solution_of_a_gaussian)
{
	struct run_config c = tiny(NULL);
	struct net_spec net = net_spec_of(&c);
	struct params *p = net_params(&net);
	float *nothing = xaligned(params_floats(p) * sizeof *nothing);
	memset(nothing, 0, params_floats(p) * sizeof *nothing);
	double t[BATCH], r[BATCH];
	for (int i = 0; i < BATCH; i++) {
		t[i] = sigma_at(&c, 401, 100 * i + 101);
		r[i] = sigma_at(&c, 401, 100 * i + 100);
	}
	struct taken s = take_step(&c, &net, p, nothing, t, r);
	for (int i = 0; i < BATCH; i++) {
		double ratio = sqrt((r[i] * r[i] + 0.25) / (t[i] * t[i] + 0.25));
		for (size_t k = 0; k < s.per; k++)
			s.x_t[(size_t)i * s.per + k] *= ratio;
		double error = relative_error(s.x_r + (size_t)i * s.per, s.x_t + (size_t)i * s.per, s.per);
		cr_expect(error <= 2e-6, "sample %d: relative error %g", i, error);
	}
	free(s.x_t);
	free(s.x_r);
	free(nothing);
	params_free(p);
}

static char *teacher_file(const char *dir, const struct run_config *c)
{
	struct net_spec net = net_spec_of(c);
	struct params *p = net_params(&net);
	float *w = weights_named(p, "teacher/");
	SCOPED(free) struct st_tensor *t = xcalloc((size_t)params_count(p), sizeof *t);
	struct arena names = { 0 };
	for (int i = 0; i < params_count(p); i++) {
		const struct param *q = params_get(p, i);
		t[i] = (struct st_tensor){
			.name = arena_strfmt(&names, "model.%s", q->name), .dtype = ST_F32, .n_dims = q->ndim, .data = w + q->at
		};
		memcpy(t[i].dims, q->dims, sizeof q->dims);
	}
	char *path = xstrfmt("%s/teacher.safetensors", dir);
	struct err e = ERR_INIT;
	cr_assert_eq(safetensors_write(path, t, (size_t)params_count(p), NULL, 0, NULL, &e), 0, "%s", e.msg);
	arena_release(&names);
	free(w);
	params_free(p);
	return path;
}

struct stops {
	int asked, after;
};

static bool stop_after(void *ctx)
{
	struct stops *s = ctx;
	return s->asked++ == s->after;
}

Test(distill, trains_and_resumes_to_the_same_bits)
{
	char *dir = tempdir_make(), *a = tempdir_make(), *b = tempdir_make();
	struct run_config c = tiny(NULL);
	SCOPED(free) char *teacher = teacher_file(dir, &c);
	c = tiny(
		(const char *[]){ "cd.teacher", teacher, "net.init", teacher, "teacher.ema", "0.95", "loss.kind", "l1", NULL });
	struct train_result whole, rest;
	struct err e = ERR_INIT;
	struct train_options o = { .seed = 3, .dir = a, .threads = 2 };
	cr_assert_eq(train_run(&whole, &c, &o, NULL, &e), 0, "%s", e.msg);
	cr_assert_eq(whole.end, TRAIN_DONE);
	struct stops stops = { .after = 3 };
	struct train_hooks hooks = { .ctx = &stops, .stop = stop_after };
	o.dir = b;
	cr_assert_eq(train_run(&rest, &c, &o, &hooks, &e), 0, "%s", e.msg);
	cr_assert_eq(rest.end, TRAIN_STOPPED);
	cr_assert_eq(train_run(&rest, &c, &o, NULL, &e), 0, "%s", e.msg);
	cr_expect_eq(rest.resumed_from, 3);
	cr_expect_str_eq(whole.checkpoint_sha256, rest.checkpoint_sha256);
	tempdir_remove(dir);
	tempdir_remove(a);
	tempdir_remove(b);
}

Test(distill, a_teacher_that_is_not_there_is_named)
{
	char *dir = tempdir_make();
	struct run_config c = tiny((const char *[]){ "cd.teacher", "/nowhere/teacher.safetensors", NULL });
	struct train_result r;
	struct err e = ERR_INIT;
	struct train_options o = { .seed = 3, .dir = dir, .threads = 1 };
	cr_assert_eq(train_run(&r, &c, &o, NULL, &e), -1);
	cr_expect(strstr(e.msg, "cd.teacher") && strstr(e.msg, "/nowhere/teacher.safetensors"), "%s", e.msg);
	tempdir_remove(dir);
}
