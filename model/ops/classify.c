/* classify.c - what a small classifier and a distance on its features need: pooled windows, averaged pixels, LPIPS-like
 * feature distance, softmax cross entropy. */
#include "model/graph/tangent.h"

#include "model/base/err.h"
#include "model/base/cpu.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- pool: x -> maximum or average over k x k windows ---------------------------------------- */

struct tensor *graph_pool(struct graph *g, struct tensor *x, struct pool_args how)
{
	int64_t up = how.ceil ? how.stride - 1 : 0;
	int64_t h = (x->h + 2 * how.pad - how.k + up) / how.stride + 1,
			w = (x->w + 2 * how.pad - how.k + up) / how.stride + 1;
	h -= how.ceil &&
	     (h - 1) * how.stride >= x->h + how.pad; /* a window must start inside the image or its left padding */
	w -= how.ceil && (w - 1) * how.stride >= x->w + how.pad;
	struct tensor *y = graph_temp(g, x->n, h, w, x->c);
	(void)graph_node(g, OP_pool, &(union op_args){ .pool = how }, 1, &x, 1, &y);
	return y;
}

struct window {
	int64_t n, h0, h1, w0, w1;
	double count;
};

/* The part of the image that output pixel `at` looks at. */
static struct window window_of(const struct node *nd, const struct tensor *x, const struct tensor *y, int64_t at)
{
	int64_t s = nd->args.pool.stride, k = nd->args.pool.k, pad = nd->args.pool.pad;
	struct window v = { .n = at / (y->h * y->w), .h0 = at / y->w % y->h * s - pad, .w0 = at % y->w * s - pad };
	v.h1 = v.h0 + k < x->h ? v.h0 + k : x->h;
	v.w1 = v.w0 + k < x->w ? v.w0 + k : x->w;
	v.h0 = v.h0 > 0 ? v.h0 : 0;
	v.w0 = v.w0 > 0 ? v.w0 : 0;
	v.count = nd->args.pool.pad_counts ? (double)(k * k) : (double)((v.h1 - v.h0) * (v.w1 - v.w0));
	return v;
}

#define FOR_EACH_PIXEL(v, x, at) \
	for (int64_t i_ = (v).h0; i_ < (v).h1; i_++) \
		for (int64_t j_ = (v).w0, at = ((v).n * (x)->h + i_) * (x)->w + j_; j_ < (v).w1; j_++, at++)

static void pool_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0];
	struct tensor *y = nd->dst[0];
	for (int64_t o = 0; o < tensor_pixels(y); o++) {
		struct window v = window_of(nd, x, y, o);
		for (int64_t c = 0; c < y->c; c++) {
			double best = -INFINITY, sum = 0;
			FOR_EACH_PIXEL(v, x, at)
			{
				double value = x->ref[at * x->c + c];
				best = value > best ? value : best;
				sum += value;
			}
			y->ref[o * y->c + c] = nd->args.pool.average ? sum / v.count : best;
		}
	}
}

CPU_KERNEL static void row_max(float *restrict y, const float *restrict x, int64_t c)
{
	for (int64_t i = 0; i < c; i++)
		y[i] = x[i] > y[i] ? x[i] : y[i];
}

CPU_KERNEL static void row_add(float *restrict y, const float *restrict x, float s, int64_t c)
{
	for (int64_t i = 0; i < c; i++)
		y[i] += x[i] * s;
}

static void pool_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *x = nd->src[0];
	struct tensor *y = nd->dst[0];
	for (int64_t o = first; o < last; o++) {
		struct window v = window_of(nd, x, y, o);
		float *out = y->data + o * y->c, scale = (float)(1 / v.count);
		for (int64_t c = 0; c < y->c; c++)
			out[c] = nd->args.pool.average ? 0 : -FLT_MAX;
		FOR_EACH_PIXEL(v, x, at)
		{
			if (nd->args.pool.average)
				row_add(out, x->data + at * x->c, scale, x->c);
			else
				row_max(out, x->data + at * x->c, x->c);
		}
	}
}

static void pool_cpu(struct node *nd)
{
	cpu_split(tensor_pixels(nd->dst[0]), 64, pool_range, nd);
}

