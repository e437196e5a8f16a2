/* test_step_pair.c - knobs that change the pair of points that a step compares: what the two points are is found here
 * by formulas in double, or by a step without the knob that is given them as pictures, which must then have the same
 * bits. */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/config/net_spec.h"
#include "model/consistency/step.h"
#include "model/cpu/devices.h"
#include "tests/common/small_config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 4, REFERENCES = 7, CLASSES = 2 };

static struct run_config tiny(const char *const *settings)
{
	static const char *const base[] = { "net.channels", "8", "net.dropout", "0.3", NULL };
	return small_config(base, settings);
}

/* A step of `config`, planned and given two sets of weights, pictures, noise and labels. */
struct made {
	struct run_config c;
	struct step s;
	struct params *p;
	float *weights, *average, *grad;
	size_t floats, per;
};

static float *weights_of(size_t floats, uint32_t stream)
{
	float *w = xaligned(floats * sizeof *w);
	rng_normal(w, floats, 5, RNG_INIT, stream, 0);
	for (size_t i = 0; i < floats; i++)
		w[i] *= 0.1f;
	return w;
}

static struct made make(const char *const *settings, bool dropout)
{
	struct made m = { .c = tiny(settings) };
	struct net_spec net = net_spec_of(&m.c);
	m.p = net_params(&net);
	m.floats = params_floats(m.p);
	m.weights = weights_of(m.floats, 0);
	m.average = weights_of(m.floats, 1);
	m.grad = xaligned(m.floats * sizeof *m.grad);
	memset(m.grad, 0, m.floats * sizeof *m.grad);
	m.s = step_build(graph_new(), &m.c, &net, m.p,
	                 &(struct step_options){ .batch = BATCH, .backward = true, .dropout = dropout });
	if (m.s.coupling.picture) {
		graph_keep(m.s.coupling.answer);
		graph_keep(m.s.coupling.picture);
	}
	if (m.s.posterior.x_r) {
		graph_keep(m.s.posterior.mean);
		graph_keep(m.s.posterior.x_r);
	}
	graph_plan(m.s.g);
	graph_bind(m.s.g, STORE_STUDENT, m.weights);
	graph_bind(m.s.g, STORE_TEACHER, step_has_teacher(&m.c) ? m.average : m.weights);
	graph_bind(m.s.g, STORE_AVERAGE, m.average);
	graph_bind(m.s.g, STORE_GRAD, m.grad);
	rng_normal(m.s.x0->data, tensor_count(m.s.x0), 1, RNG_SYNTHETIC, 0, 0);
	rng_normal(m.s.z->data, tensor_count(m.s.z), 1, RNG_NOISE, 0, 0);
	for (int i = 0; m.s.labels && i < BATCH; i++)
		for (int l = 0; l < CLASSES; l++)
			m.s.labels->data[i * CLASSES + l] = l == i % CLASSES;
	m.per = tensor_count(m.s.x0) / BATCH;
	return m;
}

static void release(struct made *m)
{
	graph_free(m->s.g);
	params_free(m->p);
	free(m->weights);
	free(m->average);
	free(m->grad);
}

static void run(struct made *m, const double *t, const double *r)
{
	for (int i = 0; i < BATCH; i++)
		step_set_noise(&m->s, &m->c, i, t[i], r[i], 1 + i);
	graph_set_step(m->s.g, 9, 2);
	graph_run(m->s.g);
}

static bool same(const struct tensor *a, const struct tensor *b)
{
	return memcmp(a->data, b->data, tensor_count(a) * sizeof *a->data) == 0;
}

/* The answers, the distances by their formula in double, and the gradients, to the bit. */
static void expect_same_step(const struct made *a, const struct made *b)
{
	cr_expect(same(a->s.student, b->s.student), "the students' answers differ");
	cr_expect(same(a->s.teacher, b->s.teacher), "the teachers' answers differ");
	cr_expect(same(a->s.loss, b->s.loss), "the losses differ");
	cr_expect_eq(memcmp(a->grad, b->grad, a->floats * sizeof *a->grad), 0, "the gradients differ");
	for (size_t i = 0; i < BATCH; i++) {
		double sum = 0, c = a->c.loss.c.value;
		for (size_t k = i * a->per; k < (i + 1) * a->per; k++) {
			double d = (double)a->s.student->data[k] - (double)a->s.teacher->data[k];
			sum += d * d;
		}
		double want = sqrt(sum + c * c) - c;
		cr_expect(fabs((double)a->s.d->data[i] - want) <= 1e-6 * want, "%.9g, expected %.9g", (double)a->s.d->data[i],
		          want);
	}
}

static const double t_of[BATCH] = { 5.7, 0.9, 30, 0.07 }, r_of[BATCH] = { 4.4, 0.5, 24, 0.05 };

