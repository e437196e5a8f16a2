/* extractor_vit.c - see extractor_vit.h. */
#include "metrics/features/extractor_vit.h"

#include "metrics/weights/weights.h"
#include "model/base/mem.h"
#include "model/cpu/devices.h"
#include "model/frozen/vit_picture.h"

#include <stdlib.h>
#include <string.h>

struct self {
	struct vit *net;
	struct backend *b;
};

static int features(struct extractor *x, float *dst, float *logits, float *spatial, const struct image_u8 *images,
                    int n, struct err *e)
{
	struct self *self = x->self;
	REQUIRE(dst && !logits && !spatial);
	return vit_run(self->net, dst, images, n, e);
}

static void release(struct extractor *x)
{
	struct self *self = x->self;
	vit_free(self->net);
	backend_free(self->b);
	free(self);
	free(x);
}

static int check_options(const char *name, enum vit_family family, const struct extractor_options *o, struct err *e)
{
	const char *own = vit_picture_name(family);
	if (o->bf16)
		return err_code(e, EXIT_USAGE, "the extractor '%s' has no bf16", name);
	if (o->resize && strcmp(o->resize, own) != 0)
		return err_code(e, EXIT_USAGE, "the extractor '%s' has no resize '%s', only its own, %s", name, o->resize, own);
	return 0;
}

int extractor_vit_open(struct extractor **out, const char *name, const struct vit_spec *s,
                       const struct safetensors *weights, const struct extractor_options *o, struct err *e)
{
	struct self self = { 0 };
	if (check_options(name, s->family, o, e) || backend_open(&self.b, o->device, DTYPE_FP32, e))
		return -1;
	bool device = !self.b->ops->host_memory;
	int batch = o->batch ? o->batch : device ? 32 : 8;
	if (vit_open(&self.net, s, weights, self.b, batch, e)) {
		backend_free(self.b);
		return -1;
	}
	struct extractor *x = xcalloc(1, sizeof *x);
	*x = (struct extractor){ .name = name,
		                     .resize = vit_picture_name(s->family),
		                     .numerics = dtype_name(DTYPE_FP32),
		                     .dim = s->dim,
		                     .batch = batch,
		                     .features = features,
		                     .free = release,
		                     .device = device ? self.b : NULL };
	x->self = xmalloc(sizeof self);
	memcpy(x->self, &self, sizeof self);
	*out = x;
	return 0;
}

static int open_row(struct extractor **out, const char *name, const struct vit_spec *s,
                    const struct extractor_options *o, struct err *e)
{
	SCOPED(weights) struct weights *w = NULL;
	if (check_options(name, s->family, o, e) || weights_open(&w, name, o->weights, e) ||
	    extractor_vit_open(out, name, s, w->st, o, e))
		return -1;
	(*out)->published = w->published;
	memcpy((*out)->weights_sha256, w->sha256, sizeof w->sha256);
	return 0;
}

int extractor_dinov2_open(struct extractor **out, const struct extractor_options *o, struct err *e)
{
	return open_row(out, "dinov2", &vit_dinov2_l14, o, e);
}

int extractor_clip_open(struct extractor **out, const struct extractor_options *o, struct err *e)
{
	return open_row(out, "clip", &vit_clip_l14_336, o, e);
}
