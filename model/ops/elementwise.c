/* elementwise.c - the small ops that touch each value once: silu, sums, scaling, per-sample combinations, relu's
 * gradient. */
#include "model/graph/tangent.h"

#include "model/base/err.h"
#include "model/base/cpu.h"

#include <math.h>

/* One loop over n values split over threads; the kernel sees pointers already moved to its range. */
struct span {
	float *dst;
	const float *a, *b;
	float s;
	void (*kernel)(float *dst, const float *a, const float *b, float s, int64_t n);
};

static void span_range(void *ctx, int64_t first, int64_t last)
{
	struct span *p = ctx;
	p->kernel(p->dst + first, p->a + first, p->b ? p->b + first : NULL, p->s, last - first);
}

static void run_span(struct node *nd, void (*kernel)(float *dst, const float *a, const float *b, float s, int64_t n),
                     float s)
{
	struct span p = { nd->dst[0]->data, nd->src[0]->data, nd->n_src > 1 && nd->src[1] ? nd->src[1]->data : NULL, s,
		              kernel };
	cpu_split((int64_t)tensor_count(nd->dst[0]), 16384, span_range, &p);
}

static struct tensor *unary(struct graph *g, enum op op, const union op_args *a, struct tensor *x)
{
	struct tensor *y = graph_like(g, x);
	(void)graph_node(g, op, a, 1, &x, 1, &y);
	return y;
}

/* ---- silu: x -> y = x s, s = 1 / (1 + exp(-x)); dy/dx = s (1 + x (1 - s)) -------------------- */

struct tensor *graph_silu(struct graph *g, struct tensor *x)
{
	return unary(g, OP_silu, NULL, x);
}

static void silu_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->ref[i] = nd->src[0]->ref[i] / (1 + exp(-nd->src[0]->ref[i]));
}

CPU_KERNEL static void silu_kernel(float *dst, const float *a, const float *b, float s, int64_t n)
{
	(void)b, (void)s;
	for (int64_t i = 0; i < n; i++)
		dst[i] = a[i] * sigmoid_approx(a[i]);
}

static void silu_cpu(struct node *nd)
{
	run_span(nd, silu_kernel, 0);
}

/* A change of one side times the slope: of y's gradient, or of x. */
static struct tensor *silu_slope(struct graph *g, struct node *nd, struct tensor *d)
{
	struct tensor *y = graph_like(g, nd->src[0]);
	(void)graph_node(g, OP_silu_bwd, NULL, 2, (struct tensor *[]){ d, nd->src[0] }, 1, &y);
	return y;
}

static void silu_backward(struct graph *g, struct node *nd)
{
	graph_add_grad(g, nd->src[0], silu_slope(g, nd, nd->dst[0]->grad));
}

static struct tensor *silu_jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	return silu_slope(g, nd, d[0]);
}

const struct op_row op_silu = { .name = "silu",
	                            .meaning = "y = x * sigmoid(x)",
	                            .ref = silu_ref,
	                            .cpu = silu_cpu,
	                            .backward = silu_backward,
	                            .jvp = silu_jvp,
	                            .strided = true,
	                            .low = true };

static void silu_bwd_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++) {
		double x = nd->src[1]->ref[i], s = 1 / (1 + exp(-x));
		nd->dst[0]->ref[i] = nd->src[0]->ref[i] * s * (1 + x * (1 - s));
	}
}

CPU_KERNEL static void silu_bwd_kernel(float *dst, const float *a, const float *b, float s, int64_t n)
{
	(void)s;
	for (int64_t i = 0; i < n; i++) {
		float sig = sigmoid_approx(b[i]);
		dst[i] = a[i] * sig * (1.0f + b[i] * (1.0f - sig));
	}
}

static void silu_bwd_cpu(struct node *nd)
{
	run_span(nd, silu_bwd_kernel, 0);
}

const struct op_row op_silu_bwd = { .name = "silu_bwd",
	                                .meaning = "dx of silu from dy and x",
	                                .ref = silu_bwd_ref,
	                                .cpu = silu_bwd_cpu,
	                                .inplace = true,
	                                .strided = true,
	                                .low = true };

/* ---- relu_bwd: dy, y -> dx = dy where y > 0 -------------------------------------------------- */

static void relu_bwd_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->ref[i] = nd->src[1]->ref[i] > 0 ? nd->src[0]->ref[i] : 0;
}

