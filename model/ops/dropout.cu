/* dropout.cu - dropout.c's op on a device: by a mask that is given. Masks that are drawn: dropout.cuh. */
#include "model/cuda/kernel.cuh"

struct times {
	__device__ float operator()(float a, float b) const
	{
		return a * b;
	}
};

static void dropout_run(struct node *nd, struct cuda *cu)
{
	map(cu, times(), val_of(nd->dst[0]), val_of(nd->src[0]), val_of(nd->src[1]), tensor_count(nd->src[0]));
}

extern "C" const struct cuda_op cuda_dropout = { NULL, dropout_run, NULL };
