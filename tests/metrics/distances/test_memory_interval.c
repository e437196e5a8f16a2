/* test_memory_interval.c - the half-widths of the memorisation scores: what they are by definition, and that they hold
 * the expected value about as often as they say. An interval that is too narrow would call luck copying. */
#include "metrics/distances/authpct.h"
#include "metrics/distances/copying_ct.h"
#include "metrics/distances/fld.h"
#include "metrics/distances/fls.h"
#include "metrics/distances/pairs.h"
#include "metrics/math/jackknife.h"
#include "metrics/math/wilson.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "tests/common/ok.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

/* Normals about three centres in turn: k-means has one answer. */
static float *draw(uint64_t seed, uint32_t what, int64_t n, int d)
{
	float *x = xmalloc(sizeof *x * (size_t)(n * d));
	rng_normal(x, (size_t)(n * d), seed, RNG_EVAL, what, 0);
	for (int64_t i = 0; i < n; i++)
		x[i * d + i % 3] += 8;
	return x;
}

/* Of n trials none: z^2 / (n + z^2) is Wilson's upper end, the widest side. Of half of them: z / sqrt(n + z^2) / 2 on
 * either side. By hand. */
Test(memory_interval, of_a_share_is_wilsons)
{
	const double z2 = 1.959963984540054 * 1.959963984540054;
	cr_assert_float_eq(wilson_half_width(0, 50), 100 * z2 / (50 + z2), 1e-10);
	cr_assert_float_eq(wilson_half_width(100, 50), 100 * z2 / (50 + z2), 1e-10);
	cr_assert_float_eq(wilson_half_width(50, 200), 100 * sqrt(z2 / (200 + z2)) / 2, 1e-10);
}

static void without(float *out, const float *x, int64_t n, int d, int block)
{
	for (int64_t i = 0; i < n; i++)
		if (jackknife_dealt(i, JACKKNIFE_BLOCKS) != block) {
			memcpy(out, x + i * d, sizeof *x * (size_t)d);
			out += d;
		}
}

/* Training alone decides projection and cells, so C_T without a block is C_T of the smaller sets, to the bit. */
Test(memory_interval, of_ct_is_the_jackknife_of_its_values_without_each_block)
{
	enum { N = 120, L = 150, D = 3, LEFT = N - N / JACKKNIFE_BLOCKS };
	SCOPED(free) float *train = draw(1, 1, L, D), *test = draw(1, 2, N, D), *made = draw(1, 3, N, D);
	SCOPED(free) float *fewer_test = xmalloc(sizeof *test * N * D), *fewer_made = xmalloc(sizeof *made * N * D);
	struct copying_ct all, r;
	double value[JACKKNIFE_BLOCKS];
	cpu_set_threads(1);
	OK(copying_ct(&all, made, N, test, N, train, L, D, 0, &e));
	for (int b = 0; b < JACKKNIFE_BLOCKS; b++) {
		without(fewer_test, test, N, D, b);
		without(fewer_made, made, N, D, b);
		OK(copying_ct(&r, fewer_made, LEFT, fewer_test, LEFT, train, L, D, 0, &e));
		value[b] = r.value;
	}
	cr_assert_eq(all.half, jackknife_half_width(value, JACKKNIFE_BLOCKS));
	OK(copying_ct(&r, made, N, test, 39, train, L, D, 0, &e));
	cr_assert(isnan(r.half), "39 test vectors");
}

struct interval {
	double value, half;
};

/* authpct and ct. */
static void by_distance(struct interval out[2], const float *made, int64_t m, const float *test, const float *train,
                        int64_t l, int d)
{
	SCOPED(pairs_set) struct pairs_set g = { 0 }, t = { 0 };
	SCOPED(free) double *d2 = xmalloc(sizeof *d2 * (size_t)m), *own = xmalloc(sizeof *own * (size_t)l);
	SCOPED(free) int64_t *nearest = xmalloc(sizeof *nearest * (size_t)m);
	struct copying_ct ct;
	OK(pairs_set_init(&g, made, m, d, "generated", &e));
	OK(pairs_set_init(&t, train, l, d, "training", &e));
	pairs_nearest(d2, nearest, 1, &g, &t);
	pairs_nearest(own, NULL, 1, &t, &t);
	OK(copying_ct(&ct, made, m, test, m, train, l, d, 0, &e));
	double share = authpct(nearest, d2, m, own);
	out[0] = (struct interval){ share, wilson_half_width(share, m) };
	out[1] = (struct interval){ ct.value, ct.half };
}

