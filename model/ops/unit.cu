/* unit.cu - unit.c on a device. A block takes one image, and sums in double. */
#include "model/cuda/kernel.cuh"

static __global__ void unit_kernel(struct val y, struct val x, int64_t per, double c)
{
	SHARED(double, shared, WARP);
	double squares = 0;
	for (int64_t i = blockIdx.x * per + threadIdx.x; i < (blockIdx.x + 1) * per; i += BLOCK) {
		double v = (double)val_get(x, i);
		squares += v * v;
	}
	float by = (float)(1 / (sqrt(block_sum(squares, shared)) + c));
	for (int64_t i = blockIdx.x * per + threadIdx.x; i < (blockIdx.x + 1) * per; i += BLOCK)
		val_put(y, i, val_get(x, i) * by);
}

static void unit_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[0];
	LAUNCH(cu, unit_kernel, (unsigned)x->n, BLOCK, 0, val_of(nd->dst[0]), val_of(x), x->h * x->w * x->c,
	       nd->args.scale.s);
}

extern "C" const struct cuda_op cuda_unit = { NULL, unit_run, NULL };
