/* test_ct_continuous.c - consistency training on a grid of infinitely many levels (arXiv:2303.01469, appendix B.2). A
 * wrong factor in its tangent trains, and converges to something else, so every number is compared with what it is the
 * limit of: derivatives with differences, the law of the noise and the weight with those of a fine grid, and the
 * gradient with that of the step of CT whose two levels nearly agree. */
#include "model/config/net_spec.h"
#include "model/consistency/schedule.h"
#include "model/consistency/step.h"

#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/cpu/devices.h"
#include "model/train/draw.h"
#include "model/train/model.h"
#include "tests/common/random_input.h"
#include "tests/common/small_config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4, PER = 8 * 8, SEED = 9 };
static const double levels[N] = { 0.01, 0.3, 1.7, 30 };

static struct run_config config(const char *const *more)
{
	static const char *const base[] = { "method.kind", "ct-continuous", NULL };
	return small_config(base, more);
}

struct run {
	struct run_config c;
	struct net_spec net;
	struct params *p;
	float *w, *grad;
	struct graph *g;
	struct step s;
};

static struct run begin(const struct run_config *c)
{
	struct run r = { .c = *c };
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
	graph_bind(r.g, STORE_TEACHER, r.w);
	graph_bind(r.g, STORE_GRAD, r.grad);
	random_input(r.g, r.s.x0, 7, 1, 0.5);
	random_input(r.g, r.s.z, 7, 2, 1);
	return r;
}

static void end(struct run *r)
{
	graph_free(r->g);
	params_free(r->p);
	free(r->w);
	free(r->grad);
}

