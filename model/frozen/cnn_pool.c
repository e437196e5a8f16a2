/* cnn_pool.c - pools over NHWC, forward in float and bfloat16, backward in float. Channels are handled in blocks of
 * BLOCK so that a window's running result stays in vector registers; the loops only move, compare and add, so the
 * instruction set cannot change a result. */
#include "model/frozen/cnn_private.h"

#include "model/base/cpu.h"

#include <float.h>
#include <string.h>

enum { BLOCK = 64 };

static inline float widen(uint16_t h)
{
	uint32_t bits = (uint32_t)h << 16;
	float x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

/* Round to nearest, ties to even; activations are finite. */
static inline uint16_t narrow(float x)
{
	uint32_t b;
	memcpy(&b, &x, sizeof b);
	return (uint16_t)((b + 0x7fffu + (b >> 16 & 1)) >> 16);
}

CPU_KERNEL void cnn_to_bf16(uint16_t *dst, const float *src, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = narrow(src[i]);
}

CPU_KERNEL void cnn_from_bf16(float *dst, const uint16_t *src, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = widen(src[i]);
}

/* The part [from, to) of a window that lies inside, along one axis. */
struct span {
	int from, to;
};

static struct span inside(int out, int stride, int pad, int k, int n)
{
	struct span s = { out * stride - pad, out * stride - pad + k };
	if (s.from < 0)
		s.from = 0;
	if (s.to > n)
		s.to = n;
	return s;
}

/* One output pixel: n channels (n <= BLOCK) of the window whose first pixel is at src; rows are `row` apart, pixels
 * `pixel`. */
CPU_KERNEL static void window_f32(float *dst, const float *src, int n, int rows, int cols, size_t row, size_t pixel,
                                  bool max, float scale)
{
	float acc[BLOCK];
	for (int c = 0; c < BLOCK; c++)
		acc[c] = max ? -FLT_MAX : 0;
	for (int y = 0; y < rows; y++)
		for (int x = 0; x < cols; x++) {
			const float *s = src + (size_t)y * row + (size_t)x * pixel;
			if (max)
				for (int c = 0; c < n; c++)
					acc[c] = s[c] > acc[c] ? s[c] : acc[c];
			else
				for (int c = 0; c < n; c++)
					acc[c] += s[c];
		}
	for (int c = 0; c < n; c++)
		dst[c] = acc[c] * scale;
}

CPU_KERNEL static void window_bf16(uint16_t *dst, const uint16_t *src, int n, int rows, int cols, size_t row,
                                   size_t pixel, bool max, float scale)
{
	float acc[BLOCK];
	for (int c = 0; c < BLOCK; c++)
		acc[c] = max ? -FLT_MAX : 0;
	for (int y = 0; y < rows; y++)
		for (int x = 0; x < cols; x++) {
			const uint16_t *s = src + (size_t)y * row + (size_t)x * pixel;
			for (int c = 0; c < n; c++) {
				float v = widen(s[c]);
				acc[c] = max ? (v > acc[c] ? v : acc[c]) : acc[c] + v;
			}
		}
	for (int c = 0; c < n; c++)
		dst[c] = narrow(acc[c] * scale);
}

static float scale_of(const struct cnn_layer *l, struct span ys, struct span xs)
{
	if (l->kind == CNN_MAX_POOL)
		return 1;
	return 1.0f / (float)(l->pad_counts ? l->kh * l->kw : (ys.to - ys.from) * (xs.to - xs.from));
}

void cnn_pool_forward(const struct cnn *net, const struct cnn_layer *l, void *dst, const void *src, bool bf16)
{
	const struct cnn_tensor *s = &net->tensors[l->src], *d = &net->tensors[l->dst];
	size_t row = (size_t)s->w * (size_t)s->c, pixel = (size_t)s->c;
	bool max = l->kind == CNN_MAX_POOL;
	for (int y = 0; y < d->h; y++)
		for (int x = 0; x < d->w; x++) {
			struct span ys = inside(y, l->stride, l->ph, l->kh, s->h), xs = inside(x, l->stride, l->pw, l->kw, s->w);
			size_t from = (size_t)ys.from * row + (size_t)xs.from * pixel;
			size_t to = ((size_t)y * (size_t)d->w + (size_t)x) * (size_t)d->c + (size_t)l->dst_c;
			float scale = scale_of(l, ys, xs);
			for (int c = 0; c < l->c; c += BLOCK) {
				int n = l->c - c < BLOCK ? l->c - c : BLOCK;
				if (bf16)
					window_bf16((uint16_t *)dst + to + c, (const uint16_t *)src + from + c, n, ys.to - ys.from,
					            xs.to - xs.from, row, pixel, max, scale);
				else
					window_f32((float *)dst + to + c, (const float *)src + from + c, n, ys.to - ys.from,
					           xs.to - xs.from, row, pixel, max, scale);
			}
		}
}

/* The gradient of a maximum goes to the first largest element of its window in row order, as PyTorch has it. */
static void max_backward(float *d_src, const float *src, float g, int c, struct span ys, struct span xs, size_t row,
                         size_t pixel)
{
	size_t best = (size_t)ys.from * row + (size_t)xs.from * pixel + (size_t)c;
	for (int y = ys.from; y < ys.to; y++)
		for (int x = xs.from; x < xs.to; x++) {
			size_t at = (size_t)y * row + (size_t)x * pixel + (size_t)c;
			if (src[at] > src[best])
				best = at;
		}
	d_src[best] += g;
}

void cnn_pool_backward(const struct cnn *net, const struct cnn_layer *l, float *d_src, const float *d_dst,
                       const float *src, bool add)
{
	const struct cnn_tensor *s = &net->tensors[l->src], *d = &net->tensors[l->dst];
	size_t row = (size_t)s->w * (size_t)s->c, pixel = (size_t)s->c;
	if (!add)
		memset(d_src, 0, cnn_elements(s) * sizeof *d_src);
	for (int oy = 0; oy < d->h; oy++)
		for (int ox = 0; ox < d->w; ox++) {
			struct span ys = inside(oy, l->stride, l->ph, l->kh, s->h), xs = inside(ox, l->stride, l->pw, l->kw, s->w);
			const float *g = d_dst + ((size_t)oy * (size_t)d->w + (size_t)ox) * (size_t)d->c + (size_t)l->dst_c;
			float scale = scale_of(l, ys, xs);
			if (l->kind == CNN_MAX_POOL) {
				for (int c = 0; c < l->c; c++)
					max_backward(d_src, src, g[c], c, ys, xs, row, pixel);
				continue;
			}
			for (int y = ys.from; y < ys.to; y++)
				for (int x = xs.from; x < xs.to; x++)
					for (int c = 0; c < l->c; c++)
						d_src[(size_t)y * row + (size_t)x * pixel + (size_t)c] += g[c] * scale;
		}
}
