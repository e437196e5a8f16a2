/* distance.c - d[n] between image n of x and of target, over the D = H*W*C values e = x - target, S = sum e^2:
 *   huber        sqrt(S + c^2) - c, computed as S / (sqrt(S + c^2) + c) (iCT section 3.3; no cancellation when S <<
 *   c^2;
 *                c = 0 is the plain norm of ECT)
 *   cauchy-sum, cauchy-mean               log(1 + S / (2 c^2)), and the same of S / D (sLCT, arXiv:2502.01441; its code
 *                has the mean); c > 0
 *   l2-sum, l2-mean, l1-sum, l1-mean      of e^2 and |e|
 *   huber-pixel, huber-element  mean and sum of sqrt(e^2 + c^2) - c, the element-wise forms of public reproductions
 * where c is the node's number, or a tensor's, one for each sample;
 * and weighted_mean: total = sum_n w[n] d[n] / N. Sums are in double. */
#include "model/graph/tangent.h"

#include "model/base/err.h"
#include "model/base/cpu.h"

#include <math.h>

static struct tensor *record(struct graph *g, struct tensor *x, struct tensor *target, enum dist_kind kind, double c,
                             struct tensor *by)
{
	if (tensor_count(x) != tensor_count(target))
		BUG("distance: %zu and %zu values", tensor_count(x), tensor_count(target));
	struct tensor *d = graph_temp(g, x->n, 1, 1, 1);
	(void)graph_node(g, OP_distance, &(union op_args){ .dist = { kind, c } }, 3, (struct tensor *[]){ x, target, by },
	                 1, &d);
	return d;
}

struct tensor *graph_distance(struct graph *g, struct tensor *x, struct tensor *target, enum dist_kind kind, double c)
{
	return record(g, x, target, kind, c, NULL);
}

struct tensor *graph_distance_by(struct graph *g, struct tensor *x, struct tensor *target, enum dist_kind kind,
                                 struct tensor *c)
{
	if (tensor_count(c) != (size_t)x->n)
		BUG("distance: %zu numbers c for %lld samples", tensor_count(c), (long long)x->n);
	return record(g, x, target, kind, 0, c);
}

static double term(enum dist_kind kind, double e, double c)
{
	switch (kind) {
	case DIST_HUBER:
	case DIST_CAUCHY_SUM:
	case DIST_CAUCHY_MEAN:
	case DIST_L2_SUM:
	case DIST_L2_MEAN: return e * e;
	case DIST_L1_SUM:
	case DIST_L1_MEAN: return fabs(e);
	case DIST_HUBER_PIXEL:
	case DIST_HUBER_ELEMENT: return e == 0 ? 0 : e * e / (sqrt(e * e + c * c) + c);
	}
	BUG("distance %d", (int)kind);
}

static double finish(enum dist_kind kind, double sum, double c, double count)
{
	switch (kind) {
	case DIST_HUBER: return sum == 0 ? 0 : sum / (sqrt(sum + c * c) + c);
	case DIST_CAUCHY_SUM: return log1p(sum / (2 * c * c));
	case DIST_CAUCHY_MEAN: return log1p(sum / count / (2 * c * c));
	case DIST_L2_MEAN:
	case DIST_L1_MEAN:
	case DIST_HUBER_PIXEL: return sum / count;
	default: return sum;
	}
}

/* d d / d e for one value; d: the finished distance. */
static double slope(enum dist_kind kind, double e, double c, double d, double count)
{
	switch (kind) {
	case DIST_HUBER: return d + c > 0 ? e / (d + c) : 0; /* sqrt(S + c^2) = d + c */
	case DIST_CAUCHY_SUM: return e / (c * c * exp(d));   /* 1 + S / (2 c^2) = exp(d) */
	case DIST_CAUCHY_MEAN: return e / (c * c * exp(d)) / count;
	case DIST_L2_SUM: return 2 * e;
	case DIST_L2_MEAN: return 2 * e / count;
	case DIST_L1_SUM: return (double)((e > 0) - (e < 0));
	case DIST_L1_MEAN: return (double)((e > 0) - (e < 0)) / count;
	case DIST_HUBER_PIXEL: return e == 0 ? 0 : e / sqrt(e * e + c * c) / count;
	case DIST_HUBER_ELEMENT: return e == 0 ? 0 : e / sqrt(e * e + c * c);
	}
	BUG("distance %d", (int)kind);
}

