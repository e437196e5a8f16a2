/* recipe.c - see recipe.h. */
#include "model/train/recipe.h"

#include "model/config/net_spec.h"
#include "model/data/shapes.h"
#include "model/formats/safetensors.h"

/* The network of loss.kind = "lpips" and "lpips-average": VGG16 at 224 x 224, as in consistency training (jcm
 * losses.py:359-366). Its weights are not there where backbone and heads are NULL. */
static int init_lpips(struct recipe *r, const struct safetensors *backbone, const struct safetensors *heads,
                      struct err *e)
{
	struct data_shape data;
	if (data_shape_find(&data, r->c->data.name, e))
		return -1;
	struct lpips_loss_options o = {
		.net = LPIPS_VGG, .side = LPIPS_LOSS_SIDE, .channels = data.c, .average = r->c->loss.kind == LOSS_LPIPS_AVERAGE
	};
	return lpips_loss_init(&r->lpips, &o, backbone, heads, e);
}

static int load_lpips(struct recipe *r, const char *backbone_file, const char *heads_file, struct err *e)
{
	struct safetensors *backbone = NULL, *heads = NULL;
	bool average = r->c->loss.kind == LOSS_LPIPS_AVERAGE;
	if (!backbone_file || !heads_file)
		return err_set(e,
		               "loss.kind = \"%s\" needs the weights lpips-vgg-backbone and lpips-vgg (`ablate weights list`); "
		               "lpips-classifier needs none",
		               average ? "lpips-average" : "lpips");
	int rc = safetensors_open(&backbone, backbone_file, e) || safetensors_open(&heads, heads_file, e) ||
	                 init_lpips(r, backbone, heads, e)
	             ? -1
	             : 0;
	safetensors_free(backbone);
	safetensors_free(heads);
	return rc;
}

int recipe_open(struct recipe *out, const struct run_config *c, const char *lpips_backbone, const char *lpips_heads,
                struct err *e)
{
	struct recipe r = { .c = c, .net = net_spec_of(c) };
	if ((c->loss.kind == LOSS_LPIPS_CLASSIFIER &&
	     classifier_load(&r.classifier, c->data.name, CLASSIFIER_OF_LOSS, e)) ||
	    (config_needs_lpips(c) && load_lpips(&r, lpips_backbone, lpips_heads, e))) {
		recipe_release(&r);
		return -1;
	}
	r.params = net_params(&r.net);
	*out = r;
	return 0;
}

int recipe_sketch(struct recipe *out, const struct run_config *c, struct err *e)
{
	struct recipe r = { .c = c, .net = net_spec_of(c) };
	struct data_shape data;
	if (data_shape_find(&data, c->data.name, e) || (config_needs_lpips(c) && init_lpips(&r, NULL, NULL, e)))
		return -1;
	if (c->loss.kind == LOSS_LPIPS_CLASSIFIER)
		r.classifier = (struct classifier){ .params = classifier_params(data.c, data.classes),
			                                .h = data.h,
			                                .w = data.w,
			                                .channels = data.c,
			                                .classes = data.classes };
	r.params = net_params(&r.net);
	*out = r;
	return 0;
}

void recipe_release(struct recipe *r)
{
	params_free(r->params);
	classifier_release(&r->classifier);
	lpips_loss_release(&r->lpips);
	*r = (struct recipe){ 0 };
}

void scoped_recipe(struct recipe *r)
{
	recipe_release(r);
}

const struct params *recipe_frozen(float **weights, const struct recipe *r)
{
	*weights = r->lpips.params ? r->lpips.weights : r->classifier.weights;
	return r->lpips.params ? r->lpips.params : r->classifier.params;
}

struct graph *recipe_record(struct step *out, const struct recipe *r, struct backend *b, int batch)
{
	struct graph *g = graph_new_on(b);
	graph_by_taps(g, STORE_STUDENT);
	graph_by_taps(g, STORE_TEACHER);
	graph_by_taps(g, STORE_DIFFUSION);
	graph_by_taps(g, STORE_FROZEN);
	graph_by_taps(g, STORE_AVERAGE);
	*out = step_build(g, r->c, &r->net, r->params,
	                  &(struct step_options){ .batch = batch,
	                                          .dropout = true,
	                                          .backward = true,
	                                          .classifier = r->classifier.params ? &r->classifier : NULL,
	                                          .lpips = r->lpips.params ? &r->lpips : NULL });
	if (b->dtype == DTYPE_BF16)
		(void)graph_set_low(g);
	return g;
}