CPU_KERNEL static void relu_bwd_kernel(float *dst, const float *a, const float *b, float s, int64_t n)
{
	(void)s;
	for (int64_t i = 0; i < n; i++)
		dst[i] = b[i] > 0 ? a[i] : 0;
}

static void relu_bwd_cpu(struct node *nd)
{
	run_span(nd, relu_bwd_kernel, 0);
}

const struct op_row op_relu_bwd = {
	.name = "relu_bwd", .meaning = "dx = dy where y > 0", .ref = relu_bwd_ref, .cpu = relu_bwd_cpu, .inplace = true
};

/* ---- add_scaled: a, b -> (a + b) s ----------------------------------------------------------- */

static struct tensor *record_sum(struct graph *g, enum op op, struct tensor *a, struct tensor *b, double s)
{
	if (tensor_count(a) != tensor_count(b))
		BUG("%s: %zu and %zu values", op_row(op)->name, tensor_count(a), tensor_count(b));
	struct tensor *y = graph_like(g, a);
	(void)graph_node(g, op, &(union op_args){ .scale = { s } }, 2, (struct tensor *[]){ a, b }, 1, &y);
	return y;
}

struct tensor *graph_add_scaled(struct graph *g, struct tensor *a, struct tensor *b, double s)
{
	return record_sum(g, OP_add_scaled, a, b, s);
}

static void add_scaled_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->ref[i] = (nd->src[0]->ref[i] + nd->src[1]->ref[i]) * nd->args.scale.s;
}

CPU_KERNEL static void add_scaled_kernel(float *dst, const float *a, const float *b, float s, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		dst[i] = (a[i] + b[i]) * s;
}

static void add_scaled_cpu(struct node *nd)
{
	run_span(nd, add_scaled_kernel, (float)nd->args.scale.s);
}

static void add_scaled_backward(struct graph *g, struct node *nd)
{
	struct tensor *d = nd->dst[0]->grad;
	if (nd->args.scale.s != 1)
		d = graph_scale(g, d, nd->args.scale.s);
	graph_add_grad(g, nd->src[0], d); /* both branches read one gradient; code that adds to it makes a new tensor */
	graph_add_grad(g, nd->src[1], d);
}

static struct tensor *add_scaled_jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	if (d[0] && d[1])
		return graph_add_scaled(g, d[0], d[1], nd->args.scale.s);
	return graph_scale(g, d[0] ? d[0] : d[1], nd->args.scale.s);
}

const struct op_row op_add_scaled = {
	.name = "add_scaled",
	.meaning = "y = (a + b) * s",
	.ref = add_scaled_ref,
	.cpu = add_scaled_cpu,
	.backward = add_scaled_backward,
	.jvp = add_scaled_jvp,
	.inplace = true,
	.strided = true,
	.low = true,
};

/* ---- detached: a, b -> a + b s, no gradient -------------------------------------------------- */

struct tensor *graph_detached(struct graph *g, struct tensor *a, struct tensor *b, double s)
{
	return record_sum(g, OP_detached, a, b, s);
}

static void detached_ref(struct node *nd)
{
	for (size_t i = 0; i < tensor_count(nd->dst[0]); i++)
		nd->dst[0]->ref[i] = nd->src[0]->ref[i] + nd->src[1]->ref[i] * nd->args.scale.s;
}

CPU_KERNEL static void detached_kernel(float *dst, const float *a, const float *b, float s, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		dst[i] = a[i] + b[i] * s;
}

static void detached_cpu(struct node *nd)
{
	run_span(nd, detached_kernel, (float)nd->args.scale.s);
}

const struct op_row op_detached = {
	.name = "detached", .meaning = "y = a + b * s, no gradient", .ref = detached_ref, .cpu = detached_cpu
};

/* ---- scale: x -> x s, [the sums of that over pixels] ------------------------------------------ */

struct tensor *graph_scale(struct graph *g, struct tensor *x, double s)
{
	return unary(g, OP_scale, &(union op_args){ .scale = { s } }, x);
}

static void scale_ref(struct node *nd)
{
	struct tensor *y = nd->dst[0], *sums = nd->dst[1];
	for (size_t i = 0; i < tensor_count(y); i++)
		y->ref[i] = nd->src[0]->ref[i] * nd->args.scale.s;
	for (size_t i = 0; sums && i < tensor_count(y); i++)
		sums->ref[i % (size_t)y->c] = (i < (size_t)y->c ? 0 : sums->ref[i % (size_t)y->c]) + y->ref[i];
}

