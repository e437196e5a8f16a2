/* classifier.c - see classifier.h. Six 3x3 convolutions in three stages, maximum pooling between them. */
#include "model/nets/classifier.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"
#include "model/data/shapes.h"
#include "model/formats/safetensors.h"

#include <math.h>
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

/* SHA-256 of those that come with the program. */
static const struct {
	const char *data, *sha256;
} shipped[] = {
	{ "fashion-mnist", "501541f20fad6229ba41f1ff772fe2add06725ecf71506dc3487bdf209d3bf94" },
};

static bool is_shipped(const char *data_name, const char *sha256)
{
	for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++)
		if (strcmp(shipped[i].data, data_name) == 0)
			return strcmp(shipped[i].sha256, sha256) == 0;
	return false;
}

int classifier_load(struct classifier *out, const char *data_name, struct err *e)
{
	struct data_shape shape;
	if (data_shape_find(&shape, data_name, e))
		return -1;
	SCOPED(free) char *file = xstrfmt("model/weights/classifier-%s.safetensors", data_name);
	SCOPED(free) char *path = own_data_file(file);
	if (!path)
		return err_set(e, "no classifier for data set %s: %s is missing; train it with `ablate classifier %s -o %s`",
		               data_name, file, data_name, file);
	struct safetensors *st;
	if (safetensors_open(&st, path, e))
		return -1;
	struct classifier c = { .params = classifier_params(shape.c, shape.classes),
		                    .h = shape.h,
		                    .w = shape.w,
		                    .channels = shape.c,
		                    .classes = shape.classes };
	c.weights = xaligned(params_floats(c.params) * sizeof(float));
	int rc = io_sha256_file(c.sha256, path, e);
	c.shipped = !rc && is_shipped(data_name, c.sha256);
	for (int i = 0; !rc && i < params_count(c.params); i++) {
		const struct param *p = params_get(c.params, i);
		const struct st_tensor *t;
		rc = safetensors_need(&t, st, p->name, p->ndim, p->dims, e);
		if (!rc)
			st_to_f32(c.weights + p->at, t);
	}
	const char *accuracy = rc ? NULL : safetensors_meta(st, "test_accuracy");
	c.test_accuracy = accuracy ? strtod(accuracy, NULL) : NAN;
	safetensors_free(st);
	if (rc) {
		classifier_release(&c);
		return -1;
	}
	*out = c;
	return 0;
}

void classifier_release(struct classifier *c)
{
	params_free(c->params);
	free(c->weights);
	*c = (struct classifier){ 0 };
}