static void pool_backward(struct graph *g, struct node *nd)
{
	struct tensor *dx = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_pool_bwd, &nd->args, 3, (struct tensor *[]){ nd->dst[0]->grad, nd->src[0], nd->dst[0] }, 1,
	                 &dx);
	graph_add_grad(g, nd->src[0], dx);
}

static struct tensor *pool_jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	if (nd->args.pool.average)
		return tangent_linear(g, nd, d);
	struct tensor *dy = graph_like(g, nd->dst[0]);
	(void)graph_node(g, OP_pool_jvp, &nd->args, 3, (struct tensor *[]){ d[0], nd->src[0], nd->dst[0] }, 1, &dy);
	return dy;
}

const struct op_row op_pool = { .name = "pool",
	                            .meaning = "maximum or average over k x k windows",
	                            .ref = pool_ref,
	                            .cpu = pool_cpu,
	                            .backward = pool_backward,
	                            .jvp = pool_jvp,
	                            .low = true };

/* pool_bwd: dy, x, y -> dx; of several equal maxima the first takes the gradient. */
static void pool_bwd_ref(struct node *nd)
{
	const struct tensor *dy = nd->src[0], *x = nd->src[1], *y = nd->src[2];
	struct tensor *dx = nd->dst[0];
	memset(dx->ref, 0, tensor_count(dx) * sizeof *dx->ref);
	for (int64_t o = 0; o < tensor_pixels(y); o++) {
		struct window v = window_of(nd, x, y, o);
		for (int64_t c = 0; c < y->c; c++) {
			bool taken = false;
			FOR_EACH_PIXEL(v, x, at)
			{
				if (nd->args.pool.average)
					dx->ref[at * x->c + c] += dy->ref[o * y->c + c] / v.count;
				else if (!taken && x->ref[at * x->c + c] == y->ref[o * y->c + c])
					dx->ref[at * x->c + c] += dy->ref[o * y->c + c], taken = true;
			}
		}
	}
}

static void pool_bwd_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *dy = nd->src[0], *x = nd->src[1], *y = nd->src[2];
	struct tensor *dx = nd->dst[0];
	int64_t image = x->h * x->w * x->c, outs = y->h * y->w;
	memset(dx->data + first * image, 0, (size_t)((last - first) * image) * sizeof *dx->data);
	for (int64_t o = first * outs; o < last * outs; o++) {
		struct window v = window_of(nd, x, y, o);
		for (int64_t c = 0; c < y->c; c++) {
			float d = dy->data[o * y->c + c], top = y->data[o * y->c + c];
			bool taken = false;
			FOR_EACH_PIXEL(v, x, at)
			{
				if (nd->args.pool.average)
					dx->data[at * x->c + c] += d * (float)(1 / v.count);
				else if (!taken && x->data[at * x->c + c] == top)
					dx->data[at * x->c + c] += d, taken = true;
			}
		}
	}
}

static void pool_bwd_cpu(struct node *nd)
{
	cpu_split(nd->dst[0]->n, 1, pool_bwd_range, nd); /* images are independent: windows overlap only within one */
}

const struct op_row op_pool_bwd = {
	.name = "pool_bwd", .meaning = "dx of pool from dy, x and y", .ref = pool_bwd_ref, .cpu = pool_bwd_cpu
};

/* pool_jvp, of maxima: d, x, y -> what of d is where the maximum is, the first of several; on a CPU, where no network
 * is trained by it, the specification. */
static void pool_jvp_ref(struct node *nd)
{
	const struct tensor *d = nd->src[0], *x = nd->src[1], *y = nd->src[2];
	for (int64_t o = 0; o < tensor_pixels(y); o++) {
		struct window v = window_of(nd, x, y, o);
		for (int64_t c = 0; c < y->c; c++) {
			bool taken = false;
			FOR_EACH_PIXEL(v, x, at)
			{
				if (!taken && x->ref[at * x->c + c] == y->ref[o * y->c + c])
					nd->dst[0]->ref[o * y->c + c] = d->ref[at * x->c + c], taken = true;
			}
		}
	}
}

