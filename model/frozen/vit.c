/* vit.c - a vision transformer recorded as ops; see vit.h. */
#include "model/frozen/vit.h"

#include "model/base/mem.h"
#include "model/frozen/vit_picture.h"
#include "model/frozen/vit_weights.h"
#include "model/graph/graph.h"

#include <math.h>
#include <stdlib.h>

const struct vit_spec vit_dinov2_l14 = { .family = VIT_DINOV2,
	                                     .side = 224,
	                                     .patch = 14,
	                                     .table = 37,
	                                     .width = 1024,
	                                     .blocks = 24,
	                                     .heads = 16,
	                                     .mlp = 4096,
	                                     .dim = 1024,
	                                     .eps = 1e-6 };
const struct vit_spec vit_clip_l14_336 = { .family = VIT_CLIP,
	                                       .side = 336,
	                                       .patch = 14,
	                                       .table = 24,
	                                       .width = 1024,
	                                       .blocks = 24,
	                                       .heads = 16,
	                                       .mlp = 4096,
	                                       .dim = 768,
	                                       .eps = 1e-5 };

struct vit {
	struct vit_spec s;
	struct vit_weights weights;
	float *weights_on, *pixels; /* the latter in host memory: a batch */
	struct backend *b;
	int batch;
	struct graph *g;
	struct tensor *x, *y;
};

/* ---- recording ------------------------------------------------------------------------------- */

static struct tensor *part(struct vit *v, enum vit_part which, int block)
{
	const struct param *p = vit_weights_part(&v->weights, which, block);
	if (!p)
		return NULL;
	if (p->ndim == 1)
		return graph_param(v->g, p->name, STORE_FROZEN, p->at, 1, 1, 1, p->dims[0]);
	return which == VIT_TABLE ? graph_param(v->g, p->name, STORE_FROZEN, p->at, 1, 1, p->dims[0], p->dims[1])
	                          : graph_param(v->g, p->name, STORE_FROZEN, p->at, p->dims[0], p->dims[1], 1, 1);
}

static struct tensor *linear(struct vit *v, struct tensor *x, enum vit_part weight, enum vit_part bias, int block)
{
	return graph_conv2d(v->g, x, part(v, weight, block), part(v, bias, block), 1, 0, 0, false);
}

static struct tensor *norm(struct vit *v, struct tensor *x, enum vit_part weight, enum vit_part bias, int block)
{
	return graph_layernorm(v->g, x, part(v, weight, block), part(v, bias, block), v->s.eps);
}

static struct tensor *record_block(struct vit *v, struct tensor *x, int i)
{
	struct tensor *h = linear(v, norm(v, x, VIT_NORM1_WEIGHT, VIT_NORM1_BIAS, i), VIT_QKV, VIT_QKV_BIAS, i);
	h = linear(v, graph_attention(v->g, h, v->s.heads), VIT_PROJ, VIT_PROJ_BIAS, i);
	x = graph_add_scaled(v->g, x, h, 1);
	h = linear(v, norm(v, x, VIT_NORM2_WEIGHT, VIT_NORM2_BIAS, i), VIT_FC1, VIT_FC1_BIAS, i);
	h = linear(v, graph_gelu(v->g, h, v->s.family == VIT_CLIP), VIT_FC2, VIT_FC2_BIAS, i);
	return graph_add_scaled(v->g, x, h, 1);
}

static void record(struct vit *v)
{
	v->g = graph_new_on(v->b);
	v->x = graph_input(v->g, "picture", v->batch, v->s.side, v->s.side, 3);
	struct tensor *x = linear(v, graph_shuffle(v->g, v->x, v->s.patch, false), VIT_PATCH, VIT_PATCH_BIAS, 0);
	x = graph_tokens(v->g, x, part(v, VIT_TABLE, 0));
	if (v->s.family == VIT_CLIP)
		x = norm(v, x, VIT_PRE_WEIGHT, VIT_PRE_BIAS, 0);
	for (int i = 0; i < v->s.blocks; i++)
		x = record_block(v, x, i);
	v->y = x;
	graph_keep(x);
}

/* ---- life ------------------------------------------------------------------------------------ */

