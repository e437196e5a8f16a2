/* layernorm.c - layer norm (Ba et al., arXiv:1607.06450): each pixel, which is a token, by the mean and the variance of
 * its own channels.
 *   m = mean_c x[c],  v = mean_c (x[c] - m)^2,  h[c] = (x[c] - m) / sqrt(v + eps),  y[c] = h[c] w[c] + b[c]
 * x (N,H,W,C), w and b (1,1,1,C). Groupnorm's statistics are an image's, so it is another op. */
#include "model/graph/tangent.h"

#include "model/base/cpu.h"
#include "model/base/err.h"

#include <math.h>
#include <string.h>

struct tensor *graph_layernorm(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b, double eps)
{
	if (w->c != x->c || b->c != x->c)
		BUG("layernorm: %lld channels, %lld weights, %lld biases", (long long)x->c, (long long)w->c, (long long)b->c);
	struct tensor *y = graph_like(g, x);
	union op_args args = { .norm = { .eps = eps } };
	(void)graph_node(g, OP_layernorm, &args, 3, (struct tensor *[]){ x, w, b }, 1, &y);
	return y;
}

/* Mean and 1 / sqrt(v + eps) of n channels. */
struct token {
	double mean, rstd;
};

static struct token token_ref(const double *x, int64_t n, double eps)
{
	double mean = 0, v = 0;
	for (int64_t c = 0; c < n; c++)
		mean += x[c] / (double)n;
	for (int64_t c = 0; c < n; c++)
		v += (x[c] - mean) * (x[c] - mean) / (double)n;
	return (struct token){ mean, 1 / sqrt(v + eps) };
}

static void forward_ref(struct node *nd)
{
	const struct tensor *x = nd->src[0], *w = nd->src[1], *b = nd->src[2];
	for (int64_t i = 0; i < tensor_pixels(x); i++) {
		struct token t = token_ref(x->ref + i * x->c, x->c, nd->args.norm.eps);
		for (int64_t c = 0; c < x->c; c++)
			nd->dst[0]->ref[i * x->c + c] = (x->ref[i * x->c + c] - t.mean) * t.rstd * w->ref[c] + b->ref[c];
	}
}

enum { LANES = 16 }; /* sums that run beside each other, added in a fixed order */

ALWAYS_INLINE float lanes_sum(const float *lane)
{
	float sum = 0;
	for (int k = 0; k < LANES; k++)
		sum += lane[k];
	return sum;
}

CPU_KERNEL static void token_forward(float *y, const float *x, const float *w, const float *b, int64_t n, float eps)
{
	float lane[LANES] = { 0 };
	int64_t whole = n - n % LANES;
	for (int64_t c = 0; c < whole; c += LANES)
		for (int k = 0; k < LANES; k++)
			lane[k] += x[c + k];
	for (int64_t c = whole; c < n; c++)
		lane[c - whole] += x[c];
	float mean = lanes_sum(lane) / (float)n;
	memset(lane, 0, sizeof lane);
	for (int64_t c = 0; c < whole; c += LANES)
		for (int k = 0; k < LANES; k++)
			lane[k] += (x[c + k] - mean) * (x[c + k] - mean);
	for (int64_t c = whole; c < n; c++)
		lane[c - whole] += (x[c] - mean) * (x[c] - mean);
	float rstd = 1.0f / sqrtf(lanes_sum(lane) / (float)n + eps);
	for (int64_t c = 0; c < n; c++)
		y[c] = (x[c] - mean) * rstd * w[c] + b[c];
}

static void forward_range(void *ctx, int64_t first, int64_t last)
{
	struct node *nd = ctx;
	int64_t c = nd->src[0]->c;
	for (int64_t i = first; i < last; i++)
		token_forward(nd->dst[0]->data + i * c, nd->src[0]->data + i * c, nd->src[1]->data, nd->src[2]->data, c,
		              (float)nd->args.norm.eps);
}

static void forward_cpu(struct node *nd)
{
	cpu_split(tensor_pixels(nd->src[0]), 16, forward_range, nd);
}

