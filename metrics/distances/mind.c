/* mind.c - see mind.h. Directions are taken in groups: of each the projections of all vectors are one matrix
 * product. */
#include "metrics/distances/mind.h"

#include "metrics/math/jackknife.h"
#include "metrics/math/linalg.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/rng.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
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
	double *without; /* [directions, JACKKNIFE_BLOCKS], the distance without each block; NULL = not wanted */
	int64_t n;
};

struct ranked {
	double at;
	int block;
};

static int ascending(const void *a, const void *b)
{
	double x = ((const struct ranked *)a)->at, y = ((const struct ranked *)b)->at;
	return (x > y) - (x < y);
}

static void rank(struct ranked *out, const double *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = (struct ranked){ x[i], jackknife_dealt(i, JACKKNIFE_BLOCKS) };
	qsort(out, (size_t)n, sizeof *out, ascending);
}

/* Of two sorted sets without a block of each (-1: of all); the blocks of the two are of one size. */
static double matched(const struct ranked *a, const struct ranked *b, int64_t n, int gone)
{
	double sum = 0;
	int64_t count = 0;
	for (int64_t i = 0, j = 0;; i++, j++, count++) {
		while (i < n && a[i].block == gone)
			i++;
		while (j < n && b[j].block == gone)
			j++;
		if (i >= n)
			return sum / (double)count;
		sum += (a[i].at - b[j].at) * (a[i].at - b[j].at);
	}
}

static void transport(void *ctx, int64_t first, int64_t last)
{
	const struct group *g = ctx;
	SCOPED(free) struct ranked *a = xmalloc(sizeof *a * (size_t)g->n), *b = xmalloc(sizeof *b * (size_t)g->n);
	for (int64_t k = first; k < last; k++) {
		rank(a, g->x + k * g->n, g->n);
		rank(b, g->y + k * g->n, g->n);
		g->distance[k] = matched(a, b, g->n, -1);
		for (int block = 0; g->without && block < JACKKNIFE_BLOCKS; block++)
			g->without[k * JACKKNIFE_BLOCKS + block] = matched(a, b, g->n, block);
	}
}

/* The luck of the sets and that of the directions add up as squares. */
static double half_of(const double *without, int directions, int d, double error)
{
	double mean[JACKKNIFE_BLOCKS] = { 0 };
	for (int k = 0; k < directions; k++)
		for (int b = 0; b < JACKKNIFE_BLOCKS; b++)
			mean[b] += 3.0 * d * without[k * JACKKNIFE_BLOCKS + b] / directions;
	return hypot(jackknife_half_width(mean, JACKKNIFE_BLOCKS), 1.96 * error);
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
	SCOPED(free)
	double *without = used < 2 * JACKKNIFE_BLOCKS ? NULL
	                                              : xmalloc(sizeof *without * (size_t)directions * JACKKNIFE_BLOCKS);
	for (int at = 0; at < directions; at += GROUP) {
		int group = directions - at < GROUP ? directions - at : GROUP;
		struct group g = { along, along + GROUP * used, distance + at,
			               without ? without + (ptrdiff_t)at * JACKKNIFE_BLOCKS : NULL, used };
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
	out->half = without ? half_of(without, directions, d, out->error) : NAN;
	return 0;
}
