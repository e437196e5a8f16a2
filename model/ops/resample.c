/* resample.c - x2 up- and downsampling with a fixed separable filter (model/README.md, "Resampling"; EDM
 * networks, Conv2d up/down).
 *   down: y[i] = sum_a f[a] x[2i + a - pad]          H -> (H + 2 pad - K) / 2 + 1
 *   up:   y[2i + a - pad] += f[a] x[i]               H -> 2 (H - 1) + K - 2 pad
 * per axis, zero outside, f = gain * [1,1]/2 or gain * [1,3,3,1]/8. The two are each other's adjoint, so the backward
 * node is the same op in the other direction. */
#include "model/graph/tangent.h"

#include "model/base/err.h"
#include "model/base/cpu.h"

#include <string.h>

static struct tensor *record(struct graph *g, struct tensor *x, bool up, int taps, int pad, double gain)
{
	int64_t h = up ? 2 * (x->h - 1) + taps - 2 * pad : (x->h + 2 * pad - taps) / 2 + 1;
	int64_t w = up ? 2 * (x->w - 1) + taps - 2 * pad : (x->w + 2 * pad - taps) / 2 + 1;
	struct tensor *y = graph_temp(g, x->n, h, w, x->c);
	union op_args a = { .resample = { up, taps, pad, gain } };
	(void)graph_node(g, OP_resample, &a, 1, &x, 1, &y);
	return y;
}

struct tensor *graph_resample(struct graph *g, struct tensor *x, bool up, int taps, int pad)
{
	if (taps != 2 && taps != 4)
		BUG("resample: filter of %d taps", taps);
	return record(g, x, up, taps, pad < 0 ? (taps - 1) / 2 : pad, up ? 2 : 1);
}

static void backward(struct graph *g, struct node *nd)
{
	const union op_args *a = &nd->args;
	struct tensor *dx = record(g, nd->dst[0]->grad, !a->resample.up, a->resample.taps, a->resample.pad,
	                           a->resample.gain);
	REQUIRE(dx->h == nd->src[0]->h && dx->w == nd->src[0]->w);
	graph_add_grad(g, nd->src[0], dx);
}

/* The inputs that output index o reads along one axis of n inputs, and their weights. Returns how many (at most 4). */
static int reads(int64_t from[4], double weight[4], const struct node *nd, int64_t o, int64_t n)
{
	static const double f2[] = { 1.0 / 2, 1.0 / 2 }, f4[] = { 1.0 / 8, 3.0 / 8, 3.0 / 8, 1.0 / 8 };
	const double *f = nd->args.resample.taps == 2 ? f2 : f4;
	int count = 0;
	for (int a = 0; a < nd->args.resample.taps; a++) {
		int64_t i = nd->args.resample.up ? o + nd->args.resample.pad - a : 2 * o + a - nd->args.resample.pad;
		if (nd->args.resample.up) {
			if (i < 0 || i % 2)
				continue;
			i /= 2;
		}
		if (i < 0 || i >= n)
			continue;
		from[count] = i;
		weight[count++] = f[a] * nd->args.resample.gain;
	}
	return count;
}

static void resample_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0];
	struct tensor *y = nd->dst[0];
	for (int64_t at = 0; at < tensor_pixels(y); at++) {
		int64_t n = at / (y->h * y->w), i = at / y->w % y->h, j = at % y->w, rows[4], cols[4];
		double wr[4], wc[4];
		int nr = reads(rows, wr, nd, i, x->h), nc = reads(cols, wc, nd, j, x->w);
		for (int64_t c = 0; c < y->c; c++) {
			double sum = 0;
			for (int p = 0; p < nr; p++)
				for (int q = 0; q < nc; q++)
					sum += wr[p] * wc[q] * x->ref[((n * x->h + rows[p]) * x->w + cols[q]) * x->c + c];
			y->ref[at * y->c + c] = sum;
		}
	}
}