static void backward(struct graph *g, struct node *nd)
{
	struct tensor *x = nd->src[0], *w = nd->src[1], *b = nd->src[2];
	struct tensor *dst[3] = { graph_like(g, x), graph_grad_dst(g, w), graph_grad_dst(g, b) };
	(void)graph_node(g, OP_layernorm_bwd, &nd->args, 3, (struct tensor *[]){ nd->dst[0]->grad, x, w }, 3, dst);
	for (int i = 0; i < 3; i++)
		if (nd->src[i]->needs_grad)
			graph_add_grad(g, nd->src[i], dst[i]);
}

static struct tensor *jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	struct tensor *x = nd->src[0], *y = graph_like(g, x);
	(void)graph_node(g, OP_layernorm_jvp, &nd->args, 5,
	                 (struct tensor *[]){ tangent_or_zeros(g, d[0], x), x, nd->src[1], d[1], d[2] }, 1, &y);
	return y;
}

const struct op_row op_layernorm = { .name = "layernorm",
	                                 .meaning = "y = (x - mean) / sqrt(var + eps) * w + b, over each pixel's channels",
	                                 .ref = forward_ref,
	                                 .cpu = forward_cpu,
	                                 .backward = backward,
	                                 .jvp = jvp };

/* ---- layernorm_bwd: dy, x, w -> dx, dw, db --------------------------------------------------------
 *   db = sum dy,  dw = sum dy h,  dx = rstd (u - mean_c u - h mean_c (u h)),  u = dy w
 * No network here trains through it on a CPU, where it is the specification. */
static void backward_ref(struct node *nd)
{
	const struct tensor *x = nd->src[1];
	const double *w = nd->src[2]->ref;
	double *dw = nd->dst[1]->ref, *db = nd->dst[2]->ref, n = (double)x->c;
	memset(dw, 0, (size_t)x->c * sizeof *dw);
	memset(db, 0, (size_t)x->c * sizeof *db);
	for (int64_t i = 0; i < tensor_pixels(x); i++) {
		const double *at = x->ref + i * x->c, *dy = nd->src[0]->ref + i * x->c;
		struct token t = token_ref(at, x->c, nd->args.norm.eps);
		double mean_u = 0, mean_uh = 0;
		for (int64_t c = 0; c < x->c; c++) {
			double h = (at[c] - t.mean) * t.rstd;
			mean_u += dy[c] * w[c] / n;
			mean_uh += dy[c] * w[c] * h / n;
			dw[c] += dy[c] * h;
			db[c] += dy[c];
		}
		for (int64_t c = 0; c < x->c; c++) {
			double h = (at[c] - t.mean) * t.rstd;
			nd->dst[0]->ref[i * x->c + c] = t.rstd * (dy[c] * w[c] - mean_u - h * mean_uh);
		}
	}
}

const struct op_row op_layernorm_bwd = {
	.name = "layernorm_bwd", .meaning = "dx, dw, db of layernorm", .ref = backward_ref, .cpu = op_cpu_by_ref
};

/* ---- layernorm_jvp: d, x, w, [dw], [db] -> dy = dh w + h dw + db -----------------------------------
 *   dh = rstd (d - mean_c d - h mean_c (d h));  on a CPU, where no network here is trained by it, the specification */
static void jvp_ref(struct node *nd)
{
	const struct tensor *x = nd->src[1], *w = nd->src[2], *dw = nd->src[3], *db = nd->src[4];
	double n = (double)x->c;
	for (int64_t i = 0; i < tensor_pixels(x); i++) {
		const double *at = x->ref + i * x->c, *d = nd->src[0]->ref + i * x->c;
		struct token t = token_ref(at, x->c, nd->args.norm.eps);
		double mean_d = 0, mean_dh = 0;
		for (int64_t c = 0; c < x->c; c++) {
			mean_d += d[c] / n;
			mean_dh += d[c] * (at[c] - t.mean) * t.rstd / n;
		}
		for (int64_t c = 0; c < x->c; c++) {
			double h = (at[c] - t.mean) * t.rstd;
			nd->dst[0]->ref[i * x->c + c] = t.rstd * (d[c] - mean_d - h * mean_dh) * w->ref[c] +
			                                (dw ? h * dw->ref[c] : 0) + (db ? db->ref[c] : 0);
		}
	}
}

const struct op_row op_layernorm_jvp = {
	.name = "layernorm_jvp", .meaning = "change of layernorm", .ref = jvp_ref, .cpu = op_cpu_by_ref
};
