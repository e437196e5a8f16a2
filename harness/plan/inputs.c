/* inputs.c - see inputs.h. */
#include "harness/plan/inputs.h"

#include "metrics/weights/weights.h"
#include "model/base/identity.h"
#include "model/base/mem.h"
#include "model/data/dataset.h"
#include "model/formats/weights_file.h"
#include "model/nets/classifier.h"

#include <stdlib.h>
#include <string.h>

static struct input *add(struct input *out, int *n, const char *role, const char *kind, const char *name)
{
	REQUIRE(*n < INPUTS_MAX);
	struct input *in = &out[(*n)++];
	*in = (struct input){ .role = role, .kind = kind };
	(void)snprintf(in->name, sizeof in->name, "%s", name);
	return in;
}

/* A file, or weights in the cache by name. */
static int add_file(struct input *out, int *n, const char *role, const char *setting, struct err *e)
{
	SCOPED(free) char *path = weights_file_path(setting);
	struct input *in = add(out, n, role, "weights", setting);
	return io_exists(path) ? identity_of_file(in->sha256, path, e) : 0;
}

/* Known weights carry the hash of the file that was published. */
static int add_known(struct input *out, int *n, const char *name, struct err *e)
{
	const struct weights_row *row;
	SCOPED(weights) struct weights *w = NULL;
	struct input *in = add(out, n, "lpips", "weights", name);
	if (weights_row_find(&row, name, e))
		return -1;
	if (!weights_here(row))
		return 0;
	if (weights_open(&w, name, NULL, e))
		return -1;
	memcpy(in->sha256, w->sha256, SHA256_HEX);
	return 0;
}

/* One that is missing is told by plan_needs.h. */
static void add_classifier(struct input *out, int *n, const struct run_config *c)
{
	struct classifier net;
	struct err e = ERR_INIT;
	if (c->loss.kind != LOSS_LPIPS_CLASSIFIER || classifier_load(&net, c->data.name, CLASSIFIER_OF_LOSS, &e))
		return;
	memcpy(add(out, n, "classifier", "weights", c->data.name)->sha256, net.sha256, SHA256_HEX);
	classifier_release(&net);
}

int inputs_of(struct input out[INPUTS_MAX], int *n, const struct run_config *c, struct err *e)
{
	*n = 0;
	struct input *data = add(out, n, "dataset", "dataset", c->data.name);
	if (dataset_sha256(data->sha256, c->data.name, SPLIT_TRAIN, e) ||
	    (c->net.init[0] && add_file(out, n, "init", c->net.init, e)) ||
	    (c->method.kind == METHOD_CD && add_file(out, n, "teacher", c->cd.teacher, e)))
		return -1;
	add_classifier(out, n, c);
	return config_needs_lpips(c) && (add_known(out, n, "lpips-vgg-backbone", e) || add_known(out, n, "lpips-vgg", e))
	           ? -1
	           : 0;
}

char *inputs_weights(const struct run_config *c, const char *name)
{
	const struct weights_row *row = NULL;
	struct err e = ERR_INIT;
	if (!config_needs_lpips(c) || weights_row_find(&row, name, &e))
		return NULL;
	return weights_path(row);
}

void inputs_hash(char hex[SHA256_HEX], const struct input *in, int n)
{
	if (n == 1) {
		memcpy(hex, in->sha256, SHA256_HEX);
		return;
	}
	SCOPED(str) struct str text = { 0 };
	for (int i = 0; i < n; i++)
		str_addf(&text, "%s %s %s\n", in[i].role, strcmp(in[i].role, "lpips") == 0 ? in[i].name : "-", in[i].sha256);
	io_sha256(hex, text.data, text.len);
}

bool inputs_same(const struct run_config *a, const struct run_config *b)
{
	return strcmp(a->data.name, b->data.name) == 0 && strcmp(a->net.init, b->net.init) == 0 &&
	       config_needs_lpips(a) == config_needs_lpips(b) &&
	       (a->loss.kind == LOSS_LPIPS_CLASSIFIER) == (b->loss.kind == LOSS_LPIPS_CLASSIFIER) &&
	       (a->method.kind == METHOD_CD) == (b->method.kind == METHOD_CD) &&
	       (a->method.kind != METHOD_CD || strcmp(a->cd.teacher, b->cd.teacher) == 0);
}
