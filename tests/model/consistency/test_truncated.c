/* test_truncated.c - truncated consistency training (TCM): which samples of a batch are at the boundary, the law of the
 * others' noise levels, and whose answer is the target below the boundary and above it. */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/config/net_spec.h"
#include "model/consistency/schedule.h"
#include "model/consistency/step.h"
#include "model/consistency/truncated.h"
#include "model/cpu/devices.h"
#include "tests/common/small_config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct run_config truncated(const char *const *settings)
{
	static const char *const base[] = { "method.kind", "tcm", "train.steps", "10", "tcm.first", "0.45", NULL };
	return small_config(base, settings);
}

Test(truncated, the_second_stage_begins_where_the_share_ends)
{
	struct run_config c = truncated(NULL), ect = c;
	cr_expect_eq(truncated_first_steps(&c), 4);
	for (int64_t k = 0; k < 10; k++) {
		cr_expect_eq(truncated_at(&c, k), k >= 4);
		cr_expect_eq(truncated_answers(&c, 0.9, k), k >= 4);
		cr_expect_not(truncated_answers(&c, c.tcm.split, k));
		cr_expect_eq(truncated_rate(&c, k), k >= 4 ? 5e-5 : 1e-3);
	}
	ect.method.kind = METHOD_ECT;
	cr_expect_not(truncated_at(&ect, 9));
	cr_expect_eq(truncated_first_steps(&ect), 0);
}

/* w_b times the boundary's mean and the others' mean, as the mean over a batch whose losses are all 1, or 1 in one of
 * the two alone. */
