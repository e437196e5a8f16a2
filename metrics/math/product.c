/* product.c - see product.h. */
#include "metrics/math/product.h"

#include "metrics/math/blas.h"

#include <stdint.h>

enum { TILE = 256 }; /* rows and columns: 2 TILE^2 k operations hide the packing of its parts */

static int tiles(int n)
{
	return n / TILE + (n % TILE != 0);
}

static int extent(int tile, int n)
{
	return n - tile * TILE < TILE ? n - tile * TILE : TILE;
}

/* Where a tile's part of op(a) begins, for rows of it; of op(b) with the letters swapped. */
static int64_t part(const char *t, int tile, int ld)
{
	return (int64_t)tile * TILE * (*t == 'N' ? 1 : ld);
}

static const char *turned(const char *t)
{
	return *t == 'N' ? "T" : "N";
}

void product_double(const char *ta, const char *tb, int m, int n, int k, double alpha, const double *a, int lda,
                    const double *b, int ldb, double beta, double *c, int ldc)
{
	int down = tiles(m), all = down * tiles(n);
	const struct blas *blas_table = blas();
#pragma omp parallel for schedule(dynamic) if (all > 1)
	for (int t = 0; t < all; t++) {
		int i = t % down, j = t / down, rows = extent(i, m), cols = extent(j, n);
		blas_table->gemm(ta, tb, &rows, &cols, &k, &alpha, a + part(ta, i, lda), &lda, b + part(turned(tb), j, ldb),
		                 &ldb, &beta, c + (int64_t)j * TILE * ldc + i * TILE, &ldc);
	}
}

void product_float(const char *ta, const char *tb, int m, int n, int k, float alpha, const float *a, int lda,
                   const float *b, int ldb, float beta, float *c, int ldc)
{
	int down = tiles(m), all = down * tiles(n);
	const struct blas *blas_table = blas();
#pragma omp parallel for schedule(dynamic) if (all > 1)
	for (int t = 0; t < all; t++) {
		int i = t % down, j = t / down, rows = extent(i, m), cols = extent(j, n);
		blas_table->gemm_float(ta, tb, &rows, &cols, &k, &alpha, a + part(ta, i, lda), &lda,
		                       b + part(turned(tb), j, ldb), &ldb, &beta, c + (int64_t)j * TILE * ldc + i * TILE, &ldc);
	}
}

void product_lower(int n, int k, double alpha, const double *x, int ldx, double *c, int ldc)
{
	static const double one = 1;
	int down = tiles(n);
	const struct blas *blas_table = blas();
#pragma omp parallel for schedule(dynamic) if (down > 1)
	for (int t = 0; t < down * down; t++) {
		int i = t % down, j = t / down, rows = extent(i, n), cols = extent(j, n);
		double *to = c + (int64_t)j * TILE * ldc + i * TILE;
		const double *left = x + (int64_t)i * TILE, *right = x + (int64_t)j * TILE;
		if (i == j)
			blas_table->syrk("L", "N", &rows, &k, &alpha, left, &ldx, &one, to, &ldc);
		else if (i > j)
			blas_table->gemm("N", "T", &rows, &cols, &k, &alpha, left, &ldx, right, &ldx, &one, to, &ldc);
	}
}
