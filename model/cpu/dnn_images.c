/* dnn_images.c - see dnn_images.h. */
#include "model/cpu/dnn_images.h"

#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/cpu/dnn_product.h"

#include <stdlib.h>

/* At most PARTS ranges of images, a power of two, of at least PART_FLOPS each. */
enum { PARTS = 16 };
#define PART_FLOPS 2e6

struct dnn_images {
	struct dnn_shape s;
	enum dnn_pass pass;
	int64_t parts;
	struct dnn_conv *part[PARTS];
	size_t w, own, all; /* floats of a weights gradient; of a part's gradients; of these and its scratch */
	struct {
		float *x, *w, *b, *y, *scratch;
	} at; /* of the run */
};

static int64_t first_image(const struct dnn_images *c, int64_t part)
{
	return c->s.n * part / c->parts;
}

/* Are there partial sums to be added? */
static bool is_sum(const struct dnn_images *c)
{
	return c->pass == DNN_BACKWARD_WEIGHTS && c->parts > 1;
}

static size_t line_floats(size_t floats) /* in whole cache lines */
{
	return (floats + 15) / 16 * 16;
}

struct dnn_images *dnn_images_new(const struct dnn_shape *s, enum dnn_pass pass, bool bias, bool relu)
{
	struct dnn_images *c = xcalloc(1, sizeof *c);
	double image = 2.0 * (double)(s->oh * s->ow * s->oc) * (double)(s->ic * s->kh * s->kw);
	int threads = cpu_threads();
	size_t scratch = 0;
	c->s = *s;
	c->pass = pass;
	c->parts = 1;
	while (2 * c->parts <= PARTS && 2 * c->parts <= s->n && (double)(2 * c->parts) * PART_FLOPS <= (double)s->n * image)
		c->parts *= 2;
	cpu_set_threads(1); /* a primitive is made for as many as there are then */
	for (int64_t i = 0; i < c->parts; i++) {
		struct dnn_shape part = *s;
		part.n = first_image(c, i + 1) - first_image(c, i);
		c->part[i] = dnn_conv_new(&part, pass, bias, relu);
		if (dnn_conv_scratch(c->part[i]) > scratch)
			scratch = dnn_conv_scratch(c->part[i]);
	}
	cpu_set_threads(threads);
	c->w = line_floats((size_t)(s->oc * s->ic * s->kh * s->kw));
	c->own = is_sum(c) ? c->w + line_floats((size_t)s->oc) : 0;
	c->all = c->own + line_floats(scratch / sizeof(float));
	return c;
}

void dnn_images_free(struct dnn_images *c)
{
	for (int64_t i = 0; c && i < c->parts; i++)
		dnn_conv_free(c->part[i]);
	free(c);
}

size_t dnn_images_scratch(const struct dnn_images *c)
{
	return (size_t)c->parts * c->all * sizeof(float);
}

static void parts_range(void *ctx, int64_t first, int64_t last)
{
	const struct dnn_images *c = ctx;
	const struct dnn_shape *s = &c->s;
	int threads = cpu_threads();
	cpu_set_threads(1);
	for (int64_t i = first; i < last; i++) {
		float *own = c->at.scratch + (size_t)i * c->all, *w = c->at.w, *b = c->at.b;
		if (is_sum(c)) {
			w = own;
			b = b ? own + c->w : NULL;
		}
		int64_t n = first_image(c, i);
		dnn_conv_run(c->part[i], c->at.x + n * s->h * s->w * s->ic, w, b, c->at.y + n * s->oh * s->ow * s->oc,
		             own + c->own);
	}
	cpu_set_threads(threads);
}

void dnn_images_run(struct dnn_images *c, float *x, float *w, float *b, float *y, void *scratch)
{
	const struct dnn_shape *s = &c->s;
	c->at.x = x;
	c->at.w = w;
	c->at.b = b;
	c->at.y = y;
	c->at.scratch = scratch;
	cpu_split(c->parts, 1, parts_range, c);
	if (!is_sum(c))
		return;
	dnn_add_parts(w, c->at.scratch, c->parts, c->all, s->oc * s->ic * s->kh * s->kw);
	if (b)
		dnn_add_parts(b, c->at.scratch + c->w, c->parts, c->all, s->oc);
}
