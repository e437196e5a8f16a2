/* test_optim.c - RAdam and Adam against plain implementations in double, their first steps in closed form, and the same
 * bits for any number of threads. */
#include "model/graph/optim.h"

#include "model/base/mem.h"
#include "model/base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define near(got, want, tol) \
	cr_expect(fabs((got) - (want)) <= (tol), "%.17g, expected %.17g", (double)(got), (double)(want))

static const struct optim radam = { OPTIM_RADAM, 1e-3, 0.9, 0.999, 1e-8, 0 },
						  adam = { OPTIM_ADAM, 1e-3, 0.9, 0.999, 1e-8, 0 };

/* rho_5 = 4.996 and rho_6 = 5.994 at beta2 = 0.999: the sixth step is the first with a second moment. */
Test(optim, radam_rectifies_from_the_sixth_step)
{
	for (int64_t t = 1; t <= 5; t++) {
		near(radam_rectification(0.999, t), 0, 0);
		cr_expect_not(optim_step_at(&radam, t).adaptive);
	}
	near(radam_rho(0.999, 5), 4.995998000395048, 1e-11);
	near(radam_rho(0.999, 6), 5.994163751655833, 1e-11);
	near(radam_rectification(0.999, 6), 0.0258, 5e-5);
	cr_expect(optim_step_at(&radam, 6).adaptive);
	near(radam_rectification(0.999, 1000000), 1, 1e-3);
}

/* With a constant gradient m / (1 - beta1^t) is that gradient: five steps move by lr * g each. */
Test(optim, radam_starts_as_plain_momentum)
{
	float p[2] = { 1, -2 }, g[2] = { 0.5f, -4 }, m[2] = { 0 }, v[2] = { 0 };
	for (int64_t t = 1; t <= 5; t++) {
		struct optim_step s = optim_step_at(&radam, t);
		optim_apply(&s, 2, p, g, m, v, NULL, 0, NULL, 0);
		near((double)p[0], 1 - 1e-3 * 0.5 * (double)t, 4e-7);
		near((double)p[1], -2 + 1e-3 * 4 * (double)t, 4e-7);
	}
	float before = p[0];
	struct optim_step s = optim_step_at(&radam, 6); /* lr * rect, whatever the gradient's size */
	optim_apply(&s, 2, p, g, m, v, NULL, 0, NULL, 0);
	near((double)before - (double)p[0], 1e-3 * radam_rectification(0.999, 6), 2e-7);
}

Test(optim, adam_first_step_is_lr_times_the_sign)
{
	float p[3] = { 0, 0, 0 }, g[3] = { 1e-3f, -100, 0 }, m[3] = { 0 }, v[3] = { 0 };
	struct optim_step s = optim_step_at(&adam, 1);
	optim_apply(&s, 3, p, g, m, v, NULL, 0, NULL, 0);
	near((double)p[0], -1e-3 / (1 + 1e-8 / 1e-3), 1e-9); /* eps is added after the bias correction */
	near((double)p[1], 1e-3, 1e-9);
	near((double)p[2], 0, 0);
}

/* Textbook forms, one number at a time, in double. */
struct scalar {
	double p, m, v;
};

static void scalar_step(struct scalar *x, const struct optim *o, double g, int t)
{
	g += o->weight_decay * x->p;
	x->m = o->beta1 * x->m + (1 - o->beta1) * g;
	x->v = o->beta2 * x->v + (1 - o->beta2) * g * g;
	double m = x->m / (1 - pow(o->beta1, t)), correct = 1 - pow(o->beta2, t), inf = 2 / (1 - o->beta2) - 1;
	double rho = inf - 2 * t * pow(o->beta2, t) / correct;
	if (o->kind == OPTIM_ADAM)
		x->p -= o->lr * m / (sqrt(x->v / correct) + o->eps);
	else if (rho > 5)
		x->p -= o->lr * m * sqrt((rho - 4) * (rho - 2) * inf / ((inf - 4) * (inf - 2) * rho)) * sqrt(correct) /
		        (sqrt(x->v) + o->eps);
	else
		x->p -= o->lr * m;
}