const struct op_row op_pool_jvp = {
	.name = "pool_jvp", .meaning = "change of pool's maxima from that of x", .ref = pool_jvp_ref, .cpu = op_cpu_by_ref
};

/* ---- global_mean: (N,H,W,C) -> (N,1,1,C) ----------------------------------------------------- */

struct tensor *graph_global_mean(struct graph *g, struct tensor *x)
{
	struct tensor *y = graph_temp(g, x->n, 1, 1, x->c);
	(void)graph_node(g, OP_global_mean, NULL, 1, &x, 1, &y);
	return y;
}

static void global_mean_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0];
	int64_t pixels = x->h * x->w;
	memset(nd->dst[0]->ref, 0, tensor_count(nd->dst[0]) * sizeof(double));
	for (size_t i = 0; i < tensor_count(x); i++)
		nd->dst[0]->ref[(int64_t)i / (pixels * x->c) * x->c + (int64_t)i % x->c] += x->ref[i] / (double)pixels;
}

static void global_mean_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *x = nd->src[0];
	int64_t pixels = x->h * x->w;
	for (int64_t n = first; n < last; n++) {
		float *out = nd->dst[0]->data + n * x->c;
		memset(out, 0, (size_t)x->c * sizeof *out);
		for (int64_t i = 0; i < pixels; i++)
			row_add(out, x->data + (n * pixels + i) * x->c, 1, x->c);
		for (int64_t c = 0; c < x->c; c++)
			out[c] *= 1.0f / (float)pixels;
	}
}

static void global_mean_cpu(struct node *nd)
{
	cpu_split(nd->src[0]->n, 1, global_mean_range, nd);
}

static void global_mean_backward(struct graph *g, struct node *nd)
{
	struct tensor *dx = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_global_mean_bwd, NULL, 1, &nd->dst[0]->grad, 1, &dx);
	graph_add_grad(g, nd->src[0], dx);
}

const struct op_row op_global_mean = {
	.name = "global_mean",
	.meaning = "mean over the pixels of an image",
	.ref = global_mean_ref,
	.cpu = global_mean_cpu,
	.backward = global_mean_backward,
	.jvp = tangent_linear,
	.low = true,
};

static void global_mean_bwd_ref(struct node *nd)
{
	struct tensor *dx = nd->dst[0];
	int64_t pixels = dx->h * dx->w;
	for (size_t i = 0; i < tensor_count(dx); i++)
		dx->ref[i] = nd->src[0]->ref[(int64_t)i / (pixels * dx->c) * dx->c + (int64_t)i % dx->c] / (double)pixels;
}

static void global_mean_bwd_cpu(struct node *nd)
{
	struct tensor *dx = nd->dst[0];
	int64_t pixels = dx->h * dx->w;
	for (int64_t at = 0; at < tensor_pixels(dx); at++)
		for (int64_t c = 0; c < dx->c; c++)
			dx->data[at * dx->c + c] = nd->src[0]->data[at / pixels * dx->c + c] * (1.0f / (float)pixels);
}

const struct op_row op_global_mean_bwd = {
	.name = "global_mean_bwd", .meaning = "dx of global_mean", .ref = global_mean_bwd_ref, .cpu = global_mean_bwd_cpu
};

/* ---- feature_dist: a, b (N,H,W,C), [w (C)] -> d (N) = mean over pixels of sum_c w_c (a/|a| - b/|b|)^2 ---
 * |a| = sqrt(sum_c a^2) + 1e-10, the eps outside the root (LPIPS v0.1, Zhang et al. 2018). Gradient in a only. */

#define NORM_EPS 1e-10

struct tensor *graph_feature_dist(struct graph *g, struct tensor *a, struct tensor *b, struct tensor *w)
{
	if (tensor_count(a) != tensor_count(b) || (w && w->c != a->c))
		BUG("feature_dist: %zu and %zu values", tensor_count(a), tensor_count(b));
	struct tensor *d = graph_temp(g, a->n, 1, 1, 1);
	(void)graph_node(g, OP_feature_dist, NULL, 3, (struct tensor *[]){ a, b, w }, 1, &d);
	return d;
}

