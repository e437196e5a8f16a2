/* product.h - OpenBLAS's matrix products cut into tiles of a fixed size, which OpenMP's threads share. OpenBLAS itself
 * has one thread (blas.h): it would cut a product by their number, and its kernels for AVX2 add in another order at the
 * edges of a part, so that the last bit of a score would depend on how many processors a cell was given.
 *
 * Column-major, as BLAS has them; products of nothing (m, n or k of 0) are left to the caller's beta. */
#ifndef ABLATE_PRODUCT_H
#define ABLATE_PRODUCT_H

/* c (m x n) = alpha op(a) op(b) + beta c; ta, tb: "N" or "T". */
void product_double(const char *ta, const char *tb, int m, int n, int k, double alpha, const double *a, int lda,
                    const double *b, int ldb, double beta, double *c, int ldc);
void product_float(const char *ta, const char *tb, int m, int n, int k, float alpha, const float *a, int lda,
                   const float *b, int ldb, float beta, float *c, int ldc);
/* The lower triangle of c (n x n) += alpha x x^T, x [n x k]. */
void product_lower(int n, int k, double alpha, const double *x, int ldx, double *c, int ldc);

#endif
