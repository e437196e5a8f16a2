/* extractor_classifier.c - see extractor_classifier.h. */
#include "metrics/features/extractor_classifier.h"

#include "model/cpu/devices.h"
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/frozen/resize.h"
#include "model/nets/classifier.h"

#include <stdlib.h>
#include <string.h>

struct self {
	struct classifier net;
	struct backend *b;
	float *weights_on, *pixels, *whole; /* in host memory: a batch, and a picture before it is resized */
	size_t room;                        /* floats of whole */
	bool resizes;
	enum resize_kind resize;
	struct graph *g;
	struct tensor *x;
	struct classifier_out out;
};

/* One value, 0 to 255, of a picture as the network wants it: grey by Pillow's weights, or its own channel. */
static float value(const struct image_u8 *im, int64_t pixel, int channel, int want)
{
	const uint8_t *p = im->px + pixel * im->c;
	return im->c == want ? p[channel]
	       : im->c == 1  ? p[0]
	                     : (float)((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16);
}

/* dst [h * w * channels] of the network, in [-1,1]. */
static int take_picture(float *dst, struct self *s, const struct image_u8 *im, struct err *e)
{
	const struct classifier *c = &s->net;
	bool fits = im->h == c->h && im->w == c->w;
	size_t n = (size_t)im->h * (size_t)im->w * (size_t)c->channels;
	if (!fits && !s->resizes)
		return err_set(e, "a picture of %dx%d: this classifier was trained on %dx%d (--resize torch-bilinear)", im->w,
		               im->h, c->w, c->h);
	if (!fits && n > s->room) {
		free(s->whole);
		s->whole = xcalloc(s->room = n, sizeof *s->whole);
	}
	float *values = fits ? dst : s->whole;
	for (size_t i = 0; i < n; i++)
		values[i] = value(im, (int64_t)(i / (size_t)c->channels), (int)(i % (size_t)c->channels), c->channels);
	if (!fits)
		resize_f32(dst, c->h, c->w, values, im->h, im->w, c->channels, s->resize);
	for (int i = 0; i < c->h * c->w * c->channels; i++)
		dst[i] = dst[i] * (2.0f / 255.0f) - 1.0f;
	return 0;
}

static int features(struct extractor *x, float *dst, float *logits, float *spatial, const struct image_u8 *images,
                    int n, struct err *e)
{
	(void)spatial;
	struct self *s = x->self;
	const struct classifier *c = &s->net;
	REQUIRE(n <= x->batch);
	int64_t pixels = (int64_t)c->h * c->w;
	for (int i = 0; i < n; i++)
		if (take_picture(s->pixels + i * pixels * c->channels, s, &images[i], e))
			return -1;
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
	free(s->whole);
	free(s);
}

static void release(struct extractor *x)
{
	struct self *s = x->self;
	free_self(s);
	free(x);
}

const char *extractor_classifier_data(const char *data, const char *which)
{
	return data && classifier_is_here(data, which) ? data : CLASSIFIER_DATA;
}

static int open_which(struct extractor **out, const char *name, const char *which, const struct extractor_options *o,
                      struct err *e)
{
	enum resize_kind resize = RESIZE_TORCH_BILINEAR;
	bool resizes = !o->resize || strcmp(o->resize, "none") != 0;
	if (o->bf16)
		return err_code(e, EXIT_USAGE, "the extractor '%s' has no bf16", name);
	if (o->resize && resizes && resize_by_name(&resize, o->resize, e))
		return err_in(e, "%s", name);
	struct classifier net;
	if (o->weights ? classifier_read(&net, o->weights, e)
	               : classifier_load(&net, extractor_classifier_data(o->data, which), which, e))
		return -1;
	struct self *s = xcalloc(1, sizeof *s);
	s->net = net;
	s->resizes = resizes;
	s->resize = resize;
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
	*x = (struct extractor){ .name = name,
		                     .resize = resizes ? resize_name(resize) : "none",
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

int extractor_classifier_open(struct extractor **out, const struct extractor_options *o, struct err *e)
{
	return open_which(out, "classifier", "b", o, e);
}

int extractor_classifier_a_open(struct extractor **out, const struct extractor_options *o, struct err *e)
{
	return open_which(out, "classifier:a", "a", o, e);
}

int extractor_classifier_b_open(struct extractor **out, const struct extractor_options *o, struct err *e)
{
	return open_which(out, "classifier:b", "b", o, e);
}