/* ---- coupling.generator_share ------------------------------------------------------------------------------------ */

#define SHARE "coupling.generator_share", "0.5"

static void choose(struct made *m, unsigned mask)
{
	for (int i = 0; i < BATCH; i++)
		coupling_choose(&m->s.coupling, i, mask >> i & 1);
}

/* The answer is that of a teacher with the average's weights in a step without dropout. Where a sample is chosen, it is
 * the picture of both points, with the same noise; and it is a constant: the gradients are those of a picture. */
Test(step_pair, the_averages_answers_are_the_pictures_of_those_chosen)
{
	struct made m = make((const char *[]){ SHARE, NULL }, true), by = make(NULL, true),
				average = make((const char *[]){ "teacher.ema", "0.9", NULL }, false);
	choose(&m, 5);
	run(&m, t_of, r_of);
	run(&average, t_of, r_of);
	cr_expect(same(m.s.coupling.answer, average.s.teacher));
	for (size_t i = 0; i < BATCH; i++) {
		const struct tensor *from = 5 >> i & 1 ? average.s.teacher : m.s.x0;
		memcpy(by.s.x0->data + i * by.per, from->data + i * by.per, by.per * sizeof(float));
	}
	cr_expect(same(m.s.coupling.picture, by.s.x0));
	run(&by, t_of, r_of);
	expect_same_step(&m, &by);
	cr_expect(!same(m.s.x0, by.s.x0), "nothing was replaced");
	release(&m);
	release(&by);
	release(&average);
}

Test(step_pair, where_none_is_chosen_the_step_is_as_it_was)
{
	struct made m = make((const char *[]){ SHARE, NULL }, true), plain = make(NULL, true);
	choose(&m, 0);
	run(&m, t_of, r_of);
	run(&plain, t_of, r_of);
	expect_same_step(&m, &plain);
	release(&m);
	release(&plain);
}

/* There the average is not asked: x + sigma.min z, and in ECT, whose lower level may be 0, x itself. */
Test(step_pair, where_the_denoiser_is_the_identity_the_answer_is_its_input)
{
	for (int ect = 0; ect < 2; ect++) {
		struct made m = make((const char *[]){ SHARE, "method.kind", ect ? "ect" : "ct", NULL }, true);
		double r[BATCH], least = ect ? 0 : m.c.sigma.min;
		for (int i = 0; i < BATCH; i++)
			r[i] = least;
		choose(&m, 15);
		run(&m, t_of, r);
		for (size_t k = 0; k < tensor_count(m.s.x0); k++) {
			double x = (double)m.s.x0->data[k], want = x + least * (double)m.s.z->data[k];
			cr_assert(fabs((double)m.s.coupling.answer->data[k] - want) <= 2e-7 * (1 + fabs(x)));
		}
		release(&m);
	}
}

/* ---- target.references ------------------------------------------------------------------------------------------- */

static const int at_of[BATCH] = { -1, 4, 1, -1 };

static void refer(struct made *m, float spread)
{
	struct posterior *p = &m->s.posterior;
	rng_normal(p->y->data, tensor_count(p->y), 1, RNG_EVAL, 0, 0);
	for (size_t k = 0; k < tensor_count(p->y); k++)
		p->y->data[k] *= spread;
	for (int j = 0; j < REFERENCES; j++)
		posterior_set_reference(p, j, m->s.labels ? j % 3 % CLASSES : 0);
	for (int i = 0; i < BATCH; i++)
		posterior_set_sample(p, i, at_of[i], m->s.labels ? i % CLASSES : 0);
}

/* The target's point of sample i, by the formula in double. */
static void point(double *x_r, const struct made *m, int i, double t, double r)
{
	const struct posterior *p = &m->s.posterior;
	const float *x = m->s.x0->data + (size_t)i * m->per, *z = m->s.z->data + (size_t)i * m->per;
	double e[REFERENCES + 1], least = INFINITY, sum = 0;
	for (int j = 0; j <= REFERENCES; j++) { /* the last: its own */
		const float *y = j < REFERENCES ? p->y->data + (size_t)j * m->per : x;
		bool counts = j == REFERENCES || (j != at_of[i] && (!m->s.labels || j % 3 % CLASSES == i % CLASSES));
		double squares = 0;
		for (size_t k = 0; k < m->per; k++) {
			double d = (double)x[k] + t * (double)z[k] - (double)y[k];
			squares += d * d;
		}
		e[j] = counts ? squares / (2 * t * t) : INFINITY;
		least = fmin(least, e[j]);
	}
	for (int j = 0; j <= REFERENCES; j++)
		sum += e[j] = exp(least - e[j]);
	for (size_t k = 0; k < m->per; k++) {
		double mean = 0;
		for (int j = 0; j <= REFERENCES; j++)
			mean += e[j] / sum * (double)(j < REFERENCES ? p->y->data[(size_t)j * m->per + k] : x[k]);
		x_r[k] = mean + r / t * ((double)x[k] + t * (double)z[k] - mean);
	}
}

