/* pairing.c - see pairing.h. */
#include "model/train/pairing.h"

#include "model/base/assignment.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/rng.h"

#include <stdlib.h>
#include <string.h>

struct pairs {
	const struct sample_draw *batch;
	const struct dataset *data;
	uint64_t seed;
	int64_t n, per, step;
	float *x, *z; /* (n, per) */
	double *cost; /* (n, n): noise, picture */
};

static void values_range(void *ctx, int64_t first, int64_t last)
{
	const struct pairs *p = ctx;
	for (int64_t i = first; i < last; i++) {
		dataset_image(p->x + i * p->per, p->data, p->batch[i].image, p->batch[i].flip);
		rng_normal(p->z + i * p->per, (size_t)p->per, p->seed, RNG_NOISE, (uint32_t)p->step,
		           (uint64_t)(i * ((p->per + 3) / 4 * 4)));
	}
}

static double product(const float *a, const float *b, int64_t n)
{
	enum { LANES = 8 };
	double sum[LANES] = { 0 };
	int64_t i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int l = 0; l < LANES; l++)
			sum[l] += (double)a[i + l] * (double)b[i + l];
	for (int l = 0; i < n; i++, l++)
		sum[l] += (double)a[i] * (double)b[i];
	double all = 0;
	for (int l = 0; l < LANES; l++)
		all += sum[l];
	return all;
}

static void cost_range(void *ctx, int64_t first, int64_t last)
{
	const struct pairs *p = ctx;
	for (int64_t i = first; i < last; i++)
		for (int64_t j = 0; j < p->n; j++)
			p->cost[i * p->n + j] = -product(p->z + i * p->per, p->x + j * p->per, p->per);
}

void pair_with_noise(struct sample_draw *batch, int64_t n, const struct dataset *data, uint64_t seed, int64_t k)
{
	int64_t per = (int64_t)data->h * data->w * data->c;
	size_t count = (size_t)n, values = count * (size_t)per;
	SCOPED(free) float *xz = xcalloc(2 * values, sizeof *xz);
	SCOPED(free) double *cost = xcalloc(count * count, sizeof *cost);
	SCOPED(free) int64_t *picture = xcalloc(count, sizeof *picture);
	SCOPED(free) struct sample_draw *drawn = xcalloc(count, sizeof *drawn);
	memcpy(drawn, batch, count * sizeof *drawn);
	struct pairs p = { drawn, data, seed, n, per, k, xz, xz + values, cost };
	cpu_split(n, 4, values_range, &p);
	cpu_split(n, 1, cost_range, &p);
	assignment(picture, cost, n);
	for (int64_t i = 0; i < n; i++)
		batch[i] = drawn[picture[i]];
}
