/* test_continuous.c - sCT's target, weight and preconditioning (arXiv:2410.11081) against the paper's formulas in its
 * own variables, in double: the angle t, x_t = cos t x + sin t sd z and its velocity. A wrong factor here trains, and
 * converges to something else. The change of the answer is compared with differences along the path itself, which the
 * graph's coefficients do not know. */
#include "model/config/net_spec.h"
#include "model/consistency/schedule.h"
#include "model/consistency/step.h"

#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/graph/op.h"
#include "model/train/model.h"
#include "tests/common/random_input.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3, SIDE = 8, CHANNELS = 1, PER = SIDE * SIDE * CHANNELS };
static const double sigmas[N] = { 0.05, 0.6, 9 }, sd = 0.5, warm = 0.4, norm_c = 0.1;

static struct run_config config(const char *patch)
{
	struct run_config c;
	struct err e = ERR_INIT;
	const char *const set[][2] = { { "method.kind", "sct" },     { "precond.kind", "trigflow" },
		                           { "loss.kind", "l2" },        { "loss.reduce", "mean" },
		                           { "weight.kind", "learned" }, { "precond.time_scale", "1" },
		                           { "net.patch", patch } };
	config_defaults(&c);
	cr_assert_eq(config_preset(&c, "ict-shapes8-ci", &e), 0, "%s", e.msg);
	for (size_t i = 0; i < sizeof set / sizeof *set; i++)
		cr_assert_eq(config_set_text(&c, set[i][0], set[i][1], &e), 0, "%s", e.msg);
	cr_assert_eq(config_finish(&c, &e), 0, "%s", e.msg);
	return c;
}

struct run {
	struct run_config c;
	struct net_spec net;
	struct params *p;
	float *w, *grad;
	struct graph *g;
	struct step s;
};

/* At angles `by` beyond those of the sigmas. */
static void set_angles(struct run *r, double by)
{
	for (int i = 0; i < N; i++)
		step_set_continuous(&r->s, &r->c, i, sd * tan(atan(sigmas[i] / sd) + by), warm, 1);
	graph_run_ref(r->g);
}

static struct run begin(const char *patch)
{
	struct run r = { .c = config(patch) };
	model_init(1);
	r.net = net_spec_of(&r.c);
	r.p = net_params(&r.net);
	r.w = xaligned(params_floats(r.p) * sizeof *r.w);
	r.grad = xaligned(params_floats(r.p) * sizeof *r.grad);
	for (int i = 0; i < params_count(r.p); i++) {
		const struct param *q = params_get(r.p, i);
		rng_normal(r.w + q->at, q->count, 5, RNG_INIT, (uint32_t)i, 0);
		for (size_t k = 0; k < q->count; k++)
			r.w[q->at + k] *= 0.1f;
	}
	r.g = graph_new_on(backend_cpu());
	r.s = step_build(r.g, &r.c, &r.net, r.p, &(struct step_options){ .batch = N, .backward = true });
	graph_plan(r.g);
	graph_bind(r.g, STORE_STUDENT, r.w);
	graph_bind(r.g, STORE_GRAD, r.grad);
	random_input(r.g, r.s.x0, 7, 1, 1);
	random_input(r.g, r.s.z, 7, 2, 1);
	set_angles(&r, 0);
	return r;
}

static void end(struct run *r)
{
	graph_free(r->g);
	params_free(r->p);
	free(r->w);
	free(r->grad);
}

/* |a - b| relative to |b|. */
static double apart(const double *a, const double *b, size_t n)
{
	double diff = 0, size = 0;
	for (size_t i = 0; i < n; i++) {
		diff += (a[i] - b[i]) * (a[i] - b[i]);
		size += b[i] * b[i];
	}
	return sqrt(diff / size);
}

/* g and the target of F by the paper's formulas, from the graph's F and J = cos t sin t dF/dt. */
static void expected(double *g, double *target, const struct run *r)
{
	for (int n = 0; n < N; n++) {
		double t = atan(sigmas[n] / sd), squares = 0;
		for (int i = n * PER; i < (n + 1) * PER; i++) {
			double x = r->s.x0->ref[i], z = sd * r->s.z->ref[i], f = r->s.student->ref[i],
				   sd_df_dt = sd * r->s.continuous.change->ref[i] / (cos(t) * sin(t));
			double x_t = cos(t) * x + sin(t) * z, v = cos(t) * z - sin(t) * x;
			g[i] = -cos(t) * cos(t) * (sd * f - v) - warm * cos(t) * sin(t) * (x_t + sd_df_dt);
			squares += g[i] * g[i];
		}
		for (int i = n * PER; i < (n + 1) * PER; i++)
			target[i] = r->s.student->ref[i] + g[i] / (sqrt(squares) + norm_c);
	}
}

/* Coefficients are floats: nothing agrees better than some 1e-7. */
Test(continuous, the_target_is_the_papers)
{
	static const char *const patches[] = { "1", "2" };
	for (size_t k = 0; k < sizeof patches / sizeof *patches; k++) {
		static double g[N * PER], target[N * PER];
		struct run r = begin(patches[k]);
		cr_assert_eq(tensor_count(r.s.student), N * PER);
		expected(g, target, &r);
		cr_expect_lt(apart(r.s.continuous.direction->ref, g, N * PER), 1e-6, "patches of %s", patches[k]);
		cr_expect_lt(apart(r.s.teacher->ref, target, N * PER), 1e-6, "patches of %s", patches[k]);
		end(&r);
	}
}

