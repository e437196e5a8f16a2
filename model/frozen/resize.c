/* resize.c - see resize.h. Each kind is a list of weighted source positions per output position along one axis; a
 * picture is the horizontal list applied to rows, then the vertical one. Nothing here may be contracted into fused
 * multiply-adds, since "clean" is compared bit for bit: the file is compiled for the baseline processor. */
#include "model/frozen/resize.h"

#include "model/base/mem.h"
#include "model/base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[RESIZE_N_KINDS] = { "torch-bilinear", "tf-bilinear", "clean" };

const char *resize_name(enum resize_kind kind)
{
	return names[kind];
}

int resize_by_name(enum resize_kind *out, const char *name, struct err *e)
{
	for (int i = 0; i < RESIZE_N_KINDS; i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum resize_kind)i;
			return 0;
		}
	return err_code(e, EXIT_USAGE, "no resize '%s'; known are: torch-bilinear, tf-bilinear, clean", name);
}

/* Pillow's cubic with a = -1/2, in the order of operations that its results depend on. */
static double cubic(double x)
{
	const double a = -0.5;
	x = x < 0 ? -x : x;
	if (x < 1)
		return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
	if (x < 2)
		return (((x - 5) * x + 8) * x - 4) * a;
	return 0;
}

static void clean_axis(struct resize_axis *ax)
{
	double scale = (double)ax->in / ax->out, wide = scale < 1 ? 1 : scale, support = 2.0 * wide;
	for (int i = 0; i < ax->out; i++) {
		double centre = (i + 0.5) * scale, sum = 0, inverse = 1.0 / wide, *w = ax->w + (size_t)i * (size_t)ax->most;
		int from = (int)(centre - support + 0.5), to = (int)(centre + support + 0.5);
		from = from < 0 ? 0 : from;
		to = to > ax->in ? ax->in : to;
		ax->from[i] = from;
		ax->n[i] = to - from;
		for (int k = 0; k < to - from; k++) {
			w[k] = cubic((k + from - centre + 0.5) * inverse);
			sum += w[k];
		}
		for (int k = 0; k < to - from && sum != 0; k++)
			w[k] /= sum;
	}
}

static void bilinear_axis(struct resize_axis *ax, enum resize_kind kind)
{
	double scale = (double)ax->in / ax->out;
	if (kind == RESIZE_TF_BILINEAR)
		scale = (double)((float)ax->in / (float)ax->out);
	for (int i = 0; i < ax->out; i++) {
		double x = kind == RESIZE_TF_BILINEAR ? i * scale : (i + 0.5) * scale - 0.5;
		x = x < 0 ? 0 : x;
		int from = (int)x;
		from = from > ax->in - 1 ? ax->in - 1 : from;
		double frac = x - from;
		ax->from[i] = from;
		ax->n[i] = from + 1 < ax->in ? 2 : 1;
		ax->w[2 * (size_t)i] = ax->n[i] == 2 ? 1 - frac : 1;
		ax->w[2 * (size_t)i + 1] = frac;
	}
}

void resize_axis_make(struct resize_axis *ax, int out, int in, enum resize_kind kind)
{
	double scale = (double)in / out;
	*ax = (struct resize_axis){ .out = out,
		                        .in = in,
		                        .most = kind == RESIZE_CLEAN ? (int)ceil(2.0 * (scale < 1 ? 1 : scale)) * 2 + 1 : 2 };
	ax->from = xcalloc((size_t)out, sizeof *ax->from);
	ax->n = xcalloc((size_t)out, sizeof *ax->n);
	ax->w = xcalloc((size_t)out * (size_t)ax->most, sizeof *ax->w);
	if (kind == RESIZE_CLEAN)
		clean_axis(ax);
	else
		bilinear_axis(ax, kind);
}

void resize_axis_release(struct resize_axis *ax)
{
	free(ax->from);
	free(ax->n);
	free(ax->w);
}

static void bilinear(float *dst, const struct resize_axis *ys, int dh, const struct resize_axis *xs, int dw,
                     const float *src, int sw, int c)
{
	size_t row = (size_t)sw * (size_t)c;
	for (int y = 0; y < dh; y++) {
		const double *v = ys->w + 2 * (size_t)y;
		const float *r0 = src + (size_t)ys->from[y] * row, *r1 = ys->n[y] == 2 ? r0 + row : r0;
		double b1 = ys->n[y] == 2 ? v[1] : 0, b0 = v[0];
		for (int x = 0; x < dw; x++) {
			const double *h = xs->w + 2 * (size_t)x;
			size_t p0 = (size_t)xs->from[x] * (size_t)c, p1 = xs->n[x] == 2 ? p0 + (size_t)c : p0;
			double a1 = xs->n[x] == 2 ? h[1] : 0, a0 = h[0];
			for (int k = 0; k < c; k++) {
				double top = a0 * (double)r0[p0 + (size_t)k] + a1 * (double)r0[p1 + (size_t)k];
				double low = a0 * (double)r1[p0 + (size_t)k] + a1 * (double)r1[p1 + (size_t)k];
				*dst++ = (float)(b0 * top + b1 * low);
			}
		}
	}
}

