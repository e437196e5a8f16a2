/* products.cu - who computes a matrix product or a convolution: NVIDIA's library where this machine has it and it has
 * something for the shape, else the plugin's own kernels. See cuda_blas.h, cuda_dnn.h, own_product.h. */
#include "model/cuda/cuda_blas.h"
#include "model/cuda/cuda_dnn.h"
#include "model/cuda/own_product.h"

#include <stdio.h>
#include <stdlib.h>

struct cuda_gemm {
	struct cuda_gemm_shape shape;
	struct blas_gemm *library;
};
struct cuda_conv {
	struct cuda_conv_shape shape;
	struct dnn_plan *library;
}; /* library NULL: own kernels */

struct cuda_gemm *cuda_gemm_new(struct cuda *cu, const struct cuda_gemm_shape *s)
{
	if (cu->measuring)
		return NULL;
	struct cuda_gemm *g = (struct cuda_gemm *)calloc(1, sizeof *g);
	if (!g)
		abort();
	g->shape = *s;
	g->library = blas_there() ? blas_gemm_new(cu, s) : NULL;
	if (!cu->failed[0])
		return g;
	cuda_gemm_free(g);
	return NULL;
}

void cuda_gemm_run(struct cuda *cu, struct cuda_gemm *g, const void *a, const void *b, const void *bias, void *c)
{
	if (g->library)
		blas_gemm_run(cu, g->library, a, b, bias, c);
	else
		own_gemm(cu, &g->shape, a, b, bias, c);
}

void cuda_gemm_free(struct cuda_gemm *g)
{
	if (g && g->library)
		blas_gemm_free(g->library);
	free(g);
}

struct cuda_conv *cuda_conv_new(struct cuda *cu, const struct cuda_conv_shape *s)
{
	if (cu->measuring)
		return NULL;
	struct cuda_conv *c = (struct cuda_conv *)calloc(1, sizeof *c);
	if (!c)
		abort();
	c->shape = *s;
	c->library = dnn_there() ? dnn_plan_of(cu, s) : NULL;
	if (!cu->failed[0]) {
		cu->convs_by_library += c->library != NULL;
		cu->convs_by_kernel += !c->library;
		return c;
	}
	cuda_conv_free(c);
	return NULL;
}

bool cuda_conv_fused(const struct cuda_conv *c)
{
	return !c->library || dnn_plan_fused(c->library);
}

enum tensor_type cuda_conv_bias(const struct cuda_conv *c)
{
	return c->library ? dnn_plan_bias(c->library) : TENSOR_F32;
}

enum tensor_type cuda_conv_dw(const struct cuda_conv *c)
{
	return c->library ? dnn_plan_dw(c->library) : TENSOR_F32;
}

void cuda_conv_run(struct cuda *cu, struct cuda_conv *c, void *x, void *w, const void *bias, void *y)
{
	if (c->library)
		dnn_plan_run(cu, c->library, x, w, bias, y);
	else
		own_conv(cu, &c->shape, x, w, bias, y);
}

void cuda_conv_free(struct cuda_conv *c)
{
	free(c); /* the plan is kept for the next of its shape */
}

void cuda_libraries_text(char *out, size_t bytes)
{
	char blas[128], dnn[128];
	blas_text(blas, sizeof blas);
	dnn_text(dnn, sizeof dnn);
	(void)snprintf(out, bytes, "%s, %s", blas, dnn);
}

void cuda_libraries_close(struct cuda *cu)
{
	blas_close(cu);
	dnn_close(cu);
}