Test(continuous, the_change_is_the_answers_along_the_path)
{
	static double up[N * PER], change[N * PER], want[N * PER];
	const double h = 1e-3;
	struct run r = begin("1");
	memcpy(change, r.s.continuous.change->ref, sizeof change);
	set_angles(&r, h);
	memcpy(up, r.s.student->ref, sizeof up);
	set_angles(&r, -h);
	for (int i = 0; i < N * PER; i++) {
		double t = atan(sigmas[i / PER] / sd);
		want[i] = cos(t) * sin(t) * (up[i] - r.s.student->ref[i]) / (2 * h);
	}
	for (int n = 0; n < N; n++) {
		double off = apart(change + n * PER, want + n * PER, PER);
		cr_expect_lt(off, 2e-3, "sigma %g: %.1e", sigmas[n], off);
	}
	end(&r);
}

/* w(t): linear in [sin | cos] of t f, f from 1 down to 1/10000. */
static double head_of(const struct run *r, double t)
{
	const struct param *head = params_find(r->p, "map_weight.weight"), *bias = params_find(r->p, "map_weight.bias");
	cr_assert(head && bias);
	size_t half = head->count / 2;
	const float *of_sin = r->w + head->at, *of_cos = of_sin + half;
	double w = (double)r->w[bias->at];
	for (size_t j = 0; j < half; j++) {
		double a = t * pow(10000, -(double)j / (double)(half - 1));
		w += (double)of_sin[j] * sin(a) + (double)of_cos[j] * cos(a);
	}
	return w;
}

static const struct tensor *gradient_of(const struct graph *g, const struct param *q)
{
	struct node **nodes;
	for (int i = graph_nodes(g, &nodes) - 1; i >= 0; i--)
		for (int j = 0; j < nodes[i]->n_dst; j++) {
			const struct tensor *t = nodes[i]->dst[j];
			if (t && t->role == TENSOR_PARAM && t->store == STORE_GRAD && t->at == q->at)
				return t;
		}
	BUG("no gradient of %s", q->name);
}

/* The loss is the mean of e^w d - w, d the mean square; its gradient reaches the answer and the head of w, and no
 * target. */
Test(continuous, the_loss_is_weighted_by_what_the_network_answers)
{
	struct run r = begin("1");
	double total = 0, head_gradient = 0, worst = 0;
	for (int n = 0; n < N; n++) {
		double d = 0;
		for (int i = n * PER; i < (n + 1) * PER; i++)
			d += pow(r.s.student->ref[i] - r.s.teacher->ref[i], 2) / PER;
		double w = head_of(&r, atan(sigmas[n] / sd));
		cr_expect_float_eq(r.s.d->ref[n], exp(w) * d - w, 1e-6, "sample %d", n);
		total += (exp(w) * d - w) / N;
		head_gradient += (exp(w) * d - 1) / N;
		for (int i = n * PER; i < (n + 1) * PER; i++)
			worst = fmax(worst, fabs(r.s.student->grad->ref[i] -
			                         exp(w) * 2 * (r.s.student->ref[i] - r.s.teacher->ref[i]) / PER / N));
	}
	cr_expect_float_eq(r.s.loss->ref[0], total, 1e-6);
	cr_expect_lt(worst, 1e-8);
	cr_expect_float_eq(gradient_of(r.g, params_find(r.p, "map_weight.bias"))->ref[0], head_gradient, 1e-6);
	cr_expect_not(r.s.teacher->needs_grad);
	end(&r);
}

/* D(x, sigma) = cos t x_t - sin t sd F(x_t / sd, t) with x_t = cos t x. */
Test(continuous, trigflow_is_a_preconditioning)
{
	struct run_config c = config("1");
	for (int i = 0; i < N; i++) {
		double t = atan(sigmas[i] / sd);
		struct precond p = precond_at(&c, PRECOND_TRIGFLOW, sigmas[i]);
		cr_expect_float_eq(p.c_skip, cos(t) * cos(t), 1e-14);
		cr_expect_float_eq(p.c_out, -sin(t) * sd, 1e-14);
		cr_expect_float_eq(p.c_in, cos(t) / sd, 1e-14);
		cr_expect_float_eq(p.c_noise, t, 1e-14);
	}
}

Test(continuous, the_tangent_comes_in_over_the_warm_up)
{
	struct run_config c = config("1");
	c.tangent.warmup = 200;
	cr_expect_eq(tangent_warmth(&c, 0), 0);
	cr_expect_eq(tangent_warmth(&c, 50), 0.25);
	cr_expect_eq(tangent_warmth(&c, 500), 1);
	c.tangent.warmup = 0;
	cr_expect_eq(tangent_warmth(&c, 0), 1);
}

/* One line each, which names the knob that has to change. */
Test(continuous, refusals)
{
	static const char *const wrong[][3] = {
		{ "precond.kind", "cm", "set precond.kind = \"trigflow\"" },
		{ "noise.dist", "uniform", "set noise.dist = \"lognormal\"" },
		{ "loss.kind", "pseudo-huber", "set loss.kind = \"l2\"" },
		{ "teacher.ema", "0.9", "leave teacher.ema at 0" },
		{ "weight.kind", "inverse-gap", "\"learned\" or \"uniform\"" },
		{ "multistep.segments", "2", "leave multistep.segments at 1" },
		{ "train.dtype", "bf16", "trains in fp32 or tf32" },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct run_config c = config("1");
		struct err e = ERR_INIT;
		cr_assert_eq(config_set_text(&c, wrong[i][0], wrong[i][1], &e), 0, "%s", e.msg);
		cr_expect_neq(config_finish(&c, &e), 0, "%s = %s", wrong[i][0], wrong[i][1]);
		cr_expect_eq(e.code, EXIT_USAGE);
		cr_expect(strstr(e.msg, wrong[i][2]), "%s", e.msg);
		cr_expect(strstr(e.msg, "\"sct\""), "%s", e.msg);
	}
}
