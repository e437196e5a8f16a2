/* test_kmeans.c - k-means, principal components and the U statistic: what C_T is made of. */
#include "metrics/math/kmeans.h"
#include "metrics/math/mann_whitney.h"
#include "metrics/math/pca.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "tests/common/formula.h"
#include "tests/common/ok.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

static double squared(const double *a, const double *b, int d)
{
	double sum = 0;
	for (int k = 0; k < d; k++)
		sum += (a[k] - b[k]) * (a[k] - b[k]);
	return sum;
}

/* The smallest inertia of 2 cells of n vectors, over all 2^(n-1) cuts. */
static double best_of_all(const double *x, int n, int d)
{
	double best = INFINITY;
	for (int cut = 1; cut < 1 << (n - 1); cut++) {
		double mean[2][8] = { { 0 } }, inertia = 0;
		int count[2] = { 0 };
		for (int i = 0; i < n; i++)
			count[cut >> i & 1]++;
		for (int i = 0; i < n; i++)
			for (int k = 0; k < d; k++)
				mean[cut >> i & 1][k] += x[i * d + k] / count[cut >> i & 1];
		for (int i = 0; i < n; i++)
			inertia += squared(x + i * d, mean[cut >> i & 1], d);
		best = fmin(best, inertia);
	}
	return best;
}

/* One start ends in a local optimum; the best of 10 must be kept, not the last. */
Test(kmeans, the_best_of_many_starts_is_the_best_of_all_cuts)
{
	enum { N = 12, D = 3 };
	for (int trial = 0; trial < 20; trial++) {
		double x[N * D], centre[2 * D], inertia;
		for (int i = 0; i < N * D; i++)
			x[i] = formula_u("cuts", (uint64_t)(trial * N * D + i));
		OK(kmeans_fit(centre, &inertia, x, N, D, 2, 30, 5, &e));
		double want = best_of_all(x, N, D);
		cr_assert(fabs(inertia - want) < 1e-12, "trial %d: %.17g, not %.17g", trial, inertia, want);
	}
}

Test(kmeans, cells_are_the_nearest_centres_and_the_seed_decides)
{
	enum { N = 3000, D = 2, K = 7 };
	SCOPED(free) double *x = xmalloc(sizeof *x * N * D), *d2 = xmalloc(sizeof *d2 * N);
	SCOPED(free) int *cell = xmalloc(sizeof *cell * N);
	double a[K * D], b[K * D], inertia, sum = 0;
	for (int i = 0; i < N * D; i++)
		x[i] = formula_u("cells", (uint64_t)i);
	OK(kmeans_fit(a, &inertia, x, N, D, K, 3, 1, &e));
	OK(kmeans_fit(b, NULL, x, N, D, K, 3, 1, &e));
	cr_assert_arr_eq(a, b, sizeof a);
	OK(kmeans_fit(b, NULL, x, N, D, K, 3, 2, &e));
	cr_assert(memcmp(a, b, sizeof a) != 0, "another seed starts elsewhere");
	kmeans_assign(cell, d2, x, N, D, a, K);
	for (int i = 0; i < N; i++) {
		for (int c = 0; c < K; c++)
			cr_assert(squared(x + i * D, a + c * D, D) >= d2[i]);
		cr_assert_eq(d2[i], squared(x + i * D, a + cell[i] * D, D));
		sum += d2[i];
	}
	cr_assert_eq(sum, inertia);
}

Test(kmeans, fewer_different_vectors_than_cells_is_an_error)
{
	const double x[] = { 1, 2, 1, 2, 1 };
	double centre[3];
	OK(kmeans_fit(centre, NULL, x, 5, 1, 2, 1, 0, &e));
	cr_assert_eq(kmeans_fit(centre, NULL, x, 5, 1, 3, 1, 0, &e), -1);
	cr_assert(strstr(e.msg, "these have 2"), "%s", e.msg);
}

/* Points on a plane in 70 dimensions: two components keep every distance, and the larger spread comes first. */
Test(pca, keeps_the_distances_of_a_plane)
{
	enum { N = 600, D = 70, K = 2 };
	SCOPED(free) float *x = xmalloc(sizeof *x * N * D);
	SCOPED(free) double *out = xmalloc(sizeof *out * N * K);
	double u[D], v[D], mean[D], basis[K * D], first = 0, second = 0;
	for (int k = 0; k < D; k++) {
		u[k] = k % 2 ? 0 : formula_u("plane", (uint64_t)k);
		v[k] = k % 2 ? formula_u("plane", (uint64_t)k) : 0;
	}
	for (int i = 0; i < N; i++)
		for (int k = 0; k < D; k++)
			x[i * D + k] = (float)(100 + 9 * formula_u("at", (uint64_t)(2 * i)) * u[k] +
			                       formula_u("at", (uint64_t)(2 * i + 1)) * v[k]);
	pca_fit(mean, basis, K, x, N, D);
	pca_project(out, x, N, D, mean, basis, K);
	for (int i = 0; i < N; i++) {
		double want = 0, got = squared(out + i * K, out, K);
		for (int k = 0; k < D; k++)
			want += ((double)x[i * D + k] - x[k]) * ((double)x[i * D + k] - x[k]);
		cr_assert(fabs(got - want) <= 1e-5 * (1 + want), "%d: %g, not %g", i, got, want);
		first += out[i * K] * out[i * K];
		second += out[i * K + 1] * out[i * K + 1];
	}
	cr_assert(first > 20 * second, "%g, %g", first, second);
	double sum = 0;
	for (int i = 0; i < N; i++)
		sum += out[i * K];
	cr_assert(fabs(sum) < 1e-6, "not centred: %g", sum);
}

Test(mann_whitney, counts_pairs_and_half_of_the_ties)
{
	double x[40], y[55], want = 0;
	int ties = 0;
	for (int i = 0; i < 40; i++)
		x[i] = floor(4 * formula_u("mw-x", (uint64_t)i));
	for (int j = 0; j < 55; j++)
		y[j] = floor(4 * formula_u("mw-y", (uint64_t)j));
	for (int i = 0; i < 40; i++)
		for (int j = 0; j < 55; j++) {
			want += x[i] > y[j] ? 1 : x[i] == y[j] ? 0.5 : 0;
			ties += x[i] == y[j];
		}
	double got = mann_whitney_u(x, 40, y, 55);
	cr_assert_eq(got, want, "%g, not %g", got, want);
	cr_assert(ties > 100 && ties < 1000, "%d ties prove little", ties);
}
