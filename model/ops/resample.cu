/* resample.cu - resample.c on a device: a thread makes one pixel's run of channels from the at most 4 x 4 pixels it
 * reads; neighbours read the same ones, so memory is read about once. */
#include "model/cuda/kernel.cuh"

struct resample {
	struct val y, x;
	int64_t h, w, oh, ow, c, n;
	int vec, up, taps, pad;
	float outer, inner;
};

/* The filter is symmetric: f2 [outer, outer], f4 [outer, inner, inner, outer]. */
__device__ static inline float tap(const struct resample &r, int at)
{
	return r.taps == 4 && (at == 1 || at == 2) ? r.inner : r.outer;
}

static __global__ void resample_kernel(struct resample r)
{
	int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, runs = r.c / r.vec;
	if (i >= r.n)
		return;
	int64_t pixel = i / runs, c = i % runs * r.vec, image = pixel / (r.oh * r.ow), oy = pixel / r.ow % r.oh,
			ox = pixel % r.ow;
	float sum[VEC] = { 0 }, v[VEC];
	for (int a = 0; a < r.taps; a++) {
		int64_t y = r.up ? oy + r.pad - a : 2 * oy + a - r.pad;
		if (y < 0 || (r.up && y % 2) || (y = r.up ? y / 2 : y) >= r.h)
			continue;
		for (int b = 0; b < r.taps; b++) {
			int64_t x = r.up ? ox + r.pad - b : 2 * ox + b - r.pad;
			if (x < 0 || (r.up && x % 2) || (x = r.up ? x / 2 : x) >= r.w)
				continue;
			float weight = tap(r, a) * tap(r, b);
			val_load(v, r.x, ((image * r.h + y) * r.w + x) * r.c + c, r.vec);
#pragma unroll
			for (int k = 0; k < VEC; k++)
				sum[k] += weight * v[k];
		}
	}
	val_store(r.y, pixel * r.c + c, r.vec, sum);
}

static void resample_run(struct node *nd, struct cuda *cu)
{
	const struct tensor *x = nd->src[0], *y = nd->dst[0];
	int vec = x->c % VEC == 0 ? VEC : 1;
	struct resample r = { val_of(y),
		                  val_of(x),
		                  x->h,
		                  x->w,
		                  y->h,
		                  y->w,
		                  x->c,
		                  tensor_pixels(y) * (x->c / vec),
		                  vec,
		                  nd->args.resample.up,
		                  nd->args.resample.taps,
		                  nd->args.resample.pad,
		                  0,
		                  0 };
	r.outer = (r.taps == 2 ? 0.5f : 0.125f) * (float)nd->args.resample.gain;
	r.inner = 0.375f * (float)nd->args.resample.gain;
	LAUNCH(cu, resample_kernel, blocks_for((size_t)r.n, BLOCK), BLOCK, 0, r);
}

extern "C" const struct cuda_op cuda_resample = { NULL, resample_run, NULL };