CPU_KERNEL static void scale_kernel(float *dst, const float *a, const float *b, float s, int64_t n)
{
	(void)b;
	for (int64_t i = 0; i < n; i++)
		dst[i] = a[i] * s;
}

static void scale_cpu(struct node *nd)
{
	REQUIRE(!nd->dst[1]);
	run_span(nd, scale_kernel, (float)nd->args.scale.s);
}

static void scale_backward(struct graph *g, struct node *nd)
{
	graph_add_grad(g, nd->src[0], graph_scale(g, nd->dst[0]->grad, nd->args.scale.s));
}

static int scale_sums(const struct node *nd)
{
	(void)nd;
	return 1;
}

const struct op_row op_scale = { .name = "scale",
	                             .meaning = "y = x * s",
	                             .ref = scale_ref,
	                             .cpu = scale_cpu,
	                             .backward = scale_backward,
	                             .jvp = tangent_linear,
	                             .sums = scale_sums,
	                             .inplace = true,
	                             .strided = true,
	                             .low = true };

/* ---- lincomb: a (N,1,1,1), x, [b, y] -> a[n] x + b[n] y -------------------------------------- */

struct tensor *graph_lincomb(struct graph *g, struct tensor *a, struct tensor *x, struct tensor *b, struct tensor *y)
{
	if (a->n != x->n || tensor_count(a) != (size_t)a->n || (y && tensor_count(y) != tensor_count(x)))
		BUG("lincomb: %lld coefficients for %lld images", (long long)tensor_count(a), (long long)x->n);
	struct tensor *dst = graph_like(g, x);
	(void)graph_node(g, OP_lincomb, NULL, 4, (struct tensor *[]){ a, x, b, y }, 1, &dst);
	return dst;
}

static void lincomb_ref(struct node *nd)
{
	const struct tensor *a = nd->src[0], *x = nd->src[1], *b = nd->src[2], *y = nd->src[3];
	size_t per = tensor_count(x) / (size_t)x->n;
	for (size_t i = 0; i < tensor_count(x); i++)
		nd->dst[0]->ref[i] = a->ref[i / per] * x->ref[i] + (y ? b->ref[i / per] * y->ref[i] : 0);
}

CPU_KERNEL static void lincomb_kernel(float *dst, float a, const float *x, float b, const float *y, int64_t n)
{
	if (y) {
		for (int64_t i = 0; i < n; i++)
			dst[i] = a * x[i] + b * y[i];
	} else {
		for (int64_t i = 0; i < n; i++)
			dst[i] = a * x[i];
	}
}

static void lincomb_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	const struct tensor *a = nd->src[0], *x = nd->src[1], *b = nd->src[2], *y = nd->src[3];
	int64_t per = x->h * x->w * x->c;
	for (int64_t n = first; n < last; n++)
		lincomb_kernel(nd->dst[0]->data + n * per, a->data[n], x->data + n * per, b ? b->data[n] : 0,
		               y ? y->data + n * per : NULL, per);
}

static void lincomb_cpu(struct node *nd)
{
	cpu_split(nd->dst[0]->n, 1, lincomb_range, nd);
}

static void lincomb_backward(struct graph *g, struct node *nd)
{
	struct tensor *dy = nd->dst[0]->grad;
	for (int i = 0; i < 4; i += 2) {
		struct tensor *coefficient = nd->src[i], *x = nd->src[i + 1];
		if (x && x->needs_grad)
			graph_add_grad(g, x, graph_lincomb(g, coefficient, dy, NULL, NULL));
	}
}

/* a x + b y, where a pair may lack one of its two. */
static struct tensor *combine(struct graph *g, struct tensor *a, struct tensor *x, struct tensor *b, struct tensor *y)
{
	if (!a || !x)
		return b && y ? graph_lincomb(g, b, y, NULL, NULL) : NULL;
	return b && y ? graph_lincomb(g, a, x, b, y) : graph_lincomb(g, a, x, NULL, NULL);
}

static struct tensor *lincomb_jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	return tangent_sum(g, combine(g, nd->src[0], d[1], nd->src[2], d[3]),
	                   combine(g, d[0], nd->src[1], d[2], nd->src[3]));
}

const struct op_row op_lincomb = {
	.name = "lincomb",
	.meaning = "dst = a[n] * x + b[n] * y",
	.ref = lincomb_ref,
	.cpu = lincomb_cpu,
	.backward = lincomb_backward,
	.jvp = lincomb_jvp,
};
