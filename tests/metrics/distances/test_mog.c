/* test_mog.c - the mixture of Gaussians: its fit against tests/peers/memory_peer.py and against the closed form of one
 * Gaussian, its sums against sums written out. */
#include "metrics/distances/mog.h"
#include "metrics/math/jackknife.h"
#include "model/base/mem.h"
#include "tests/common/formula.h"
#include "tests/common/ok.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

static double *vectors(const char *name, int64_t n, int d, double shift)
{
	double *x = xmalloc(sizeof *x * (size_t)(n * d));
	for (int64_t i = 0; i < n * d; i++)
		x[i] = formula_u(name, (uint64_t)i) + shift;
	return x;
}

static void near(const char *what, double got, double want, double tolerance)
{
	cr_assert(fabs(got - want) <= tolerance * (1 + fabs(want)), "%s: %.12g, not %.12g", what, got, want);
}

/* Batches, a drop of the rate, the clamp, the start at the data, the background: what FLS and FLD use on large sets. */
Test(mog, a_fit_in_batches_equals_numpy)
{
	enum { M = 40, N = 30, L = 70, D = 5 };
	const char *const names[] = { "memory-made", "memory-test", "memory-train" };
	const int64_t counts[] = { M, N, L };
	double *x[3], p[M], loss[9], sum = 0;
	struct pairs_set s[3];
	for (int k = 0; k < 3; k++) {
		x[k] = vectors(names[k], counts[k], D, 0);
		for (int64_t i = 0; i < counts[k]; i++)
			x[k][i * D + i % 3] += 8;
		for (int64_t i = 0; i < counts[k] * D; i++)
			x[k][i] = (float)x[k][i];
	}
	for (int i = 0; i < M / 4 * D; i++)
		x[0][i] = (float)(x[2][i] + x[0][i] / 1024);
	for (int k = 0; k < 3; k++)
		OK(pairs_set_init_double(&s[k], x[k], counts[k], D, names[k], &e));
	const struct mog_recipe how = { .rounds = 9,
		                            .batch = 16,
		                            .lr = 0.3,
		                            .lr_drops = 5,
		                            .low = -3,
		                            .high = 0.4,
		                            .start_at_data = true,
		                            .background = true,
		                            .per_dimension = true };
	cr_assert_eq(mog_fit(p, loss, &s[0], &s[2], &how), 9);
	for (int j = 0; j < M; j++)
		sum += p[j];
	near("first", p[0], -3, 0);
	near("last", p[M - 1], -1.47159820601, 1e-7);
	near("sum", sum, -74.6094599416, 1e-7);
	near("loss", loss[8], 0.136673961304, 1e-7);
	near("nll", mog_nll(p, &s[0], &s[1]), 1.93559236506, 1e-7);
	for (int k = 0; k < 3; k++) {
		pairs_set_release(&s[k]);
		free(x[k]);
	}
}

/* One Gaussian has a closed form: the best variance is the mean squared distance over d, its NLL d / 2 (log v + 1). */
Test(mog, one_gaussian_finds_its_variance)
{
	enum { N = 50, D = 3 };
	SCOPED(free) double *x = vectors("one", N, D, 0);
	const double centre[D] = { 0.5, -0.25, 1 };
	double p, sum = 0;
	SCOPED(pairs_set) struct pairs_set c = { 0 }, s = { 0 };
	OK(pairs_set_init_double(&c, centre, 1, D, "centre", &e));
	OK(pairs_set_init_double(&s, x, N, D, "data", &e));
	for (int i = 0; i < N; i++)
		sum += pairs_direct(&s, i, &c, 0) / (N * D);
	const struct mog_recipe how = { .rounds = 3000, .lr = 0.05, .lr_drops = 2000, .low = -40, .high = 40 };
	cr_assert_eq(mog_fit(&p, NULL, &c, &s, &how), 3000);
	near("log variance", p, log(sum), 1e-5);
	near("nll", mog_nll(&p, &c, &s), 0.5 * D * (log(sum) + 1), 1e-6);
	const struct mog_recipe stops = {
		.rounds = 50, .lr = 1e-9, .lr_drops = 50, .low = -40, .high = 40, .stop_below = 1e-3
	};
	cr_assert_eq(mog_fit(&p, NULL, &c, &s, &stops), 7, "the 7th round is the first that may stop it");
}

