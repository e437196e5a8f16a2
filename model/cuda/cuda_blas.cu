/* cuda_blas.cu - see cuda_blas.h. cuBLASLt thinks in columns: row-major C = op(A) op(B) is its C' = op(B)' op(A)', so B is its first
 * matrix, and one bias per column of ours is one per row of its. */
#include "model/cuda/cuda_blas.h"

#include <cublasLt.h>
#include <stdlib.h>

struct cuda_gemm {
	cublasLtMatmulDesc_t job;
	cublasLtMatrixLayout_t a, b, c;
	cublasLtMatmulAlgo_t algo;
	size_t workspace;
	float alpha;
	bool bias;
};

#define BLAS_CALL(cu, call) do { \
		cublasStatus_t blas_call_rc_ = (call); \
		if (blas_call_rc_ != CUBLAS_STATUS_SUCCESS) \
			cuda_fail((cu), __FILE__, __LINE__, #call, cublasLtGetStatusString(blas_call_rc_)); \
	} while (0)

static cudaDataType_t type_of(enum tensor_type type)
{
	return type == TENSOR_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static size_t bytes_of(enum tensor_type type)
{
	return type == TENSOR_BF16 ? 2 : 4;
}

static cublasLtMatrixLayout_t layout_new(struct cuda *cu, const struct cuda_gemm_shape *s, enum tensor_type type, int64_t rows, int64_t cols, int64_t ld, int64_t step)
{
	cublasLtMatrixLayout_t l = NULL;
	int32_t batch = (int32_t)s->batch;
	BLAS_CALL(cu, cublasLtMatrixLayoutCreate(&l, type_of(type), (uint64_t)rows, (uint64_t)cols, ld));
	if (!l || batch == 1)
		return l;
	BLAS_CALL(cu, cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch));
	BLAS_CALL(cu, cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step));
	return l;
}

/* What every address of a matrix is a multiple of: rows start ld values apart, a head's part within them n or k further on. */
static uint32_t alignment(enum tensor_type type, int64_t ld, int64_t step, int64_t n, int64_t k)
{
	uint32_t all = (uint32_t)((ld | step | n | k) * (int64_t)bytes_of(type)), power = 16;
	while (all % power)
		power /= 2;
	return power;
}

static void choose(struct cuda *cu, struct cuda_gemm *g, const struct cuda_gemm_shape *s)
{
	cublasLtMatmulPreference_t want = NULL;
	cublasLtMatmulHeuristicResult_t found;
	uint32_t of_a = alignment(s->in, s->ldb, s->step_b, s->n, s->k), of_b = alignment(s->in, s->lda, s->step_a, s->m, s->k);
	uint32_t of_c = alignment(s->out, s->ldc, s->step_c, s->n, s->n), schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE; /* no sum in place, none rounded between */
	uint64_t workspace = cu->workspace_bytes;
	int n = 0;
	BLAS_CALL(cu, cublasLtMatmulPreferenceCreate(&want));
	if (!want)
		return;
	BLAS_CALL(cu, cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace));
	BLAS_CALL(cu, cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes));
	BLAS_CALL(cu, cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &of_a, sizeof of_a));
	BLAS_CALL(cu, cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &of_b, sizeof of_b));
	BLAS_CALL(cu, cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &of_c, sizeof of_c));
	BLAS_CALL(cu, cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &of_c, sizeof of_c));
	BLAS_CALL(cu, cublasLtMatmulAlgoGetHeuristic(cu->cublaslt, g->job, g->a, g->b, g->c, g->c, want, 1, &found, &n));
	(void)cublasLtMatmulPreferenceDestroy(want);
	if (n < 1) {
		cuda_fail(cu, __FILE__, __LINE__, "matrix product", "cuBLASLt has no algorithm for this shape");
		return;
	}
	g->algo = found.algo;
	g->workspace = found.workspaceSize;
}

struct cuda_gemm *cuda_gemm_new(struct cuda *cu, const struct cuda_gemm_shape *s)
{
	bool tf32 = s->in == TENSOR_F32 && cu->base.dtype == BACKEND_TF32 && !s->exact;
	cublasOperation_t turn_a = s->tb ? CUBLAS_OP_T : CUBLAS_OP_N, turn_b = s->ta ? CUBLAS_OP_T : CUBLAS_OP_N;
	cublasLtEpilogue_t end = s->bias ? (s->relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS) : s->relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
	struct cuda_gemm *g = (struct cuda_gemm *)calloc(1, sizeof *g);
	if (!g)
		abort();
	if (!cu->cublaslt)
		BLAS_CALL(cu, cublasLtCreate(&cu->cublaslt));
	g->alpha = s->alpha;
	g->bias = s->bias;
	BLAS_CALL(cu, cublasLtMatmulDescCreate(&g->job, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F));
	g->a = layout_new(cu, s, s->in, s->tb ? s->k : s->n, s->tb ? s->n : s->k, s->ldb, s->step_b);
	g->b = layout_new(cu, s, s->in, s->ta ? s->m : s->k, s->ta ? s->k : s->m, s->lda, s->step_a);
	g->c = layout_new(cu, s, s->out, s->n, s->m, s->ldc, s->step_c);
	if (g->job) {
		BLAS_CALL(cu, cublasLtMatmulDescSetAttribute(g->job, CUBLASLT_MATMUL_DESC_TRANSA, &turn_a, sizeof turn_a));
		BLAS_CALL(cu, cublasLtMatmulDescSetAttribute(g->job, CUBLASLT_MATMUL_DESC_TRANSB, &turn_b, sizeof turn_b));
		BLAS_CALL(cu, cublasLtMatmulDescSetAttribute(g->job, CUBLASLT_MATMUL_DESC_EPILOGUE, &end, sizeof end));
	}
	if (!cu->failed[0])
		choose(cu, g, s);
	if (!cu->failed[0])
		return g;
	cuda_gemm_free(g);
	return NULL;
}

void cuda_gemm_run(struct cuda *cu, struct cuda_gemm *g, const void *a, const void *b, const void *bias, void *c)
{
	const float zero = 0;
	if (g->bias)
		BLAS_CALL(cu, cublasLtMatmulDescSetAttribute(g->job, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias));
	BLAS_CALL(cu, cublasLtMatmul(cu->cublaslt, g->job, &g->alpha, b, g->a, a, g->b, &zero, c, g->c, c, g->c, &g->algo, cu->workspace, g->workspace, cu->stream));
}

void cuda_gemm_free(struct cuda_gemm *g)
{
	if (!g)
		return;
	if (g->job)
		(void)cublasLtMatmulDescDestroy(g->job);
	if (g->a)
		(void)cublasLtMatrixLayoutDestroy(g->a);
	if (g->b)
		(void)cublasLtMatrixLayoutDestroy(g->b);
	if (g->c)
		(void)cublasLtMatrixLayoutDestroy(g->c);
	free(g);
}
