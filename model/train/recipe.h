/* recipe.h - what a training's step is recorded from: the network that is trained, and the frozen ones that its loss
 * measures with. Graphs of any number of samples are recorded from one.
 *
 *     SCOPED(recipe) struct recipe r = { 0 };
 *     if (recipe_open(&r, config, backbone, heads, e)) return -1;
 *     struct graph *g = recipe_record(&step, &r, b, 32); */
#ifndef ABLATE_RECIPE_H
#define ABLATE_RECIPE_H

#include "model/config/config.h"
#include "model/consistency/step.h"

struct recipe {
	const struct run_config *c; /* borrowed */
	struct net_spec net;
	struct params *params;
	struct classifier classifier; /* for loss.kind = "lpips-classifier" */
	struct lpips_loss lpips;      /* for loss.kind = "lpips" and "lpips-average" */
};

/* lpips_backbone, lpips_heads: safetensors of VGG16 and its heads, or NULL where the loss needs none. Weights that are
 * missing are an error that names them. */
MUST_CHECK int recipe_open(struct recipe *out, const struct run_config *c, const char *lpips_backbone,
                           const char *lpips_heads, struct err *e);
/* The same without the weights of frozen networks, which need not be there: to record steps that do not run. */
MUST_CHECK int recipe_sketch(struct recipe *out, const struct run_config *c, struct err *e);
void recipe_release(struct recipe *r);
void scoped_recipe(struct recipe *r);
/* The frozen network's parameters and weights (host memory), or NULL where the loss has none. */
const struct params *recipe_frozen(float **weights, const struct recipe *r);
/* The graph of a step of `batch` samples with its backward pass, not yet planned; the caller's. */
struct graph *recipe_record(struct step *out, const struct recipe *r, struct backend *b, int batch);

#endif
