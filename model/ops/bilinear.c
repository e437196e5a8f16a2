/* bilinear.c - images resampled to another size as F.interpolate(mode="bilinear", align_corners=False): half-pixel
 * centres, edges clamped, no antialias. LPIPS in training looks at images of 224 x 224.
 *
 * Along an axis of n -> m: x = max((i + 1/2) n / m - 1/2, 0), j = floor(x), y_i = (1 - f) x_j + f x_(j+1), f = x - j,
 * and x_(j+1) = x_j at the end. The gradient is the transpose. */
#include "model/graph/tangent.h"

#include "model/base/err.h"
#include "model/base/cpu.h"

#include <string.h>

struct tensor *graph_bilinear(struct graph *g, struct tensor *x, int64_t h, int64_t w)
{
	if (h < 1 || w < 1)
		BUG("bilinear to %lldx%lld", (long long)h, (long long)w);
	struct tensor *y = graph_temp(g, x->n, h, w, x->c);
	(void)graph_node(g, OP_bilinear, NULL, 1, &x, 1, &y);
	return y;
}

struct lerp {
	int64_t at, next;
	double f;
};

static struct lerp lerp_of(int64_t i, int64_t n, int64_t m)
{
	double x = ((double)i + 0.5) * ((double)n / (double)m) - 0.5;
	x = x > 0 ? x : 0;
	int64_t at = (int64_t)x < n - 1 ? (int64_t)x : n - 1;
	return (struct lerp){ at, at + 1 < n ? at + 1 : at, x - (double)at };
}

/* The four source pixels of output pixel o and their weights. */
struct corners {
	int64_t at[4];
	double w[4];
};

static struct corners corners_of(const struct tensor *x, const struct tensor *y, int64_t o)
{
	struct lerp v = lerp_of(o / y->w % y->h, x->h, y->h), u = lerp_of(o % y->w, x->w, y->w);
	int64_t image = o / (y->h * y->w) * x->h;
	return (struct corners){ { (image + v.at) * x->w + u.at, (image + v.at) * x->w + u.next,
		                       (image + v.next) * x->w + u.at, (image + v.next) * x->w + u.next },
		                     { (1 - v.f) * (1 - u.f), (1 - v.f) * u.f, v.f * (1 - u.f), v.f * u.f } };
}

static void bilinear_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0];
	struct tensor *y = nd->dst[0];
	memset(y->ref, 0, tensor_count(y) * sizeof *y->ref);
	for (int64_t o = 0; o < tensor_pixels(y); o++) {
		struct corners k = corners_of(x, y, o);
		for (int i = 0; i < 4; i++)
			for (int64_t c = 0; c < y->c; c++)
				y->ref[o * y->c + c] += k.w[i] * x->ref[k.at[i] * x->c + c];
	}
}

static void bilinear_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *x = nd->src[0];
	struct tensor *y = nd->dst[0];
	for (int64_t o = first; o < last; o++) {
		struct corners k = corners_of(x, y, o);
		const float *p[4];
		for (int i = 0; i < 4; i++)
			p[i] = x->data + k.at[i] * x->c;
		for (int64_t c = 0; c < y->c; c++)
			y->data[o * y->c + c] = (float)(k.w[0] * (double)p[0][c] + k.w[1] * (double)p[1][c] +
			                                k.w[2] * (double)p[2][c] + k.w[3] * (double)p[3][c]);
	}
}

static void bilinear_cpu(struct node *nd)
{
	cpu_split(tensor_pixels(nd->dst[0]), 256, bilinear_range, nd);
}

static void bilinear_backward(struct graph *g, struct node *nd)
{
	struct tensor *dx = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_bilinear_bwd, NULL, 1, (struct tensor *[]){ nd->dst[0]->grad }, 1, &dx);
	graph_add_grad(g, nd->src[0], dx);
}

const struct op_row op_bilinear = { .name = "bilinear",
	                                .meaning = "images resampled to another size, half-pixel centres",
	                                .ref = bilinear_ref,
	                                .cpu = bilinear_cpu,
	                                .backward = bilinear_backward,
	                                .jvp = tangent_linear };

/* bilinear_bwd: dy -> dx */
static void bilinear_bwd_ref(struct node *nd)
{
	const struct tensor *dy = nd->src[0];
	struct tensor *dx = nd->dst[0];
	memset(dx->ref, 0, tensor_count(dx) * sizeof *dx->ref);
	for (int64_t o = 0; o < tensor_pixels(dy); o++) {
		struct corners k = corners_of(dx, dy, o);
		for (int i = 0; i < 4; i++)
			for (int64_t c = 0; c < dy->c; c++)
				dx->ref[k.at[i] * dx->c + c] += k.w[i] * dy->ref[o * dy->c + c];
	}
}

/* One image by one thread, output pixels in order: the sums do not depend on the number of threads. */
static void bilinear_bwd_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *dy = nd->src[0];
	struct tensor *dx = nd->dst[0];
	int64_t image = dx->h * dx->w * dx->c, outs = dy->h * dy->w;
	memset(dx->data + first * image, 0, (size_t)((last - first) * image) * sizeof *dx->data);
	for (int64_t o = first * outs; o < last * outs; o++) {
		struct corners k = corners_of(dx, dy, o);
		for (int i = 0; i < 4; i++)
			for (int64_t c = 0; c < dy->c; c++)
				dx->data[k.at[i] * dx->c + c] += (float)k.w[i] * dy->data[o * dy->c + c];
	}
}

static void bilinear_bwd_cpu(struct node *nd)
{
	cpu_split(nd->dst[0]->n, 1, bilinear_bwd_range, nd);
}

const struct op_row op_bilinear_bwd = {
	.name = "bilinear_bwd", .meaning = "gradient of bilinear", .ref = bilinear_bwd_ref, .cpu = bilinear_bwd_cpu
};
