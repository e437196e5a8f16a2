/* posterior_mean.c - what a noisy picture was, if it was one of several known ones: their mean, each weighted by how
 * likely the noise is that leads from it. With x (N images) at noise levels s (N), the sample's own picture o (N
 * images), references y (M images) of classes k' (M), the samples' classes k (N) and a (N), the number of the reference
 * that is the sample's own picture, or -1,
 *
 *   mean[n] = sum_j W_j y_j,  W = softmax over j of -|x_n - y_j|^2 / (2 s_n^2)
 *
 * over o_n itself and the references of its class but a_n, so that no picture counts twice. Distances and weights are
 * in double, and every sum is in an order that shapes alone decide. No gradient flows. */
#include "model/graph/graph.h"

#include "model/base/cpu.h"
#include "model/base/err.h"

#include <math.h>

enum { X, OWN, Y, SIGMA, AT, CLASS, Y_CLASS, N_SOURCES };

struct tensor *graph_posterior_mean(struct graph *g, const struct posterior_sources *s)
{
	int64_t n = s->x->n, m = s->y->n, per = (int64_t)tensor_count(s->x) / n;
	if (tensor_count(s->own) != tensor_count(s->x) || (int64_t)tensor_count(s->y) != m * per)
		BUG("posterior_mean: images of %lld values, %zu of %lld pictures and %zu of %lld references", (long long)per,
		    tensor_count(s->own), (long long)n, tensor_count(s->y), (long long)m);
	if ((int64_t)tensor_count(s->sigma) != n || (int64_t)tensor_count(s->at) != n ||
	    (int64_t)tensor_count(s->label) != n || (int64_t)tensor_count(s->y_label) != m)
		BUG("posterior_mean: numbers of %lld samples and %lld references", (long long)n, (long long)m);
	struct tensor *mean = graph_like(g, s->x);
	struct tensor *src[N_SOURCES] = { s->x, s->own, s->y, s->sigma, s->at, s->label, s->y_label };
	(void)graph_node(g, OP_posterior_mean, NULL, N_SOURCES, src, 1, &mean);
	return mean;
}

static double distance_ref(const double *a, const double *b, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	return sum;
}

/* Is reference j one of sample n's pictures? */
static bool counts_ref(const struct node *nd, size_t n, size_t j)
{
	return (double)j != nd->src[AT]->ref[n] && nd->src[CLASS]->ref[n] == nd->src[Y_CLASS]->ref[j];
}

static void posterior_mean_ref(struct node *nd)
{
	const double *x = nd->src[X]->ref, *own = nd->src[OWN]->ref, *y = nd->src[Y]->ref;
	size_t m = (size_t)nd->src[Y]->n, per = tensor_count(nd->src[X]) / (size_t)nd->src[X]->n;
	double *mean = nd->dst[0]->ref;
	for (size_t n = 0; n < (size_t)nd->src[X]->n; n++, x += per, own += per, mean += per) {
		double s = nd->src[SIGMA]->ref[n], least = distance_ref(x, own, per);
		for (size_t j = 0; j < m; j++)
			if (counts_ref(nd, n, j))
				least = fmin(least, distance_ref(x, y + j * per, per));
		double w = exp((least - distance_ref(x, own, per)) / (2 * s * s)), sum = w;
		for (size_t i = 0; i < per; i++)
			mean[i] = w * own[i];
		for (size_t j = 0; j < m; j++) {
			if (!counts_ref(nd, n, j))
				continue;
			sum += w = exp((least - distance_ref(x, y + j * per, per)) / (2 * s * s));
			for (size_t i = 0; i < per; i++)
				mean[i] += w * y[j * per + i];
		}
		for (size_t i = 0; i < per; i++)
			mean[i] /= sum;
	}
}

/* ---- on the CPU ---------------------------------------------------------------------------------
 * Scratch: for each sample a weight for each reference and, last, for its own picture. */

static size_t posterior_mean_prepare(struct node *nd)
{
	return (size_t)nd->src[X]->n * ((size_t)nd->src[Y]->n + 1) * sizeof(double);
}

static double *weights_of(const struct node *nd)
{
	return (double *)(void *)nd->work->data;
}