/* Pillow skips a pass along an axis whose size does not change. */
static void clean(float *dst, const struct resize_axis *ys, int dh, const struct resize_axis *xs, int dw,
                  const float *src, int sh, int sw, int c)
{
	SCOPED(free) float *mid = xmalloc((size_t)sh * (size_t)dw * (size_t)c * sizeof *mid);
	for (int y = 0; y < sh; y++)
		for (int x = 0; x < dw; x++)
			for (int k = 0; k < c; k++) {
				const float *row = src + (size_t)y * (size_t)sw * (size_t)c + k;
				const double *w = xs->w + (size_t)x * (size_t)xs->most;
				double sum = 0;
				for (int i = 0; i < xs->n[x]; i++)
					sum += (double)row[(size_t)(xs->from[x] + i) * (size_t)c] * w[i];
				mid[((size_t)y * (size_t)dw + (size_t)x) * (size_t)c + (size_t)k] = dw == sw
				                                                                        ? row[(size_t)x * (size_t)c]
				                                                                        : (float)sum;
			}
	size_t n = (size_t)dw * (size_t)c;
	for (int y = 0; y < dh; y++)
		for (size_t i = 0; i < n; i++) {
			const double *w = ys->w + (size_t)y * (size_t)ys->most;
			double sum = 0;
			for (int k = 0; k < ys->n[y]; k++)
				sum += (double)mid[(size_t)(ys->from[y] + k) * n + i] * w[k];
			float v = dh == sh ? mid[(size_t)y * n + i] : (float)sum;
			dst[(size_t)y * n + i] = v < 0 ? 0 : v > 255 ? 255 : v;
		}
}

void resize_f32(float *dst, int dh, int dw, const float *src, int sh, int sw, int c, enum resize_kind kind)
{
	struct resize_axis ys, xs;
	resize_axis_make(&ys, dh, sh, kind);
	resize_axis_make(&xs, dw, sw, kind);
	if (kind == RESIZE_CLEAN)
		clean(dst, &ys, dh, &xs, dw, src, sh, sw, c);
	else
		bilinear(dst, &ys, dh, &xs, dw, src, sw, c);
	resize_axis_release(&ys);
	resize_axis_release(&xs);
}

void resize_u8(float *dst, int dh, int dw, const uint8_t *src, int sh, int sw, int c_src, enum resize_kind kind)
{
	size_t n = (size_t)sh * (size_t)sw;
	SCOPED(free) float *rgb = xmalloc(3 * n * sizeof *rgb);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < 3; k++)
			rgb[3 * i + k] = c_src == 1 ? src[i] : src[3 * i + k];
	resize_f32(dst, dh, dw, rgb, sh, sw, 3, kind);
}

void resize_backward(float *d_src, int sh, int sw, const float *d_dst, int dh, int dw, int c)
{
	struct resize_axis ys, xs;
	resize_axis_make(&ys, dh, sh, RESIZE_TORCH_BILINEAR);
	resize_axis_make(&xs, dw, sw, RESIZE_TORCH_BILINEAR);
	SCOPED(free) double *sum = xcalloc((size_t)sh * (size_t)sw * (size_t)c, sizeof *sum);
	for (int y = 0; y < dh; y++)
		for (int x = 0; x < dw; x++, d_dst += c)
			for (int i = 0; i < ys.n[y]; i++)
				for (int j = 0; j < xs.n[x]; j++) {
					double w = ys.w[2 * y + i] * xs.w[2 * x + j];
					size_t at = ((size_t)(ys.from[y] + i) * (size_t)sw + (size_t)(xs.from[x] + j)) * (size_t)c;
					for (int k = 0; k < c; k++)
						sum[at + (size_t)k] += w * (double)d_dst[k];
				}
	for (size_t i = 0; i < (size_t)sh * (size_t)sw * (size_t)c; i++)
		d_src[i] += (float)sum[i];
	resize_axis_release(&ys);
	resize_axis_release(&xs);
}
