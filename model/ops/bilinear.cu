/* bilinear.cu - bilinear.c on a device. Forward: a thread makes one output value. Backward: a thread makes one input
 * value from the outputs that read it, in order, so that no two threads add to one place. */
#include "model/cuda/kernel.cuh"

struct lerp {
	int64_t at, next;
	float f;
};

__device__ static inline struct lerp lerp_of(int64_t i, int64_t n, int64_t m)
{
	double x = ((double)i + 0.5) * ((double)n / (double)m) - 0.5;
	x = x > 0 ? x : 0;
	struct lerp l;
	l.at = (int64_t)x < n - 1 ? (int64_t)x : n - 1;
	l.next = l.at + 1 < n ? l.at + 1 : l.at;
	l.f = (float)(x - (double)l.at);
	return l;
}

static __global__ void bilinear_kernel(struct val y, struct val x, int64_t h, int64_t w, int64_t oh, int64_t ow,
                                       int64_t c, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= n)
		return;
	int64_t pixel = i / c, image = pixel / (oh * ow) * h;
	struct lerp v = lerp_of(pixel / ow % oh, h, oh), u = lerp_of(pixel % ow, w, ow);
	float top = (1 - u.f) * val_get(x, ((image + v.at) * w + u.at) * c + i % c) +
	            u.f * val_get(x, ((image + v.at) * w + u.next) * c + i % c);
	float bottom = (1 - u.f) * val_get(x, ((image + v.next) * w + u.at) * c + i % c) +
	               u.f * val_get(x, ((image + v.next) * w + u.next) * c + i % c);
	val_put(y, i, (1 - v.f) * top + v.f * bottom);
}

static void bilinear_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[0], *y = nd->dst[0];
	size_t n = tensor_count(y);
	LAUNCH(cu, bilinear_kernel, blocks_for(n, BLOCK), BLOCK, 0, val_of(y), val_of(x), x->h, x->w, y->h, y->w, x->c,
	       (int64_t)n);
}

extern "C" const struct cuda_op cuda_bilinear = { NULL, bilinear_run, NULL };

/* The outputs that may read input `at` of n along an axis of m: a span that holds them all. */
struct span {
	int64_t first, last;
};

__device__ static inline struct span readers(int64_t at, int64_t n, int64_t m)
{
	double per = (double)m / (double)n;
	struct span s = { (int64_t)floor(((double)at - 0.5) * per - 0.5) - 1,
		              (int64_t)ceil(((double)at + 1.5) * per - 0.5) + 1 };
	s.first = s.first > 0 && at > 0 ? s.first : 0;
	s.last = s.last < m - 1 && at < n - 1 ? s.last : m - 1;
	return s;
}

/* What output i takes from input `at`. */
__device__ static inline float share(int64_t i, int64_t at, int64_t n, int64_t m)
{
	struct lerp l = lerp_of(i, n, m);
	return (l.at == at ? 1 - l.f : 0) + (l.next == at ? l.f : 0);
}

static __global__ void bilinear_bwd_kernel(struct val dx, struct val dy, int64_t h, int64_t w, int64_t oh, int64_t ow,
                                           int64_t c, int64_t n)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (i >= n)
		return;
	int64_t pixel = i / c, image = pixel / (h * w) * oh, y = pixel / w % h, x = pixel % w;
	struct span v = readers(y, h, oh), u = readers(x, w, ow);
	float sum = 0;
	for (int64_t a = v.first; a <= v.last; a++) {
		float wv = share(a, y, h, oh);
		if (wv == 0)
			continue;
		for (int64_t b = u.first; b <= u.last; b++) {
			float wu = share(b, x, w, ow);
			if (wu != 0)
				sum += wv * wu * val_get(dy, ((image + a) * ow + b) * c + i % c);
		}
	}
	val_put(dx, i, sum);
}

static void bilinear_bwd_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *dy = nd->src[0], *dx = nd->dst[0];
	size_t n = tensor_count(dx);
	LAUNCH(cu, bilinear_bwd_kernel, blocks_for(n, BLOCK), BLOCK, 0, val_of(dx), val_of(dy), dx->h, dx->w, dy->h, dy->w,
	       dx->c, (int64_t)n);
}

extern "C" const struct cuda_op cuda_bilinear_bwd = { NULL, bilinear_bwd_run, NULL };
