/* extractor_inception.c - see extractor_inception.h. */
#include "metrics/features/extractor_inception.h"

#include "metrics/weights/weights.h"
#include "model/cpu/devices.h"
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/frozen/inception.h"
#include "model/frozen/resize.h"

#include <stdlib.h>
#include <string.h>

struct self {
	struct inception *net;
	struct device_moments *moments;
	enum resize_kind resize;
	struct backend *b;
};

static int features(struct extractor *x, float *out, float *logits, float *spatial, const struct image_u8 *images,
                    int n, struct err *e)
{
	struct self *self = x->self;
	struct inception_out o = { .d2048 = out, .logits_unbiased = logits, .spatial = spatial };
	return inception_run_pictures(self->net, &o, images, n, self->resize, e);
}

static int count(struct extractor *x, struct err *e)
{
	struct self *self = x->self;
	return inception_count(&self->moments, self->net, e);
}

static int counted(struct extractor *x, struct moments *m, struct err *e)
{
	struct self *self = x->self;
	SCOPED(moment_parts) struct moment_parts p = { 0 };
	if (device_moments_read(&p, self->moments, e))
		return -1;
	moments_init_folded(m, x->dim, p.n_folded, p.mean, p.scatter);
	p.mean = p.scatter = NULL;
	moments_add(m, p.rows, p.n_rows);
	return 0;
}

static void release(struct extractor *x)
{
	struct self *self = x->self;
	inception_free(self->net);
	backend_free(self->b);
	free(self);
	free(x);
}

static int open_kind(struct extractor **out, enum inception_kind kind, const char *name,
                     const struct extractor_options *o, struct err *e)
{
	struct self s = { .resize = RESIZE_TORCH_BILINEAR };
	if (o->resize && resize_by_name(&s.resize, o->resize, e))
		return err_in(e, "%s", name);
	SCOPED(weights) struct weights *w = NULL;
	if (backend_open(&s.b, o->device, DTYPE_FP32, e))
		return -1;
	bool device = !s.b->ops->host_memory;
	int batch = o->batch ? o->batch : device ? 128 : 32;
	if (device && o->bf16) { /* the CPU's is not a precision of its back end */
		SCOPED(free) char *opened = xstrdup(s.b->name);
		backend_free(s.b);
		if (backend_open(&s.b, opened, DTYPE_BF16, e))
			return -1;
	}
	if (weights_open(&w, name, o->weights, e) || (device ? inception_open_on(&s.net, kind, w->st, s.b, batch, e)
	                                                     : inception_open(&s.net, kind, w->st, o->bf16, e))) {
		backend_free(s.b);
		return -1;
	}
	struct extractor *x = xcalloc(1, sizeof *x);
	*x = (struct extractor){ .name = name,
		                     .resize = resize_name(s.resize),
		                     .numerics = dtype_name(o->bf16 ? DTYPE_BF16 : DTYPE_FP32),
		                     .dim = 2048,
		                     .logits_dim = inception_classes(s.net),
		                     .spatial_dim = INCEPTION_SPATIAL,
		                     .batch = batch,
		                     .features = features,
		                     .free = release,
		                     .published = w->published,
		                     .device = device ? s.b : NULL,
		                     .count = device ? count : NULL,
		                     .counted = device ? counted : NULL };
	memcpy(x->weights_sha256, w->sha256, sizeof x->weights_sha256);
	x->self = xmalloc(sizeof s);
	memcpy(x->self, &s, sizeof s);
	*out = x;
	return 0;
}

int extractor_inception_2015_open(struct extractor **out, const struct extractor_options *o, struct err *e)
{
	return open_kind(out, INCEPTION_2015, "inception-2015", o, e);
}

int extractor_inception_keras_open(struct extractor **out, const struct extractor_options *o, struct err *e)
{
	return open_kind(out, INCEPTION_KERAS, "inception-keras", o, e);
}
