/* dot.cu - dot.c on a device. A block sums one image, in double. */
#include "model/cuda/kernel.cuh"

static __global__ void dot_kernel(struct val out, struct val a, struct val b, int64_t per)
{
	SHARED(double, shared, WARP);
	double sum = 0;
	for (int64_t i = blockIdx.x * per + threadIdx.x; i < (blockIdx.x + 1) * per; i += BLOCK)
		sum += (double)val_get(a, i) * (double)val_get(b, i);
	sum = block_sum(sum, shared);
	if (threadIdx.x == 0)
		val_put(out, blockIdx.x, (float)sum);
}

static void dot_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *a = nd->src[0];
	LAUNCH(cu, dot_kernel, (unsigned)a->n, BLOCK, 0, val_of(nd->dst[0]), val_of(a), val_of(nd->src[1]),
	       a->h * a->w * a->c);
}

extern "C" const struct cuda_op cuda_dot = { NULL, dot_run, NULL };

static __global__ void constant_kernel(struct val y, float s, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i < n)
		val_put(y, i, s);
}

static void constant_run(struct node *nd, struct cuda *cu)
{
	size_t n = tensor_count(nd->dst[0]);
	LAUNCH(cu, constant_kernel, blocks_for(n, BLOCK), BLOCK, 0, val_of(nd->dst[0]), (float)nd->args.scale.s,
	       (int64_t)n);
}

extern "C" const struct cuda_op cuda_constant = { NULL, constant_run, NULL };
