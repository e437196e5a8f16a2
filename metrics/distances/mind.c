/* mind.c - see mind.h. Directions are taken in groups: of each the projections of all vectors are one matrix
 * product. */
#include "metrics/distances/mind.h"

#include "metrics/math/linalg.h"
#include "metrics/math/sort.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/rng.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { GROUP = 64, ROWS = 1024 };
enum { STEP_DIRECTIONS = 1, STEP_SUBSET = 2 }; /* of the stream RNG_EVAL; 0 is FID-infinity's */

/* Directions [from, from + n) as rows of u [n, d]. */
static void directions_of(double *u, int64_t from, int n, int d, uint64_t seed)
{
	SCOPED(free) float *z = xmalloc(sizeof *z * (size_t)d);
	for (int64_t k = 0; k < n; k++) {
		double length = 0;
		rng_normal(z, (size_t)d, seed, RNG_EVAL, STEP_DIRECTIONS, (uint64_t)((from + k) * d));
		for (int64_t j = 0; j < d; j++)
			length += (double)z[j] * z[j];
		for (int64_t j = 0; j < d; j++)
			u[k * d + j] = (double)z[j] / sqrt(length);
	}
}

/* A set of `all` vectors of which n are taken: all of them in order, or some by the seed. */
struct drawn {
	const float *x;
	int64_t all, n;
	int d;
	uint64_t seed;
};

struct rows {
	double *out;
	const struct drawn *s;
	int64_t from;
};

static void take_rows(void *ctx, int64_t first, int64_t last)
{
	const struct rows *r = ctx;
	const struct drawn *s = r->s;
	for (int64_t i = first; i < last; i++) {
		uint64_t at = (uint64_t)(r->from + i);
		if (s->n < s->all)
			at = rng_permute(at, (uint64_t)s->all, s->seed, RNG_EVAL, STEP_SUBSET);
		for (int64_t j = 0; j < s->d; j++)
			r->out[i * s->d + j] = s->x[at * (uint64_t)s->d + (uint64_t)j];
	}
}

/* out[n_u, s->n]: the vectors along each of the directions u [n_u, d]. */
static void project(double *out, const double *u, int n_u, const struct drawn *s)
{
	SCOPED(free) double *rows = xmalloc(sizeof *rows * ROWS * (size_t)s->d);
	SCOPED(free) double *part = xmalloc(sizeof *part * GROUP * ROWS);
	for (int64_t from = 0; from < s->n; from += ROWS) {
		int n = s->n - from < ROWS ? (int)(s->n - from) : ROWS;
		cpu_split(n, 32, take_rows, &(struct rows){ rows, s, from });
		linalg_gemm_nt(part, u, rows, n_u, n, s->d, 1, 0);
		for (int64_t k = 0; k < n_u; k++)
			for (int64_t i = 0; i < n; i++)
				out[k * s->n + from + i] = part[k * n + i];
	}
}

struct group {
	double *x, *y; /* [directions, n] */
	double *distance;
	int64_t n;
};

static void transport(void *ctx, int64_t first, int64_t last)
{
	const struct group *g = ctx;
	for (int64_t k = first; k < last; k++) {
		double *a = g->x + k * g->n, *b = g->y + k * g->n, sum = 0;
		sort_doubles(a, g->n);
		sort_doubles(b, g->n);
		for (int64_t i = 0; i < g->n; i++)
			sum += (a[i] - b[i]) * (a[i] - b[i]);
		g->distance[k] = sum / (double)g->n;
	}
}

static int check(const float *x, int64_t n, int d, const char *what, struct err *e)
{
	if (n < 1)
		return err_set(e, "MIND needs at least one %s vector", what);
	for (int64_t i = 0; i < n * d; i++)
		if (!isfinite(x[i]))
			return err_set(e, "%s vector %lld is not finite", what, (long long)(i / d));
	return 0;
}

int mind(struct mind *out, const float *x, int64_t n, const float *y, int64_t m, int d, int directions, uint64_t seed,
         struct err *e)
{
	REQUIRE(directions >= 2 && d >= 1);
	if (check(x, n, d, "generated", e) || check(y, m, d, "real", e))
		return -1;
	int64_t used = n < m ? n : m;
	struct drawn a = { x, n, used, d, seed }, b = { y, m, used, d, seed };
	SCOPED(free) double *u = xmalloc(sizeof *u * GROUP * (size_t)d);
	SCOPED(free) double *along = xmalloc(sizeof *along * 2 * GROUP * (size_t)used);
	SCOPED(free) double *distance = xmalloc(sizeof *distance * (size_t)directions);
	for (int at = 0; at < directions; at += GROUP) {
		int group = directions - at < GROUP ? directions - at : GROUP;
		struct group g = { along, along + GROUP * used, distance + at, used };
		directions_of(u, at, group, d, seed);
		project(g.x, u, group, &a);
		project(g.y, u, group, &b);
		cpu_split(group, 1, transport, &g);
	}
	double mean = 0, var = 0;
	for (int k = 0; k < directions; k++)
		mean += distance[k] / directions;
	for (int k = 0; k < directions; k++)
		var += (distance[k] - mean) * (distance[k] - mean) / (directions - 1);
	*out = (struct mind){ .value = 3.0 * d * mean, .error = 3.0 * d * sqrt(var / directions), .used = used };
	return 0;
}
