/* linalg.c - see linalg.h. */
#include "metrics/math/linalg.h"

#include "metrics/math/blas.h"
#include "metrics/math/product.h"
#include "model/base/mem.h"
#include "metrics/math/singular.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *linalg_core(void)
{
	return blas()->corename();
}

void linalg_gemm_nt(double *c, const double *a, const double *b, int m, int n, int k, double alpha, double beta)
{
	product_double("T", "N", n, m, k, alpha, b, k, a, k, beta, c, n);
}

void linalg_gemm_nt_float(float *c, const float *a, const float *b, int m, int n, int k)
{
	product_float("T", "N", n, m, k, 1, b, k, a, k, 0, c, n);
}

void linalg_syrk_upper(double *c, const double *x, int n, int d)
{
	if (n)
		product_lower(d, n, 1, x, d, c, d); /* lower in column-major = upper in ours */
}

void linalg_mirror(double *c, int d)
{
	for (int64_t i = 0; i < d; i++)
		for (int64_t j = i + 1; j < d; j++)
			c[j * d + i] = c[i * d + j];
}

/* What cov - F^T F is: its trace and largest element. */
static void left_over(double *trace, double *max, const double *cov, const double *f, int rank, int d)
{
	double *rest = xmalloc(sizeof *rest * (size_t)d * (size_t)d);
	memcpy(rest, cov, sizeof *rest * (size_t)d * (size_t)d);
	if (rank)
		product_lower(d, rank, -1, f, d, rest, d);
	*trace = *max = 0;
	for (int64_t i = 0; i < d; i++) {
		*trace += rest[i * d + i];
		for (int64_t j = i; j < d; j++)
			*max = fmax(*max, fabs(rest[i * d + j]));
	}
	free(rest);
}

/* The plain Cholesky factor, a quarter of the pivoted one's time: only where every pivot is so far above rounding that
 * the rank is beyond doubt. a receives L in its (column-major) lower triangle, or garbage. */
static bool clearly_full_rank(double *a, const double *cov, int d, double tol)
{
	int info;
	memcpy(a, cov, sizeof *a * (size_t)d * (size_t)d);
	blas()->potrf("L", &d, a, &d, &info);
	for (int64_t i = 0; info == 0 && i < d; i++)
		if (!(a[i * (d + 1)] * a[i * (d + 1)] > 100 * tol))
			return false;
	return info == 0;
}

void linalg_factor(double **f, int *rank, double *left_trace, double *left_max, const double *cov, int d)
{
	size_t n = (size_t)d * (size_t)d;
	double *a = xmalloc(sizeof *a * n), *work = xmalloc(sizeof *work * 2 * (size_t)d);
	int *piv = xmalloc(sizeof *piv * (size_t)d), info, r = 0;
	double top = 0, tol;
	for (int64_t i = 0; i < d; i++) {
		top = fmax(top, cov[i * (d + 1)]);
		piv[i] = (int)i + 1;
	}
	tol = d * DBL_EPSILON * top;
	if (top > 0 && clearly_full_rank(a, cov, d, tol)) {
		r = d;
	} else if (top > 0) {
		memcpy(a, cov, sizeof *a * n);
		blas()->pstrf("L", &d, a, &d, piv, &r, &tol, work, &info);
	}
	/* Column k of L is row k of F, with its entries put back where the pivoting took them from. */
	double *out = xcalloc(r ? (size_t)r : 1, sizeof *out * (size_t)d);
	for (int64_t k = 0; k < r; k++)
		for (int64_t i = k; i < d; i++)
			out[k * d + piv[i] - 1] = a[k * d + i];
	*left_trace = *left_max = 0;
	if (r < d)
		left_over(left_trace, left_max, cov, out, r, d);
	free(a);
	free(work);
	free(piv);
	*f = out;
	*rank = r;
}

/* R of a QR of the column-major m x n matrix a, as an n x n matrix; used when m is well above n. */
static void triangle_of(double *r, double *a, int m, int n)
{
	int lwork = n * 64, info;
	double *tau = xmalloc(sizeof *tau * (size_t)n), *work = xmalloc(sizeof *work * (size_t)lwork);
	blas()->geqrf(&m, &n, a, &m, tau, work, &lwork, &info);
	for (int64_t j = 0; j < n; j++)
		for (int64_t i = 0; i < n; i++)
			r[j * n + i] = i <= j ? a[j * m + i] : 0;
	free(tau);
	free(work);
}

static void transpose(double *out, const double *a, int m, int n)
{
	for (int64_t i = 0; i < m; i++)
		for (int64_t j = 0; j < n; j++)
			out[j * m + i] = a[i * n + j];
}

