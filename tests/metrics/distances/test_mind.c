/* test_mind.c - MIND where its value is known: shifts, one dimension, sets of other sizes. */
#include "metrics/distances/mind.h"
#include "metrics/math/jackknife.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *cloud(uint64_t seed, int n, int d)
{
	float *x = xmalloc(sizeof *x * (size_t)n * (size_t)d);
	rng_normal(x, (size_t)n * (size_t)d, seed, RNG_SYNTHETIC, 0, 0);
	return x;
}

/* Along u the shift is u.t whatever the set, and (u.t)^2 is |t|^2 / d in expectation: 3 |t|^2, within the standard
 * error that is given, which is known, too: the spread of 3 d (u.t)^2 is 3 |t|^2 sqrt((2 d - 2) / (d + 2)). */
Test(mind, a_shift_gives_three_times_its_square)
{
	enum { N = 200, D = 40, DIRECTIONS = 1000 };
	SCOPED(free) float *x = cloud(1, N, D);
	SCOPED(free) float *y = xmalloc(sizeof *y * N * D);
	double t2 = 0, mean = 0;
	for (int k = 0; k < D; k++)
		t2 += (double)(k % 5) / 4 * (k % 5) / 4;
	for (int i = 0; i < N * D; i++) {
		x[i] = roundf(1024 * x[i]) / 1024; /* so that the sum is exact */
		y[i] = x[i] + (float)(i % D % 5) / 4;
	}
	for (uint64_t seed = 0; seed < 8; seed++) {
		struct mind r;
		struct err e = ERR_INIT;
		cr_assert_eq(mind(&r, x, N, y, N, D, DIRECTIONS, seed, &e), 0, "%s", e.msg);
		cr_assert(fabs(r.value - 3 * t2) < 4 * r.error, "%g is not %g +- %g", r.value, 3 * t2, r.error);
		double spread = 3 * t2 * sqrt((2.0 * D - 2) / (D + 2) / DIRECTIONS);
		cr_assert(fabs(r.error / spread - 1) < 0.2, "error %g, not %g", r.error, spread);
		mean += r.value / 8;
	}
	cr_assert(fabs(mean / (3 * t2) - 1) < 0.05, "%g", mean);
}

/* In one dimension there are two directions, which agree: three times the squared distance of the sorted values. */
Test(mind, in_one_dimension_is_the_transport_of_sorted_values)
{
	const float x[5] = { 3, -1, 4, 10, 2 }, y[5] = { 0, 0, 20, 5, -6 };
	const double sx[5] = { -1, 2, 3, 4, 10 }, sy[5] = { -6, 0, 0, 5, 20 };
	double want = 0;
	for (int i = 0; i < 5; i++)
		want += 3 * (sx[i] - sy[i]) * (sx[i] - sy[i]) / 5;
	struct mind r;
	struct err e = ERR_INIT;
	cr_assert_eq(mind(&r, x, 5, y, 5, 1, 100, 0, &e), 0, "%s", e.msg);
	cr_assert(fabs(r.value - want) < 1e-12 * want, "%g, not %g", r.value, want);
	cr_assert(r.error < 1e-12 && r.used == 5);
}

/* Three of four values are drawn, none of them twice, on whichever side they are, and by the seed. */
Test(mind, the_larger_set_is_drawn_from_without_replacement)
{
	const float x[3] = { 0, 0, 0 }, y[4] = { 1, 10, 100, 1000 };
	double all = 1 + 1e2 + 1e4 + 1e6;
	bool seen[4] = { false };
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct mind r, s;
		struct err e = ERR_INIT;
		cr_assert_eq(mind(&r, x, 3, y, 4, 1, 2, seed, &e), 0, "%s", e.msg);
		cr_assert_eq(mind(&s, y, 4, x, 3, 1, 2, seed, &e), 0, "%s", e.msg);
		cr_assert_eq(r.value, s.value, "the side makes a difference");
		cr_assert_eq(r.used, 3);
		int left = -1;
		for (int k = 0; k < 4; k++)
			left = fabs(r.value - (all - (double)y[k] * y[k])) < 1e-6 ? k : left;
		cr_assert(left >= 0, "%g is not the sum of three", r.value);
		seen[left] = true;
	}
	cr_assert(seen[0] && seen[1] && seen[2] && seen[3], "40 seeds leave each of 4 out");
}

/* Equal sets in other orders are at 0; the order of rows, the threads and the groups of directions change no bit. */
Test(mind, neither_order_nor_threads_count)
{
	enum { N = 1100, D = 9 };
	SCOPED(free) float *x = cloud(2, N, D);
	SCOPED(free) float *y = cloud(3, N, D);
	SCOPED(free) float *reversed = xmalloc(sizeof *reversed * N * D);
	for (int i = 0; i < N; i++)
		memcpy(reversed + (size_t)i * D, x + (size_t)(N - 1 - i) * D, sizeof *x * D);
	struct mind r, s;
	struct err e = ERR_INIT;
	cr_assert_eq(mind(&r, x, N, reversed, N, D, 70, 1, &e), 0, "%s", e.msg);
	cr_assert(r.value < 1e-28, "%g", r.value);
	cr_assert_eq(mind(&r, x, N, y, N, D, 70, 1, &e), 0, "%s", e.msg);
	for (int threads = 1; threads <= 3; threads++) {
		cpu_set_threads(threads);
		cr_assert_eq(mind(&s, x, N, y, N, D, 70, 1, &e), 0, "%s", e.msg);
		cr_assert(r.value == s.value && r.error == s.error && r.half == s.half);
	}
	cr_assert_eq(mind(&s, x, N, y, N, D, 70, 2, &e), 0, "%s", e.msg);
	cr_assert_neq(r.value, s.value, "another seed has other directions");
}

