/* cuda_dnn_absent.cu - the library's half of cuda_dnn.h for a plugin that was built without cuDNN's headers: there is
 * never a library, so products.cu computes every convolution by the plugin's own kernels, and says why. */
#include "model/cuda/cuda_dnn.h"

#include <stdio.h>

bool dnn_there(void)
{
	return false;
}

void dnn_text(char *out, size_t bytes)
{
	(void)snprintf(out, bytes, "own convolutions (built without cuDNN's headers)");
}

void dnn_close(struct cuda *cu)
{
	(void)cu;
}

struct dnn_plan *dnn_plan_of(struct cuda *, const struct cuda_conv_shape *, int)
{
	return NULL;
}

int dnn_plan_engines(const struct dnn_plan *)
{
	return 0;
}

const struct tune_engine *dnn_plan_engine(const struct dnn_plan *, int)
{
	return NULL;
}

bool dnn_plan_keep(struct cuda *, struct dnn_plan *, const struct tune_engine *)
{
	return false;
}

const struct cuda_conv_shape *dnn_plan_at(const struct cuda *, int, const struct dnn_plan **)
{
	return NULL;
}

bool dnn_plan_fused(const struct dnn_plan *)
{
	return false;
}

enum tensor_type dnn_plan_bias(const struct dnn_plan *)
{
	return TENSOR_F32;
}

enum tensor_type dnn_plan_dw(const struct dnn_plan *)
{
	return TENSOR_F32;
}

void dnn_plan_run(struct cuda *, struct dnn_plan *, int, void *, void *, const void *, void *)
{
}
