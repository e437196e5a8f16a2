/* cnn_graph.c - see cnn_graph.h. Layers are recorded in their order; a tensor that several layers write is their
 * concatenation, recorded when the last of them is. */
#include "model/frozen/cnn_graph.h"

#include "model/graph/graph.h"

#include <stdlib.h>
#include <string.h>

struct kept {
	int tensor;
	struct tensor *values, *mean;
};

struct cnn_graph {
	struct backend *b;
	struct graph *g;
	struct tensor *input;
	struct picture_feed *feed; /* made when first used */
	float *weights, *weights_on;
	struct kept *kept;
	int n_kept, batch;
};

void cnn_graph_free(struct cnn_graph *x)
{
	if (!x)
		return;
	graph_free(x->g);
	picture_feed_free(x->feed);
	backend_return(x->b, x->weights_on, x->weights);
	free(x->weights);
	free(x->kept);
	free(x);
}

static size_t weight_count(const struct cnn *net, const struct cnn_layer *l)
{
	return (size_t)l->c * (size_t)net->tensors[l->src].c * (size_t)(l->kh * l->kw);
}

/* Floats of a store that n take: each part begins on a 64-byte line of its own, as in params.h; a device's libraries
 * count on it. */
static size_t room(size_t n)
{
	return (n + 15) / 16 * 16;
}

static int load_weights(struct cnn_graph *x, const struct cnn *net, cnn_load *load, void *ctx, struct err *e)
{
	size_t total = 0, at = 0;
	for (int i = 0; i < net->n_layers; i++)
		if (net->layers[i].kind == CNN_CONV)
			total += room(weight_count(net, &net->layers[i])) + room((size_t)net->layers[i].c);
	x->weights = xaligned(total * sizeof *x->weights);
	for (int i = 0; i < net->n_layers; i++) {
		const struct cnn_layer *l = &net->layers[i];
		if (l->kind != CNN_CONV)
			continue;
		float *w = x->weights + at, *bias = w + room(weight_count(net, l));
		if (load(ctx, l, net->tensors[l->src].c, w, bias, e))
			return -1;
		at += room(weight_count(net, l)) + room((size_t)l->c);
	}
	return backend_lend(&x->weights_on, x->b, x->weights, total, e);
}

struct pool_args cnn_pool_args(const struct cnn_layer *pool)
{
	return (struct pool_args){ .k = pool->kh,
		                       .stride = pool->stride,
		                       .pad = pool->ph,
		                       .ceil = pool->ceil,
		                       .average = pool->kind == CNN_AVG_POOL,
		                       .pad_counts = pool->pad_counts };
}

static struct tensor *record_layer(struct graph *g, const struct cnn *net, const struct cnn_layer *l,
                                   struct tensor *src, size_t *at)
{
	if (l->kind != CNN_CONV)
		return graph_pool(g, src, cnn_pool_args(l));
	struct tensor *w = graph_param(g, l->name, STORE_FROZEN, *at, l->c, src->c, l->kh, l->kw);
	*at += room(weight_count(net, l));
	struct tensor *bias = graph_param(g, l->name, STORE_FROZEN, *at, 1, 1, 1, l->c);
	*at += room((size_t)l->c);
	return graph_conv2d(g, src, w, bias, l->stride, l->ph, l->pw, l->relu);
}

enum { MAX_PARTS = 8 };
struct parts {
	struct tensor *part[MAX_PARTS];
	int first[MAX_PARTS], n, channels;
};

/* Takes one layer's result; the whole tensor once all channels are there, else NULL. */
static struct tensor *join(struct graph *g, struct parts *p, struct tensor *y, int first, int channels)
{
	REQUIRE(p->n < MAX_PARTS);
	int i = p->n++;
	for (; i > 0 && p->first[i - 1] > first; i--) {
		p->part[i] = p->part[i - 1];
		p->first[i] = p->first[i - 1];
	}
	p->part[i] = y;
	p->first[i] = first;
	p->channels += (int)y->c;
	if (p->channels < channels)
		return NULL;
	struct tensor *whole = p->part[0];
	for (int k = 1; k < p->n; k++)
		whole = graph_concat(g, whole, p->part[k]);
	return whole;
}