/* singular_sum, or the device's in its place. */
static double sum_by(struct singular_by *by, double *a, int m, int n)
{
	struct err e = ERR_INIT;
	struct backend *b = by ? by->device : NULL;
	if (by)
		(void)snprintf(by->by, sizeof by->by, "host");
	if (!b || !b->ops->scores)
		return singular_sum(a, m, n);
	char text[SINGULAR_TEXT] = "";
	SCOPED(free) double *values = xmalloc(sizeof *values * (size_t)n);
	if (b->ops->scores->singular(b, values, text, a, m, n, &e)) {
		(void)snprintf(by->by, sizeof by->by, "host (%.24s: %.120s)", b->name, e.msg);
		return singular_sum(a, m, n);
	}
	(void)snprintf(by->by, sizeof by->by, "%s", text);
	double sum = 0;
	for (int i = n; i-- > 0;) /* small ones first */
		sum += values[i];
	return sum;
}

double linalg_nuclear(double *a, int m, int n, struct singular_by *by)
{
	if (m == 0 || n == 0)
		return 0;
	/* Row-major m x n is column-major n x m: tall when n >= m; otherwise transpose it. */
	double *turned = NULL, *tall = a, *triangle = NULL;
	int rows = n, cols = m;
	if (n < m) {
		turned = xmalloc(sizeof *turned * (size_t)m * (size_t)n);
		transpose(turned, a, m, n);
		tall = turned;
		rows = m;
		cols = n;
	}
	if (rows > cols + cols / 4) {
		triangle = xmalloc(sizeof *triangle * (size_t)cols * (size_t)cols);
		triangle_of(triangle, tall, rows, cols);
		tall = triangle;
		rows = cols;
	}
	double sum = sum_by(by, tall, rows, cols);
	free(turned);
	free(triangle);
	return sum;
}

enum { STRIPE = 512 };

/* The first column in which one of these rows is not zero. */
static int first_column(const double *f, int rows, int d)
{
	int first = d;
	for (int64_t i = 0; i < rows; i++)
		for (int j = 0; j < first; j++)
			if (f[i * d + j] != 0)
				first = j;
	return first;
}

/* c (r1 x r2) = f1 f2^T, without the zeros that rows of a Cholesky factor begin with: a third of the work where both
 * are such. */
static void factor_product(double *c, const double *f1, int r1, const double *f2, int r2, int d)
{
	for (int i = 0; i < r1; i += STRIPE)
		for (int j = 0; j < r2; j += STRIPE) {
			int rows = r1 - i < STRIPE ? r1 - i : STRIPE, cols = r2 - j < STRIPE ? r2 - j : STRIPE;
			const double *a = f1 + (int64_t)i * d, *b = f2 + (int64_t)j * d;
			int in_a = first_column(a, rows, d), in_b = first_column(b, cols, d), from = in_a > in_b ? in_a : in_b,
				k = d - from;
			product_double("T", "N", cols, rows, k, 1, b + from, d, a + from, d, 0, c + (int64_t)i * r2 + j, r2);
		}
}

double linalg_nuclear_cross(const double *f1, int r1, const double *f2, int r2, int d, struct singular_by *by)
{
	if (r1 == 0 || r2 == 0)
		return 0; /* `by` stays empty: nothing was computed */
	double *c = xmalloc(sizeof *c * (size_t)r1 * (size_t)r2);
	factor_product(c, f1, r1, f2, r2, d);
	double sum = linalg_nuclear(c, r1, r2, by);
	free(c);
	return sum;
}

static void eigen(const char *job, double *w, double *a, int d, int lwork, int liwork)
{
	int info;
	double *work = xmalloc(sizeof *work * (size_t)lwork);
	int *iwork = xmalloc(sizeof *iwork * (size_t)liwork);
	blas()->syevd(job, "L", &d, a, &d, w, work, &lwork, iwork, &liwork, &info);
	if (info)
		BUG("eigenvalues did not converge: %d", info);
	free(work);
	free(iwork);
}

void linalg_eigenvalues(double *w, double *a, int d)
{
	eigen("N", w, a, d, 66 * d + 1, 1);
}

void linalg_eigenvectors(double *w, double *a, int d)
{
	REQUIRE(d < 32000); /* the workspace's size is an int */
	eigen("V", w, a, d, 1 + 6 * d + 2 * d * d, 3 + 5 * d);
}

void linalg_factor_rounded(double **f, int *rank, double *dropped, double *lowest, double *highest, const double *cov,
                           int d, double bound)
{
	size_t n = (size_t)d * (size_t)d;
	SCOPED(free) double *v = xmalloc(sizeof *v * n);
	SCOPED(free) double *w = xmalloc(sizeof *w * (size_t)d);
	memcpy(v, cov, sizeof *v * n);
	linalg_eigenvectors(w, v, d);
	int first = 0;
	*dropped = 0;
	*lowest = w[0];
	*highest = w[d - 1];
	while (first < d && !(w[first] > fmax(bound, -w[0])))
		*dropped += fabs(w[first++]);
	*rank = d - first;
	*f = xcalloc(*rank ? (size_t)*rank : 1, sizeof **f * (size_t)d);
	for (int64_t k = first; k < d; k++)
		for (int64_t j = 0; j < d; j++)
			(*f)[(k - first) * d + j] = sqrt(w[k]) * v[k * d + j];
}
