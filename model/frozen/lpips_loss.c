/* lpips_loss.c - see lpips_loss.h. Shift and scale of the input are a 1x1 convolution, which also spreads a grey
 * channel; a concatenation of the table becomes concat nodes in the order of its layers. */
#include "model/frozen/lpips_loss.h"

#include "model/base/mem.h"
#include "model/frozen/cnn_graph.h"

#include <stdlib.h>
#include <string.h>

static const double shift[3] = { -0.030, -0.088, -0.188 }, scale[3] = { 0.458, 0.448, 0.450 };

typedef bool lister(enum lpips_net kind, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS]);

/* Adds the listed tensors to the parameters; all frozen, so how they would be initialised does not matter. */
static void declare(struct params *p, lister *list, enum lpips_net kind)
{
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	for (int i = 0; list(kind, i, name, &n_dims, dims); i++)
		(void)params_add(p, name, n_dims, dims, INIT_ZERO, 1, 1, 1);
}

static int fill(struct lpips_loss *l, lister *list, const struct safetensors *from, struct err *e)
{
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	for (int i = 0; list(l->net, i, name, &n_dims, dims); i++) {
		const struct st_tensor *t;
		if (safetensors_need(&t, from, name, n_dims, dims, e))
			return -1;
		st_to_f32(l->weights + params_find(l->params, name)->at, t);
	}
	return 0;
}

static void fill_input(struct lpips_loss *l)
{
	float *w = l->weights + params_find(l->params, "input.weight")->at,
		  *b = l->weights + params_find(l->params, "input.bias")->at;
	for (int k = 0; k < 3; k++) {
		for (int c = 0; c < l->channels; c++)
			w[k * l->channels + c] = l->channels == 1 || c == k ? (float)(1 / scale[k]) : 0;
		b[k] = (float)(-shift[k] / scale[k]);
	}
}

int lpips_loss_init(struct lpips_loss *out, const struct lpips_loss_options *o, const struct safetensors *backbone,
                    const struct safetensors *heads, struct err *e)
{
	struct lpips_loss l = {
		.net = o->net, .side = o->side, .average = o->average, .channels = o->channels, .params = params_new()
	};
	REQUIRE(o->channels == 1 || o->channels == 3);
	(void)params_add(l.params, "input.weight", 4, (int64_t[]){ 3, o->channels, 1, 1 }, INIT_ZERO, 1, 1, 1);
	(void)params_add(l.params, "input.bias", 1, (int64_t[]){ 3 }, INIT_ZERO, 1, 1, 1);
	declare(l.params, lpips_backbone_weight, o->net);
	declare(l.params, lpips_head_weight, o->net);
	if (!backbone || !heads) {
		*out = l;
		return 0;
	}
	l.weights = xaligned(params_floats(l.params) * sizeof *l.weights);
	fill_input(&l);
	if (fill(&l, lpips_backbone_weight, backbone, e) || fill(&l, lpips_head_weight, heads, e)) {
		lpips_loss_release(&l);
		return -1;
	}
	*out = l;
	return 0;
}

void lpips_loss_release(struct lpips_loss *l)
{
	params_free(l->params);
	free(l->weights);
	*l = (struct lpips_loss){ 0 };
}

/* ---- recording ---- */

static struct tensor *frozen(struct graph *g, const struct lpips_loss *l, const char *prefix, const char *part)
{
	SCOPED(free) char *name = xstrfmt("%s.%s", prefix, part);
	const struct param *p = params_find(l->params, name);
	REQUIRE(p);
	if (p->ndim == 1)
		return graph_param(g, name, STORE_FROZEN, p->at, 1, 1, 1, p->dims[0]);
	return graph_param(g, name, STORE_FROZEN, p->at, p->dims[0], p->dims[1], p->dims[2], p->dims[3]);
}

static struct tensor *head(struct graph *g, const struct lpips_loss *l, int k)
{
	SCOPED(free) char *name = xstrfmt("lin%d.model.1.weight", k);
	const struct param *p = params_find(l->params, name);
	return graph_param(g, name, STORE_FROZEN, p->at, 1, 1, 1, p->dims[1]);
}

static struct tensor *layer(struct graph *g, const struct lpips_loss *l, const struct cnn_layer *r, struct tensor *x)
{
	if (r->kind == CNN_CONV)
		return graph_conv2d(g, x, frozen(g, l, r->name, "weight"), frozen(g, l, r->name, "bias"), r->stride, r->ph,
		                    r->pw, r->relu);
	return graph_pool(g, x, cnn_pool_args(r));
}

/* The taps of one batch of images. */
static void features(struct graph *g, const struct lpips_loss *l, const struct cnn *net, const int *numbers, int n_taps,
                     struct tensor **taps, struct tensor *x)
{
	SCOPED(free) struct tensor **made = xcalloc((size_t)net->n_tensors, sizeof(struct tensor *));
	if (l->side && (x->h != l->side || x->w != l->side))
		x = graph_bilinear(g, x, l->side, l->side);
	made[0] = graph_conv2d(g, x, frozen(g, l, "input", "weight"), frozen(g, l, "input", "bias"), 1, 0, 0, false);
	for (int i = 0; i < net->n_layers; i++) {
		const struct cnn_layer *r = &net->layers[i];
		struct tensor *y = layer(g, l, r, made[r->src]);
		made[r->dst] = made[r->dst] ? graph_concat(g, made[r->dst], y) : y;
	}
	for (int k = 0; k < n_taps; k++)
		taps[k] = made[numbers[k]];
}

int lpips_loss_parts(struct tensor *parts[LPIPS_MAX_TAPS], struct graph *g, const struct lpips_loss *l,
                     struct tensor *x, struct tensor *target)
{
	struct cnn net = { 0 };
	int numbers[LPIPS_MAX_TAPS], n_taps;
	struct tensor *a[LPIPS_MAX_TAPS], *b[LPIPS_MAX_TAPS];
	struct err e = ERR_INIT;
	int h = l->side ? l->side : (int)x->h, w = l->side ? l->side : (int)x->w;
	if (x->c != l->channels || lpips_describe(&net, numbers, &n_taps, l->net, h, w, l->average, &e))
		BUG("lpips of %lld channels: %s", (long long)x->c, e.msg);
	features(g, l, &net, numbers, n_taps, a, x);
	features(g, l, &net, numbers, n_taps, b, target);
	for (int k = 0; k < n_taps; k++)
		parts[k] = graph_feature_dist(g, a[k], b[k], head(g, l, k));
	cnn_release(&net);
	return n_taps;
}

struct tensor *lpips_loss_distance(struct graph *g, const struct lpips_loss *l, struct tensor *x, struct tensor *target)
{
	struct tensor *parts[LPIPS_MAX_TAPS];
	int n = lpips_loss_parts(parts, g, l, x, target);
	for (int k = 1; k < n; k++)
		parts[0] = graph_add_scaled(g, parts[0], parts[k], 1);
	return parts[0];
}
