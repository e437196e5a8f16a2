/* dropout.cu - dropout.c on a device: a thread draws two Philox blocks for its eight values. The counter's place is
 * read from device memory, so that a recorded step draws new numbers at each replay. */
#include "model/cuda/kernel.cuh"
#include "model/cuda/philox.cuh"

/* The uniform of one value, wherever in its Philox block it lies. */
__device__ static inline float uniform_of(const struct step_scalars *at, uint32_t stream, int64_t value)
{
	struct philox_block b = philox_at(at, stream, (uint64_t)(value / 4));
	return philox_uniform(b.word[value % 4]);
}

/* Values are drawn by their place in the whole batch, of which this process may have a part: `per` of them to a
 * sample. */
static __global__ void dropout_kernel(struct val dst, struct val x, const struct step_scalars *at, uint32_t stream,
                                      float p, float scale, int64_t per, int64_t n)
{
	int64_t i = ((int64_t)blockIdx.x * BLOCK + threadIdx.x) * VEC;
	if (i >= n)
		return;
	int count = n - i < VEC ? (int)(n - i) : VEC;
	int64_t value = (int64_t)at->first * per + i;
	float v[VEC];
	val_load(v, x, i, count);
	for (int k = 0; k < count && value % 4; k++)
		v[k] = uniform_of(at, stream, value + k) >= p ? v[k] * scale : 0;
#pragma unroll
	for (int half = 0; half < 2 && value % 4 == 0; half++) {
		struct philox_block b = philox_at(at, stream, (uint64_t)(value / 4 + half));
#pragma unroll
		for (int k = 0; k < 4; k++)
			v[half * 4 + k] = philox_uniform(b.word[k]) >= p ? v[half * 4 + k] * scale : 0;
	}
	val_store(dst, i, count, v);
}

struct times {
	__device__ float operator()(float a, float b) const
	{
		return a * b;
	}
};

static void dropout_run(struct node *nd, struct cuda *cu)
{
	size_t n = tensor_count(nd->src[0]);
	double p = nd->args.dropout.p;
	if (nd->src[1])
		map(cu, times(), val_of(nd->dst[0]), val_of(nd->src[0]), val_of(nd->src[1]), n);
	else
		LAUNCH(cu, dropout_kernel, blocks_for(n, BLOCK * VEC), BLOCK, 0, val_of(nd->dst[0]), val_of(nd->src[0]),
		       (const struct step_scalars *)cu->step, RNG_DROPOUT + nd->args.dropout.layer, (float)p,
		       (float)(1 / (1 - p)), (int64_t)n / nd->src[0]->n, (int64_t)n);
}

extern "C" const struct cuda_op cuda_dropout = { NULL, dropout_run, NULL };
