/* band.c - see band.h. Each sweep takes one row to two elements by a reflector from the right, which fills a block
 * below the diagonal; a reflector from the left clears that block's first column and fills one to the right of the
 * band, whose first row is the next to be cleared: the bulge goes down to the corner (Murata and Horikoshi 1975;
 * Haidar, Ltaief and Dongarra 2011). LAPACK's dgbbrd does the same by rotations of two rows at a time, four times
 * slower. */
#include "metrics/math/band.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* A column is stored from UP above its diagonal to BAND - 1 below, and CHUNK zeros that whole vectors may run into. */
enum { LANES = 8, CHUNK = 2 * LANES, UP = 2 * BAND - 1, LD = UP + BAND + CHUNK + 1, STEP = LD - 1 };

typedef double vec __attribute__((vector_size(8 * LANES)));
typedef double loose __attribute__((vector_size(8 * LANES), aligned(8), may_alias)); /* as it may lie in memory */
#define AT(p) (*(loose *)(p))

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EACH_PROCESSOR
#endif

/* v (BAND, zeros past n) and the result tau: I - tau v v^T takes the n values x, `step` apart, to (beta, 0, ...), which
 * they become. */
static double reflector(double *v, double *x, int64_t step, int n)
{
	double square = 0, alpha = x[0];
	for (int64_t k = 1; k < n; k++)
		square += x[k * step] * x[k * step];
	if (!(square > 0))
		return 0;
	double beta = -copysign(sqrt(alpha * alpha + square), alpha);
	v[0] = 1;
	for (int64_t k = 1; k < n; k++) {
		v[k] = x[k * step] / (alpha - beta);
		x[k * step] = 0;
	}
	for (int64_t k = n; k < BAND; k++)
		v[k] = 0;
	x[0] = beta;
	return (beta - alpha) / beta;
}

/* a (rows x cols, columns STEP apart) -= tau (a v) v^T; rows run into zeros to a whole CHUNK. */
EACH_PROCESSOR static void from_right(double *a, int rows, int cols, const double *v, double tau)
{
	for (; rows > 0; rows -= CHUNK, a += CHUNK) {
		vec w0 = { 0 }, w1 = { 0 };
		double *p = a;
		for (int j = 0; j < cols; j++, p += STEP) {
			w0 += AT(p) * v[j];
			w1 += AT(p + LANES) * v[j];
		}
		w0 *= tau;
		w1 *= tau;
		p = a;
		for (int j = 0; j < cols; j++, p += STEP) {
			AT(p) -= w0 * v[j];
			AT(p + LANES) -= w1 * v[j];
		}
	}
}

/* a (BAND x cols, columns STEP apart) -= tau v (v^T a) */
EACH_PROCESSOR static void from_left(double *a, int cols, const double *v, double tau)
{
	for (int j = 0; j < cols; j++, a += STEP) {
		vec s = { 0 };
#pragma GCC unroll 8
		for (int k = 0; k < BAND; k += LANES)
			s += AT(a + k) * AT(v + k);
		double dot = tau * (((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7])));
#pragma GCC unroll 8
		for (int k = 0; k < BAND; k += LANES)
			AT(a + k) -= AT(v + k) * dot;
	}
}

static double *at(double *band, int64_t i, int64_t j)
{
	return band + j * LD + UP + i - j;
}

static int at_most(int n, int limit)
{
	return n < limit ? n : limit;
}

static void sweep(double *band, int row, int n)
{
	double v[BAND];
	for (int col = row + 1; col < n; row = col, col += BAND) {
		int end = at_most(col + BAND, n);
		double tau = reflector(v, at(band, row, col), STEP, end - col);
		if (tau != 0)
			from_right(at(band, row + 1, col), end - row - 1, end - col, v, tau);
		tau = reflector(v, at(band, col, col), 1, end - col);
		if (tau != 0)
			from_left(at(band, col, col + 1), at_most(end + BAND, n) - col - 1, v, tau);
	}
}

void band_to_bidiagonal(double *d, double *e, const double *a, int ld, int n)
{
	double *band = xcalloc((size_t)n * LD + CHUNK, sizeof *band);
	for (int64_t j = 0; j < n; j++)
		for (int64_t i = j < BAND ? 0 : j - BAND; i <= j; i++)
			*at(band, i, j) = a[j * ld + i];
	for (int row = 0; row < n - 1; row++)
		sweep(band, row, n);
	for (int i = 0; i < n; i++)
		d[i] = *at(band, i, i);
	for (int i = 0; i + 1 < n; i++)
		e[i] = *at(band, i, i + 1);
	free(band);
}