static void without(float *out, const float *x, int n, int d, int block)
{
	for (int i = 0; i < n; i++)
		if (jackknife_dealt(i, JACKKNIFE_BLOCKS) != block) {
			memcpy(out, x + (size_t)i * (size_t)d, sizeof *x * (size_t)d);
			out += d;
		}
}

/* The directions are the seed's, so MIND without a block is MIND of the smaller sets. 39 vectors have no interval. */
Test(mind, the_half_width_is_that_of_its_values_without_each_block)
{
	enum { N = 100, D = 5, LEFT = N - N / JACKKNIFE_BLOCKS };
	SCOPED(free) float *x = cloud(4, N, D), *y = cloud(5, N, D);
	SCOPED(free) float *a = xmalloc(sizeof *a * N * D), *b = xmalloc(sizeof *b * N * D);
	struct mind all, r;
	struct err e = ERR_INIT;
	double value[JACKKNIFE_BLOCKS];
	cr_assert_eq(mind(&all, x, N, y, N, D, 70, 1, &e), 0, "%s", e.msg);
	for (int k = 0; k < JACKKNIFE_BLOCKS; k++) {
		without(a, x, N, D, k);
		without(b, y, N, D, k);
		cr_assert_eq(mind(&r, a, LEFT, b, LEFT, D, 70, 1, &e), 0, "%s", e.msg);
		value[k] = r.value;
	}
	double want = hypot(jackknife_half_width(value, JACKKNIFE_BLOCKS), 1.96 * all.error);
	cr_assert(fabs(all.half - want) <= 1e-10 * want, "%g, not %g", all.half, want);
	cr_assert_eq(mind(&r, x, 39, y, 39, D, 70, 1, &e), 0, "%s", e.msg);
	cr_assert(isnan(r.half));
}

/* The error of the directions alone knows nothing of the luck of the sets. Of equal laws the jackknife says twice too
 * much: MIND is then made of pairs of vectors, and each counts in the block of either. */
Test(mind, the_half_width_covers)
{
	enum { RUNS = 60, N = 100, D = 6, DIRECTIONS = 40 };
	struct err e = ERR_INIT;
	cpu_set_threads(1);
	for (int law = 0; law < 2; law++) { /* equal ones, and a shift */
		struct mind r[RUNS];
		double mean = 0, var = 0, half = 0;
		int covered = 0;
		for (int k = 0; k < RUNS; k++) {
			SCOPED(free) float *x = cloud(100 + 2 * (uint64_t)k, N, D), *y = cloud(101 + 2 * (uint64_t)k, N, D);
			for (int i = 0; law && i < N; i++)
				x[i * D] += 1;
			cr_assert_eq(mind(&r[k], x, N, y, N, D, DIRECTIONS, (uint64_t)k, &e), 0, "%s", e.msg);
			mean += r[k].value / RUNS;
			half += r[k].half / RUNS;
		}
		for (int k = 0; k < RUNS; k++) {
			covered += fabs(r[k].value - mean) <= r[k].half;
			var += (r[k].value - mean) * (r[k].value - mean) / (RUNS - 1);
		}
		cr_log_info("law %d: %d of %d, half-width %g, sd %g", law, covered, RUNS, half, sqrt(var));
		cr_assert(covered >= 53, "law %d: %d of %d", law, covered, RUNS);
		cr_assert(half < (law ? 3 : 5) * sqrt(var), "law %d: half-width %g, sd %g", law, half, sqrt(var));
	}
}

Test(mind, none_or_not_finite_is_an_error)
{
	float x[4] = { 0, 1, INFINITY, 2 };
	struct mind r;
	struct err e = ERR_INIT;
	cr_assert_eq(mind(&r, x, 1, x, 0, 2, 10, 0, &e), -1);
	cr_assert(strstr(e.msg, "at least one real vector"), "%s", e.msg);
	cr_assert_eq(mind(&r, x, 2, x, 1, 2, 10, 0, &e), -1);
	cr_assert(strstr(e.msg, "generated vector 1 is not finite"), "%s", e.msg);
}

/* What dealing is for: classes sorted or in turn, whatever their number, are spread over the blocks. */
Test(jackknife, a_block_is_dealt_some_of_each_class)
{
	enum { N = 2000, B = JACKKNIFE_BLOCKS };
	for (int classes = 2; classes <= B; classes++) {
		int in_turn[B][B] = { { 0 } }, sorted[B][B] = { { 0 } };
		for (int i = 0; i < N; i++) {
			in_turn[jackknife_dealt(i, B)][i % classes]++;
			sorted[jackknife_dealt(i, B)][i * classes / N]++;
		}
		for (int b = 0; b < B; b++) {
			cr_assert_eq(jackknife_dealt_to(N, B, b), N / B);
			for (int c = 0; c < classes; c++)
				cr_assert(in_turn[b][c] <= 3 * N / B / classes && sorted[b][c] <= 3 * N / B / classes,
				          "%d classes: block %d has %d and %d of class %d", classes, b, in_turn[b][c], sorted[b][c], c);
		}
	}
}