static void feature_dist_ref(struct node *nd)
{
	const struct tensor *a = nd->src[0], *b = nd->src[1], *w = nd->src[2];
	int64_t pixels = a->h * a->w;
	memset(nd->dst[0]->ref, 0, (size_t)a->n * sizeof(double));
	for (int64_t at = 0; at < tensor_pixels(a); at++) {
		const double *pa = a->ref + at * a->c, *pb = b->ref + at * a->c;
		double na = 0, nb = 0;
		for (int64_t c = 0; c < a->c; c++) {
			na += pa[c] * pa[c];
			nb += pb[c] * pb[c];
		}
		na = sqrt(na) + NORM_EPS;
		nb = sqrt(nb) + NORM_EPS;
		for (int64_t c = 0; c < a->c; c++) {
			double e = pa[c] / na - pb[c] / nb;
			nd->dst[0]->ref[at / pixels] += (w ? w->ref[c] : 1) * e * e / (double)pixels;
		}
	}
}

static void norms(double *na, double *nb, const float *a, const float *b, int64_t c)
{
	double sa = 0, sb = 0;
	for (int64_t i = 0; i < c; i++) {
		sa += (double)a[i] * (double)a[i];
		sb += (double)b[i] * (double)b[i];
	}
	*na = sqrt(sa);
	*nb = sqrt(sb);
}

static void feature_dist_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *a = nd->src[0], *b = nd->src[1], *w = nd->src[2];
	int64_t pixels = a->h * a->w;
	for (int64_t n = first; n < last; n++) {
		double sum = 0;
		for (int64_t at = n * pixels; at < (n + 1) * pixels; at++) {
			const float *pa = a->data + at * a->c, *pb = b->data + at * a->c;
			double na, nb;
			norms(&na, &nb, pa, pb, a->c);
			float ra = (float)(1 / (na + NORM_EPS)), rb = (float)(1 / (nb + NORM_EPS));
			for (int64_t c = 0; c < a->c; c++) {
				double e = (double)(pa[c] * ra) - (double)(pb[c] * rb);
				sum += (w ? (double)w->data[c] : 1) * e * e;
			}
		}
		nd->dst[0]->data[n] = (float)(sum / (double)pixels);
	}
}

static void feature_dist_cpu(struct node *nd)
{
	cpu_split(nd->src[0]->n, 1, feature_dist_range, nd);
}

static void feature_dist_backward(struct graph *g, struct node *nd)
{
	if (nd->src[1]->needs_grad)
		BUG("feature_dist: the target is a constant (stop-gradient)");
	struct tensor *da = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_feature_dist_bwd, NULL, 4,
	                 (struct tensor *[]){ nd->dst[0]->grad, nd->src[0], nd->src[1], nd->src[2] }, 1, &da);
	graph_add_grad(g, nd->src[0], da);
}

/* Of a's change d, or of b's, which has the other's place. */
static struct tensor *feature_slope(struct graph *g, struct node *nd, struct tensor *d, int of)
{
	if (!d)
		return NULL;
	struct tensor *slope = graph_like(g, d), *one = graph_constant(g, nd->dst[0], 1);
	(void)graph_node(g, OP_feature_dist_bwd, NULL, 4,
	                 (struct tensor *[]){ one, nd->src[of], nd->src[1 - of], nd->src[2] }, 1, &slope);
	return graph_dot(g, slope, d);
}

static struct tensor *feature_dist_jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	struct tensor *of_w = d[2] ? graph_feature_dist(g, nd->src[0], nd->src[1], d[2]) : NULL;
	return tangent_sum(g, tangent_sum(g, feature_slope(g, nd, d[0], 0), feature_slope(g, nd, d[1], 1)), of_w);
}

const struct op_row op_feature_dist = {
	.name = "feature_dist",
	.meaning = "mean over pixels of sum_c w (a/|a| - b/|b|)^2",
	.ref = feature_dist_ref,
	.cpu = feature_dist_cpu,
	.backward = feature_dist_backward,
	.jvp = feature_dist_jvp,
};

