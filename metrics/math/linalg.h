/* linalg.h - the dense linear algebra of the scores, in double, row-major.
 *
 * The heart of FID is tr (S1 S2)^(1/2). With factors S = F^T F it is the nuclear norm (sum of singular values) of
 * F1 F2^T: exact for any rank, no square root of a tiny eigenvalue, no regularisation. A factor is either the centred
 * features themselves (n <= d) or a pivoted Cholesky factor of the covariance, which finds its rank. */
#ifndef ABLATE_LINALG_H
#define ABLATE_LINALG_H

#include "model/graph/backend.h"
#include "model/base/err.h"

#include <stdint.h>

/* Which kernels OpenBLAS runs ("SkylakeX"), for `ablate doctor`. Loads it. */
const char *linalg_core(void);

/* c[m,n] = alpha * a[m,k] b[n,k]^T + beta * c. */
void linalg_gemm_nt(double *c, const double *a, const double *b, int m, int n, int k, double alpha, double beta);
/* c[m,n] = a[m,k] b[n,k]^T in floats: an element is off by at most k 2^-24 of the product of the two rows' lengths. */
void linalg_gemm_nt_float(float *c, const float *a, const float *b, int m, int n, int k);
/* The upper triangle of c[d,d] += x[n,d]^T x[n,d]. */
void linalg_syrk_upper(double *c, const double *x, int n, int d);
/* Copies the upper triangle of c[d,d] to the lower. */
void linalg_mirror(double *c, int d);

/* F [rank, d] with cov = F^T F, heap, owned by the caller. What is left over is not silently dropped: *left_trace is
 * its trace (>= 0 up to rounding) and *left_max its largest element by magnitude; both 0 at full rank. A matrix with a
 * negative eigenvalue shows as a left_max far above rounding. Work: d^2 rank. */
void linalg_factor(double **f, int *rank, double *left_trace, double *left_max, const double *cov, int d);

/* The same of a covariance whose numbers are rounded, where pivots cannot tell null space from noise: from its
 * eigenvalues, of which those up to `bound`, or up to the magnitude of the most negative one where that is more, are
 * taken for 0. *dropped is the sum of the magnitudes of these, *lowest and *highest the extremes of all. Work: some
 * 10 d^3. */
void linalg_factor_rounded(double **f, int *rank, double *dropped, double *lowest, double *highest, const double *cov,
                           int d, double bound);

/* Where singular values are computed: on `device` where it has a library for them, else (NULL, no library, a failure)
 * on the host. `by` says where. */
struct singular_by {
	struct backend *device;
	char by[SINGULAR_TEXT + 128];
};

/* ||f1 f2^T||_*, f1 [r1, d], f2 [r2, d]. by may be NULL: on the host. Error about eps * the largest singular value *
 * min(r1, r2)^(1/2). */
double linalg_nuclear_cross(const double *f1, int r1, const double *f2, int r2, int d, struct singular_by *by);
/* Sum of the singular values of a [m, n]; destroys a. */
double linalg_nuclear(double *a, int m, int n, struct singular_by *by);
/* Eigenvalues of a symmetric a [d, d], ascending; destroys a. */
void linalg_eigenvalues(double *w, double *a, int d);
/* The same, and a becomes the eigenvectors, one a row, of length 1, in the order of w. d < 32000. */
void linalg_eigenvectors(double *w, double *a, int d);

#endif
