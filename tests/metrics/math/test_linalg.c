/* test_linalg.c - factors and nuclear norms, against closed forms and each other. */
#include "tests/common/formula.h"
#include "metrics/math/linalg.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static double *random_matrix(const char *name, int m, int n)
{
	double *a = xmalloc(sizeof *a * (size_t)m * (size_t)n);
	for (int64_t i = 0; i < (int64_t)m * n; i++)
		a[i] = formula_u(name, (uint64_t)i);
	return a;
}

Test(linalg, kernels_are_not_the_oldest_where_avx2_is_there)
{
	if (__builtin_cpu_supports("avx2"))
		cr_assert(strcmp(linalg_core(), "Prescott") != 0 && strcmp(linalg_core(), "Nehalem") != 0, "%s", linalg_core());
}

/* Tall, wide, square. The Gram matrix's eigenvalues
 * are the squares of the singular values. */
Test(linalg, nuclear_norm_of_odd_shapes_is_that_of_the_gram_matrix)
{
	static const int shapes[][2] = { { 1, 1 },    { 1, 7 },    { 7, 1 },     { 2, 2 },    { 3, 5 },
		                             { 31, 31 },  { 32, 32 },  { 33, 33 },   { 65, 64 },  { 64, 70 },
		                             { 100, 37 }, { 37, 300 }, { 129, 130 }, { 200, 200 } };
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		int m = shapes[i][0], n = shapes[i][1];
		double *a = random_matrix("nuclear", m, n), sum = 0;
		double *gram = xmalloc(sizeof *gram * (size_t)m * (size_t)m), *w = xmalloc(sizeof *w * (size_t)m);
		linalg_gemm_nt(gram, a, a, m, m, n, 1, 0);
		linalg_eigenvalues(w, gram, m);
		for (int k = 0; k < m; k++)
			sum += k >= m - n ? sqrt(fmax(w[k], 0)) : 0;
		double got = linalg_nuclear(a, m, n, NULL);
		cr_assert(fabs(got - sum) <= 1e-6 * sum, "%d x %d: %.12g, Gram says %.12g", m, n, got, sum);
		free(a);
		free(gram);
		free(w);
	}
}

/* c = Q diag(s) with Q a product of reflectors: known singular values over 14 decades, so a method that squares the
 * matrix fails here by 1e-8. */
Test(linalg, small_singular_values_survive)
{
	enum { N = 150 };
	double *v = random_matrix("reflector", 2, N), *a = xcalloc(N * N, sizeof *a), want = 0;
	for (int i = 0; i < N; i++) {
		a[i * N + i] = pow(10, -14.0 * i / N);
		want += a[i * N + i];
	}
	for (int side = 0; side < 2; side++) { /* rows, then columns */
		const double *u = v + side * N;
		double uu = 0;
		for (int i = 0; i < N; i++)
			uu += u[i] * u[i];
		for (int j = 0; j < N; j++) {
			double s = 0;
			for (int i = 0; i < N; i++)
				s += u[i] * a[side ? j * N + i : i * N + j];
			for (int i = 0; i < N; i++)
				a[side ? j * N + i : i * N + j] -= 2 * s / uu * u[i];
		}
	}
	double got = linalg_nuclear(a, N, N, NULL);
	cr_assert(fabs(got - want) <= 1e-14 * N, "%.17g, want %.17g", got, want);
	free(a);
	free(v);
}

/* Zeros that rows begin with are left out of the product of two factors; which, differs from stripe to stripe. */
Test(linalg, triangles_cross_as_any_matrix_does)
{
	enum { N = 600 };
	double *a = random_matrix("triangle", N, N), *b = random_matrix("other", N, N), *c = xcalloc(N * N, sizeof *c);
	for (int64_t i = 0; i < N; i++)
		for (int64_t j = 0; j < i; j++)
			a[i * N + j] = b[i * N + j] = 0;
	linalg_gemm_nt(c, a, b, N, N, N, 1, 0);
	double got = linalg_nuclear_cross(a, N, b, N, N, NULL), want = linalg_nuclear(c, N, N, NULL);
	cr_assert(fabs(got - want) <= 1e-12 * want, "%.17g, want %.17g", got, want);
	free(a);
	free(b);
	free(c);
}

Test(linalg, any_magnitude)
{
	enum { N = 50 };
	double *a = random_matrix("magnitude", N, N), *b = xmalloc(sizeof *b * N * N);
	static const int powers[] = { -600, -1000, 600, 1000 };
	double want = linalg_nuclear(a, N, N, NULL);
	for (size_t k = 0; k < sizeof powers / sizeof *powers; k++) {
		for (int i = 0; i < N * N; i++)
			b[i] = ldexp(formula_u("magnitude", (uint64_t)i), powers[k]);
		double got = ldexp(linalg_nuclear(b, N, N, NULL), -powers[k]);
		cr_assert(got == want, "times 2^%d: %.17g, want %.17g", powers[k], got, want);
	}
	free(a);
	free(b);
}

