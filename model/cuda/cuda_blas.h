/* cuda_blas.h - matrix products on a device, planned once and run many times in the back end's stream: by cuBLASLt,
 * fenced and opened at run time, or, where it is missing or has no algorithm, by the plugin's own kernels
 * (own_product.h; products.cu chooses).
 *
 * Matrices are row-major as in model/cpu/dnn.h: C (m,n) = alpha * op(A) op(B) [+ bias], [then relu]. The library's
 * algorithm is the first that it proposes without sums in an order of their own, so a shape on a device always gives
 * the same bits. TF32 is used for floats only where the back end's dtype says so. The emulation's twin is
 * tests/cuda_emu/emu_libraries.cc. */
#ifndef ABLATE_CUDA_BLAS_H
#define ABLATE_CUDA_BLAS_H

#include "model/cuda/cuda.h"

struct cuda_gemm_shape {
	bool ta, tb; /* A, B are stored transposed */
	int64_t m, n, k;
	int64_t lda, ldb, ldc;          /* values from row to row */
	int64_t batch;                  /* products that differ only in where they start ... */
	int64_t step_a, step_b, step_c; /* ... this many values apart; 0 for batch = 1 */
	enum tensor_type in, out;       /* of A and B; of C and the bias. bf16 -> bf16, bf16 -> float, float -> float */
	float alpha;
	bool bias, relu; /* bias (n): one number per column */
	bool exact;      /* floats stay floats: no TF32 */
};

/* What every address of a matrix is a multiple of, as the library is told: rows start ld values apart, a head's part
 * within them n or k further on; what is allocated and each parameter starts on 16 bytes. */
static inline uint32_t cuda_gemm_alignment(enum tensor_type type, int64_t ld, int64_t step, int64_t n, int64_t k)
{
	uint32_t all = (uint32_t)((ld | step | n | k) * (type == TENSOR_BF16 ? 2 : 4)), power = 16;
	while (all % power)
		power /= 2;
	return power;
}

struct cuda_gemm;
/* Heap; NULL with cu->failed set. */
struct cuda_gemm *cuda_gemm_new(struct cuda *cu, const struct cuda_gemm_shape *s);
void cuda_gemm_run(struct cuda *cu, struct cuda_gemm *g, const void *a, const void *b, const void *bias, void *c);
void cuda_gemm_free(struct cuda_gemm *g); /* accepts NULL */

/* The library's half, for products.cu. */
struct blas_gemm;
bool blas_there(void);                   /* opens it at the first call */
void blas_text(char *out, size_t bytes); /* its name and version, or what replaces it and why */
void blas_close(struct cuda *cu);
struct blas_gemm *blas_gemm_new(struct cuda *cu,
                                const struct cuda_gemm_shape *s); /* NULL: no algorithm, or cu->failed set */
void blas_gemm_run(struct cuda *cu, struct blas_gemm *g, const void *a, const void *b, const void *bias, void *c);
void blas_gemm_free(struct blas_gemm *g);

#endif
