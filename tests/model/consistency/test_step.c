/* test_step.c - the graph of a training step by what it computes: each sample's distance against its formula in double,
 * of the answers that the same run gave. */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/config/net_spec.h"
#include "model/consistency/segments.h"
#include "model/consistency/step.h"
#include "model/cpu/devices.h"
#include "tests/common/small_config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { BATCH = 3 };

static struct run_config tiny(const char *const *settings)
{
	return small_config(NULL, settings);
}

/* A step with a backward pass, planned and given weights, pictures and noise. */
struct made {
	struct step s;
	struct net_spec net;
	struct params *p;
	float *weights, *grad;
	size_t per;
};

static struct made make(const struct run_config *c)
{
	struct made m = { .net = net_spec_of(c) };
	m.p = net_params(&m.net);
	size_t floats = params_floats(m.p);
	m.weights = xaligned(floats * sizeof *m.weights);
	m.grad = xaligned(floats * sizeof *m.grad);
	rng_normal(m.weights, floats, 5, RNG_INIT, 0, 0);
	for (size_t i = 0; i < floats; i++)
		m.weights[i] *= 0.1f;
	m.s = step_build(graph_new(), c, &m.net, m.p, &(struct step_options){ .batch = BATCH, .backward = true });
	graph_plan(m.s.g);
	graph_bind(m.s.g, STORE_STUDENT, m.weights);
	graph_bind(m.s.g, STORE_TEACHER, m.weights);
	graph_bind(m.s.g, STORE_GRAD, m.grad);
	rng_normal(m.s.x0->data, tensor_count(m.s.x0), 1, RNG_SYNTHETIC, 0, 0);
	rng_normal(m.s.z->data, tensor_count(m.s.z), 1, RNG_NOISE, 0, 0);
	m.per = tensor_count(m.s.x0) / BATCH;
	return m;
}

static void release(struct made *m)
{
	graph_free(m->s.g);
	params_free(m->p);
	free(m->weights);
	free(m->grad);
}

static void expect_near(double got, double want, double tolerance)
{
	cr_expect(fabs(got - want) <= tolerance * fabs(want), "%.9g, expected %.9g", got, want);
}

/* sum of squares between the two answers for sample i */
static double squares(const struct made *m, int i)
{
	double sum = 0;
	for (size_t k = (size_t)i * m->per; k < (size_t)(i + 1) * m->per; k++) {
		double e = (double)m->s.student->data[k] - (double)m->s.teacher->data[k];
		sum += e * e;
	}
	return sum;
}

static const double t_of[BATCH] = { 5.7, 0.9, 0.07 }, r_of[BATCH] = { 4.4, 0.5, 0.05 };

/* The same graph with the c of three grids, one after the other: it is data, not a setting that was planned. */
static void expect_distance_by_c(const char *const *settings, double (*formula)(double s, double d, double c))
{
	static const int64_t n[] = { 11, 41, 641 };
	struct run_config c = tiny(settings);
	struct made m = make(&c);
	for (int i = 0; i < BATCH; i++)
		step_set_noise(&m.s, &c, i, t_of[i], r_of[i], 1);
	for (int k = 0; k < 3; k++) {
		double by = loss_c(&c, n[k]);
		step_set_c(&m.s, by);
		graph_run(m.s.g);
		for (int i = 0; i < BATCH; i++)
			expect_near((double)m.s.d->data[i], formula(squares(&m, i), (double)m.per, by), 1e-6);
		cr_assert(isfinite((double)m.s.loss->data[0]));
	}
	release(&m);
}

static double cauchy_of_sum(double s, double d, double c)
{
	(void)d;
	return log(1 + s / (2 * c * c));
}

static double cauchy_of_mean(double s, double d, double c)
{
	return log(1 + s / d / (2 * c * c));
}

static double pseudo_huber(double s, double d, double c)
{
	(void)d;
	return sqrt(s + c * c) - c;
}

/* disc.s0 = 10 as in sLCT, so that the three grids are its first, its third and its last. */
#define GRIDS "disc.s0", "10", "disc.s1", "640"

Test(step, cauchy_of_the_sum)
{
	expect_distance_by_c((const char *[]){ "loss.kind", "cauchy", GRIDS, NULL }, cauchy_of_sum);
}

Test(step, cauchy_of_the_mean_with_a_c_that_falls)
{
	expect_distance_by_c(
		(const char *[]){ "loss.kind", "cauchy", "loss.reduce", "mean", "loss.c_schedule", "slct", GRIDS, NULL },
		cauchy_of_mean);
}

Test(step, pseudo_huber_with_a_c_that_falls)
{
	expect_distance_by_c((const char *[]){ "loss.c_schedule", "slct-relative", GRIDS, NULL }, pseudo_huber);
}

/* ---- segments ---------------------------------------------------------------------------------------------------- */

static double x_at(const struct made *m, size_t k, double sigma)
{
	return (double)m->s.x0->data[k] + sigma * (double)m->s.z->data[k];
}

/* With the same weights, what a model of two segments answers is (e/t) x + (1 - e/t) D(x, t), D being the answer of one
 * segment. The three samples: both levels above e = 2.51; the teacher's level where the segment ends, so that its
 * answer is its input; both in the lowest segment, where nothing changes. */
Test(step, in_segments_the_answers_are_compared_at_their_end)
{
	double e = pow((pow(0.002, 1 / 7.0) + pow(80, 1 / 7.0)) / 2, 7);
	const double t[BATCH] = { 40, 2.6, 1.1 }, r[BATCH] = { 30, e, 0.7 };
	const double ends[BATCH] = { e, e, 0 };
	struct run_config one = tiny(NULL), two = tiny((const char *[]){ "multistep.segments", "2", NULL });
	struct made a = make(&one), b = make(&two);
	for (int i = 0; i < BATCH; i++) {
		step_set_noise(&a.s, &one, i, t[i], r[i], 1);
		step_set_noise(&b.s, &two, i, t[i], segment_teacher(&two, t[i], i == 1 ? 2.4 : r[i]), 1);
	}
	graph_run(a.s.g);
	graph_run(b.s.g);
	for (int i = 0; i < BATCH; i++)
		for (size_t k = (size_t)i * a.per; k < (size_t)(i + 1) * a.per; k++) {
			const struct tensor *of[2][2] = { { a.s.student, b.s.student }, { a.s.teacher, b.s.teacher } };
			for (int who = 0; who < 2; who++) {
				double level = who ? r[i] : t[i], stay = ends[i] / level;
				double want = stay * x_at(&a, k, level) + (1 - stay) * (double)of[who][0]->data[k];
				cr_assert(fabs((double)of[who][1]->data[k] - want) <= 2e-6 * (1 + fabs(x_at(&a, k, level))),
				          "sample %d: %.9g, expected %.9g", i, (double)of[who][1]->data[k], want);
			}
		}
	release(&a);
	release(&b);
}