int vit_open(struct vit **out, const struct vit_spec *s, const struct safetensors *weights, struct backend *b,
             int batch, struct err *e)
{
	REQUIRE(s->side % s->patch == 0 && s->width % s->heads == 0 && (s->family == VIT_CLIP || s->dim == s->width));
	struct vit *v = xcalloc(1, sizeof *v);
	v->s = *s;
	v->b = b;
	v->batch = b->ops->host_memory ? 1 : batch;
	if (vit_weights_load(&v->weights, s, weights, e) ||
	    backend_lend(&v->weights_on, b, v->weights.values, params_floats(v->weights.params), e)) {
		vit_free(v);
		return -1;
	}
	record(v);
	if (graph_try_plan(v->g, e)) {
		vit_free(v);
		return -1;
	}
	graph_bind(v->g, STORE_FROZEN, v->weights_on);
	v->pixels = xcalloc(tensor_count(v->x), sizeof *v->pixels);
	*out = v;
	return 0;
}

void vit_free(struct vit *v)
{
	if (!v)
		return;
	graph_free(v->g);
	if (v->weights_on)
		backend_return(v->b, v->weights_on, v->weights.values);
	vit_weights_release(&v->weights);
	free(v->pixels);
	free(v);
}

/* ---- running --------------------------------------------------------------------------------- */

/* The last norm of one token, in double: h[width]. */
static void last_norm(const struct vit *v, double *h, const float *token)
{
	int n = v->s.width;
	double mean = 0, var = 0;
	for (int c = 0; c < n; c++)
		mean += (double)token[c] / n;
	for (int c = 0; c < n; c++)
		var += ((double)token[c] - mean) * ((double)token[c] - mean) / n;
	for (int c = 0; c < n; c++)
		h[c] = ((double)token[c] - mean) / sqrt(var + v->s.eps) * (double)v->weights.norm[c] +
		       (double)v->weights.norm_bias[c];
}

/* A feature of the class token. */
static int finish(const struct vit *v, float *dst, const float *token, struct err *e)
{
	int width = v->s.width, dim = v->s.dim;
	SCOPED(free) double *h = xcalloc((size_t)width, sizeof *h), *f = xcalloc((size_t)dim, sizeof *f);
	last_norm(v, h, token);
	if (!v->weights.out) {
		for (int c = 0; c < dim; c++)
			dst[c] = (float)h[c];
		return 0;
	}
	double length = 0;
	for (int c = 0; c < width; c++)
		for (int k = 0; k < dim; k++)
			f[k] += h[c] * (double)v->weights.out[(size_t)c * (size_t)dim + (size_t)k];
	for (int k = 0; k < dim; k++)
		length += f[k] * f[k];
	if (!(length > 0))
		return err_set(e, "a picture's features are zero or no numbers, so they have no direction: other weights?");
	for (int k = 0; k < dim; k++)
		dst[k] = (float)(f[k] / sqrt(length));
	return 0;
}

/* Pictures as the network takes them, by all threads; the error is one of those there were. */
static int prepare(struct vit *v, const struct image_u8 *images, int n, struct err *e)
{
	size_t each = (size_t)v->s.side * (size_t)v->s.side * 3;
	int bad = 0;
#pragma omp parallel for schedule(dynamic)
	for (int i = 0; i < n; i++) {
		struct err own = ERR_INIT;
		if (vit_picture(v->pixels + (size_t)i * each, &v->s, &images[i], &own)) {
#pragma omp critical
			bad = bad ? bad : err_set(e, "%s", own.msg);
		}
	}
	return bad;
}

static int run_batch(struct vit *v, float *dst, const struct image_u8 *images, int n, struct err *e)
{
	size_t width = (size_t)v->s.width, each = tensor_count(v->x) / (size_t)v->batch;
	SCOPED(free) float *token = xcalloc(width, sizeof *token);
	if (prepare(v, images, n, e))
		return -1;
	graph_write(v->g, v->x, 0, v->pixels, (size_t)n * each);
	graph_run(v->g);
	if (backend_check(v->b, e))
		return -1;
	for (int i = 0; i < n; i++) {
		graph_read(v->g, token, v->y, (size_t)i * (size_t)v->y->w * width, width);
		if (finish(v, dst + (size_t)i * (size_t)v->s.dim, token, e))
			return -1;
	}
	return backend_check(v->b, e);
}

int vit_run(struct vit *v, float *dst, const struct image_u8 *images, int n, struct err *e)
{
	for (int first = 0; first < n; first += v->batch) {
		int some = n - first < v->batch ? n - first : v->batch;
		if (run_batch(v, dst + (size_t)first * (size_t)v->s.dim, images + first, some, e))
			return -1;
	}
	return 0;
}