CPU_KERNEL static void add_weighted(float *restrict y, const float *restrict x, float w, int64_t c, int first)
{
	if (first)
		for (int64_t i = 0; i < c; i++)
			y[i] = w * x[i];
	else
		for (int64_t i = 0; i < c; i++)
			y[i] += w * x[i];
}

static void rows_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *x = nd->src[0];
	struct tensor *y = nd->dst[0];
	for (int64_t row = first; row < last; row++) {
		int64_t n = row / y->h, rows[4], cols[4];
		double wr[4], wc[4];
		int nr = reads(rows, wr, nd, row % y->h, x->h);
		for (int64_t j = 0; j < y->w; j++) {
			int nc = reads(cols, wc, nd, j, x->w);
			float *out = y->data + (row * y->w + j) * y->c;
			if (nr * nc == 0)
				memset(out, 0, (size_t)y->c * sizeof *out);
			for (int p = 0; p < nr; p++)
				for (int q = 0; q < nc; q++)
					add_weighted(out, x->data + ((n * x->h + rows[p]) * x->w + cols[q]) * x->c, (float)(wr[p] * wc[q]),
					             y->c, p + q == 0);
		}
	}
}

/* ---- two taps without padding: every output reads one input, or four that are its own ------------------------- */

enum { LANES = 16 };
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4), may_alias)); /* as it may lie in memory */
#define READ(p) ((vec) * (const loose *)(p))

/* Sums in the order of add_weighted, with its bits: a first product that is opaque is not fused with the next. */
CPU_KERNEL static void mean_row(float *restrict y, const float *restrict top, const float *restrict bottom, float w,
                                int64_t width, int64_t c)
{
	for (int64_t j = 0; j < width; j++, y += c, top += 2 * c, bottom += 2 * c) {
		int64_t i = 0;
		for (; i + LANES <= c; i += LANES) {
			vec sum = CPU_OPAQUE(w * READ(top + i));
			sum += w * READ(top + c + i);
			sum += w * READ(bottom + i);
			sum += w * READ(bottom + c + i);
			*(loose *)(y + i) = sum;
		}
		for (; i < c; i++) {
			float sum = CPU_OPAQUE(w * top[i]);
			sum += w * top[c + i];
			sum += w * bottom[i];
			sum += w * bottom[c + i];
			y[i] = sum;
		}
	}
}

CPU_KERNEL static void twice_row(float *restrict y, const float *restrict x, float w, int64_t width, int64_t c)
{
	for (int64_t j = 0; j < width; j++, y += 2 * c, x += c) {
		int64_t i = 0;
		for (; i + LANES <= c; i += LANES)
			*(loose *)(y + i) = *(loose *)(y + c + i) = w * READ(x + i);
		for (; i < c; i++)
			y[i] = y[c + i] = w * x[i];
	}
}

static void two_taps_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *x = nd->src[0];
	struct tensor *y = nd->dst[0];
	int64_t in = x->w * x->c;
	double f = nd->args.resample.gain / 2;
	for (int64_t row = first; row < last; row++) {
		const float *image = x->data + row / y->h * x->h * in;
		float *out = y->data + row * y->w * y->c;
		int64_t i = row % y->h;
		if (nd->args.resample.up)
			twice_row(out, image + i / 2 * in, (float)(f * f), x->w, x->c);
		else
			mean_row(out, image + 2 * i * in, image + (2 * i + 1) * in, (float)(f * f), y->w, x->c);
	}
}

static void resample_cpu(struct node *nd)
{
	bool plain = nd->args.resample.taps == 2 && nd->args.resample.pad == 0;
	cpu_split(nd->dst[0]->n * nd->dst[0]->h, 8, plain ? two_taps_range : rows_range, nd);
}

const struct op_row op_resample = {
	.name = "resample",
	.meaning = "separable x2 up- or downsampling with a fixed filter",
	.ref = resample_ref,
	.cpu = resample_cpu,
	.backward = backward,
	.jvp = tangent_linear,
	.low = true,
	.cheap = true,
};
