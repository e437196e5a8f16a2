/* test_moments.c - moments do not depend on order, cuts or merging, and agree with the textbook. */
#include "tests/common/formula.h"
#include "metrics/math/moments.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1000, D = 40 };

/* Far from the origin: raw sums of squares would lose 6 digits here. */
static float *sample(void)
{
	float *x = xmalloc(sizeof *x * N * D);
	for (int i = 0; i < N * D; i++)
		x[i] = (float)(1000 + formula_u("moments", (uint64_t)i) * (1 + i % D));
	return x;
}

static void textbook(double *mu, double *sigma, const float *x, int n)
{
	for (int j = 0; j < D; j++) {
		mu[j] = 0;
		for (int i = 0; i < n; i++)
			mu[j] += x[i * D + j];
		mu[j] /= n;
	}
	for (int a = 0; a < D; a++)
		for (int b = 0; b < D; b++) {
			double s = 0;
			for (int i = 0; i < n; i++)
				s += (x[i * D + a] - mu[a]) * (x[i * D + b] - mu[b]);
			sigma[a * D + b] = s / (n - 1);
		}
}

static void check(struct moments *m, const double *mu, const double *sigma, const char *what)
{
	double got[D * D], top = 0;
	moments_mean(got, m);
	for (int j = 0; j < D; j++)
		cr_assert(fabs(got[j] - mu[j]) <= 1e-12 * 1000, "%s: mean %d", what, j);
	moments_sigma(got, m);
	for (int j = 0; j < D; j++)
		top = fmax(top, sigma[j * D + j]);
	for (int j = 0; j < D * D; j++)
		cr_assert(fabs(got[j] - sigma[j]) <= 1e-12 * top, "%s: sigma %d: %.17g, want %.17g", what, j, got[j], sigma[j]);
}

Test(moments, cuts_order_and_merging_do_not_matter)
{
	float *x = sample();
	double mu[D], sigma[D * D];
	textbook(mu, sigma, x, N);
	struct moments one, two, three;
	moments_init(&one, D);
	moments_add(&one, x, N);
	check(&one, mu, sigma, "at once");
	moments_release(&one);

	moments_init(&one, D);
	for (int i = N; i-- > 0;)
		moments_add(&one, x + i * D, 1);
	check(&one, mu, sigma, "backwards, one by one");
	moments_release(&one);

	moments_init(&one, D);
	moments_init(&two, D);
	moments_init(&three, D);
	moments_add(&one, x, 3);
	moments_add(&two, x + 3 * D, 700);
	moments_add(&three, x + 703 * D, N - 703);
	moments_merge(&one, &two);
	moments_merge(&one, &three);
	cr_assert_eq(one.n, N);
	check(&one, mu, sigma, "three parts merged");
	moments_release(&one);

	moments_init(&one, D);
	moments_merge(&one, &two); /* into nothing */
	moments_merge(&one, &three);
	struct moments rest;
	moments_without(&rest, &one, &three);
	textbook(mu, sigma, x + 3 * D, 700);
	check(&rest, mu, sigma, "taken out again");
	moments_release(&rest);
	moments_release(&one);
	moments_release(&two);
	moments_release(&three);
	free(x);
}

Test(moments, few_vectors_give_their_exact_factor)
{
	float *x = sample();
	double mu[D], sigma[D * D];
	struct moments m;
	moments_init(&m, D);
	moments_add(&m, x, 12);
	textbook(mu, sigma, x, 12);
	double *f = moments_factor(&m);
	cr_assert(f);
	for (int a = 0; a < D; a++)
		for (int b = 0; b < D; b++) {
			double s = 0;
			for (int i = 0; i < 12; i++)
				s += f[i * D + a] * f[i * D + b];
			cr_assert(fabs(s - sigma[a * D + b]) <= 1e-10);
		}
	free(f);
	moments_add(&m, x, N);
	cr_assert_null(moments_factor(&m), "folded: there is no such factor any more");
	moments_release(&m);
	free(x);
}
