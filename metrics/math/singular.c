/* singular.c - singular values without vectors, in two stages (Lang 1996; Haidar, Ltaief and Dongarra 2013).
 *
 * LAPACK's dgebrd goes to bidiagonal form directly: half of its work is matrix-vector products, which run at the speed
 * of memory and meet at a barrier eight times per column. Here blocks of reflectors from the left and the right first
 * make the matrix banded, which is all matrix products, and the band then goes down to two diagonals in the caches
 * (band.h), for the same sum to 15 digits. */
#include "metrics/math/singular.h"

#include "metrics/math/band.h"
#include "metrics/math/blas.h"
#include "metrics/math/product.h"
#include "model/base/err.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { SKEW = 8 };

/* What a step works with: the matrix, its columns `ld` apart (not a power of two: they would fight for one set of the
 * cache), and the two reflectors' parts of its update, A -= left right, of 2 BAND columns and rows. */
struct reduction {
	double *a, *left, *right, *turned, *tau, *t, *small, *work;
	int ld, n_work;
};

/* QR of a (rows x b) in place, and its reflectors: v, `ldv` apart, holds them with their ones and zeros, r->t their
 * triangle. */
static void reflect(struct reduction *r, double *v, int ldv, double *a, int lda, int rows, int b, int used)
{
	int t = BAND, info;
	blas()->geqrf(&rows, &b, a, &lda, r->tau, r->work, &r->n_work, &info);
	for (int64_t j = 0; j < used; j++)
		for (int64_t i = 0; i < rows; i++)
			v[j * ldv + i] = i < j ? 0 : i == j ? 1 : a[j * lda + i];
	blas()->larft("F", "C", &rows, &used, v, &ldv, r->tau, r->t, &t);
}

/* Columns [k, k + b) become triangular by reflectors V from the left, then rows [k, k + b) on their right lower
 * triangular by reflectors U from the right. Both reach the rest, R, at once, in one product: with Y = T^T V^T R and X
 * = (R - V Y) U S, S and T the triangles, R becomes R - V Y - X U^T. */
static void step(struct reduction *r, int m, int n, int k, int b)
{
	double *panel = r->a + (int64_t)k * r->ld + k, *rest = panel + (int64_t)b * r->ld, *y = r->right,
		   *x = r->left + (int64_t)BAND * m;
	int rows = m - k, cols = n - k - b, used = cols < b ? cols : b, both = 2 * BAND;
	reflect(r, r->left, m, panel, r->ld, rows, b, b);
	if (cols <= 0)
		return;
	product_double("T", "N", b, cols, rows, 1, r->left, m, rest, r->ld, 0, r->turned, b);
	product_double("T", "N", b, cols, b, 1, r->t, BAND, r->turned, b, 0, y, both);
	product_double("N", "N", b, cols, b, -1, r->left, m, y, both, 1, rest, r->ld);
	for (int64_t j = 0; j < cols; j++)
		for (int64_t i = 0; i < b; i++)
			r->turned[i * cols + j] = rest[j * r->ld + i];
	double *u = r->turned + (int64_t)BAND * cols;
	reflect(r, u, cols, r->turned, cols, cols, b, used);
	for (int64_t j = 0; j < cols; j++) {
		for (int64_t i = 0; i < b; i++)
			rest[j * r->ld + i] = j <= i ? r->turned[i * cols + j] : 0;
		for (int64_t i = 0; i < BAND; i++)
			y[j * both + BAND + i] = i < used ? u[i * cols + j] : 0;
	}
	rows -= b;
	rest += b;
	product_double("N", "N", b, used, cols, 1, y, both, u, cols, 0, r->small, BAND);
	product_double("N", "N", rows, used, cols, 1, rest, r->ld, u, cols, 0, r->work, m);
	product_double("N", "N", rows, used, b, -1, r->left + b, m, r->small, BAND, 1, r->work, m);
	product_double("N", "N", rows, used, used, 1, r->work, m, r->t, BAND, 0, x + b, m);
	product_double("N", "N", rows, cols, BAND + used, -1, r->left + b, m, y, both, 1, rest, r->ld);
}

static void to_band(double *a, int ld, int m, int n)
{
	size_t wide = (size_t)BAND, tall = (size_t)m;
	struct reduction r = { .a = a, .ld = ld, .n_work = m * BAND };
	r.left = xcalloc(2 * wide * tall, sizeof(double));
	r.right = xcalloc(2 * wide * tall, sizeof(double));
	r.turned = xmalloc(sizeof(double) * 2 * wide * tall);
	r.tau = xmalloc(sizeof(double) * wide);
	r.t = xcalloc(wide * wide, sizeof(double));
	r.small = xmalloc(sizeof(double) * wide * wide);
	r.work = xmalloc(sizeof(double) * (size_t)r.n_work);
	for (int k = 0; k < n; k += BAND)
		step(&r, m, n, k, n - k < BAND ? n - k : BAND);
	free(r.left);
	free(r.right);
	free(r.turned);
	free(r.tau);
	free(r.t);
	free(r.small);
	free(r.work);
}

static double largest(const double *x, size_t n)
{
	double top = 0;
	for (size_t i = 0; i < n; i++)
		top = fmax(top, fabs(x[i]));
	return top;
}

double singular_sum(double *a, int m, int n)
{
	static const int zero = 0, one = 1;
	size_t s = (size_t)n;
	double *d = xmalloc(sizeof *d * s), *e = xcalloc(s, sizeof *e), *work = xmalloc(sizeof *work * 4 * s), none = 0,
		   sum = 0;
	int info;
	REQUIRE(m >= n && n >= 1);
	int ld = m + SKEW, power;
	(void)frexp(largest(a, (size_t)m * s), &power); /* near 1, no square in a reflector overflows or vanishes */
	double *apart = xmalloc(sizeof *apart * (size_t)ld * s), scale = ldexp(1, -power);
	for (int64_t j = 0; j < n; j++)
		for (int64_t i = 0; i < m; i++)
			apart[j * ld + i] = a[j * m + i] * scale;
	to_band(apart, ld, m, n);
	band_to_bidiagonal(d, e, apart, ld, n);
	free(apart);
	blas()->bdsqr("U", &n, &zero, &zero, &zero, d, e, &none, &one, &none, &one, &none, &one, work, &info);
	if (info)
		BUG("singular values did not converge: %d", info);
	for (int i = n; i-- > 0;) /* smallest first */
		sum += d[i];
	free(d);
	free(e);
	free(work);
	return ldexp(sum, power);
}
