/* label_file.c - see label_file.h. */
#include "model/data/label_file.h"

#include "model/base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct pair {
	char *name;
	int label;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

static int read_pair(struct pair *out, json_t *item, size_t i, const char *path, struct err *e)
{
	const char *name = json_string_value(json_array_get(item, 0));
	json_t *label = json_array_get(item, 1);
	if (json_array_size(item) != 2 || !name || !*name || !json_is_integer(label))
		return err_set(e, "%s: label %zu is not [\"file\", integer]", path, i);
	json_int_t k = json_integer_value(label);
	if (k < 0 || k > LABEL_MAX)
		return err_set(e, "%s: label %lld of %.200s is out of range: 0 to %d", path, (long long)k, name, LABEL_MAX);
	*out = (struct pair){ xstrdup(name), (int)k };
	return 0;
}

static int read_list(struct label_file *out, json_t *list, const char *path, struct err *e)
{
	size_t n = json_array_size(list);
	SCOPED(free) struct pair *pairs = xcalloc(n + 1, sizeof *pairs);
	struct label_file f = { .names = xcalloc(n + 1, sizeof *f.names), .labels = xcalloc(n + 1, sizeof *f.labels) };
	int rc = 0;
	for (size_t i = 0; i < n && !rc; i++)
		rc = read_pair(&pairs[i], json_array_get(list, i), i, path, e);
	if (!rc && n)
		qsort(pairs, n, sizeof *pairs, by_name);
	for (size_t i = 1; i < n && !rc; i++)
		if (strcmp(pairs[i - 1].name, pairs[i].name) == 0)
			rc = err_set(e, "%s: %.200s has two labels", path, pairs[i].name);
	for (size_t i = 0; i < n && pairs[i].name; i++, f.n++) {
		f.names[i] = pairs[i].name;
		f.labels[i] = pairs[i].label;
		f.classes = pairs[i].label >= f.classes ? pairs[i].label + 1 : f.classes;
	}
	if (rc)
		label_file_release(&f);
	else
		*out = f;
	return rc;
}

int label_file_parse(struct label_file *out, const void *bytes, size_t n, const char *path, struct err *e)
{
	json_error_t why;
	json_t *root = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &why);
	json_t *labels = json_object_get(root, "labels");
	int rc = 0;
	*out = (struct label_file){ 0 };
	if (!root)
		rc = err_set(e, "%s:%d: %s", path, why.line, why.text);
	else if (!labels || (!json_is_array(labels) && !json_is_null(labels)))
		rc = err_set(e, "%s: no list \"labels\" in it", path);
	else if (json_is_array(labels))
		rc = read_list(out, labels, path, e);
	json_decref(root);
	return rc;
}

int label_file_find(const struct label_file *f, const char *name)
{
	size_t lo = 0, hi = f->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(name, f->names[mid]);
		if (c == 0)
			return f->labels[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return -1;
}

void label_file_release(struct label_file *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->names[i]);
	free(f->names);
	free(f->labels);
	*f = (struct label_file){ 0 };
}
