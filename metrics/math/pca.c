/* pca.c - see pca.h. */
#include "metrics/math/pca.h"

#include "metrics/math/linalg.h"
#include "metrics/math/moments.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 512 }; /* centred at a time */

void pca_fit(double *mean, double *basis, int k, const float *x, int64_t n, int d)
{
	REQUIRE(k >= 1 && k <= d && n > k);
	SCOPED(moments) struct moments m;
	SCOPED(free) double *sigma = xmalloc(sizeof *sigma * (size_t)d * (size_t)d);
	SCOPED(free) double *variance = xmalloc(sizeof *variance * (size_t)d);
	moments_init(&m, d);
	moments_add(&m, x, n);
	moments_mean(mean, &m);
	moments_sigma(sigma, &m);
	linalg_eigenvectors(variance, sigma, d); /* ascending */
	for (int64_t i = 0; i < k; i++)
		memcpy(basis + i * d, sigma + (d - 1 - i) * d, sizeof *basis * (size_t)d);
}

void pca_project(double *out, const float *x, int64_t n, int d, const double *mean, const double *basis, int k)
{
	SCOPED(free) double *rows = xmalloc(sizeof *rows * ROWS * (size_t)d);
	for (int64_t from = 0; from < n; from += ROWS) {
		int some = n - from < ROWS ? (int)(n - from) : ROWS;
		for (int64_t i = 0; i < some; i++)
			for (int64_t j = 0; j < d; j++)
				rows[i * d + j] = x[(from + i) * d + j] - mean[j];
		linalg_gemm_nt(out + from * k, rows, basis, some, k, d, 1, 0);
	}
}
