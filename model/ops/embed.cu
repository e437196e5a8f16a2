/* embed.cu - embed.c on a device: a handful of values, in double as on the host. */
#include "model/cuda/kernel.cuh"

/* a / t of value `at` of c */
__device__ static inline double frequency(struct val freqs, int64_t c, bool endpoint, int64_t at)
{
	int64_t half = c / 2, j = at % half;
	if (freqs.p)
		return 2 * M_PI * (double)val_get(freqs, j);
	return pow(10000.0, -(double)j / (double)(half - endpoint));
}

/* dt: a change of t, and y that of the embedding; absent: the embedding itself. */
static __global__ void embed_kernel(struct val y, struct val t, struct val freqs, struct val dt, int64_t c,
                                    bool endpoint, bool sin_first, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= n)
		return;
	double a = frequency(freqs, c, endpoint, i % c), angle = (double)val_get(t, i / c) * a;
	bool is_sin = (i % c >= c / 2) != sin_first;
	if (dt.p)
		val_put(y, i, (float)((double)val_get(dt, i / c) * a * (is_sin ? cos(angle) : -sin(angle))));
	else
		val_put(y, i, (float)(is_sin ? sin(angle) : cos(angle)));
}

static void run(struct node *nd, struct cuda *cu, const struct tensor *dt)
{
	const struct tensor *y = nd->dst[0];
	LAUNCH(cu, embed_kernel, blocks_for(tensor_count(y), BLOCK), BLOCK, 0, val_of(y), val_of(nd->src[0]),
	       val_of(nd->src[1]), val_of(dt), y->c, nd->args.embed.endpoint, nd->args.embed.sin_first,
	       (int64_t)tensor_count(y));
}

static void embed_run(struct node *nd, struct cuda *cu)
{
	run(nd, cu, NULL);
}

static void embed_jvp_run(struct node *nd, struct cuda *cu)
{
	run(nd, cu, nd->src[2]);
}

extern "C" const struct cuda_op cuda_embed = { NULL, embed_run, NULL };
extern "C" const struct cuda_op cuda_embed_jvp = { NULL, embed_jvp_run, NULL };