/* Sums of terms that range over hundreds of powers of e, by rows and by columns, over several tiles. */
Test(mog, log_sums_are_those_of_the_terms)
{
	enum { N = 2100, M = 600, D = 2 };
	SCOPED(free) double *x = vectors("sums-x", N, D, 0);
	SCOPED(free) double *c = vectors("sums-c", M, D, 0.3);
	SCOPED(free)
	double *p = xmalloc(sizeof *p * M), *rows = xmalloc(sizeof *rows * N), *columns = xmalloc(sizeof *columns * M);
	SCOPED(pairs_set) struct pairs_set xs = { 0 }, cs = { 0 };
	for (int j = 0; j < M; j++)
		p[j] = -6 + 4 * formula_u("sums-p", (uint64_t)j);
	OK(pairs_set_init_double(&xs, x, N, D, "x", &e));
	OK(pairs_set_init_double(&cs, c, M, D, "c", &e));
	mog_log_sums(rows, columns, p, &cs, &xs);
	SCOPED(free) long double *all = xcalloc(N + M, sizeof *all);
	for (int i = 0; i < N; i++)
		for (int j = 0; j < M; j++) {
			double d2 = pairs_direct(&xs, i, &cs, j);
			long double term = expl(-d2 / (2 * expl(p[j])) - 0.5L * D * p[j]); /* has the exponents for it */
			all[i] += term;
			all[N + j] += term;
		}
	for (int i = 0; i < N + M; i++)
		near("log sum", i < N ? rows[i] : columns[i - N], (double)logl(all[i]), 1e-10);
}

/* What the jackknife of FLS and FLD stands on: parts by dealt blocks are the sums over those rows and columns alone,
 * and together the whole. */
Test(mog, sums_of_blocks_are_those_of_their_elements)
{
	enum { N = 130, M = 90, D = 3, B = 4 };
	SCOPED(free) double *x = vectors("blocks-x", N, D, 0), *c = vectors("blocks-c", M, D, 0.3);
	double p[M] = { 0 }, rows[N * B], columns[M * B], whole[N], of_two[N];
	SCOPED(pairs_set) struct pairs_set xs = { 0 }, cs = { 0 }, two = { 0 };
	OK(pairs_set_init_double(&xs, x, N, D, "x", &e));
	OK(pairs_set_init_double(&cs, c, M, D, "c", &e));
	mog_block_sums(rows, columns, B, p, &cs, &xs);
	mog_log_sums(whole, NULL, p, &cs, &xs);
	SCOPED(free) double *dealt = xmalloc(sizeof *dealt * M * D);
	int n = 0;
	for (int j = 0; j < M; j++)
		if (jackknife_dealt(j, B) == 2)
			memcpy(dealt + (ptrdiff_t)n++ * D, c + (ptrdiff_t)j * D, sizeof *c * D);
	cr_assert_eq(n, jackknife_dealt_to(M, B, 2));
	OK(pairs_set_init_double(&two, dealt, n, D, "block 2", &e));
	mog_log_sums(of_two, NULL, p, &two, &xs);
	for (int i = 0; i < N; i++) {
		near("whole", mog_sum_without(rows + (ptrdiff_t)i * B, B, -1), whole[i], 1e-13);
		near("block", rows[i * B + 2], of_two[i], 1e-13);
	}
	near("nll", mog_nll_without(rows, N, M, B, -1), mog_nll(p, &cs, &xs), 1e-13);
}

/* Two Gaussians and two vectors, by hand: without the second of each, the first vector's likelihood changes by
 * (2 R - 1) / (2 - 1), R = 3/4 being what the second Gaussian has of it. One with its fair share, 1/2, changes
 * nothing. */
Test(mog, a_gaussian_that_is_missed_counts_to_first_order)
{
	const double part[] = { log(0.25), log(0.75), 5, 6 }, fair[] = { log(0.5), log(0.5), 5, 6 };
	near("nll", mog_nll_without(part, 2, 2, 2, 1), log(2) + 0.5, 1e-14);
	near("fair", mog_nll_without(fair, 2, 2, 2, 1), log(2), 1e-14);
}