/* feature_dist_bwd: dd (N), a, b, [w] -> da. With r = |a|, h = a / (r + eps), g_c = 2 w_c (h_c - b_c/|b|) dd / pixels:
 * da_k = g_k / (r + eps) - a_k / (r (r + eps)^2) sum_c g_c a_c; at r = 0 the second term is taken as 0. */
static void feature_dist_bwd_ref(struct node *nd)
{
	const struct tensor *dd = nd->src[0], *a = nd->src[1], *b = nd->src[2], *w = nd->src[3];
	int64_t pixels = a->h * a->w;
	for (int64_t at = 0; at < tensor_pixels(a); at++) {
		const double *pa = a->ref + at * a->c, *pb = b->ref + at * a->c;
		double *out = nd->dst[0]->ref + at * a->c, na = 0, nb = 0, dot = 0;
		for (int64_t c = 0; c < a->c; c++) {
			na += pa[c] * pa[c];
			nb += pb[c] * pb[c];
		}
		na = sqrt(na);
		nb = sqrt(nb) + NORM_EPS;
		for (int64_t c = 0; c < a->c; c++) {
			out[c] = 2 * (w ? w->ref[c] : 1) * (pa[c] / (na + NORM_EPS) - pb[c] / nb) * dd->ref[at / pixels] /
			         (double)pixels;
			dot += out[c] * pa[c];
		}
		for (int64_t c = 0; c < a->c; c++)
			out[c] = out[c] / (na + NORM_EPS) - (na > 0 ? pa[c] * dot / (na * (na + NORM_EPS) * (na + NORM_EPS)) : 0);
	}
}

static void feature_dist_bwd_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *dd = nd->src[0], *a = nd->src[1], *b = nd->src[2], *w = nd->src[3];
	int64_t pixels = a->h * a->w;
	for (int64_t at = first; at < last; at++) {
		const float *pa = a->data + at * a->c, *pb = b->data + at * a->c;
		float *out = nd->dst[0]->data + at * a->c;
		double na, nb, dot = 0, up = 2 * (double)dd->data[at / pixels] / (double)pixels;
		norms(&na, &nb, pa, pb, a->c);
		double ra = 1 / (na + NORM_EPS), rb = 1 / (nb + NORM_EPS);
		for (int64_t c = 0; c < a->c; c++) {
			double g = (w ? (double)w->data[c] : 1) * ((double)pa[c] * ra - (double)pb[c] * rb) * up;
			dot += g * (double)pa[c];
			out[c] = (float)(g * ra);
		}
		float along = na > 0 ? (float)(dot / na * ra * ra) : 0;
		for (int64_t c = 0; c < a->c; c++)
			out[c] -= pa[c] * along;
	}
}

static void feature_dist_bwd_cpu(struct node *nd)
{
	cpu_split(tensor_pixels(nd->src[1]), 64, feature_dist_bwd_range, nd);
}

const struct op_row op_feature_dist_bwd = {
	.name = "feature_dist_bwd",
	.meaning = "gradient of feature_dist with respect to its first features",
	.ref = feature_dist_bwd_ref,
	.cpu = feature_dist_bwd_cpu,
};

/* ---- cross_entropy: logits (N,1,1,K), one_hot (N,1,1,K) -> d (N) ----------------------------- */

struct tensor *graph_cross_entropy(struct graph *g, struct tensor *logits, struct tensor *one_hot)
{
	struct tensor *d = graph_temp(g, logits->n, 1, 1, 1);
	(void)graph_node(g, OP_cross_entropy, NULL, 2, (struct tensor *[]){ logits, one_hot }, 1, &d);
	return d;
}

/* ln sum exp of k logits */
static double log_sum_exp(const double *x, int64_t k)
{
	double max = x[0], sum = 0;
	for (int64_t i = 1; i < k; i++)
		max = x[i] > max ? x[i] : max;
	for (int64_t i = 0; i < k; i++)
		sum += exp(x[i] - max);
	return max + log(sum);
}

