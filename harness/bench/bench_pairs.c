/* bench_pairs.c - see bench_pairs.h. */
#include "harness/bench/bench_pairs.h"

#include "metrics/distances/prdc.h"
#include "metrics/math/linalg.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/rng.h"

#include <stdlib.h>

enum { STRIPE = 2500 }; /* rows of the product at once, so that its result fits in memory */

static float *normals(int64_t n, int d, uint32_t which)
{
	float *x = xmalloc(sizeof *x * (size_t)n * (size_t)d);
	rng_normal(x, (size_t)n * (size_t)d, 1, RNG_SYNTHETIC, which, 0);
	return x;
}

static double *doubles(const float *x, int64_t n, int d)
{
	double *g = xmalloc(sizeof *g * (size_t)n * (size_t)d);
	for (int64_t i = 0; i < n * d; i++)
		g[i] = x[i];
	return g;
}

/* Seconds of all products of rows of x and y, in double. */
static double product(const float *x, const float *y, int64_t n, int d)
{
	SCOPED(free) double *a = doubles(x, n, d);
	SCOPED(free) double *b = doubles(y, n, d);
	SCOPED(free) double *c = xcalloc((size_t)STRIPE * (size_t)n, sizeof *c);
	double start = monotonic_s();
	for (int64_t from = 0; from < n; from += STRIPE)
		linalg_gemm_nt(c, a + from * d, b, (int)(n - from < STRIPE ? n - from : STRIPE), (int)n, d, 1, 0);
	return monotonic_s() - start;
}

static void keep_least(double *least, double v)
{
	*least = *least == 0 || v < *least ? v : *least;
}

int bench_pairs(json_t *out, int64_t n, int d, int rounds, struct err *e)
{
	SCOPED(free) float *x = normals(n, d, 1);
	SCOPED(free) float *y = normals(n, d, 2);
	double took = 0, least = 0;
	struct prdc r = { 0 };
	for (int round = 0; round < rounds; round++) {
		keep_least(&least, product(x, y, n, d));
		double start = monotonic_s();
		if (prdc(&r, x, n, y, n, d, 5, e))
			return -1;
		keep_least(&took, monotonic_s() - start);
	}
	return json_array_append_new(out, json_pack("{s:I, s:i, s:f, s:f, s:f, s:f, s:f, s:s}", "vectors", (json_int_t)n,
	                                            "dimensions", d, "seconds", took, "product_seconds", least, "ratio",
	                                            took / least, "density", r.density, "coverage", r.coverage, "kernels",
	                                            linalg_core()));
}
