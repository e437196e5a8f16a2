/* blas.h - the few BLAS and LAPACK routines that metrics/math/linalg.c is built on, loaded at first use.
 *
 * OpenBLAS is loaded with dlopen instead of being linked, for two reasons. It chooses its kernels in its own
 * constructor, from a table of processors that ends in 2022, and falls back to SSE3 ones (five times slower) on newer
 * models: OPENBLAS_CORETYPE must be in the environment before the library is, so blas() sets it from what the
 * processor can do (AVX-512, AVX2), loads, and removes it again. A value that the user has set wins. The other is
 * its threads: it has one, whatever the environment says, and product.h shares the work out so that no bit depends on
 * how many there are. And a command that computes no score pays neither for the 40 MB nor for the threads.
 *
 * Fortran conventions: column-major, everything by pointer. int is 32 bits (LP64). */
#ifndef ABLATE_BLAS_H
#define ABLATE_BLAS_H

struct blas {
	void (*gemm)(const char *ta, const char *tb, const int *m, const int *n, const int *k, const double *alpha,
	             const double *a, const int *lda, const double *b, const int *ldb, const double *beta, double *c,
	             const int *ldc);
	void (*gemm_float)(const char *ta, const char *tb, const int *m, const int *n, const int *k, const float *alpha,
	                   const float *a, const int *lda, const float *b, const int *ldb, const float *beta, float *c,
	                   const int *ldc);
	void (*syrk)(const char *uplo, const char *trans, const int *n, const int *k, const double *alpha, const double *a,
	             const int *lda, const double *beta, double *c, const int *ldc);
	void (*potrf)(const char *uplo, const int *n, double *a, const int *lda, int *info);
	void (*pstrf)(const char *uplo, const int *n, double *a, const int *lda, int *piv, int *rank, const double *tol,
	              double *work, int *info);
	void (*geqrf)(const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork,
	              int *info);
	void (*larft)(const char *direct, const char *storev, const int *n, const int *k, double *v, const int *ldv,
	              double *tau, double *t, const int *ldt);
	void (*bdsqr)(const char *uplo, const int *n, const int *ncvt, const int *nru, const int *ncc, double *d, double *e,
	              double *vt, const int *ldvt, double *u, const int *ldu, double *c, const int *ldc, double *work,
	              int *info);
	void (*syevd)(const char *job, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
	              const int *lwork, int *iwork, const int *liwork, int *info);
	void (*gees)(const char *jobvs, const char *sort, void *select, const int *n, double *a, const int *lda, int *sdim,
	             double *wr, double *wi, double *vs, const int *ldvs, double *work, const int *lwork, int *bwork,
	             int *info);
	char *(*corename)(void);
	void (*set_threads)(int n);
};

/* The loaded table; never NULL. A machine without libopenblas.so.0, or without the memory that it takes for the threads
 * that OpenMP would use now, ends the process with a word (err_give_up). */
const struct blas *blas(void);
/* For callers that report it instead: why it cannot be opened, or NULL. */
const char *blas_missing(void);
/* The value of OPENBLAS_CORETYPE for the fastest kernels that this processor can run; NULL leaves the choice to
 * OpenBLAS. */
const char *blas_best_core(void);

/* "0.3.21": of the library that blas() loads or would load; "none" where it cannot be loaded. Asked once, in a process
 * of its own, so that this one gets neither the library nor its threads. */
const char *blas_version(void);

#endif