static void against_scalar(const struct optim *o)
{
	enum { N = 100, STEPS = 40 };
	float p[N], g[N], m[N] = { 0 }, v[N] = { 0 }, ema[N], teacher[N];
	struct scalar x[N];
	double mean[N], follower[N];
	rng_normal(p, N, 3, RNG_INIT, 0, 0);
	for (int i = 0; i < N; i++) {
		x[i] = (struct scalar){ .p = (double)p[i] };
		mean[i] = follower[i] = (double)p[i];
		ema[i] = teacher[i] = p[i];
	}
	for (int t = 1; t <= STEPS; t++) {
		struct optim_step s = optim_step_at(o, t);
		rng_normal(g, N, 3, RNG_NOISE, (uint32_t)t, 0);
		optim_apply(&s, N, p, g, m, v, ema, 0.9, teacher, 0.5);
		for (int i = 0; i < N; i++) {
			scalar_step(&x[i], o, (double)g[i], t);
			mean[i] = 0.9 * mean[i] + 0.1 * x[i].p;
			follower[i] = 0.5 * follower[i] + 0.5 * x[i].p;
		}
	}
	for (int i = 0; i < N; i++) { /* 40 roundings of numbers up to 4 */
		near((double)p[i], x[i].p, 3e-6);
		near((double)ema[i], mean[i], 3e-6);
		near((double)teacher[i], follower[i], 3e-6);
	}
}

Test(optim, forty_steps_are_those_of_a_plain_implementation_in_double)
{
	struct optim o[] = { adam, radam, adam, radam, radam };
	o[2].beta2 = 0.95;
	o[3].weight_decay = 0.01;
	o[4].lr = 0.01;
	o[4].eps = 1e-3;
	for (size_t i = 0; i < sizeof o / sizeof *o; i++)
		against_scalar(&o[i]);
}

static float *trained(int threads, size_t n)
{
	omp_set_num_threads(threads);
	float *all = xaligned(6 * n * sizeof *all), *p = all, *m = p + n, *v = m + n, *ema = v + n, *teacher = ema + n,
		  *g = teacher + n;
	rng_normal(p, n, 5, RNG_INIT, 0, 0);
	for (int t = 1; t <= 8; t++) {
		struct optim_step s = optim_step_at(&radam, t);
		rng_normal(g, n, 5, RNG_NOISE, (uint32_t)t, 0);
		optim_apply(&s, n, p, g, m, v, ema, 0.999, teacher, 0.9);
	}
	return all;
}

Test(optim, same_bits_for_any_number_of_threads)
{
	size_t n = 100003; /* no multiple of any chunk */
	float *one = trained(1, n);
	for (int threads = 2; threads <= 4; threads++) {
		float *many = trained(threads, n);
		cr_expect_eq(memcmp(one, many, 6 * n * sizeof *one), 0, "%d threads", threads);
		free(many);
	}
	free(one);
}

/* An average that follows by itself is that of the sweep, bit for bit, at sizes on both sides of a chunk, and what lies
 * behind it is left alone. */
Test(optim, an_average_beside_the_sweep_follows_alike)
{
	static const size_t sizes[] = { 1, 5, 4095, 4096, 4097, 12293 };
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		enum { BEHIND = 8 };
		size_t n = sizes[k], all = n + BEHIND;
		SCOPED(free) float *p = xcalloc(all, sizeof *p), *g = xcalloc(all, sizeof *g), *m = xcalloc(all, sizeof *m);
		SCOPED(free)
		float *v = xcalloc(all, sizeof *v), *ema = xcalloc(all, sizeof *ema), *to = xcalloc(all, sizeof *to);
		rng_normal(p, n, 1, RNG_INIT, 0, 0);
		rng_normal(g, n, 2, RNG_INIT, 0, 0);
		for (size_t i = 0; i < all; i++)
			ema[i] = to[i] = (float)i;
		struct optim_step s = optim_step_at(&adam, 1);
		optim_sweep(&s, n, p, g, m, v, ema, average_of(0.9), NULL, average_of(0));
		optim_follow(n, to, p, average_of(0.9));
		cr_expect_eq(memcmp(ema, to, all * sizeof *to), 0, "%zu", n);
		cr_expect(to[n] == (float)n && to[0] != 0, "%zu", n);
	}
}