static void distance_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0], *y = nd->src[1];
	size_t per = tensor_count(x) / (size_t)x->n;
	for (size_t n = 0; n < (size_t)x->n; n++) {
		double sum = 0, c = nd->src[2] ? nd->src[2]->ref[n] : nd->args.dist.c;
		for (size_t i = n * per; i < (n + 1) * per; i++)
			sum += term(nd->args.dist.kind, x->ref[i] - y->ref[i], c);
		nd->dst[0]->ref[n] = finish(nd->args.dist.kind, sum, c, (double)per);
	}
}

CPU_KERNEL static double square_sum(const float *x, const float *y, int64_t n)
{
	enum { LANES = 32 };
	double total = 0;
	for (int64_t at = 0; at < n; at += LANES) {
		int64_t m = n - at < LANES ? n - at : LANES;
		double e2[LANES] = { 0 };
		for (int64_t i = 0; i < m; i++) {
			double e = (double)x[at + i] - (double)y[at + i];
			e2[i] = e * e;
		}
		for (int i = 0; i < LANES; i++)
			total += e2[i];
	}
	return total;
}

static void distance_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	enum dist_kind kind = nd->args.dist.kind;
	int64_t per = (int64_t)tensor_count(nd->src[0]) / nd->src[0]->n;
	for (int64_t n = first; n < last; n++) {
		const float *x = nd->src[0]->data + n * per, *y = nd->src[1]->data + n * per;
		double sum = 0, c = nd->src[2] ? (double)nd->src[2]->data[n] : nd->args.dist.c;
		if (kind <= DIST_L2_MEAN)
			sum = square_sum(x, y, per);
		else
			for (int64_t i = 0; i < per; i++)
				sum += term(kind, (double)x[i] - (double)y[i], c);
		nd->dst[0]->data[n] = (float)finish(kind, sum, c, (double)per);
	}
}

static void distance_cpu(struct node *nd)
{
	cpu_split(nd->src[0]->n, 1, distance_range, nd);
}

static void distance_backward(struct graph *g, struct node *nd)
{
	if (nd->src[1]->needs_grad)
		BUG("distance: the target is a constant (stop-gradient)");
	struct tensor *dx = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_distance_bwd, &nd->args, 5,
	                 (struct tensor *[]){ nd->dst[0]->grad, nd->src[0], nd->src[1], nd->dst[0], nd->src[2] }, 1, &dx);
	graph_add_grad(g, nd->src[0], dx);
}

/* Of both images alike, since d is of their difference. */
static struct tensor *distance_jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	REQUIRE(!d[2]); /* c is no function of what is trained */
	struct tensor *slope = graph_like(g, nd->src[0]), *one = graph_constant(g, nd->dst[0], 1);
	(void)graph_node(g, OP_distance_bwd, &nd->args, 5,
	                 (struct tensor *[]){ one, nd->src[0], nd->src[1], nd->dst[0], nd->src[2] }, 1, &slope);
	struct tensor *of_target = d[1] ? graph_scale(g, d[1], -1) : NULL;
	return graph_dot(g, slope, tangent_sum(g, d[0], of_target));
}

/* x, target, [c (N)] -> d (N) */
const struct op_row op_distance = {
	.name = "distance",
	.meaning = "d[n] between two images: pseudo-huber, cauchy, l2, l1, element-wise huber",
	.ref = distance_ref,
	.cpu = distance_cpu,
	.backward = distance_backward,
	.jvp = distance_jvp,
};

/* ---- distance_bwd: dd (N), x, target, d (N), [c (N)] -> dx ----------------------------------- */

static void distance_bwd_ref(struct node *nd)
{
	const struct tensor *x = nd->src[1];
	size_t per = tensor_count(x) / (size_t)x->n;
	for (size_t i = 0; i < tensor_count(x); i++) {
		double c = nd->src[4] ? nd->src[4]->ref[i / per] : nd->args.dist.c;
		nd->dst[0]->ref[i] = nd->src[0]->ref[i / per] * slope(nd->args.dist.kind, x->ref[i] - nd->src[2]->ref[i], c,
		                                                      nd->src[3]->ref[i / per], (double)per);
	}
}

CPU_KERNEL static void scaled_difference(float *dx, const float *x, const float *y, float s, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		dx[i] = (x[i] - y[i]) * s;
}