Test(truncated, weights_make_the_mean_of_a_batch_the_two_means)
{
	static const struct {
		const char *batch, *share;
		int boundary;
	} cases[] = { { "64", "0.25", 16 }, { "6", "0.25", 2 }, { "2", "0.01", 1 }, { "2", "0.99", 1 }, { "8", "0", 0 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct run_config c = truncated(
			(const char *[]){ "train.batch", cases[i].batch, "tcm.share", cases[i].share, "tcm.weight", "0.3", NULL });
		double boundary = 0, others = 0;
		cr_assert_eq(truncated_boundary(&c), cases[i].boundary, "case %zu", i);
		for (int64_t at = 0; at < c.train.batch; at++) {
			bool is_boundary = at < cases[i].boundary;
			*(is_boundary ? &boundary : &others) += truncated_weight(&c, at) / c.train.batch;
			cr_expect_eq(truncated_level(&c, at, 0.7) == c.tcm.split, is_boundary);
		}
		cr_expect_float_eq(boundary, cases[i].boundary ? 0.3 : 0, 1e-12);
		cr_expect_float_eq(others, 1, 1e-12);
	}
}

/* The density of Student's t distribution in x = ln sigma, without its constant. */
static double density(double x, double df, double scale)
{
	return pow(1 + x * x / (scale * scale * df), -(df + 1) / 2);
}

/* Its integral by the midpoint rule on pieces that grow with the distance from 0, where it has a peak. */
static double integral(double from, double to, double df, double scale)
{
	double sum = 0, x = from;
	while (x < to) {
		double step = fmin(1e-4 * scale * sqrt(df) + 1e-4 * fabs(x), to - x);
		sum += density(x + step / 2, df, scale) * step;
		x += step;
	}
	return sum;
}

/* The share of the cut distribution below the level that u gives is u, with tails as heavy as the paper's and light,
 * and with the location inside the cut and at its end. */
Test(truncated, levels_follow_a_cut_t_distribution)
{
	static const char *const laws[][3] = {
		{ "0.01", "0.2", "1" }, { "3", "0.2", "1" }, { "0.01", "0.2", "0.1" }, { "1", "1.5", "0.02" }
	};
	for (size_t l = 0; l < sizeof laws / sizeof *laws; l++) {
		struct run_config c = truncated(
			(const char *[]){ "tcm.df", laws[l][0], "tcm.scale", laws[l][1], "tcm.split", laws[l][2], NULL });
		double lo = log(c.tcm.split), hi = log(c.sigma.max), all = integral(lo, hi, c.tcm.df, c.tcm.scale), last = lo;
		for (double u = 0.01; u < 1; u += 0.07) {
			double x = log(truncated_level(&c, c.train.batch - 1, u));
			cr_assert(x > last && x <= hi);
			cr_expect_float_eq(integral(lo, x, c.tcm.df, c.tcm.scale) / all, u, 2e-6, "law %zu, u = %g", l, u);
			last = x;
		}
		cr_expect_float_eq(truncated_level(&c, c.train.batch - 1, 1e-16) / c.tcm.split, 1, 1e-9);
		cr_expect_float_eq(truncated_level(&c, c.train.batch - 1, 1 - 1e-16) / c.sigma.max, 1, 1e-9);
	}
}

/* ect.ratio_max = 0.999 after many stages: t - r = t (1 + 8 sigmoid(-t)) / 1000; before, nothing changes. */
Test(truncated, the_gap_stops_at_its_limit)
{
	struct run_config c = truncated((const char *[]){ "ect.ratio_max", "0.999", "ect.stage_steps", "1", NULL });
	for (double t = 0.01; t < 80; t *= 3) {
		double high = 1 + 8 / (1 + exp(t));
		cr_expect_float_eq((t - ect_r(&c, t, 40)) / t, high / 1000, 1e-12);
		cr_expect_float_eq((t - ect_r(&c, t, 8)) / t, high / 512, 1e-12);
	}
}

enum { BATCH = 4 };

/* Two networks of the same shape: the student's weights and the frozen ones. */
struct made {
	struct step s;
	struct net_spec net;
	struct params *p;
	float *student, *frozen, *grad;
	int64_t per;
};

static float *weights(const struct params *p, uint64_t seed)
{
	size_t n = params_floats(p);
	float *w = xaligned(n * sizeof *w);
	rng_normal(w, n, seed, RNG_INIT, 0, 0);
	for (size_t i = 0; i < n; i++)
		w[i] *= 0.1f;
	return w;
}

static struct made make(const struct run_config *c)
{
	struct made m = { .net = net_spec_of(c) };
	m.p = net_params(&m.net);
	m.student = weights(m.p, 5);
	m.frozen = weights(m.p, 6);
	m.grad = xaligned(params_floats(m.p) * sizeof *m.grad);
	m.s = step_build(graph_new(), c, &m.net, m.p, &(struct step_options){ .batch = BATCH, .backward = true });
	graph_plan(m.s.g);
	graph_bind(m.s.g, STORE_STUDENT, m.student);
	graph_bind(m.s.g, STORE_TEACHER, m.student);
	graph_bind(m.s.g, STORE_AVERAGE, m.frozen);
	graph_bind(m.s.g, STORE_GRAD, m.grad);
	rng_normal(m.s.x0->data, tensor_count(m.s.x0), 1, RNG_SYNTHETIC, 0, 0);
	rng_normal(m.s.z->data, tensor_count(m.s.z), 1, RNG_NOISE, 0, 0);
	m.per = (int64_t)tensor_count(m.s.x0) / BATCH;
	return m;
}

static void release(struct made *m)
{
	graph_free(m->s.g);
	params_free(m->p);
	free(m->student);
	free(m->frozen);
	free(m->grad);
}

/* D(x + r z, r) of each sample of the step by other weights, from a graph that makes pictures. */
static void answers(float *out, const struct made *m, const struct run_config *c, const double *r, float *w)
{
	struct run_config alike = *c; /* pictures are made with preconditioning cm, which is edm's at sigma.min = 0 */
	alike.sigma.min = 0;
	struct denoiser d = denoiser_build(graph_new(), &alike, &m->net, m->p, STORE_STUDENT, 1);
	graph_plan(d.g);
	graph_bind(d.g, STORE_STUDENT, w);
	for (int i = 0; i < BATCH; i++) {
		for (int64_t k = 0; k < m->per; k++)
			d.x->data[k] = m->s.x0->data[i * m->per + k] + (float)r[i] * m->s.z->data[i * m->per + k];
		denoiser_set_sigma(&d, &alike, r[i]);
		graph_run(d.g);
		memcpy(out + i * m->per, d.out->data, (size_t)m->per * sizeof *out);
	}
	graph_free(d.g);
}

Test(truncated, below_the_boundary_the_frozen_network_is_the_target)
{
	static const double t[BATCH] = { 1, 1.02, 5, 40 }, r[BATCH] = { 0.98, 0.999, 4.9, 39 };
	struct run_config c = truncated((const char *[]){ "precond.kind", "edm", NULL });
	struct made m = make(&c);
	SCOPED(free) float *own = xcalloc((size_t)(BATCH * m.per), sizeof *own);
	SCOPED(free) float *frozen = xcalloc((size_t)(BATCH * m.per), sizeof *frozen);
	answers(own, &m, &c, r, m.student);
	answers(frozen, &m, &c, r, m.frozen);
	for (int64_t k = 3; k <= 4; k++) { /* the last step of the first stage, the first of the second */
		for (int i = 0; i < BATCH; i++)
			step_set_truncated(&m.s, &c, i, t[i], r[i], 1, truncated_answers(&c, r[i], k));
		graph_run(m.s.g);
		for (int i = 0; i < BATCH; i++) {
			const float *want = k == 4 && i < 2 ? frozen : own, *other = want == own ? frozen : own;
			double off = 0, size = 0, apart = 0;
			for (int64_t j = i * m.per; j < (i + 1) * m.per; j++) {
				double got = (double)m.s.teacher->data[j];
				off = fmax(off, fabs(got - (double)want[j]));
				size = fmax(size, fabs((double)want[j]));
				apart = fmax(apart, fabs((double)other[j] - (double)want[j]));
			}
			cr_expect(off <= 1e-5 * size, "step %ld, sample %d: off by %g of %g", (long)k, i, off, size);
			cr_expect(apart > 1e-2 * size, "the networks agree: %g of %g", apart, size);
		}
	}
	release(&m);
}

Test(truncated, what_has_no_meaning_is_refused)
{
	static const struct {
		const char *key, *value, *says;
	} cases[] = {
		{ "tcm.first", "1", "tcm.first = 1 leaves no second stage" },
		{ "tcm.first", "0", "net.init must name the first stage's weights" },
		{ "tcm.split", "81", "tcm.split is not between sigma.min and sigma.max" },
		{ "tcm.split", "0.001", "tcm.split is not between sigma.min and sigma.max" },
		{ "train.batch", "1", "train.batch must be at least 2" },
		{ "teacher.ema", "0.9", "leave teacher.ema at 0" },
		{ "multistep.segments", "2", "leave multistep.segments at 1" },
		{ "loss.c_schedule", "slct", "which method.kind = \"tcm\" does not have" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct run_config c = truncated(NULL);
		struct err e = ERR_INIT;
		cr_assert_eq(config_set_text(&c, cases[i].key, cases[i].value, &e), 0, "%s", e.msg);
		cr_expect_eq(config_finish(&c, &e), -1, "%s = %s", cases[i].key, cases[i].value);
		cr_expect_eq(e.code, EXIT_USAGE);
		cr_expect(strstr(e.msg, cases[i].says), "%s", e.msg);
	}
}

Test(truncated, two_evaluations_need_a_level_that_was_trained)
{
	struct run_config c = truncated(NULL);
	struct err e = ERR_INIT;
	c.sample.sigma_mid = 0.821;
	cr_expect_eq(truncated_allow(&c, 1, &e), 0);
	cr_expect_eq(truncated_allow(&c, 2, &e), -1);
	cr_expect_eq(e.code, EXIT_USAGE);
	c.sample.sigma_mid = 1;
	cr_expect_eq(truncated_allow(&c, 2, &e), 0);
	c.sample.sigma_mid = 0.5;
	c.method.kind = METHOD_ECT;
	cr_expect_eq(truncated_allow(&c, 2, &e), 0);
}
