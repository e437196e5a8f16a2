/* classifier.c - see classifier.h. Six 3x3 convolutions in three stages, maximum pooling between them. */
#include "model/nets/classifier.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"
#include "model/data/shapes.h"
#include "model/formats/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int widths[CLASSIFIER_TAPS] = { 32, 64, CLASSIFIER_DIM };

struct params *classifier_params(int channels, int classes)
{
	struct params *p = params_new();
	int in = channels;
	for (int stage = 0; stage < CLASSIFIER_TAPS; stage++)
		for (int i = 0; i < 2; i++) {
			int out = widths[stage];
			SCOPED(free)
			char *w = xstrfmt("stage%d.conv%d.weight", stage, i), *b = xstrfmt("stage%d.conv%d.bias", stage, i);
			/* He: U(-1,1) sqrt(6 / fan_in), for relu */
			(void)params_add(p, w, 4, (int64_t[]){ out, in, 3, 3 }, INIT_TORCH, sqrt(6), in * 9, out * 9);
			(void)params_add(p, b, 1, (int64_t[]){ out }, INIT_ZERO, 1, in * 9, out * 9);
			in = out;
		}
	(void)params_add(p, "fc.weight", 2, (int64_t[]){ classes, in }, INIT_TORCH, 1, in, classes);
	(void)params_add(p, "fc.bias", 1, (int64_t[]){ classes }, INIT_ZERO, 1, in, classes);
	return p;
}

static struct tensor *weight(struct graph *g, const struct params *p, enum store store, const char *name)
{
	const struct param *q = params_find(p, name);
	REQUIRE(q);
	if (q->ndim == 1)
		return graph_param(g, name, store, q->at, 1, 1, 1, q->dims[0]);
	return graph_param(g, name, store, q->at, q->dims[0], q->dims[1], q->ndim == 4 ? q->dims[2] : 1,
	                   q->ndim == 4 ? q->dims[3] : 1);
}

struct classifier_out classifier_forward(struct graph *g, const struct params *p, enum store store, struct tensor *x,
                                         int classes)
{
	struct classifier_out out;
	for (int stage = 0; stage < CLASSIFIER_TAPS; stage++) {
		if (stage)
			x = graph_pool(g, x, (struct pool_args){ .k = 2, .stride = 2 });
		for (int i = 0; i < 2; i++) {
			SCOPED(free)
			char *w = xstrfmt("stage%d.conv%d.weight", stage, i), *b = xstrfmt("stage%d.conv%d.bias", stage, i);
			x = graph_conv2d(g, x, weight(g, p, store, w), weight(g, p, store, b), 1, 1, 1, true);
		}
		out.taps[stage] = x;
	}
	out.features = graph_global_mean(g, x);
	out.logits = graph_conv2d(g, out.features, weight(g, p, store, "fc.weight"), weight(g, p, store, "fc.bias"), 1, 0,
	                          0, false);
	REQUIRE(out.logits->c == classes);
	return out;
}

static char *file_of(const char *data_name, const char *which)
{
	return xstrfmt("model/weights/classifier-%s-%s.safetensors", data_name, which);
}

bool classifier_is_here(const char *data_name, const char *which)
{
	SCOPED(free) char *file = file_of(data_name, which);
	SCOPED(free) char *path = own_data_file(file);
	return path != NULL;
}

int classifier_load(struct classifier *out, const char *data_name, const char *which, struct err *e)
{
	struct data_shape shape;
	if (data_shape_find(&shape, data_name, e))
		return -1;
	SCOPED(free) char *file = file_of(data_name, which);
	SCOPED(free) char *path = own_data_file(file);
	if (!path)
		return err_set(e,
		               "no classifier %s for data set %s: %s is missing; train it with `ablate classifier %s --network "
		               "%s -o %s`",
		               which, data_name, file, data_name, which, file);
	struct classifier c;
	if (classifier_read(&c, path, e))
		return -1;
	if (c.h == shape.h && c.w == shape.w && c.channels == shape.c && c.classes == shape.classes) {
		*out = c;
		return 0;
	}
	int rc = err_set(e, "%s: a classifier of %dx%dx%d in %d classes, but %s is %dx%dx%d in %d; train it anew", path,
	                 c.h, c.w, c.channels, c.classes, data_name, shape.h, shape.w, shape.c, shape.classes);
	classifier_release(&c);
	return rc;
}

/* "28x28" of the metadata. */
static bool read_size(struct classifier *c, const char *text)
{
	char rest;
	return text && sscanf(text, "%dx%d%c", &c->h, &c->w, &rest) == 2 && c->h > 0 && c->w > 0;
}

static int take_tensors(struct classifier *c, const struct safetensors *st, const char *path, struct err *e)
{
	const struct st_tensor *first = safetensors_find(st, "stage0.conv0.weight"),
						   *last = safetensors_find(st, "fc.weight");
	const char *accuracy = safetensors_meta(st, "test_accuracy");
	if (!first || !last || first->n_dims != 4 || last->n_dims != 2 || first->dims[1] < 1 || first->dims[1] > 3 ||
	    last->dims[0] < 1 || last->dims[0] > 100000 || !read_size(c, safetensors_meta(st, "size")))
		return err_set(e, "%s: not weights that `ablate classifier` of this version wrote", path);
	c->channels = (int)first->dims[1];
	c->classes = (int)last->dims[0];
	c->params = classifier_params(c->channels, c->classes);
	c->weights = xaligned(params_floats(c->params) * sizeof(float));
	c->test_accuracy = accuracy ? strtod(accuracy, NULL) : NAN;
	for (int i = 0; i < params_count(c->params); i++) {
		const struct param *p = params_get(c->params, i);
		const struct st_tensor *t;
		if (safetensors_need(&t, st, p->name, p->ndim, p->dims, e))
			return -1;
		st_to_f32(c->weights + p->at, t);
	}
	return 0;
}

int classifier_read(struct classifier *out, const char *path, struct err *e)
{
	struct safetensors *st;
	struct classifier c = { 0 };
	if (safetensors_open(&st, path, e))
		return -1;
	int rc = io_sha256_file(c.sha256, path, e) || take_tensors(&c, st, path, e) ? -1 : 0;
	safetensors_free(st);
	if (rc)
		classifier_release(&c);
	else
		*out = c;
	return rc;
}

void classifier_release(struct classifier *c)
{
	params_free(c->params);
	free(c->weights);
	*c = (struct classifier){ 0 };
}