/* The point by its formula, and from there on the step is one whose teacher is given that point: a second step, in
 * which the point is a picture without noise, has the teacher's bits, and one with the sample's own pictures the
 * student's. */
static void expect_targets(const char *const *settings, const char *const *without, const double *t, const double *r)
{
	struct made m = make(settings, true), own = make(without, true), given = make(without, true);
	double x_r[1024], apart = 0, share = 0;
	refer(&m, 0.7f);
	run(&m, t, r);
	for (int i = 0; i < BATCH; i++) {
		point(x_r, &m, i, t[i], r[i]);
		for (size_t k = 0; k < m.per; k++) {
			size_t at = (size_t)i * m.per + k;
			double got = (double)m.s.posterior.x_r->data[at];
			cr_assert(fabs(got - x_r[k]) <= 5e-7 * (1 + t[i]), "sample %d: %.9g, expected %.9g", i, got, x_r[k]);
			apart = fmax(apart, fabs(x_r[k] - (double)m.s.x0->data[at] - r[i] * (double)m.s.z->data[at]));
			share = fmax(share, fabs((double)m.s.posterior.mean->data[at] - (double)m.s.x0->data[at]));
		}
	}
	cr_expect(apart > 0.05 && share > 0.5, "the references change the points by %.2g, the pictures by %.2g", apart,
	          share);
	run(&own, t, r);
	memcpy(given.s.x0->data, m.s.posterior.x_r->data, tensor_count(m.s.x0) * sizeof(float));
	memset(given.s.z->data, 0, tensor_count(m.s.z) * sizeof(float));
	run(&given, t, r);
	cr_expect(same(m.s.student, own.s.student));
	cr_expect(same(m.s.teacher, given.s.teacher));
	cr_expect(!same(m.s.teacher, own.s.teacher));
	expect_same_step(&m, &m); /* the distance of these two */
	release(&m);
	release(&own);
	release(&given);
}

#define REFER   "target.references", "7"
#define CLASSED "net.classes", "2"

Test(step_pair, the_target_begins_at_the_mean_of_what_the_picture_may_be)
{
	expect_targets((const char *[]){ REFER, NULL }, NULL, t_of, r_of);
}

Test(step_pair, of_the_samples_class)
{
	expect_targets((const char *[]){ REFER, CLASSED, NULL }, (const char *[]){ CLASSED, NULL }, t_of, r_of);
}

/* Then the target is the mean itself. */
Test(step_pair, down_to_no_noise)
{
	static const double none[BATCH] = { 0 };
	struct made m = make((const char *[]){ REFER, "method.kind", "ect", NULL }, true);
	refer(&m, 0.7f);
	run(&m, t_of, none);
	cr_expect(same(m.s.teacher, m.s.posterior.mean));
	release(&m);
}

/* At a small level only the sample's own picture is likely, so the target is what it was; at the largest, where
 * references are pictures, they are all alike to a fifth or so, and their mean is near that of all. */
Test(step_pair, nothing_changes_at_small_noise_and_at_large_the_mean_is_of_all)
{
	static const double small[BATCH] = { 0.02, 0.03, 0.05, 0.04 }, smaller[BATCH] = { 0.01, 0.02, 0.04, 0.03 };
	static const double large[BATCH] = { 2000, 2000, 2000, 2000 };
	struct made m = make((const char *[]){ REFER, NULL }, true), plain = make(NULL, true);
	refer(&m, 1);
	run(&m, small, smaller);
	run(&plain, small, smaller);
	cr_expect(same(m.s.posterior.mean, m.s.x0));
	for (size_t k = 0; k < tensor_count(m.s.x0); k++) {
		double got = (double)m.s.teacher->data[k], want = (double)plain.s.teacher->data[k];
		cr_assert(fabs(got - want) <= 1e-5 * (1 + fabs(want)), "%.9g, expected %.9g", got, want);
	}
	run(&m, large, r_of);
	for (size_t k = 0; k < m.per; k++) { /* of sample 0, whose own picture is not among them */
		double mean = (double)m.s.x0->data[k];
		for (size_t j = 0; j < REFERENCES; j++)
			mean += (double)m.s.posterior.y->data[j * m.per + k];
		mean /= REFERENCES + 1;
		cr_assert(fabs((double)m.s.posterior.mean->data[k] - mean) <= 0.02, "%.9g, of all %.9g",
		          (double)m.s.posterior.mean->data[k], mean);
	}
	release(&m);
	release(&plain);
}
