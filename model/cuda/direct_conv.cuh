/* direct_conv.cuh - convolutions by their definition, for shapes that cuDNN has no admissible engine for: one thread makes one value and
 * sums in float, in a fixed order. Right anywhere, fast nowhere: weights (Cout,kh,kw,Cin) are read through the caches. */
#ifndef ABLATE_DIRECT_CONV_CUH
#define ABLATE_DIRECT_CONV_CUH

#include "model/cuda/cuda_dnn.h"
#include "model/cuda/kernel.cuh"

/* y[n,i,j,o] = sum over p,q,c of w[o,p,q,c] x[n, i stride + p - pad_h, j stride + q - pad_w, c] */
static __global__ void direct_forward_kernel(struct dnn_shape s, struct val y, struct val x, struct val w, int64_t count)
{
	int64_t at = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (at >= count)
		return;
	int64_t o = at % s.oc, pixel = at / s.oc, n = pixel / (s.oh * s.ow), i = pixel / s.ow % s.oh, j = pixel % s.ow;
	float sum = 0;
	for (int64_t p = 0; p < s.kh; p++)
		for (int64_t q = 0; q < s.kw; q++) {
			int64_t ih = i * s.stride + p - s.pad_h, iw = j * s.stride + q - s.pad_w;
			if (ih < 0 || ih >= s.h || iw < 0 || iw >= s.w)
				continue;
			int64_t from = ((n * s.h + ih) * s.w + iw) * s.ic, by = ((o * s.kh + p) * s.kw + q) * s.ic;
			for (int64_t c = 0; c < s.ic; c++)
				sum += val_get(x, from + c) * val_get(w, by + c);
		}
	val_put(y, at, sum);
}

/* The output pixel along one axis that reads input `i` by tap p; -1: none. */
__device__ static inline int64_t reader(int64_t i, int64_t p, int pad, int stride, int64_t n)
{
	int64_t o = i + pad - p;
	return o < 0 || o % stride || o / stride >= n ? -1 : o / stride;
}

static __global__ void direct_data_kernel(struct dnn_shape s, struct val dx, struct val dy, struct val w, int64_t count)
{
	int64_t at = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (at >= count)
		return;
	int64_t c = at % s.ic, pixel = at / s.ic, n = pixel / (s.h * s.w), row = pixel / s.w % s.h, col = pixel % s.w;
	float sum = 0;
	for (int64_t p = 0; p < s.kh; p++)
		for (int64_t q = 0; q < s.kw; q++) {
			int64_t i = reader(row, p, s.pad_h, s.stride, s.oh), j = reader(col, q, s.pad_w, s.stride, s.ow);
			if (i < 0 || j < 0)
				continue;
			int64_t from = ((n * s.oh + i) * s.ow + j) * s.oc;
			for (int64_t o = 0; o < s.oc; o++)
				sum += val_get(dy, from + o) * val_get(w, ((o * s.kh + p) * s.kw + q) * s.ic + c);
		}
	val_put(dx, at, sum);
}

/* Sums over pixels are made image by image, so that a long one loses little. */
static __global__ void direct_weights_kernel(struct dnn_shape s, struct val dw, struct val x, struct val dy, int64_t count)
{
	int64_t at = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (at >= count)
		return;
	int64_t c = at % s.ic, q = at / s.ic % s.kw, p = at / (s.ic * s.kw) % s.kh, o = at / (s.ic * s.kw * s.kh);
	float total = 0;
	for (int64_t n = 0; n < s.n; n++) {
		float sum = 0;
		for (int64_t i = 0; i < s.oh; i++)
			for (int64_t j = 0; j < s.ow; j++) {
				int64_t ih = i * s.stride + p - s.pad_h, iw = j * s.stride + q - s.pad_w;
				if (ih >= 0 && ih < s.h && iw >= 0 && iw < s.w)
					sum += val_get(x, ((n * s.h + ih) * s.w + iw) * s.ic + c) * val_get(dy, ((n * s.oh + i) * s.ow + j) * s.oc + o);
			}
		total += sum;
	}
	val_put(dw, at, total);
}

/* As cuda_conv_run; x, y of `type`; w too, but floats as a gradient. No bias. */
static inline void direct_conv(struct cuda *cu, const struct dnn_shape *s, enum dnn_pass pass, enum tensor_type type, void *x, void *w, void *y)
{
	int64_t nx = s->n * s->h * s->w * s->ic, ny = s->n * s->oh * s->ow * s->oc, nw = s->oc * s->kh * s->kw * s->ic;
	struct val vx = val_at(x, type), vy = val_at(y, type), vw = val_at(w, pass == DNN_BACKWARD_WEIGHTS ? TENSOR_F32 : type);
	if (pass == DNN_FORWARD)
		LAUNCH(cu, direct_forward_kernel, blocks_for((size_t)ny, BLOCK), BLOCK, 0, *s, vy, vx, vw, ny);
	else if (pass == DNN_BACKWARD_DATA)
		LAUNCH(cu, direct_data_kernel, blocks_for((size_t)nx, BLOCK), BLOCK, 0, *s, vx, vy, vw, nx);
	else
		LAUNCH(cu, direct_weights_kernel, blocks_for((size_t)nw, BLOCK), BLOCK, 0, *s, vw, vx, vy, nw);
}

#endif
