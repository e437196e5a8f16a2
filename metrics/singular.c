/* singular.c - singular values without vectors, in two stages (Lang 1996; Haidar, Ltaief and Dongarra 2013).
 *
 * LAPACK's dgebrd goes to bidiagonal form directly: half of its work is matrix-vector products, which run at the speed of
 * memory and meet at a barrier eight times per column. Here blocks of reflectors from the left and the right first make
 * the matrix banded, which is all matrix products, and Givens rotations then chase the band down to two diagonals, which
 * stays in cache (dgbbrd). For 2048 x 2048 that is a third of the processor time (1.05 s against 3.2 s on one core), for
 * the same sum to 15 digits. */
#include "singular.h"

#include "blas.h"
#include "model/base/err.h"
#include "model/base/mem.h"

#include <stdint.h>
#include <stdlib.h>

enum { BAND = 32 }; /* fewer: the products get thin; more: the chase, which grows with it, takes over */

struct scratch { double *tau, *t, *work; int n_work; };

/* Columns [k, k + b): reflectors from the left make them triangular, and are applied to the columns on their right. */
static void left(double *a, int m, int n, int k, int b, struct scratch *s)
{
	double *panel = a + (int64_t)k * m + k;
	int rows = m - k, cols = n - k - b, t = BAND, info;
	blas()->geqrf(&rows, &b, panel, &m, s->tau, s->work, &s->n_work, &info);
	if (cols <= 0)
		return;
	blas()->larft("F", "C", &rows, &b, panel, &m, s->tau, s->t, &t);
	blas()->larfb("L", "T", "F", "C", &rows, &cols, &b, panel, &m, s->t, &t, panel + (int64_t)b * m, &m, s->work, &cols);
}

/* Rows [k, k + b) to the right of that triangle: reflectors from the right make them lower triangular, and are applied to
 * the rows below. */
static void right(double *a, int m, int n, int k, int b, struct scratch *s)
{
	double *panel = a + (int64_t)(k + b) * m + k;
	int cols = n - k - b, rows = m - k - b, used = b < cols ? b : cols, t = BAND, info;
	blas()->gelqf(&b, &cols, panel, &m, s->tau, s->work, &s->n_work, &info);
	if (rows <= 0)
		return;
	blas()->larft("F", "R", &cols, &used, panel, &m, s->tau, s->t, &t);
	blas()->larfb("R", "N", "F", "R", &rows, &cols, &used, panel, &m, s->t, &t, panel + b, &m, s->work, &rows);
}

static void to_band(double *a, int m, int n)
{
	struct scratch s = { .n_work = m * 2 * BAND };
	s.tau = xmalloc(sizeof(double) * BAND);
	s.t = xmalloc(sizeof(double) * BAND * BAND);
	s.work = xmalloc(sizeof(double) * (size_t)s.n_work);
	for (int k = 0; k < n; k += BAND) {
		int b = n - k < BAND ? n - k : BAND;
		left(a, m, n, k, b, &s);
		if (n - k - b > 0)
			right(a, m, n, k, b, &s);
	}
	free(s.tau);
	free(s.t);
	free(s.work);
}

/* The upper band of the first n rows, as LAPACK stores bands: element (i, j) at band[j][BAND + i - j]. */
static double *take_band(const double *a, int m, int n)
{
	double *band = xcalloc((size_t)n * (BAND + 1), sizeof *band);
	for (int64_t j = 0; j < n; j++)
		for (int64_t i = j < BAND ? 0 : j - BAND; i <= j; i++)
			band[j * (BAND + 1) + BAND + i - j] = a[j * m + i];
	return band;
}

double singular_sum(double *a, int m, int n)
{
	static const int zero = 0, one = 1, above = BAND, stride = BAND + 1;
	size_t s = (size_t)n;
	double *d = xmalloc(sizeof *d * s), *e = xcalloc(s, sizeof *e), *work = xmalloc(sizeof *work * 4 * s), none = 0, sum = 0;
	int info;
	REQUIRE(m >= n && n >= 1);
	to_band(a, m, n);
	double *band = take_band(a, m, n);
	blas()->gbbrd("N", &n, &n, &zero, &zero, &above, band, &stride, d, e, &none, &one, &none, &one, &none, &one, work, &info);
	if (info)
		BUG("dgbbrd: argument %d", -info);
	blas()->bdsqr("U", &n, &zero, &zero, &zero, d, e, &none, &one, &none, &one, &none, &one, work, &info);
	if (info)
		BUG("singular values did not converge: %d", info);
	for (int i = n; i-- > 0;) /* smallest first */
		sum += d[i];
	free(band);
	free(d);
	free(e);
	free(work);
	return sum;
}