Test(linalg, zeros_and_identities)
{
	double z[9] = { 0 }, eye[9] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 };
	cr_assert_eq(linalg_nuclear(z, 3, 3, NULL), 0);
	cr_assert(fabs(linalg_nuclear(eye, 3, 3, NULL) - 3) <= 1e-15);
	cr_assert_eq(linalg_nuclear_cross(z, 0, z, 3, 3, NULL), 0);
}

Test(linalg, factor_finds_the_rank_and_gives_the_matrix_back)
{
	enum { D = 90, R = 17 };
	double *x = random_matrix("rank", R, D), *cov = xcalloc(D * D, sizeof *cov), *back = xcalloc(D * D, sizeof *back),
		   *f;
	double left_trace, left_max;
	int rank;
	linalg_syrk_upper(cov, x, R, D);
	linalg_mirror(cov, D);
	linalg_factor(&f, &rank, &left_trace, &left_max, cov, D);
	cr_assert_eq(rank, R);
	cr_assert(fabs(left_trace) <= 1e-12 && left_max <= 1e-13, "%g %g", left_trace, left_max);
	linalg_syrk_upper(back, f, rank, D);
	linalg_mirror(back, D);
	for (int i = 0; i < D * D; i++)
		cr_assert(fabs(back[i] - cov[i]) <= 1e-13, "%d", i);
	free(f);
	cov[5 * D + 5] -= 2 * x[0] * x[0] + 5; /* no longer a covariance: the loss must be seen */
	linalg_factor(&f, &rank, &left_trace, &left_max, cov, D);
	cr_assert(left_max > 1, "%g", left_max);
	free(f);
	free(x);
	free(cov);
	free(back);
}

/* Q diag(w) Q^T, Q a reflector. */
static void with_eigenvalues(double *a, const double *w, int d, const char *name)
{
	double u[64], uu = 0;
	cr_assert(d <= 64);
	for (int i = 0; i < d; i++) {
		u[i] = formula_u(name, (uint64_t)i);
		uu += u[i] * u[i];
	}
	for (int i = 0; i < d; i++)
		for (int j = 0; j < d; j++) {
			a[i * d + j] = 0;
			for (int k = 0; k < d; k++)
				a[i * d + j] += w[k] * ((i == k) - 2 * u[i] * u[k] / uu) * ((j == k) - 2 * u[j] * u[k] / uu);
		}
}

/* A direction with a 10^10th of the largest variance is part of the distance: its root is a 10^5th. */
Test(linalg, a_factor_keeps_small_directions)
{
	enum { D = 20 };
	double w[D], cov[D * D], *f, left_trace, left_max;
	int rank;
	for (int missing = 0; missing <= 3; missing += 3) { /* full rank goes another way */
		for (int i = 0; i < D; i++)
			w[i] = i < missing ? 0 : i < 8 ? 1e-10 * (i + 1) : i;
		with_eigenvalues(cov, w, D, "small");
		linalg_factor(&f, &rank, &left_trace, &left_max, cov, D);
		cr_expect_eq(rank, D - missing, "%d", rank);
		free(f);
	}
}

/* Rounded numbers have eigenvalues on both sides of 0: as far as the lowest lies below it, one above says nothing. */
Test(linalg, a_rounded_factor_drops_what_rounding_can_be)
{
	enum { D = 6 };
	static const struct {
		double w[D], bound;
		int rank;
		double dropped;
	} cases[] = { { { -2e-3, -1e-3, 1e-4, 1.5e-3, 3e-3, 1 }, 1e-5, 2, 4.6e-3 },
		          { { -2e-6, 1e-6, 1e-4, 1.5e-3, 3e-3, 1 }, 2e-3, 2, 1.603e-3 },
		          { { 1e-6, 2e-6, 1e-4, 1.5e-3, 3e-3, 1 }, 0, 6, 0 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		double cov[D * D], back[D * D] = { 0 }, *f, dropped, lowest, highest, trace = 0;
		int rank;
		with_eigenvalues(cov, cases[i].w, D, "rounded");
		linalg_factor_rounded(&f, &rank, &dropped, &lowest, &highest, cov, D, cases[i].bound);
		cr_expect_eq(rank, cases[i].rank, "case %zu: rank %d", i, rank);
		cr_expect(fabs(dropped - cases[i].dropped) < 1e-12, "case %zu: %g dropped", i, dropped);
		cr_expect(fabs(lowest - cases[i].w[0]) < 1e-12 && fabs(highest - 1) < 1e-12);
		linalg_syrk_upper(back, f, rank, D);
		for (int k = 0; k < D; k++) {
			trace += back[k * (D + 1)];
			if (k >= D - rank)
				trace -= cases[i].w[k];
		}
		cr_expect(fabs(trace) < 1e-12, "what is kept is not changed: %g", trace);
		free(f);
	}
}
