/* distance.cu - distance.c on a device. A block sums one image, in double; the weighted mean is one block. */
#include "model/cuda/kernel.cuh"

struct distance {
	enum dist_kind kind;
	double c;
	int64_t per;
	struct val by; /* a c for each sample, or nothing */
};

static struct distance distance_of(const struct node *nd, const struct tensor *x, const struct tensor *by)
{
	struct distance d = { nd->args.dist.kind, nd->args.dist.c, x->h * x->w * x->c, val_of(by) };
	return d;
}

/* With the c of sample n. */
__device__ static inline struct distance distance_at(struct distance d, int64_t n)
{
	if (d.by.p)
		d.c = (double)val_get(d.by, n);
	return d;
}

__device__ static inline double term(const struct distance &d, double e)
{
	if (d.kind == DIST_HUBER_PIXEL || d.kind == DIST_HUBER_ELEMENT)
		return e == 0 ? 0 : e * e / (sqrt(e * e + d.c * d.c) + d.c);
	return d.kind == DIST_L1_SUM || d.kind == DIST_L1_MEAN ? fabs(e) : e * e;
}

__device__ static inline double finish(const struct distance &d, double sum)
{
	if (d.kind == DIST_CAUCHY_SUM || d.kind == DIST_CAUCHY_MEAN)
		return log1p((d.kind == DIST_CAUCHY_SUM ? sum : sum / (double)d.per) / (2 * d.c * d.c));
	if (d.kind == DIST_HUBER)
		return sum == 0 ? 0 : sum / (sqrt(sum + d.c * d.c) + d.c);
	return d.kind == DIST_L2_SUM || d.kind == DIST_L1_SUM || d.kind == DIST_HUBER_ELEMENT ? sum : sum / (double)d.per;
}

/* d d / d e for one value; total: the image's distance. */
__device__ static inline double slope(const struct distance &d, double e, double total)
{
	double per = (double)d.per;
	switch (d.kind) {
	case DIST_HUBER: return total + d.c > 0 ? e / (total + d.c) : 0;
	case DIST_CAUCHY_SUM: return e / (d.c * d.c * exp(total));
	case DIST_CAUCHY_MEAN: return e / (d.c * d.c * exp(total)) / per;
	case DIST_L2_SUM: return 2 * e;
	case DIST_L2_MEAN: return 2 * e / per;
	case DIST_L1_SUM: return (double)((e > 0) - (e < 0));
	case DIST_L1_MEAN: return (double)((e > 0) - (e < 0)) / per;
	case DIST_HUBER_PIXEL: return e == 0 ? 0 : e / sqrt(e * e + d.c * d.c) / per;
	case DIST_HUBER_ELEMENT: return e == 0 ? 0 : e / sqrt(e * e + d.c * d.c);
	}
	return 0;
}

static __global__ void distance_kernel(struct distance all, struct val out, struct val x, struct val y)
{
	SHARED(double, shared, WARP);
	const struct distance d = distance_at(all, blockIdx.x);
	double sum = 0;
	for (int64_t i = blockIdx.x * d.per + threadIdx.x; i < (blockIdx.x + 1) * d.per; i += BLOCK)
		sum += term(d, (double)val_get(x, i) - (double)val_get(y, i));
	sum = block_sum(sum, shared);
	if (threadIdx.x == 0)
		val_put(out, blockIdx.x, (float)finish(d, sum));
}

static void distance_run(struct node *nd, struct cuda *cu)
{
	LAUNCH(cu, distance_kernel, (unsigned)nd->src[0]->n, BLOCK, 0, distance_of(nd, nd->src[0], nd->src[2]),
	       val_of(nd->dst[0]), val_of(nd->src[0]), val_of(nd->src[1]));
}

extern "C" const struct cuda_op cuda_distance = { NULL, distance_run, NULL };

static __global__ void distance_bwd_kernel(struct distance all, struct val dx, struct val up, struct val x,
                                           struct val y, struct val total, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, image = i / all.per;
	if (i >= n)
		return;
	const struct distance d = distance_at(all, image);
	double e = (double)val_get(x, i) - (double)val_get(y, i);
	val_put(dx, i, (float)((double)val_get(up, image) * slope(d, e, (double)val_get(total, image))));
}

static void distance_bwd_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[1];
	size_t n = tensor_count(x);
	LAUNCH(cu, distance_bwd_kernel, blocks_for(n, BLOCK), BLOCK, 0, distance_of(nd, x, nd->src[4]), val_of(nd->dst[0]),
	       val_of(nd->src[0]), val_of(x), val_of(nd->src[2]), val_of(nd->src[3]), (int64_t)n);
}

extern "C" const struct cuda_op cuda_distance_bwd = { NULL, distance_bwd_run, NULL };

/* ---- weighted_mean --------------------------------------------------------------------------- */

static __global__ void weighted_mean_kernel(struct val total, struct val d, struct val w, int64_t n)
{
	SHARED(double, shared, WARP);
	double sum = 0;
	for (int64_t i = threadIdx.x; i < n; i += BLOCK)
		sum += (double)val_get(d, i) * (double)val_get(w, i);
	sum = block_sum(sum, shared);
	if (threadIdx.x == 0)
		val_put(total, 0, (float)(sum / (double)n));
}

static void weighted_mean_run(struct node *nd, struct cuda *cu)
{
	LAUNCH(cu, weighted_mean_kernel, 1, BLOCK, 0, val_of(nd->dst[0]), val_of(nd->src[0]), val_of(nd->src[1]),
	       (int64_t)tensor_count(nd->src[0]));
}

extern "C" const struct cuda_op cuda_weighted_mean = { NULL, weighted_mean_run, NULL };

static __global__ void weighted_mean_bwd_kernel(struct val dd, struct val w, struct val up, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i < n)
		val_put(dd, i, val_get(w, i) / (float)n * (up.p ? val_get(up, 0) : 1));
}

static void weighted_mean_bwd_run(struct node *nd, struct cuda *cu)
{
	size_t n = tensor_count(nd->dst[0]);
	LAUNCH(cu, weighted_mean_bwd_kernel, blocks_for(n, BLOCK), BLOCK, 0, val_of(nd->dst[0]), val_of(nd->src[0]),
	       val_of(nd->src[1]), (int64_t)n);
}

extern "C" const struct cuda_op cuda_weighted_mean_bwd = { NULL, weighted_mean_bwd_run, NULL };
