/* learned_weight.cu - learned_weight.c on a device: a thread per sample, in double. */
#include "model/cuda/kernel.cuh"

static __global__ void learned_weight_kernel(struct val y, struct val d, struct val w, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= n)
		return;
	double weight = (double)val_get(w, i);
	val_put(y, i, (float)(exp(weight) * (double)val_get(d, i) - weight));
}

static void learned_weight_run(struct node *nd, struct cuda *cu)
{
	size_t n = tensor_count(nd->dst[0]);
	LAUNCH(cu, learned_weight_kernel, blocks_for(n, BLOCK), BLOCK, 0, val_of(nd->dst[0]), val_of(nd->src[0]),
	       val_of(nd->src[1]), (int64_t)n);
}

extern "C" const struct cuda_op cuda_learned_weight = { NULL, learned_weight_run, NULL };

static __global__ void learned_weight_bwd_kernel(struct val dd, struct val dw, struct val up, struct val d,
                                                 struct val w, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= n)
		return;
	double e = exp((double)val_get(w, i)), by = (double)val_get(up, i);
	val_put(dd, i, (float)(by * e));
	val_put(dw, i, (float)(by * (e * (double)val_get(d, i) - 1)));
}

static void learned_weight_bwd_run(struct node *nd, struct cuda *cu)
{
	size_t n = tensor_count(nd->dst[0]);
	LAUNCH(cu, learned_weight_bwd_kernel, blocks_for(n, BLOCK), BLOCK, 0, val_of(nd->dst[0]), val_of(nd->dst[1]),
	       val_of(nd->src[0]), val_of(nd->src[1]), val_of(nd->src[2]), (int64_t)n);
}

extern "C" const struct cuda_op cuda_learned_weight_bwd = { NULL, learned_weight_bwd_run, NULL };
