/* bench_weights.c - see bench_weights.h. */
#include "harness/bench/bench_weights.h"

#include "model/base/rng.h"
#include "model/frozen/inception.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

static void add(struct safetensors *st, struct arena *arena, const char *name, int n_dims, const int64_t *dims)
{
	st->tensors = xrealloc(st->tensors, st->n_tensors + 1, sizeof *st->tensors);
	struct st_tensor *t = &st->tensors[st->n_tensors];
	*t = (struct st_tensor){ .name = arena_strdup(arena, name), .dtype = ST_F32, .n_dims = n_dims };
	memcpy(t->dims, dims, (size_t)n_dims * sizeof *dims);
	size_t n = st_count(t);
	float *data = arena_alloc(arena, n * sizeof *data);
	if (n_dims > 1) {
		float scale = sqrtf(2.0f * (float)dims[0] / (float)n);
		rng_normal(data, n, 1, RNG_SYNTHETIC, (uint32_t)st->n_tensors, 0);
		for (size_t i = 0; i < n; i++)
			data[i] *= scale;
	} else {
		float value = ends_in(name, ".weight") || ends_in(name, ".gamma") || ends_in(name, "_var") ? 1 : 0;
		for (size_t i = 0; i < n; i++)
			data[i] = value;
	}
	t->data = data;
	st->n_tensors++;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct st_tensor *)a)->name, ((const struct st_tensor *)b)->name);
}

void bench_weights_make(struct safetensors *st, struct arena *arena, bench_weight *list, const void *ctx)
{
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS];
	for (int i = 0; list(ctx, i, name, &n_dims, dims); i++)
		add(st, arena, name, n_dims, dims);
	st->path = "random weights";
	qsort(st->tensors, st->n_tensors, sizeof *st->tensors, by_name);
}

void bench_weights_release(struct safetensors *st)
{
	free(st->tensors);
	*st = (struct safetensors){ 0 };
}

static bool inception_list(const void *ctx, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS])
{
	return inception_weight(ctx, i, name, n_dims, dims);
}

void bench_weights_inception(struct safetensors *st, struct arena *arena)
{
	struct cnn table = { 0 };
	struct inception_taps taps;
	inception_describe(&table, &taps, INCEPTION_2015);
	bench_weights_make(st, arena, inception_list, &table);
	cnn_release(&table);
}
