/* picture_kernel.cu - struct picture_job of backend.h: bytes resized and scaled into a network's input. A thread makes
 * one pixel of three values, so neighbours read the same few bytes through the caches. In double and without fused
 * multiply-adds, as resize.c computes: the same bits. */
#include "model/cuda/picture_kernel.h"

#include "model/cuda/kernel.cuh"

/* sum + a * b, rounded twice */
__device__ static inline double plus_product(double sum, double a, double b)
{
#ifdef __CUDA_ARCH__
	return __dadd_rn(sum, __dmul_rn(a, b));
#else
	return sum + a * b;
#endif
}

__device__ static inline float scaled(float x, enum picture_scale scale)
{
	if (scale == PICTURE_UNIT)
		return (float)((double)x / 255.0);
	if (scale == PICTURE_SIGNED)
		return (float)plus_product(-1, (double)x, 2.0 / 255);
	return (x - 128) / 128;
}

static __global__ void pictures_kernel(struct picture_job j, struct val dst, int64_t pixels)
{
	int64_t at = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (at >= pixels)
		return;
	int x = (int)(at % j.side), y = (int)(at / j.side % j.side);
	const uint8_t *image = j.bytes + at / ((int64_t)j.side * j.side) * j.h * j.w * j.c;
	const double *wy = j.rows.w + (int64_t)y * j.rows.most, *wx = j.columns.w + (int64_t)x * j.columns.most;
	double sum[3] = { 0, 0, 0 };
	for (int i = 0; i < j.rows.n[y]; i++) {
		const uint8_t *row = image + ((int64_t)(j.rows.from[y] + i) * j.w + j.columns.from[x]) * j.c;
		double along[3] = { 0, 0, 0 };
		for (int k = 0; k < j.columns.n[x]; k++)
			for (int c = 0; c < 3; c++)
				along[c] = plus_product(along[c], (double)row[j.c == 3 ? 3 * k + c : k], wx[k]);
		for (int c = 0; c < 3; c++)
			sum[c] = plus_product(sum[c], j.clean ? (double)(float)along[c] : along[c], wy[i]);
	}
	for (int c = 0; c < 3; c++) {
		float value = (float)sum[c];
		if (j.clean)
			value = value < 0 ? 0 : value > 255 ? 255 : value;
		val_put(dst, 3 * at + c, scaled(value, j.scale));
	}
}

void cuda_pictures(struct backend *b, const struct picture_job *job)
{
	struct cuda *cu = (struct cuda *)b;
	int64_t pixels = (int64_t)job->n * job->side * job->side;
	LAUNCH(cu, pictures_kernel, blocks_for((size_t)pixels, BLOCK), BLOCK, 0, *job,
	       val_at(job->dst, job->low ? TENSOR_BF16 : TENSOR_F32), pixels);
}
