/* formula_weights.c - see formula_weights.h. */
#include "tests/common/formula_weights.h"

#include "tests/common/formula.h"
#include "model/base/mem.h"
#include "model/frozen/inception.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct st_tensor *)a)->name, ((const struct st_tensor *)b)->name);
}

void formula_weights_add(struct safetensors *st, const char *key, int n_dims, const int64_t *dims)
{
	st->path = "formula";
	st->tensors = xrealloc(st->tensors, st->n_tensors + 1, sizeof *st->tensors);
	struct st_tensor *t = &st->tensors[st->n_tensors++];
	*t = (struct st_tensor){ .name = xstrdup(key), .dtype = ST_F32, .n_dims = n_dims };
	memcpy(t->dims, dims, (size_t)n_dims * sizeof *dims);
	float *data = xmalloc(st_bytes(t));
	formula_weight(data, key, dims, n_dims);
	t->data = data;
	qsort(st->tensors, st->n_tensors, sizeof *st->tensors, by_name);
}

void formula_weights_release(struct safetensors *st)
{
	for (size_t i = 0; i < st->n_tensors; i++) {
		free((void *)(uintptr_t)st->tensors[i].name);
		free((void *)(uintptr_t)st->tensors[i].data);
	}
	free(st->tensors);
	*st = (struct safetensors){ 0 };
}

void formula_inception(struct safetensors *st)
{
	struct cnn net = { 0 };
	struct inception_taps taps;
	inception_describe(&net, &taps, INCEPTION_2015);
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	for (int i = 0; inception_weight(&net, i, name, &n_dims, dims); i++)
		formula_weights_add(st, name, n_dims, dims);
	cnn_release(&net);
}
