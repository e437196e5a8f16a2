/* plan_needs.c - see plan_needs.h. */
#include "harness/plan/plan_needs.h"

#include "metrics/features/extractor.h"
#include "metrics/weights/weights.h"
#include "model/data/dataset.h"
#include "model/data/shapes.h"
#include "model/nets/classifier.h"

#include <string.h>

static bool lacks_weights(char *reason, size_t size, const char *name)
{
	const struct weights_row *row;
	if (weights_row_find(&row, name, NULL) || weights_here(row))
		return false;
	if (row->sha256)
		(void)snprintf(reason, size, "weights %s, sha256 %.16s...: `ablate weights import|fetch %s`", name, row->sha256,
		               name);
	else
		(void)snprintf(reason, size, "weights %s: `ablate weights import %s FILE`", name, name);
	return true;
}

static bool lacks_data(char *reason, size_t size, const char *name)
{
	struct data_shape shape;
	char hash[SHA256_HEX];
	struct err e = ERR_INIT;
	if (data_shape_find(&shape, name, NULL) || !dataset_sha256(hash, name, SPLIT_TRAIN, &e))
		return false;
	(void)snprintf(reason, size, "%s", e.msg);
	return true;
}

/* A file by its path, or weights in the cache by name. */
static bool lacks_file(char *reason, size_t size, const char *key, const char *setting)
{
	const struct weights_row *row;
	SCOPED(free) char *path = weights_file_path(setting);
	if (!*path || io_exists(path))
		return false;
	if (!weights_row_find(&row, setting, NULL))
		return lacks_weights(reason, size, setting);
	(void)snprintf(reason, size, "the file %s = \"%s\"%s%s", key, setting,
	               strcmp(path, setting) ? ", looked for as " : "", strcmp(path, setting) ? path : "");
	return true;
}

static bool lacks_network(char *reason, size_t size, const char *data, const char *which)
{
	struct classifier loaded = { 0 };
	struct err e = ERR_INIT;
	bool lacks = classifier_load(&loaded, data, which, &e);
	classifier_release(&loaded);
	if (lacks)
		(void)snprintf(reason, size, "%s", e.msg);
	return lacks;
}

/* A loss by the layers of the data's own classifier needs its weights. */
static bool lacks_classifier(char *reason, size_t size, const struct run_config *c)
{
	return c->loss.kind == LOSS_LPIPS_CLASSIFIER && lacks_network(reason, size, c->data.name, CLASSIFIER_OF_LOSS);
}

/* Labels that the data has and the network does not. */
static bool lacks_classes(char *reason, size_t size, const struct run_config *c)
{
	struct data_shape shape;
	if (!c->net.classes || data_shape_find(&shape, c->data.name, NULL) || c->net.classes >= shape.classes)
		return false;
	(void)snprintf(reason, size,
	               "net.classes = %d, but %s has %d classes: set it to %d, or to 0 for a network without labels",
	               c->net.classes, c->data.name, shape.classes, shape.classes);
	return true;
}

bool plan_arm_lacks(char *reason, size_t size, const struct plan *p, const struct plan_arm *arm)
{
	const struct run_config *c = &arm->config;
	for (int i = 0; i < arm->n_needs; i++)
		if (lacks_weights(reason, size, arm->needs[i]) || lacks_data(reason, size, arm->needs[i]))
			return true;
	if (config_needs_lpips(c) &&
	    (lacks_weights(reason, size, "lpips-vgg-backbone") || lacks_weights(reason, size, "lpips-vgg")))
		return true;
	if (lacks_file(reason, size, "net.init", c->net.init) ||
	    (c->method.kind == METHOD_CD && lacks_file(reason, size, "cd.teacher", c->cd.teacher)))
		return true;
	for (int i = 0; i < p->grid->n_metrics; i++) {
		const char *extractor = p->grid->metrics[i].extractor;
		if (lacks_weights(reason, size, *extractor ? extractor : extractor_default(c->data.name)))
			return true;
	}
	return lacks_classes(reason, size, c) || lacks_classifier(reason, size, c);
}