static void distance_bwd_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	enum dist_kind kind = nd->args.dist.kind;
	int64_t per = (int64_t)tensor_count(nd->src[1]) / nd->src[1]->n;
	for (int64_t n = first; n < last; n++) {
		const float *x = nd->src[1]->data + n * per, *y = nd->src[2]->data + n * per;
		float *dx = nd->dst[0]->data + n * per;
		double up = (double)nd->src[0]->data[n], d = (double)nd->src[3]->data[n],
			   c = nd->src[4] ? (double)nd->src[4]->data[n] : nd->args.dist.c;
		if (kind <= DIST_L2_MEAN) { /* the slope is proportional to e */
			scaled_difference(dx, x, y, (float)(up * slope(kind, 1, c, d, (double)per)), per);
			continue;
		}
		for (int64_t i = 0; i < per; i++)
			dx[i] = (float)(up * slope(kind, (double)x[i] - (double)y[i], c, d, (double)per));
	}
}

static void distance_bwd_cpu(struct node *nd)
{
	cpu_split(nd->src[1]->n, 1, distance_bwd_range, nd);
}

const struct op_row op_distance_bwd = {
	.name = "distance_bwd",
	.meaning = "gradient of distance with respect to its first image",
	.ref = distance_bwd_ref,
	.cpu = distance_bwd_cpu,
};

/* ---- weighted_mean: d (N), w (N) -> total (1) ------------------------------------------------ */

struct tensor *graph_weighted_mean(struct graph *g, struct tensor *d, struct tensor *w)
{
	if (tensor_count(d) != tensor_count(w))
		BUG("weighted_mean: %zu values, %zu weights", tensor_count(d), tensor_count(w));
	struct tensor *total = graph_temp(g, 1, 1, 1, 1);
	(void)graph_node(g, OP_weighted_mean, NULL, 2, (struct tensor *[]){ d, w }, 1, &total);
	return total;
}

static void weighted_mean_ref(struct node *nd)
{
	double sum = 0;
	for (size_t i = 0; i < tensor_count(nd->src[0]); i++)
		sum += nd->src[0]->ref[i] * nd->src[1]->ref[i];
	nd->dst[0]->ref[0] = sum / (double)tensor_count(nd->src[0]);
}

static void weighted_mean_cpu(struct node *nd)
{
	double sum = 0;
	for (size_t i = 0; i < tensor_count(nd->src[0]); i++)
		sum += (double)nd->src[0]->data[i] * (double)nd->src[1]->data[i];
	nd->dst[0]->data[0] = (float)(sum / (double)tensor_count(nd->src[0]));
}

static void weighted_mean_backward(struct graph *g, struct node *nd)
{
	struct tensor *dd = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_weighted_mean_bwd, NULL, 2, (struct tensor *[]){ nd->src[1], nd->dst[0]->grad }, 1, &dd);
	graph_add_grad(g, nd->src[0], dd);
}

const struct op_row op_weighted_mean = {
	.name = "weighted_mean",
	.meaning = "total = mean over n of w[n] * d[n]",
	.ref = weighted_mean_ref,
	.cpu = weighted_mean_cpu,
	.backward = weighted_mean_backward,
	.jvp = tangent_product,
};

/* weighted_mean_bwd: w (N), [dtotal (1)] -> dd = w dtotal / N; without dtotal it is 1: the root of a loss. */
static void weighted_mean_bwd_ref(struct node *nd)
{
	size_t n = tensor_count(nd->dst[0]);
	for (size_t i = 0; i < n; i++)
		nd->dst[0]->ref[i] = nd->src[0]->ref[i] / (double)n * (nd->src[1] ? nd->src[1]->ref[0] : 1);
}

static void weighted_mean_bwd_cpu(struct node *nd)
{
	size_t n = tensor_count(nd->dst[0]);
	for (size_t i = 0; i < n; i++)
		nd->dst[0]->data[i] = nd->src[0]->data[i] / (float)n * (nd->src[1] ? nd->src[1]->data[0] : 1);
}

const struct op_row op_weighted_mean_bwd = {
	.name = "weighted_mean_bwd",
	.meaning = "gradient of weighted_mean",
	.ref = weighted_mean_bwd_ref,
	.cpu = weighted_mean_bwd_cpu,
};
