/* embed.cu - embed.c on a device: a handful of values, in double as on the host. */
#include "model/cuda/kernel.cuh"

static __global__ void embed_kernel(struct val y, struct val t, struct val freqs, int64_t c, bool endpoint,
                                    bool sin_first, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, half = c / 2;
	if (i >= n)
		return;
	int64_t at = i % c, j = at % half;
	double time = (double)val_get(t, i / c), angle;
	if (freqs.p)
		angle = 2 * M_PI * time * (double)val_get(freqs, j);
	else
		angle = time * pow(10000.0, -(double)j / (double)(half - endpoint));
	bool is_sin = (at >= half) != sin_first;
	val_put(y, i, (float)(is_sin ? sin(angle) : cos(angle)));
}

static void embed_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *y = nd->dst[0];
	LAUNCH(cu, embed_kernel, blocks_for(tensor_count(y), BLOCK), BLOCK, 0, val_of(y), val_of(nd->src[0]),
	       val_of(nd->src[1]), y->c, nd->args.embed.endpoint, nd->args.embed.sin_first, (int64_t)tensor_count(y));
}

extern "C" const struct cuda_op cuda_embed = { NULL, embed_run, NULL };
