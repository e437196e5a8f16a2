/* posterior_mean.cu - posterior_mean.c on a device: exponents by a block for each pair of a sample and a picture, then
 * the softmax by a block for each sample, then the mean by a thread for each value, whose neighbours read the same
 * pictures side by side. In double; scratch as on the CPU. */
#include "model/cuda/kernel.cuh"

#include <math.h>

enum { X, OWN, Y, SIGMA, AT, CLASS, Y_CLASS };

struct posterior {
	struct val x, own, y, sigma, at, label, y_label;
	double *w; /* (samples, references + 1) */
	int64_t references, per;
};

static __global__ void exponents_kernel(struct posterior p)
{
	SHARED(double, shared, WARP);
	int64_t n = blockIdx.x / (p.references + 1), j = blockIdx.x % (p.references + 1);
	bool own = j == p.references;
	if (!own && ((float)j == val_get(p.at, n) || val_get(p.label, n) != val_get(p.y_label, j))) {
		if (threadIdx.x == 0)
			p.w[blockIdx.x] = -INFINITY;
		return;
	}
	struct val picture = own ? p.own : p.y;
	int64_t from = (own ? n : j) * p.per;
	double squares = 0, s = (double)val_get(p.sigma, n);
	for (int64_t i = threadIdx.x; i < p.per; i += BLOCK) {
		double d = (double)val_get(p.x, n * p.per + i) - (double)val_get(picture, from + i);
		squares += d * d;
	}
	squares = block_sum(squares, shared);
	if (threadIdx.x == 0)
		p.w[blockIdx.x] = -squares / (2 * s * s);
}

static __global__ void softmax_kernel(struct posterior p)
{
	SHARED(double, most_of, BLOCK);
	SHARED(double, shared, WARP);
	int64_t pictures = p.references + 1;
	double *w = p.w + blockIdx.x * pictures, most = -INFINITY, sum = 0;
	for (int64_t j = threadIdx.x; j < pictures; j += BLOCK)
		most = fmax(most, w[j]);
	most_of[threadIdx.x] = most;
	__syncthreads();
	for (int i = 0; i < BLOCK; i++)
		most = fmax(most, most_of[i]);
	for (int64_t j = threadIdx.x; j < pictures; j += BLOCK)
		sum += w[j] = exp(w[j] - most);
	sum = block_sum(sum, shared);
	for (int64_t j = threadIdx.x; j < pictures; j += BLOCK)
		w[j] /= sum;
}

static __global__ void mean_kernel(struct val mean, struct posterior p, unsigned blocks)
{
	int64_t n = blockIdx.x / blocks, i = (int64_t)(blockIdx.x % blocks) * BLOCK + threadIdx.x;
	const double *w = p.w + n * (p.references + 1);
	if (i >= p.per)
		return;
	double sum = 0;
	for (int64_t j = 0; j < p.references; j++)
		if (w[j] != 0)
			sum += w[j] * (double)val_get(p.y, j * p.per + i);
	sum += w[p.references] * (double)val_get(p.own, n * p.per + i);
	val_put(mean, n * p.per + i, (float)sum);
}

static size_t posterior_mean_prepare(struct node *nd, struct cuda *cu)
{
	(void)cu;
	return (size_t)nd->src[X]->n * ((size_t)nd->src[Y]->n + 1) * sizeof(double);
}

static void posterior_mean_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[X];
	struct posterior p = {
		val_of(x),           val_of(nd->src[OWN]),   val_of(nd->src[Y]),       val_of(nd->src[SIGMA]),
		val_of(nd->src[AT]), val_of(nd->src[CLASS]), val_of(nd->src[Y_CLASS]), (double *)(void *)nd->work->data,
		nd->src[Y]->n,       x->h * x->w * x->c
	};
	unsigned samples = (unsigned)x->n, blocks = blocks_for((size_t)p.per, BLOCK);
	LAUNCH(cu, exponents_kernel, samples * (unsigned)(p.references + 1), BLOCK, 0, p);
	LAUNCH(cu, softmax_kernel, samples, BLOCK, 0, p);
	LAUNCH(cu, mean_kernel, samples * blocks, BLOCK, 0, val_of(nd->dst[0]), p, blocks);
}

extern "C" const struct cuda_op cuda_posterior_mean = { posterior_mean_prepare, posterior_mean_run, NULL };
