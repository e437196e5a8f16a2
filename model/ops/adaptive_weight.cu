/* adaptive_weight.cu - adaptive_weight.c on a device: a thread per sample, in double. */
#include "model/cuda/kernel.cuh"

static __global__ void adaptive_weight_kernel(struct val w, struct val d, double p, double eps, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i < n)
		val_put(w, i, (float)pow((double)val_get(d, i) + eps, -p));
}

static void adaptive_weight_run(struct node *nd, struct cuda *cu)
{
	size_t n = tensor_count(nd->dst[0]);
	LAUNCH(cu, adaptive_weight_kernel, blocks_for(n, BLOCK), BLOCK, 0, val_of(nd->dst[0]), val_of(nd->src[0]),
	       nd->args.power.p, nd->args.power.eps, (int64_t)n);
}

extern "C" const struct cuda_op cuda_adaptive_weight = { NULL, adaptive_weight_run, NULL };