/* At the levels times `by`, each of weight w. */
static void set_levels(struct run *r, double by, double w)
{
	for (int i = 0; i < N; i++)
		step_set_continuous(&r->s, &r->c, i, levels[i] * by, 1, w);
	graph_run_ref(r->g);
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

static const char *const preconds[] = { "cm", "edm", "squared-c-in", "diffusers" };

Test(ct_continuous, slopes_of_the_preconditioning)
{
	for (size_t k = 0; k < sizeof preconds / sizeof *preconds; k++) {
		struct run_config c = config((const char *[]){ "precond.kind", preconds[k], "precond.time_scale", "3", NULL });
		enum precond_kind kind = (enum precond_kind)c.precond.kind;
		for (int i = 0; i < N; i++) {
			double h = levels[i] * 1e-5;
			struct precond up = precond_at(&c, kind, levels[i] + h), down = precond_at(&c, kind, levels[i] - h),
						   got = precond_slope_at(&c, kind, levels[i]);
			cr_expect_float_eq(got.c_skip * 2 * h, up.c_skip - down.c_skip, 1e-13, "%s %g", preconds[k], levels[i]);
			cr_expect_float_eq(got.c_out * 2 * h, up.c_out - down.c_out, 1e-13, "%s %g", preconds[k], levels[i]);
			cr_expect_float_eq(got.c_in * 2 * h, up.c_in - down.c_in, 1e-13, "%s %g", preconds[k], levels[i]);
			cr_expect_float_eq(got.c_noise * 2 * h, up.c_noise - down.c_noise, 1e-12, "%s %g", preconds[k], levels[i]);
		}
	}
}

/* The answer is the preconditioned one, and the direction its change along the path of the sample, less. */
Test(ct_continuous, the_target_lies_along_the_path)
{
	static double f[N * PER], up[N * PER], minus[N * PER], want[N * PER];
	for (size_t k = 0; k < sizeof preconds / sizeof *preconds; k++) {
		struct run_config c = config(
			(const char *[]){ "precond.kind", preconds[k], "net.patch", k % 2 ? "2" : "1", "net.dropout", "0", NULL });
		struct run r = begin(&c);
		const double h = 1e-3;
		set_levels(&r, 1, 1);
		memcpy(f, r.s.student->ref, sizeof f);
		memcpy(minus, r.s.continuous.direction->ref, sizeof minus);
		for (int n = 0; n < N; n++) {
			struct precond p = precond_at(&c, (enum precond_kind)c.precond.kind, levels[n]);
			for (int i = n * PER; i < (n + 1) * PER; i++) {
				want[i] = p.c_skip * (r.s.x0->ref[i] + levels[n] * r.s.z->ref[i]) + p.c_out * r.s.continuous.f->ref[i];
				cr_assert_float_eq(r.s.teacher->ref[i], f[i] + minus[i], 1e-12);
			}
		}
		cr_expect_lt(apart(f, want, N * PER), 1e-6, "%s", preconds[k]);
		set_levels(&r, 1 + h, 1);
		memcpy(up, r.s.student->ref, sizeof up);
		set_levels(&r, 1 - h, 1);
		for (int i = 0; i < N * PER; i++)
			want[i] = -(up[i] - r.s.student->ref[i]) / (2 * h * levels[i / PER]);
		for (int n = 0; n < N; n++) {
			double off = apart(minus + n * PER, want + n * PER, PER);
			cr_expect_lt(off, 2e-3, "%s, level %g: %.1e", preconds[k], levels[n], off);
		}
		cr_expect_not(r.s.teacher->needs_grad);
		end(&r);
	}
}

/* CT's step at t and t - gap, weighted by 1/gap. */
static void gradient_of_ct(double *out, const char *const *settings)
{
	static const char *const base[] = { "method.kind", "ct", NULL };
	struct run_config c = small_config(base, settings);
	struct run r = begin(&c);
	for (int i = 0; i < N; i++) {
		double gap = levels[i] * 1e-3;
		step_set_noise(&r.s, &r.c, i, levels[i] + gap / 2, levels[i] - gap / 2, 1 / gap);
	}
	graph_run_ref(r.g);
	memcpy(out, r.s.student->grad->ref, N * PER * sizeof *out);
	end(&r);
}

Test(ct_continuous, the_gradient_is_cts_of_a_gap_that_vanishes)
{
	static const char *const metrics[][5] = { { "loss.kind", "l2" },
		                                      { "loss.kind", "l2", "loss.reduce", "mean" },
		                                      { "loss.kind", "pseudo-huber", "loss.c", "5" } };
	static double want[N * PER];
	for (size_t k = 0; k < sizeof metrics / sizeof *metrics; k++) {
		struct run_config c = config(metrics[k]);
		gradient_of_ct(want, metrics[k]);
		struct run r = begin(&c);
		set_levels(&r, 1, 1);
		for (int n = 0; n < N; n++) {
			double off = apart(r.s.student->grad->ref + n * PER, want + n * PER, PER), squares = 0;
			cr_expect_lt(off, 5e-3, "%s, level %g: %.1e", metrics[k][1], levels[n], off);
			for (int i = n * PER; i < (n + 1) * PER; i++)
				squares += pow(r.s.continuous.direction->ref[i], 2);
			double half = k == 0 ? 1 : k == 1 ? 1.0 / PER : 1.0 / (2 * 5);
			cr_expect_float_eq(r.s.d->ref[n] / (half * squares), 1, 1e-6, "%s: the loss", metrics[k][1]);
		}
		end(&r);
	}
}

/* A share u of the levels lies below level_of(u): the running sum of any grid, at its points. */
Test(ct_continuous, levels_are_those_of_a_grid_without_end)
{
	enum { POINTS = 33 };
	static const char *const laws[] = { "lognormal", "uniform" };
	for (size_t k = 0; k < 2; k++) {
		struct run_config c = config((const char *[]){ "noise.dist", laws[k], "noise.mean", "-6", NULL });
		double cdf[POINTS - 1];
		index_cdf(cdf, &c, POINTS);
		for (int i = 0; i + 2 < POINTS; i++)
			cr_expect_float_eq(level_of(&c, cdf[i]) / sigma_at(&c, POINTS, i + 1), 1, 1e-9, "%s %d", laws[k], i);
		cr_expect_float_eq(level_of(&c, 0) / c.sigma.min, 1, 1e-9);
		cr_expect_float_eq(level_of(&c, 1) / c.sigma.max, 1, 1e-9);
	}
}

/* lambda times N - 1 gaps of a fine grid, and 1 for the weight that divides by the gap. */
Test(ct_continuous, weights_are_those_of_a_grid_without_end)
{
	enum { POINTS = 100001, AT = 40000 };
	static const char *const kinds[] = { "uniform", "snr", "snr+1", "truncated-snr" };
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		struct run_config c = config((const char *[]){ "weight.kind", kinds[k], NULL });
		double t = sigma_at(&c, POINTS, AT), r = sigma_at(&c, POINTS, AT - 1);
		double want = loss_weight(&c, t, r) * (POINTS - 1) * (t - r);
		cr_expect_float_eq(loss_weight_limit(&c, t) / want, 1, 1e-3, "%s", kinds[k]);
	}
	static const char *const ones[] = { "inverse-gap", "learned", "adaptive" };
	for (size_t k = 0; k < sizeof ones / sizeof *ones; k++) {
		struct run_config c = config((const char *[]){ "weight.kind", ones[k], NULL });
		cr_expect_eq(loss_weight_limit(&c, 3), 1, "%s", ones[k]);
	}
}

