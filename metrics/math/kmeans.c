/* kmeans.c - see kmeans.h. */
#include "metrics/math/kmeans.h"

#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/rng.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROUNDS = 300 };

struct task {
	const double *x, *centre;
	int d, k;
	int *cell;
	double *d2;
};

static double squared(const double *a, const double *b, int d)
{
	double sum = 0;
	for (int i = 0; i < d; i++)
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	return sum;
}

static void assign(void *ctx, int64_t first, int64_t last)
{
	const struct task *t = ctx;
	for (int64_t i = first; i < last; i++) {
		double best = INFINITY;
		for (int c = 0; c < t->k; c++) {
			double v = squared(t->x + i * t->d, t->centre + (int64_t)c * t->d, t->d);
			if (v < best || c == 0) {
				best = v;
				t->cell[i] = c;
			}
		}
		if (t->d2)
			t->d2[i] = best;
	}
}

void kmeans_assign(int *cell, double *d2, const double *x, int64_t n, int d, const double *centre, int k)
{
	struct task t = { .x = x, .centre = centre, .d = d, .k = k, .cell = cell, .d2 = d2 };
	cpu_split(n, 256, assign, &t);
}

struct run {
	const double *x;
	int64_t n;
	int d, k;
	uint64_t seed;
	double *centre, *d2; /* [k, d], [n]: to the nearest centre */
	int *cell, *before;  /* [n] */
};

static void take(struct run *r, int c, int64_t i)
{
	memcpy(r->centre + (int64_t)c * r->d, r->x + i * r->d, sizeof *r->centre * (size_t)r->d);
}

/* A vector, by a probability in proportion to its d2; -1 where all are 0. */
static int64_t draw(const struct run *r, double u)
{
	double total = 0, sum = 0;
	int64_t last = -1;
	for (int64_t i = 0; i < r->n; i++)
		total += r->d2[i];
	for (int64_t i = 0; i < r->n; i++) {
		if (!(r->d2[i] > 0))
			continue;
		last = i;
		sum += r->d2[i];
		if (sum > u * total)
			break;
	}
	return last;
}

static int start(struct run *r, uint32_t try, struct err *e)
{
	for (int64_t i = 0; i < r->n; i++)
		r->d2[i] = 1; /* all alike */
	for (int c = 0; c < r->k; c++) {
		int64_t i = draw(r, rng_uniform_double(r->seed, RNG_EVAL, try, (uint64_t)c));
		if (i < 0)
			return err_set(e, "k-means of %d cells needs as many different vectors; these have %d", r->k, c);
		take(r, c, i);
		kmeans_assign(r->cell, r->d2, r->x, r->n, r->d, r->centre, c + 1);
	}
	return 0;
}

/* Each centre becomes the mean of its cell. */
static void move(struct run *r, int64_t *count)
{
	memset(r->centre, 0, sizeof *r->centre * (size_t)r->k * (size_t)r->d);
	memset(count, 0, sizeof *count * (size_t)r->k);
	for (int64_t i = 0; i < r->n; i++) {
		double *c = r->centre + (int64_t)r->cell[i] * r->d;
		for (int64_t j = 0; j < r->d; j++)
			c[j] += r->x[i * r->d + j];
		count[r->cell[i]]++;
	}
	for (int c = 0; c < r->k; c++) {
		for (int64_t j = 0; j < r->d && count[c]; j++)
			r->centre[(int64_t)c * r->d + j] /= (double)count[c];
		if (count[c])
			continue;
		int64_t far = 0;
		for (int64_t i = 0; i < r->n; i++)
			far = r->d2[i] > r->d2[far] ? i : far;
		take(r, c, far);
		r->d2[far] = 0; /* not for the next empty cell */
	}
}

/* One start, to its end; returns the inertia. */
static double settle(struct run *r, int64_t *count)
{
	double inertia = 0;
	for (int round = 0; round < MAX_ROUNDS; round++) {
		memcpy(r->before, r->cell, sizeof *r->cell * (size_t)r->n);
		move(r, count);
		kmeans_assign(r->cell, r->d2, r->x, r->n, r->d, r->centre, r->k);
		if (memcmp(r->before, r->cell, sizeof *r->cell * (size_t)r->n) == 0)
			break;
	}
	for (int64_t i = 0; i < r->n; i++)
		inertia += r->d2[i];
	return inertia;
}

int kmeans_fit(double *centre, double *inertia, const double *x, int64_t n, int d, int k, int tries, uint64_t seed,
               struct err *e)
{
	REQUIRE(k >= 1 && tries >= 1 && d >= 1 && n >= 1);
	size_t bytes = sizeof(double) * (size_t)k * (size_t)d;
	double best = INFINITY;
	SCOPED(free) double *c = xmalloc(bytes), *d2 = xmalloc(sizeof *d2 * (size_t)n);
	SCOPED(free) int *cell = xmalloc(sizeof *cell * (size_t)n), *before = xmalloc(sizeof *before * (size_t)n);
	SCOPED(free) int64_t *count = xmalloc(sizeof *count * (size_t)k);
	struct run r = { x, n, d, k, seed, c, d2, cell, before };
	for (int t = 0; t < tries; t++) {
		if (start(&r, (uint32_t)t, e))
			return -1;
		double got = settle(&r, count);
		if (!(got < best))
			continue;
		best = got;
		memcpy(centre, c, bytes);
	}
	if (inertia)
		*inertia = best;
	return 0;
}
