/* gelu.c - Gaussian error linear units (Hendrycks and Gimpel, arXiv:1606.08415), exact and by the paper's sigmoid:
 *   y = x P(x),  P(x) = (1 + erf(x / sqrt 2)) / 2,  dy/dx = P(x) + x exp(-x^2 / 2) / sqrt(2 pi)
 *   quick: y = x s,  s = 1 / (1 + exp(-1.702 x)),  dy/dx = s (1 + 1.702 x (1 - s)) */
#include "model/graph/graph.h"

#include "model/base/cpu.h"

#include <math.h>

#define QUICK 1.702

struct tensor *graph_gelu(struct graph *g, struct tensor *x, bool quick)
{
	struct tensor *y = graph_like(g, x);
	(void)graph_node(g, OP_gelu, &(union op_args){ .gelu = { quick } }, 1, &x, 1, &y);
	return y;
}

/* By erfc: 1 + erf has no digits left below about -6. */
static double below(double x)
{
	return erfc(-x / sqrt(2)) / 2;
}

static void forward_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++) {
		double x = nd->src[0]->ref[i];
		nd->dst[0]->ref[i] = nd->args.gelu.quick ? x / (1 + exp(-QUICK * x)) : x * below(x);
	}
}

/* P(-s) of s >= 0: exp(-s^2 / 2) t q(t) with t = 1 / (1 + 0.26 s), where q interpolates P(-s) exp(s^2 / 2) / t in the
 * nine Chebyshev nodes of s in [0, 9.5]; there it is relatively off by 9e-9, and beyond P(-s) is below 2e-21. */
ALWAYS_INLINE float tail_approx(float s)
{
	float t = 1.0f / (1.0f + 0.26f * s);
	float q = 0.033386712f;
	q = q * t - 0.167222961f;
	q = q * t + 0.282208928f;
	q = q * t - 0.187474909f;
	q = q * t + 0.187378889f;
	q = q * t + 0.0391246931f;
	q = q * t + 0.106284576f;
	q = q * t + 0.102523246f;
	q = q * t + 0.103790832f;
	return exp_approx(-0.5f * s * s) * t * q;
}

CPU_KERNEL static void exact_kernel(float *restrict y, const float *restrict x, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		float tail = x[i] * tail_approx(fabsf(x[i]));
		y[i] = x[i] > 0 ? x[i] - tail : tail;
	}
}

CPU_KERNEL static void quick_kernel(float *restrict y, const float *restrict x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = x[i] * sigmoid_approx((float)QUICK * x[i]);
}

static void forward_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	(nd->args.gelu.quick ? quick_kernel : exact_kernel)(nd->dst[0]->data + first, nd->src[0]->data + first,
	                                                    last - first);
}

static void forward_cpu(struct node *nd)
{
	cpu_split((int64_t)tensor_count(nd->dst[0]), 16384, forward_range, nd);
}

/* A change of one side times the slope: of y's gradient, or of x. */
static struct tensor *slope(struct graph *g, struct node *nd, struct tensor *d)
{
	struct tensor *y = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_gelu_bwd, &nd->args, 2, (struct tensor *[]){ d, nd->src[0] }, 1, &y);
	return y;
}

static void backward(struct graph *g, struct node *nd)
{
	graph_add_grad(g, nd->src[0], slope(g, nd, nd->dst[0]->grad));
}

static struct tensor *jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	return slope(g, nd, d[0]);
}

const struct op_row op_gelu = { .name = "gelu",
	                            .meaning = "y = x P(x), P the normal distribution; quick: x sigmoid(1.702 x)",
	                            .ref = forward_ref,
	                            .cpu = forward_cpu,
	                            .backward = backward,
	                            .jvp = jvp };

/* gelu_bwd: dy, x -> dx; on a CPU, where no network trains through it, the specification. */
static void backward_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++) {
		double x = nd->src[1]->ref[i], s = 1 / (1 + exp(-QUICK * x));
		double slope = nd->args.gelu.quick ? s * (1 + QUICK * x * (1 - s))
		                                   : below(x) + x * exp(-x * x / 2) / sqrt(2 * M_PI);
		nd->dst[0]->ref[i] = nd->src[0]->ref[i] * slope;
	}
}

const struct op_row op_gelu_bwd = {
	.name = "gelu_bwd", .meaning = "dx of gelu from dy and x", .ref = backward_ref, .cpu = op_cpu_by_ref
};
