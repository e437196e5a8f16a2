/* fid_sampling.c - the effect of sample size on FID: its interval and its limit (fid.h). The reference is held
 * fixed in both: it is part of the protocol. */
#include "metrics/distances/fid.h"

#include "metrics/math/jackknife.h"
#include "metrics/math/ranges.h"
#include "model/base/mem.h"
#include "model/base/rng.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static int score(double *out, struct moments *m, const struct fid_side *b, struct err *e)
{
	SCOPED(fid_side) struct fid_side side = { 0 };
	struct fid_result r;
	if (fid_side_of_moments(&side, m, "a part of the sample", e) || fid_compute(&r, &side, b, e))
		return -1;
	*out = r.fid;
	return 0;
}

/* The moments of the rows that are dealt to block k, or of all others. */
static void moments_of(struct moments *out, const float *x, int64_t n, int d, int k, int blocks, bool others)
{
	moments_init(out, d);
	for (int64_t i = 0; i < n; i++)
		if ((jackknife_dealt(i, blocks) != k) == others)
			moments_add(out, x + i * d, 1);
}

/* The moments of x without block k: subtracted from the whole where a covariance is held anyway, else recounted, so
 * that the exact route for few vectors stays open. */
static void without_block(struct moments *out, const float *x, int64_t n, int d, int k, int blocks, struct moments *all)
{
	if (n - jackknife_dealt_to(n, blocks, k) <= d) {
		moments_of(out, x, n, d, k, blocks, true);
		return;
	}
	SCOPED(moments) struct moments part = { 0 };
	moments_of(&part, x, n, d, k, blocks, false);
	moments_without(out, all, &part);
}

int fid_interval(double *half, const float *x, int64_t n, const struct fid_side *b, int blocks, struct err *e)
{
	double without[JACKKNIFE_MAX_BLOCKS];
	if (n < 2 * blocks) {
		*half = NAN;
		return 0;
	}
	SCOPED(moments) struct moments all = { 0 };
	moments_init(&all, b->d);
	moments_add(&all, x, n);
	for (int k = 0; k < blocks; k++) {
		SCOPED(moments) struct moments m = { 0 };
		without_block(&m, x, n, b->d, k, blocks, &all);
		if (score(&without[k], &m, b, e))
			return -1;
	}
	*half = jackknife_half_width(without, blocks);
	return 0;
}

/* The straight line through n > 2 points: its value at x = 0, and the standard error of that from the points' scatter
 * about it, as if they were independent. */
static void fit(double *value, double *se, const double *x, const double *y, int n)
{
	double sx = 0, sy = 0, sxx = 0, sxy = 0, left = 0;
	for (int k = 0; k < n; k++) {
		sx += x[k];
		sy += y[k];
		sxx += x[k] * x[k];
		sxy += x[k] * y[k];
	}
	double det = n * sxx - sx * sx, slope = (n * sxy - sx * sy) / det;
	*value = (sy - slope * sx) / n;
	for (int k = 0; k < n; k++)
		left += (y[k] - *value - slope * x[k]) * (y[k] - *value - slope * x[k]);
	*se = sqrt(left / (n - 2) * sxx / det);
}

int fid_infinity(double *out, double *half, const float *x, int64_t n, const struct fid_side *b, int max_parts,
                 uint64_t seed, struct err *e)
{
	double at[FID_PARTS_MAX], mean[FID_PARTS_MAX] = { 0 }, se, common;
	REQUIRE(max_parts >= 3 && max_parts <= FID_PARTS_MAX);
	if (n < 2 * max_parts)
		return err_set(e, "%lld vectors are too few to extrapolate from", (long long)n);
	for (int parts = 1; parts <= max_parts; parts++) {
		for (int k = 0; k < parts; k++) {
			SCOPED(moments) struct moments m = { 0 };
			double fid;
			moments_init(&m, b->d);
			for (int64_t i = range_bound(n, k, parts); i < range_bound(n, k + 1, parts); i++)
				moments_add(&m, x + rng_permute((uint64_t)i, (uint64_t)n, seed, RNG_EVAL, 0) * (uint64_t)b->d, 1);
			if (score(&fid, &m, b, e))
				return -1;
			mean[parts - 1] += fid / parts;
		}
		at[parts - 1] = (double)parts / (double)n;
	}
	fit(out, &se, at, mean, max_parts);
	if (half && fid_interval(&common, x, n, b, JACKKNIFE_BLOCKS, e))
		return -1;
	if (half)
		*half = hypot(common, jackknife_t975(max_parts - 2) * se);
	return 0;
}
