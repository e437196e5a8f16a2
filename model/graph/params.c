/* params.c - see params.h. */
#include "model/graph/params.h"

#include "model/base/mem.h"
#include "model/base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct params {
	struct param *list;
	int n, cap;
	size_t floats;
	struct arena arena;
};

struct params *params_new(void)
{
	return xcalloc(1, sizeof(struct params));
}

void params_free(struct params *p)
{
	if (!p)
		return;
	arena_release(&p->arena);
	free(p->list);
	free(p);
}

int params_add(struct params *p, const char *name, int ndim, const int64_t *dims, enum init_kind init, double scale,
               int64_t fan_in, int64_t fan_out)
{
	if (params_find(p, name))
		BUG("parameter %s twice", name);
	struct param q = { .name = arena_strdup(&p->arena, name),
		               .ndim = ndim,
		               .init = init,
		               .scale = scale,
		               .fan_in = fan_in,
		               .fan_out = fan_out,
		               .at = p->floats,
		               .count = 1,
		               .trained = init != INIT_NOISE_FREQS };
	for (int i = 0; i < ndim; i++) {
		q.dims[i] = dims[i];
		q.count *= (size_t)dims[i];
	}
	p->floats += (q.count + 15) / 16 * 16; /* each on a 64-byte line of its own */
	VEC_PUSH(p->list, p->n, p->cap) = q;
	return p->n - 1;
}

int params_count(const struct params *p)
{
	return p->n;
}

const struct param *params_get(const struct params *p, int i)
{
	return &p->list[i];
}

const struct param *params_find(const struct params *p, const char *name)
{
	for (int i = 0; i < p->n; i++)
		if (strcmp(p->list[i].name, name) == 0)
			return &p->list[i];
	return NULL;
}

size_t params_floats(const struct params *p)
{
	return p->floats;
}

int64_t params_trained(const struct params *p)
{
	int64_t total = 0;
	for (int i = 0; i < p->n; i++)
		total += p->list[i].trained ? (int64_t)p->list[i].count : 0;
	return total;
}

void params_init(const struct params *p, float *values, uint64_t seed)
{
	for (int i = 0; i < p->n; i++) {
		const struct param *q = &p->list[i];
		float *dst = values + q->at;
		double bound = 0;
		switch (q->init) {
		case INIT_ZERO: memset(dst, 0, q->count * sizeof *dst); continue;
		case INIT_ONE:
			for (size_t j = 0; j < q->count; j++)
				dst[j] = 1;
			continue;
		case INIT_NOISE_FREQS:
		case INIT_NORMAL:
			rng_normal(dst, q->count, seed, RNG_INIT, (uint32_t)i, 0);
			for (size_t j = 0; j < q->count; j++)
				dst[j] *= (float)q->scale;
			continue;
		case INIT_XAVIER: bound = sqrt(6.0 / (double)(q->fan_in + q->fan_out)) * q->scale; break;
		case INIT_TORCH: bound = sqrt(1.0 / (double)q->fan_in) * q->scale; break;
		}
		for (size_t j = 0; j < q->count; j++)
			dst[j] = (float)((2 * rng_uniform_double(seed, RNG_INIT, (uint32_t)i, j) - 1) * bound);
	}
}
