/* extractor_classifier.c - see extractor_classifier.h. */
#include "metrics/features/extractor_classifier.h"

#include "model/cpu/devices.h"
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/nets/classifier.h"

#include <stdlib.h>
#include <string.h>

struct self {
	struct classifier net;
	struct backend *b;
	float *weights_on, *pixels; /* pixels: a batch in host memory */
	struct graph *g;
	struct tensor *x;
	struct classifier_out out;
};

/* One value in [-1,1] of a picture as the network wants it: grey by Pillow's weights, or its own channel. */
static float value(const struct image_u8 *im, int64_t pixel, int channel, int want)
{
	const uint8_t *p = im->px + pixel * im->c;
	int v = im->c == want ? p[channel] : im->c == 1 ? p[0] : (p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16;
	return (float)v * (2.0f / 255.0f) - 1.0f;
}

static int features(struct extractor *x, float *dst, float *logits, float *spatial, const struct image_u8 *images,
                    int n, struct err *e)
{
	(void)spatial;
	struct self *s = x->self;
	const struct classifier *c = &s->net;
	REQUIRE(n <= x->batch);
	int64_t pixels = (int64_t)c->h * c->w;
	for (int i = 0; i < n; i++) {
		if (images[i].h != c->h || images[i].w != c->w)
			return err_set(e, "a picture of %dx%d: this classifier was trained on %dx%d", images[i].w, images[i].h,
			               c->w, c->h);
		for (int64_t p = 0; p < pixels; p++)
			for (int k = 0; k < c->channels; k++)
				s->pixels[(i * pixels + p) * c->channels + k] = value(&images[i], p, k, c->channels);
	}
	graph_write(s->g, s->x, 0, s->pixels, (size_t)(n * pixels * c->channels));
	graph_run(s->g);
	graph_read(s->g, dst, s->out.features, 0, (size_t)n * CLASSIFIER_DIM);
	if (logits)
		graph_read(s->g, logits, s->out.logits, 0, (size_t)n * (size_t)c->classes);
	return backend_check(s->b, e);
}

static void free_self(struct self *s)
{
	graph_free(s->g);
	if (s->b)
		backend_return(s->b, s->weights_on, s->net.weights);
	backend_free(s->b);
	classifier_release(&s->net);
	free(s->pixels);
	free(s);
}

static void release(struct extractor *x)
{
	struct self *s = x->self;
	free_self(s);
	free(x);
}

int extractor_classifier_open(struct extractor **out, const struct extractor_options *o, struct err *e)
{
	if (o->bf16 || (o->resize && strcmp(o->resize, "none") != 0))
		return err_code(e, EXIT_USAGE, "the extractor 'classifier' has neither bf16 nor a resize");
	if (o->weights)
		return err_code(e, EXIT_USAGE, "%s: the extractor 'classifier' brings its own weights", o->weights);
	struct classifier net;
	if (classifier_load(&net, o->data ? o->data : CLASSIFIER_DATA, e))
		return -1;
	struct self *s = xcalloc(1, sizeof *s);
	s->net = net;
	int batch = o->batch ? o->batch : 50;
	if (backend_open(&s->b, o->device, DTYPE_FP32, e) ||
	    backend_lend(&s->weights_on, s->b, net.weights, params_floats(net.params), e)) {
		free_self(s);
		return -1;
	}
	s->g = graph_new_on(s->b);
	s->x = graph_input(s->g, "x", batch, net.h, net.w, net.channels);
	s->out = classifier_forward(s->g, net.params, STORE_FROZEN, s->x, net.classes);
	graph_keep(s->out.features);
	graph_keep(s->out.logits);
	if (graph_try_plan(s->g, e)) {
		free_self(s);
		return -1;
	}
	graph_bind(s->g, STORE_FROZEN, s->weights_on);
	s->pixels = xcalloc(tensor_count(s->x), sizeof *s->pixels);
	struct extractor *x = xcalloc(1, sizeof *x);
	*x = (struct extractor){ .name = "classifier",
		                     .resize = "none",
		                     .numerics = dtype_name(DTYPE_FP32),
		                     .dim = CLASSIFIER_DIM,
		                     .logits_dim = net.classes,
		                     .batch = batch,
		                     .features = features,
		                     .free = release,
		                     .self = s,
		                     .device = s->b->ops->host_memory ? NULL : s->b };
	memcpy(x->weights_sha256, net.sha256, sizeof x->weights_sha256);
	*out = x;
	return 0;
}