static double entropy_of(const double *x, const double *y, int64_t k)
{
	double d = 0, lse = log_sum_exp(x, k);
	for (int64_t i = 0; i < k; i++)
		d += y[i] * (lse - x[i]);
	return d;
}

enum { MAX_CLASSES = 1024 };

static void widen(double *out, const float *x, int64_t k)
{
	REQUIRE(k <= MAX_CLASSES);
	for (int64_t i = 0; i < k; i++)
		out[i] = (double)x[i];
}

static void cross_entropy_ref(struct node *nd)
{
	int64_t k = nd->src[0]->c;
	for (int64_t n = 0; n < nd->src[0]->n; n++)
		nd->dst[0]->ref[n] = entropy_of(nd->src[0]->ref + n * k, nd->src[1]->ref + n * k, k);
}

static void cross_entropy_cpu(struct node *nd)
{
	int64_t k = nd->src[0]->c;
	double x[MAX_CLASSES], y[MAX_CLASSES];
	for (int64_t n = 0; n < nd->src[0]->n; n++) {
		widen(x, nd->src[0]->data + n * k, k);
		widen(y, nd->src[1]->data + n * k, k);
		nd->dst[0]->data[n] = (float)entropy_of(x, y, k);
	}
}

static void cross_entropy_backward(struct graph *g, struct node *nd)
{
	struct tensor *dx = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_cross_entropy_bwd, NULL, 3, (struct tensor *[]){ nd->dst[0]->grad, nd->src[0], nd->src[1] },
	                 1, &dx);
	graph_add_grad(g, nd->src[0], dx);
}

static struct tensor *cross_entropy_jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	struct tensor *of_labels = d[1] ? graph_cross_entropy(g, nd->src[0], d[1]) : NULL;
	if (!d[0])
		return of_labels;
	struct tensor *slope = graph_like(g, d[0]), *one = graph_constant(g, nd->dst[0], 1);
	(void)graph_node(g, OP_cross_entropy_bwd, NULL, 3, (struct tensor *[]){ one, nd->src[0], nd->src[1] }, 1, &slope);
	return tangent_sum(g, graph_dot(g, slope, d[0]), of_labels);
}

const struct op_row op_cross_entropy = {
	.name = "cross_entropy",
	.meaning = "softmax cross entropy against one-hot labels, per sample",
	.ref = cross_entropy_ref,
	.cpu = cross_entropy_cpu,
	.backward = cross_entropy_backward,
	.jvp = cross_entropy_jvp,
};

/* cross_entropy_bwd: dd (N), logits, targets y -> dd (sum(y) softmax - y) */
static void cross_entropy_bwd_ref(struct node *nd)
{
	int64_t k = nd->src[1]->c;
	for (int64_t n = 0; n < nd->src[1]->n; n++) {
		const double *x = nd->src[1]->ref + n * k, *y = nd->src[2]->ref + n * k;
		double lse = log_sum_exp(x, k), mass = 0;
		for (int64_t i = 0; i < k; i++)
			mass += y[i];
		for (int64_t i = 0; i < k; i++)
			nd->dst[0]->ref[n * k + i] = nd->src[0]->ref[n] * (mass * exp(x[i] - lse) - y[i]);
	}
}

static void cross_entropy_bwd_cpu(struct node *nd)
{
	int64_t k = nd->src[1]->c;
	double x[MAX_CLASSES];
	for (int64_t n = 0; n < nd->src[1]->n; n++) {
		widen(x, nd->src[1]->data + n * k, k);
		double y[MAX_CLASSES], lse = log_sum_exp(x, k), mass = 0;
		widen(y, nd->src[2]->data + n * k, k);
		for (int64_t i = 0; i < k; i++)
			mass += y[i];
		for (int64_t i = 0; i < k; i++)
			nd->dst[0]->data[n * k + i] = (float)((double)nd->src[0]->data[n] * (mass * exp(x[i] - lse) - y[i]));
	}
}

const struct op_row op_cross_entropy_bwd = {
	.name = "cross_entropy_bwd",
	.meaning = "gradient of cross_entropy with respect to the logits",
	.ref = cross_entropy_bwd_ref,
	.cpu = cross_entropy_bwd_cpu,
};
