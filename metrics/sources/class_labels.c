/* class_labels.c - see class_labels.h. */
#include "metrics/sources/class_labels.h"

#include "model/base/mem.h"
#include "model/data/label_file.h"
#include "model/formats/arrays.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WHAT_LABELS_ARE \
	"labels are an array labels, label, y, fine_labels or arr_1 of the file, the folder that each picture lies in, " \
	"EDM's dataset.json, or the file of labels beside an IDX file"

void class_labels_release(struct class_labels *l)
{
	for (int k = 0; k < l->n_names; k++)
		free(l->name[k]);
	free(l->name);
	free(l->of);
	*l = (struct class_labels){ 0 };
}

void scoped_class_labels(struct class_labels *l)
{
	class_labels_release(l);
}

void class_labels_init(struct class_labels *out, int64_t n)
{
	*out = (struct class_labels){ .n = n, .of = xcalloc((size_t)n + 1, sizeof *out->of) };
}

int source_labels(struct class_labels *out, struct source *s, struct err *e)
{
	*out = (struct class_labels){ 0 };
	if (s->kind->labels && s->kind->labels(out, s, e)) {
		class_labels_release(out);
		return -1;
	}
	if (!out->n)
		return err_set(e, "%s: has no class labels; " WHAT_LABELS_ARE, s->path);
	REQUIRE(out->n == s->n);
	return 0;
}

int class_labels_of_features(struct class_labels *out, const char *path, int64_t n, struct err *e)
{
	SCOPED(arrays) struct arrays *a = NULL;
	*out = (struct class_labels){ 0 };
	if (arrays_open(&a, path, e) || class_labels_of_arrays(out, a, n, e))
		return -1;
	return out->n ? 0 : err_set(e, "%s: has no class labels; " WHAT_LABELS_ARE, path);
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static const char *key_of(const struct arrays *a)
{
	static const char *const keys[] = { "labels", "label", "y", "fine_labels", "arr_1" };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (arrays_has(a, keys[i]))
			return keys[i];
	return NULL;
}

/* The downsampled ImageNet counts its classes from 1, a batch of CIFAR's Python version, which has a name, from 0. */
static int first_label(const struct arrays *a)
{
	bool named = false;
	for (int i = 0; i < a->n; i++)
		named |= strcmp(a->entry[i].name, "batch_label") == 0;
	return arrays_has(a, "data") && !named ? 1 : 0;
}

int class_labels_of_arrays(struct class_labels *out, struct arrays *a, int64_t n, struct err *e)
{
	const char *key = key_of(a);
	if (!key)
		return 0;
	struct npy_info info;
	char text[128];
	SCOPED(free) double *v = NULL;
	SCOPED(free) char *place = arrays_place(a, key);
	if (arrays_info(&info, a, key, e))
		return -1;
	if (info.n_dims != 1 && !(info.n_dims == 2 && info.dims[1] == 1))
		return err_set(e, "%s: %s is not one label for each image", place, npy_describe(text, &info));
	if (info.count != n)
		return err_set(e, "%s: %" PRId64 " labels for %" PRId64 " images", place, info.count, n);
	if (arrays_doubles(&v, NULL, a, key, n, e))
		return -1;
	int from = first_label(a);
	SCOPED(class_labels) struct class_labels l = { 0 };
	class_labels_init(&l, n);
	for (int64_t i = 0; i < n; i++) {
		if (v[i] != floor(v[i]))
			return err_set(e, "%s: label %" PRId64 " is not an integer", place, i);
		if (!(v[i] >= from && v[i] <= LABEL_MAX))
			return err_set(e, "%s: label %" PRId64 " is %.17g; labels are %d to %d here", place, i, v[i], from,
			               LABEL_MAX);
		l.of[i] = (int32_t)v[i] - from;
	}
	*out = l;
	l = (struct class_labels){ 0 };
	return 0;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

bool class_folder_in(const char *name)
{
	size_t digits = strspn(name, "0123456789");
	return strchr(name, '/') && !(digits == 5 && strncmp(name + digits, "/img", 4) == 0);
}

void class_labels_of_names(struct class_labels *out, char **name, int64_t n)
{
	class_labels_init(out, n);
	int64_t n_runs = 0;
	char **runs = xmalloc(sizeof *runs * (size_t)(n + 1)); /* pictures come folder by folder, so these are few */
	for (int64_t i = 0; i < n; i++)
		if (!n_runs || strcmp(runs[n_runs - 1], name[i]) != 0)
			runs[n_runs++] = name[i];
	qsort(runs, (size_t)n_runs, sizeof *runs, str_order);
	for (int64_t i = 0; i < n_runs; i++)
		if (!out->n_names || strcmp(runs[out->n_names - 1], runs[i]) != 0)
			runs[out->n_names++] = runs[i];
	for (int64_t i = 0; i < n; i++)
		out->of[i] = (int32_t)((char **)bsearch(&name[i], runs, (size_t)out->n_names, sizeof *runs, str_order) - runs);
	for (int k = 0; k < out->n_names; k++)
		runs[k] = xstrdup(runs[k]);
	for (int64_t i = 0; i < n; i++)
		free(name[i]);
	free(name);
	out->name = runs;
}
