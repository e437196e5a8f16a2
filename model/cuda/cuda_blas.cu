/* cuda_blas.cu - see cuda_blas.h. cuBLASLt is column-major: row-major C = op(A) op(B) is its C' = op(B)' op(A)', so B
 * is its first matrix, and one bias per column of ours is one per row of its. */
#include "model/cuda/cuda_blas.h"
extern "C" {
#include "model/cuda/nvidia.h"
}

#include <cublasLt.h>
#include <stdio.h>
#include <stdlib.h>

/* The functions that are used, by the types that the header gives them. */
// clang-format off
#define LT_FUNCTIONS(X) \
	X(cublasLtCreate) \
	X(cublasLtGetStatusString) \
	X(cublasLtMatmul) \
	X(cublasLtMatmulAlgoGetHeuristic) \
	X(cublasLtMatmulDescCreate) \
	X(cublasLtMatmulDescDestroy) \
	X(cublasLtMatmulDescSetAttribute) \
	X(cublasLtMatmulPreferenceCreate) \
	X(cublasLtMatmulPreferenceDestroy) \
	X(cublasLtMatmulPreferenceSetAttribute) \
	X(cublasLtMatrixLayoutCreate) \
	X(cublasLtMatrixLayoutDestroy) \
	X(cublasLtMatrixLayoutSetAttribute) \
	X(cublasLtGetVersion) \
	X(cublasLtDestroy)
// clang-format on

static struct {
#define FIELD(name) decltype(&::name) name;
	LT_FUNCTIONS(FIELD)
#undef FIELD
} lt;

static const struct nvidia_function functions[] = {
#define ROW(name) { #name, &lt.name },
	LT_FUNCTIONS(ROW)
#undef ROW
		{ NULL, NULL },
};
static struct nvidia_library library = { &nvidia_rows[NVIDIA_BLAS], functions, false, NULL, "" };

bool blas_there(void)
{
	return nvidia_open(&library);
}

void blas_text(char *out, size_t bytes)
{
	nvidia_text(out, bytes, &library, blas_there() ? lt.cublasLtGetVersion() : 0, "own products");
}

void blas_close(struct cuda *cu)
{
	if (cu->cublaslt)
		(void)lt.cublasLtDestroy(cu->cublaslt);
	cu->cublaslt = NULL;
}

struct blas_gemm {
	cublasLtMatmulDesc_t job;
	cublasLtMatrixLayout_t a, b, c;
	cublasLtMatmulAlgo_t algo;
	size_t workspace;
	float alpha;
	bool bias;
};

#define BLAS_CALL(cu, call) \
	do { \
		cublasStatus_t blas_call_rc_ = (call); \
		if (blas_call_rc_ != CUBLAS_STATUS_SUCCESS) \
			cuda_fail((cu), __FILE__, __LINE__, #call, lt.cublasLtGetStatusString(blas_call_rc_)); \
	} while (0)

static cudaDataType_t type_of(enum tensor_type type)
{
	return type == TENSOR_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static cublasLtMatrixLayout_t layout_new(struct cuda *cu, const struct cuda_gemm_shape *s, enum tensor_type type,
                                         int64_t rows, int64_t cols, int64_t ld, int64_t step)
{
	cublasLtMatrixLayout_t l = NULL;
	int32_t batch = (int32_t)s->batch;
	BLAS_CALL(cu, lt.cublasLtMatrixLayoutCreate(&l, type_of(type), (uint64_t)rows, (uint64_t)cols, ld));
	if (!l || batch == 1)
		return l;
	BLAS_CALL(cu, lt.cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch));
	BLAS_CALL(cu,
	          lt.cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step));
	return l;
}