/* fls, fls_overfit, fld and fld_gap. */
static void by_likelihood(struct interval out[4], const float *made, int64_t m, const float *test, const float *train,
                          int64_t l, int d)
{
	struct fls fls;
	struct fld fld;
	OK(fls_compute(&fls, made, m, test, m, train, l, d, 0, &e));
	OK(fld_compute(&fld, made, m, test, m, train, l, d, 0, &e));
	out[0] = (struct interval){ fls.fls, fls.fls_half };
	out[1] = (struct interval){ fls.overfit, fls.overfit_half };
	out[2] = (struct interval){ fld.fld, fld.fld_half };
	out[3] = (struct interval){ fld.gap, fld.gap_half };
}

/* The expected value is the mean of the draws. Covering by being wide would be no use: a half-width of 2.1 deviations
 * is right, and more than 3.3 is too much. */
static void check(const char *name, const struct interval *x, int n, int step, int at_least)
{
	double mean = 0, var = 0, half = 0;
	int covered = 0;
	for (int r = 0; r < n; r++) {
		mean += x[r * step].value / n;
		half += x[r * step].half / n;
	}
	for (int r = 0; r < n; r++) {
		covered += fabs(x[r * step].value - mean) <= x[r * step].half;
		var += (x[r * step].value - mean) * (x[r * step].value - mean) / (n - 1);
	}
	cr_log_info("%s: %d of %d, half-width %g, sd %g", name, covered, n, half, sqrt(var));
	cr_assert(covered >= at_least, "%s: %d of %d", name, covered, n);
	cr_assert(half < 3.3 * sqrt(var), "%s: half-width %g, sd %g", name, half, sqrt(var));
}

enum { M = 80, L = 160, D = 5 };

/* The first of the generated vectors become near copies. */
static void copy(float *made, int64_t n, const float *train, uint64_t seed)
{
	for (int64_t i = 0; i < n * D; i++)
		made[i] = train[i] + 0.05F * (float)sin((double)(i + 100 * (int64_t)seed));
}

/* They hold training, so it is one and the same here. */
Test(memory_interval, of_authpct_and_ct_cover)
{
	enum { RUNS = 200 };
	static struct interval got[RUNS][2];
	cpu_set_threads(1);
	SCOPED(free) float *train = draw(1, 1, L, D);
	for (int64_t copies = 0; copies <= M / 5; copies += M / 5) {
		for (uint64_t r = 0; r < RUNS; r++) {
			SCOPED(free) float *test = draw(r, 2, M, D), *made = draw(r, 3, M, D);
			copy(made, copies, train, r);
			by_distance(got[r], made, M, test, train, L, D);
		}
		check("authpct", &got[0][0], RUNS, 2, 183);
		check("ct", &got[0][1], RUNS, 2, 183);
	}
}

/* They cover the luck of all sets, so each run has its own training. */
Test(memory_interval, of_fls_and_fld_cover)
{
	enum { RUNS = 30 };
	static struct interval got[RUNS][4];
	static const char *const names[] = { "fls", "fls_overfit", "fld", "fld_gap" };
	cpu_set_threads(1);
	for (int64_t copies = 0; copies <= M / 5; copies += M / 5) {
		for (uint64_t r = 0; r < RUNS; r++) {
			SCOPED(free) float *train = draw(r, 1, L, D), *test = draw(r, 2, M, D), *made = draw(r, 3, M, D);
			copy(made, copies, train, r);
			by_likelihood(got[r], made, M, test, train, L, D);
		}
		for (int q = 0; q < 4; q++)
			check(names[q], &got[0][q], RUNS, 4, 26);
	}
}
