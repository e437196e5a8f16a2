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

/* One text for both types, which differ in BLAS's function alone. */
#define PRODUCT(name, type, gemm) \
	void name(const char *ta, const char *tb, int m, int n, int k, type alpha, const type *a, int lda, const type *b, \
	          int ldb, type beta, type *c, int ldc) \
	{ \
		int down = tiles(m), all = down * tiles(n); \
		const struct blas *table = blas(); \
		_Pragma("omp parallel for schedule(dynamic) if (all > 1)") for (int t = 0; t < all; t++) \
		{ \
			int i = t % down, j = t / down, rows = extent(i, m), cols = extent(j, n); \
			table->gemm(ta, tb, &rows, &cols, &k, &alpha, a + part(ta, i, lda), &lda, b + part(turned(tb), j, ldb), \
			            &ldb, &beta, c + (int64_t)j * TILE * ldc + i * TILE, &ldc); \
		} \
	}

PRODUCT(product_double, double, gemm)
PRODUCT(product_float, float, gemm_float)

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