/* Picture j of sample n; NULL: it is none of the sample's. */
static const float *picture(const struct node *nd, int64_t n, int64_t j)
{
	int64_t per = nd->src[X]->h * nd->src[X]->w * nd->src[X]->c;
	if (j == nd->src[Y]->n)
		return nd->src[OWN]->data + n * per;
	if ((float)j == nd->src[AT]->data[n] || nd->src[CLASS]->data[n] != nd->src[Y_CLASS]->data[j])
		return NULL;
	return nd->src[Y]->data + j * per;
}

CPU_KERNEL static double squared_distance(const float *a, const float *b, int64_t n)
{
	enum { LANES = 16 };
	double part[LANES] = { 0 }, total = 0;
	int64_t i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++) {
			double d = (double)a[i + j] - (double)b[i + j];
			part[j] += d * d;
		}
	for (; i < n; i++) {
		double d = (double)a[i] - (double)b[i];
		total += d * d;
	}
	for (int j = 0; j < LANES; j++)
		total += part[j];
	return total;
}

/* The exponents of pairs of a sample and a picture. */
static void exponents_range(void *ctx, int64_t first, int64_t last)
{
	const struct node *nd = ctx;
	const struct tensor *x = nd->src[X];
	int64_t pictures = nd->src[Y]->n + 1, per = x->h * x->w * x->c;
	for (int64_t i = first; i < last; i++) {
		int64_t n = i / pictures;
		double s = (double)nd->src[SIGMA]->data[n];
		const float *p = picture(nd, n, i % pictures);
		weights_of(nd)[i] = p ? -squared_distance(x->data + n * per, p, per) / (2 * s * s) : -INFINITY;
	}
}

static void softmax_range(void *ctx, int64_t first, int64_t last)
{
	const struct node *nd = ctx;
	int64_t pictures = nd->src[Y]->n + 1;
	for (int64_t n = first; n < last; n++) {
		double *w = weights_of(nd) + n * pictures, most = w[0], sum = 0;
		for (int64_t j = 1; j < pictures; j++)
			most = fmax(most, w[j]);
		for (int64_t j = 0; j < pictures; j++)
			sum += w[j] = exp(w[j] - most);
		for (int64_t j = 0; j < pictures; j++)
			w[j] /= sum;
	}
}

enum { RUN = 64 }; /* values that are summed together */

CPU_KERNEL static void add_run(double *sum, double w, const float *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		sum[i] += w * (double)x[i];
}

/* The means of runs of values. */
static void mean_range(void *ctx, int64_t first, int64_t last)
{
	const struct node *nd = ctx;
	const struct tensor *x = nd->src[X];
	int64_t pictures = nd->src[Y]->n + 1, per = x->h * x->w * x->c, runs = (per + RUN - 1) / RUN;
	for (int64_t i = first; i < last; i++) {
		int64_t n = i / runs, from = i % runs * RUN, count = per - from < RUN ? per - from : RUN;
		double sum[RUN] = { 0 };
		for (int64_t j = 0; j < pictures; j++) {
			double w = weights_of(nd)[n * pictures + j];
			if (w != 0) /* of a NaN, too */
				add_run(sum, w, (j + 1 < pictures ? nd->src[Y]->data + j * per : nd->src[OWN]->data + n * per) + from,
				        count);
		}
		for (int64_t k = 0; k < count; k++)
			nd->dst[0]->data[n * per + from + k] = (float)sum[k];
	}
}

static void posterior_mean_cpu(struct node *nd)
{
	const struct tensor *x = nd->src[X];
	cpu_split(x->n * (nd->src[Y]->n + 1), 1, exponents_range, nd);
	cpu_split(x->n, 1, softmax_range, nd);
	cpu_split(x->n * ((x->h * x->w * x->c + RUN - 1) / RUN), 1, mean_range, nd);
}

const struct op_row op_posterior_mean = { .name = "posterior_mean",
	                                      .meaning = "mean of the pictures that x may have been, by likelihood",
	                                      .ref = posterior_mean_ref,
	                                      .prepare = posterior_mean_prepare,
	                                      .cpu = posterior_mean_cpu };