/* Sample 5 + i of step 11 by its own random number, and its weight in two parts of a batch. */
Test(ct_continuous, levels_are_drawn_by_the_law)
{
	enum { BATCH = 16, STEP = 11, FIRST = 5 };
	struct run_config c = config((const char *[]){ "weight.kind", "uniform", NULL });
	struct net_spec net = net_spec_of(&c);
	struct params *p = net_params(&net);
	struct graph *g = graph_new_on(backend_cpu());
	struct step s = step_build(g, &c, &net, p, &(struct step_options){ .batch = BATCH });
	struct draws d = { .c = &c, .seed = SEED };
	graph_plan(g);
	draw_noise_levels(&s, &d, &(struct split){ .share = 2 * BATCH, .micro = BATCH, .parts = 2 }, STEP, FIRST);
	for (int i = 0; i < BATCH; i++) {
		double t = level_of(&c, rng_uniform_double(SEED, RNG_SIGMA, STEP, (uint64_t)(FIRST + i)));
		cr_expect_float_eq((double)s.continuous.c_noise->host[i], c.precond.time_scale * log(t), 1e-5);
		cr_expect_float_eq((double)s.weight->host[i] / loss_weight_limit(&c, t), 0.5, 1e-6);
	}
	draws_release(&d);
	graph_free(g);
	params_free(p);
}

/* One line each, which names the knob that has to change. */
Test(ct_continuous, refusals)
{
	static const char *const wrong[][3] = {
		{ "precond.kind", "trigflow", "set precond.kind = \"cm\"" },
		{ "loss.kind", "lpips-classifier", "set loss.kind = \"l2\" or \"pseudo-huber\"" },
		{ "loss.c", "0", "divides by loss.c" },
		{ "sigma.min", "0", "down to sigma.min" },
		{ "teacher.ema", "0.9", "leave teacher.ema at 0" },
		{ "multistep.segments", "2", "leave multistep.segments at 1" },
		{ "train.dtype", "bf16", "trains in fp32 or tf32" },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct run_config c = config(NULL);
		struct err e = ERR_INIT;
		cr_assert_eq(config_set_text(&c, wrong[i][0], wrong[i][1], &e), 0, "%s", e.msg);
		cr_expect_neq(config_finish(&c, &e), 0, "%s = %s", wrong[i][0], wrong[i][1]);
		cr_expect_eq(e.code, EXIT_USAGE);
		cr_expect(strstr(e.msg, wrong[i][2]), "%s", e.msg);
		cr_expect(strstr(e.msg, "\"ct-continuous\""), "%s", e.msg);
	}
	struct run_config c = config(NULL);
	struct err e = ERR_INIT;
	c.noise.mean = 100;
	cr_expect_neq(config_finish(&c, &e), 0);
	cr_expect(strstr(e.msg, "leaves no probability between sigma.min and sigma.max"), "%s", e.msg);
}