static void record(struct cnn_graph *x, const struct cnn *net, const int *keep)
{
	SCOPED(free) struct tensor **made = xcalloc((size_t)net->n_tensors, sizeof *made);
	SCOPED(free) struct parts *parts = xcalloc((size_t)net->n_tensors, sizeof *parts);
	size_t at = 0;
	made[0] = x->input = graph_input(x->g, "picture", x->batch, net->tensors[0].h, net->tensors[0].w,
	                                 net->tensors[0].c);
	for (int i = 0; i < net->n_layers; i++) {
		const struct cnn_layer *l = &net->layers[i];
		REQUIRE(made[l->src]);
		struct tensor *y = record_layer(x->g, net, l, made[l->src], &at);
		made[l->dst] = join(x->g, &parts[l->dst], y, l->dst_c, net->tensors[l->dst].c);
	}
	for (int i = 0; i < x->n_kept; i++) {
		struct kept *k = &x->kept[i];
		*k = (struct kept){ keep[i], made[keep[i]], graph_global_mean(x->g, made[keep[i]]) };
		graph_keep(k->values);
		graph_keep(k->mean);
	}
}

int cnn_graph_open(struct cnn_graph **out, const struct cnn *net, cnn_load *load, void *ctx, const int *keep,
                   int n_keep, struct backend *b, int batch, struct err *e)
{
	struct cnn_graph *x = xcalloc(1, sizeof *x);
	x->b = b;
	x->batch = batch;
	x->n_kept = n_keep;
	x->kept = xcalloc((size_t)n_keep, sizeof *x->kept);
	x->g = graph_new_on(b);
	record(x, net, keep);
	if (b->dtype == DTYPE_BF16)
		(void)graph_set_low(x->g);
	if (load_weights(x, net, load, ctx, e) || graph_try_plan(x->g, e)) {
		cnn_graph_free(x);
		return -1;
	}
	graph_bind(x->g, STORE_FROZEN, x->weights_on);
	*out = x;
	return 0;
}

int cnn_graph_run(struct cnn_graph *x, const float *pixels, int n, struct err *e)
{
	REQUIRE(n >= 1 && n <= x->batch);
	graph_write(x->g, x->input, 0, pixels, tensor_count(x->input) / (size_t)x->batch * (size_t)n);
	graph_run(x->g);
	return backend_check(x->b, e);
}

int cnn_graph_run_pictures(struct cnn_graph *x, const struct image_u8 *images, int n, enum resize_kind kind,
                           enum picture_scale scale, struct err *e)
{
	REQUIRE(n >= 1 && n <= x->batch && x->input->h == x->input->w && x->input->c == 3);
	if (!x->feed)
		x->feed = picture_feed_new(x->b, (int)x->input->h);
	if (picture_feed_run(x->feed, x->input->data, x->input->type == TENSOR_BF16, images, n, kind, scale, e))
		return -1;
	graph_run(x->g);
	return backend_check(x->b, e);
}

static const struct kept *find(const struct cnn_graph *x, int tensor)
{
	for (int i = 0; i < x->n_kept; i++)
		if (x->kept[i].tensor == tensor)
			return &x->kept[i];
	BUG("tensor %d was not kept", tensor);
}

void cnn_graph_means(const struct cnn_graph *x, int tensor, float *dst, int n)
{
	const struct kept *k = find(x, tensor);
	graph_read(x->g, dst, k->mean, 0, (size_t)(n * k->mean->c));
}

const float *cnn_graph_means_there(const struct cnn_graph *x, int tensor)
{
	const struct tensor *mean = find(x, tensor)->mean;
	REQUIRE(mean->type == TENSOR_F32);
	return mean->data;
}

void cnn_graph_read(const struct cnn_graph *x, int tensor, float *dst, int n)
{
	const struct kept *k = find(x, tensor);
	graph_read(x->g, dst, k->values, 0, tensor_count(k->values) / (size_t)x->batch * (size_t)n);
}