/* Whether the library has an algorithm for it. */
static bool choose(struct cuda *cu, struct blas_gemm *g, const struct cuda_gemm_shape *s)
{
	cublasLtMatmulPreference_t want = NULL;
	cublasLtMatmulHeuristicResult_t found;
	uint32_t of_a = cuda_gemm_alignment(s->in, s->ldb, s->step_b, s->n, s->k),
			 of_b = cuda_gemm_alignment(s->in, s->lda, s->step_a, s->m, s->k);
	uint32_t of_c = cuda_gemm_alignment(s->out, s->ldc, s->step_c, s->n, s->n),
			 schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE; /* no sum in place, none rounded between */
	uint64_t workspace = cu->workspace_bytes;
	int n = 0;
	BLAS_CALL(cu, lt.cublasLtMatmulPreferenceCreate(&want));
	if (!want)
		return false;
	BLAS_CALL(cu, lt.cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
	                                                      sizeof workspace));
	BLAS_CALL(cu, lt.cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes,
	                                                      sizeof schemes));
	BLAS_CALL(cu, lt.cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &of_a,
	                                                      sizeof of_a));
	BLAS_CALL(cu, lt.cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &of_b,
	                                                      sizeof of_b));
	BLAS_CALL(cu, lt.cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &of_c,
	                                                      sizeof of_c));
	BLAS_CALL(cu, lt.cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &of_c,
	                                                      sizeof of_c));
	if (lt.cublasLtMatmulAlgoGetHeuristic(cu->cublaslt, g->job, g->a, g->b, g->c, g->c, want, 1, &found, &n) !=
	    CUBLAS_STATUS_SUCCESS)
		n = 0; /* none for this shape: not a failure of the device */
	(void)lt.cublasLtMatmulPreferenceDestroy(want);
	if (n < 1)
		return false;
	g->algo = found.algo;
	g->workspace = found.workspaceSize;
	return true;
}

struct blas_gemm *blas_gemm_new(struct cuda *cu, const struct cuda_gemm_shape *s)
{
	bool tf32 = s->in == TENSOR_F32 && cu->base.dtype == DTYPE_TF32 && !s->exact;
	cublasOperation_t turn_a = s->tb ? CUBLAS_OP_T : CUBLAS_OP_N, turn_b = s->ta ? CUBLAS_OP_T : CUBLAS_OP_N;
	cublasLtEpilogue_t end = s->bias   ? (s->relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS)
	                         : s->relu ? CUBLASLT_EPILOGUE_RELU
	                                   : CUBLASLT_EPILOGUE_DEFAULT;
	struct blas_gemm *g = (struct blas_gemm *)calloc(1, sizeof *g);
	if (!g)
		abort();
	if (!cu->cublaslt)
		BLAS_CALL(cu, lt.cublasLtCreate(&cu->cublaslt));
	g->alpha = s->alpha;
	g->bias = s->bias;
	BLAS_CALL(
		cu, lt.cublasLtMatmulDescCreate(&g->job, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F));
	g->a = layout_new(cu, s, s->in, s->tb ? s->k : s->n, s->tb ? s->n : s->k, s->ldb, s->step_b);
	g->b = layout_new(cu, s, s->in, s->ta ? s->m : s->k, s->ta ? s->k : s->m, s->lda, s->step_a);
	g->c = layout_new(cu, s, s->out, s->n, s->m, s->ldc, s->step_c);
	if (g->job) {
		BLAS_CALL(cu, lt.cublasLtMatmulDescSetAttribute(g->job, CUBLASLT_MATMUL_DESC_TRANSA, &turn_a, sizeof turn_a));
		BLAS_CALL(cu, lt.cublasLtMatmulDescSetAttribute(g->job, CUBLASLT_MATMUL_DESC_TRANSB, &turn_b, sizeof turn_b));
		BLAS_CALL(cu, lt.cublasLtMatmulDescSetAttribute(g->job, CUBLASLT_MATMUL_DESC_EPILOGUE, &end, sizeof end));
		if (s->bias) /* any aligned place: an epilogue with a bias is not complete without one */
			BLAS_CALL(cu, lt.cublasLtMatmulDescSetAttribute(g->job, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &cu->workspace,
			                                                sizeof cu->workspace));
	}
	if (!cu->failed[0] && choose(cu, g, s))
		return g;
	blas_gemm_free(g);
	return NULL;
}

void blas_gemm_run(struct cuda *cu, struct blas_gemm *g, const void *a, const void *b, const void *bias, void *c)
{
	const float zero = 0;
	if (g->bias)
		BLAS_CALL(cu, lt.cublasLtMatmulDescSetAttribute(g->job, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias));
	BLAS_CALL(cu, lt.cublasLtMatmul(cu->cublaslt, g->job, &g->alpha, b, g->a, a, g->b, &zero, c, g->c, c, g->c,
	                                &g->algo, cu->workspace, g->workspace, cu->stream));
}

void blas_gemm_free(struct blas_gemm *g)
{
	if (!g)
		return;
	if (g->job)
		(void)lt.cublasLtMatmulDescDestroy(g->job);
	if (g->a)
		(void)lt.cublasLtMatrixLayoutDestroy(g->a);
	if (g->b)
		(void)lt.cublasLtMatrixLayoutDestroy(g->b);
	if (g->c)
		(void)lt.cublasLtMatrixLayoutDestroy(g->c);
	free(g);
}
