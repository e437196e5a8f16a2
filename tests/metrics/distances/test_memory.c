/* test_memory.c - AuthPct, C_T, FLS and FLD against tests/peers/memory_peer.py, which prints the constants below, and
 * in situations whose answer is known. */
#include "metrics/distances/authpct.h"
#include "metrics/distances/copying_ct.h"
#include "metrics/distances/fld.h"
#include "metrics/distances/fls.h"
#include "metrics/distances/pairs.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "tests/common/formula.h"
#include "tests/common/ok.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

/* Three clusters in turn, far from each other: k-means has one answer. */
static float *clustered(const char *name, int64_t n, int d)
{
	float *x = xmalloc(sizeof *x * (size_t)(n * d));
	for (int64_t i = 0; i < n; i++)
		for (int k = 0; k < d; k++)
			x[i * d + k] = (float)(formula_u(name, (uint64_t)(i * d + k)) + (k == i % 3 ? 8 : 0));
	return x;
}

/* The first quarter of the generated vectors are near copies of training. */
static void copy_nearly(float *generated, int64_t m, const float *train, int d)
{
	for (int64_t i = 0; i < m / 4 * d; i++)
		generated[i] = (float)((double)train[i] + (double)generated[i] / 1024);
}

static void near(const char *what, double got, double want, double tolerance)
{
	cr_assert(fabs(got - want) <= tolerance * (1 + fabs(want)), "%s: %.12g, not %.12g", what, got, want);
}

static double authentic(const float *generated, int64_t m, const float *train, int64_t l, int d)
{
	SCOPED(pairs_set) struct pairs_set g = { 0 }, t = { 0 };
	SCOPED(free) double *d2 = xmalloc(sizeof *d2 * (size_t)m), *own = xmalloc(sizeof *own * (size_t)l);
	SCOPED(free) int64_t *nearest = xmalloc(sizeof *nearest * (size_t)m);
	OK(pairs_set_init(&g, generated, m, d, "generated", &e));
	OK(pairs_set_init(&t, train, l, d, "training", &e));
	pairs_nearest(d2, nearest, 1, &g, &t);
	pairs_nearest(own, NULL, 1, &t, &t);
	return authpct(nearest, d2, m, own);
}

static const struct {
	int d;
	int64_t m, n, l;
	double authpct, ct, fls, overfit;
	int64_t size;
	double fld, gap;
	int rounds, baseline_rounds;
} peer[] = {
	{ 5, 96, 60, 120, 33.333333333333329, -2.18496371384, 109.960630395, 13.3333333333, 60, 8.02518147745,
	  -128.521949731, 50, 23 },
	{ 70, 90, 66, 150, 54.444444444444443, -0.231521183305, 98.8589396259, -9.09090909091, 66, 0.462438867531,
	  -102.929487977, 42, 33 }, /* more than C_T's 64 dimensions */
};

/* Each constant hangs on a choice of the definition: the projection, the cells and weights of C_T, the ties; the order
 * of the draws, the standardisation, the recipe of each fit, and when it stops. Distances kept as floats cost 1e-7. */
Test(memory, equals_the_definitions_in_numpy)
{
	for (size_t c = 0; c < sizeof peer / sizeof *peer; c++) {
		int d = peer[c].d;
		int64_t m = peer[c].m, n = peer[c].n, l = peer[c].l;
		SCOPED(free) float *train = clustered("memory-train", l, d);
		SCOPED(free) float *test = clustered("memory-test", n, d);
		SCOPED(free) float *made = clustered("memory-made", m, d);
		copy_nearly(made, m, train, d);
		struct copying_ct ct;
		struct fls fls;
		struct fld fld;
		near("authpct", authentic(made, m, train, l, d), peer[c].authpct, 1e-14);
		OK(copying_ct(&ct, made, m, test, n, train, l, d, 0, &e));
		near("ct", ct.value, peer[c].ct, 1e-10);
		OK(fls_compute(&fls, made, m, test, n, train, l, d, 7, &e));
		cr_assert_eq(fls.size, peer[c].size);
		near("fls", fls.fls, peer[c].fls, 1e-6);
		near("fls_overfit", fls.overfit, peer[c].overfit, 1e-9);
		OK(fld_compute(&fld, made, m, test, n, train, l, d, 7, &e));
		cr_assert_eq(fld.rounds, peer[c].rounds);
		cr_assert_eq(fld.baseline_rounds, peer[c].baseline_rounds);
		near("fld", fld.fld, peer[c].fld, 1e-6);
		near("fld_gap", fld.gap, peer[c].gap, 1e-6);
	}
}

/* "Authentic" is strict, and the nearest is the first of two at one distance: a set where both decide. Training: 0, 2,
 * 6, 10. Generated: 4 is as near to 2 (nearest other: 2 away) as to 6 (4 away), 2 from each: not authentic, for 2 < 2
 * does not hold. 14 is 4 from 10, whose own is 4: not. 2 is a copy: not. 20 is. */
Test(memory, authentic_is_strict_and_the_first_of_two_is_the_nearest)
{
	const float train[] = { 0, 2, 6, 10 }, made[] = { 4, 14, 2, 20 };
	near("authpct", authentic(made, 4, train, 4, 1), 25, 0);
	const float turned[] = { 6, 2, 0, 10 }, wider[] = { 3.999F }; /* now 6 is first, but 2 is nearer */
	near("authpct", authentic(wider, 1, turned, 4, 1), 0, 0);
	const float first[] = { 0, 1, 6, 11 }, between[] = { 3.5F }; /* 2.5 from 1, whose own is 1, as from 6 */
	near("authpct", authentic(between, 1, first, 4, 1), 100, 0);
	const float other[] = { 6, 1, 0, 11 }; /* the same, 6 first */
	near("authpct", authentic(between, 1, other, 4, 1), 0, 0);
}

/* What the scores are for: copies are found by each of them, fresh vectors of the same distribution by none. */
Test(memory, copies_are_suspicious_and_fresh_vectors_are_not)
{
	enum { N = 150, D = 6 };
	SCOPED(free) float *train = clustered("told-train", 2 * N, D);
	SCOPED(free) float *test = clustered("told-test", N, D);
	SCOPED(free) float *fresh = clustered("told-fresh", N, D);
	const float *copies = train;
	struct copying_ct ct[2];
	struct fls fls[2];
	struct fld fld[2];
	for (int k = 0; k < 2; k++) {
		const float *made = k ? copies : fresh;
		OK(copying_ct(&ct[k], made, N, test, N, train, 2 * N, D, 0, &e));
		OK(fls_compute(&fls[k], made, N, test, N, train, 2 * N, D, 0, &e));
		OK(fld_compute(&fld[k], made, N, test, N, train, 2 * N, D, 0, &e));
	}
	cr_assert(authentic(copies, N, train, 2 * N, D) == 0 && authentic(fresh, N, train, 2 * N, D) > 35);
	cr_assert(ct[1].value < -8 && fabs(ct[0].value) < 2, "C_T %g and %g", ct[1].value, ct[0].value);
	cr_assert(fls[1].overfit > fls[0].overfit + 15, "overfit %g and %g", fls[1].overfit, fls[0].overfit);
	cr_assert(fabs(fls[0].fls - 100) < 15 && fabs(fld[0].fld) < 15, "fls %g, fld %g", fls[0].fls, fld[0].fld);
	cr_assert(fld[1].gap < -300 && fld[0].gap > -60, "gap %g and %g", fld[1].gap, fld[0].gap);
}

/* Vectors of three places far from each other, `counts` of each. */
static float *in_places(const char *name, const int counts[3], int d)
{
	float *x = xmalloc(sizeof *x * (size_t)(counts[0] + counts[1] + counts[2]) * (size_t)d), *at = x;
	uint64_t k = 0;
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < counts[c] * d; i++)
			*at++ = (float)(20 * c + formula_u(name, k++));
	return x;
}

/* C_T is the mean of its cells' Z by their test vectors, and a cell with CT_FEW generated vectors has none. */
Test(memory, ct_weighs_cells_by_their_test_vectors)
{
	enum { D = 2 };
	static const int train[] = { 60, 40, 30 }, test[] = { 50, 30, 12 }, made[] = { 40, CT_FEW + 1, CT_FEW };
	SCOPED(free) float *t = in_places("places-train", train, D), *u = in_places("places-test", test, D);
	SCOPED(free) float *g = in_places("places-made", made, D);
	struct copying_ct r;
	double sum = 0, weights = 0, few = NAN;
	OK(copying_ct(&r, g, 41 + 2 * CT_FEW, u, 92, t, 130, D, 0, &e));
	for (int c = 0; c < CT_CELLS; c++)
		if (r.cell[c].generated > CT_FEW) {
			sum += (double)r.cell[c].test * r.cell[c].z;
			weights += (double)r.cell[c].test;
		} else {
			few = r.cell[c].z;
		}
	cr_assert(weights == 80 && r.cells == 2, "the places are the cells");
	near("ct", r.value, sum / weights, 1e-12);
	cr_assert(isfinite(few) && few != r.value, "the third cell has a Z, too");
}

/* A number that changed with the threads or from run to run would be no record. Another seed draws others. */
Test(memory, the_seed_decides_and_the_threads_do_not)
{
	enum { M = 300, N = 280, L = 600, D = 4 };
	SCOPED(free) float *train = clustered("seed-train", L, D);
	SCOPED(free) float *test = clustered("seed-test", N, D);
	SCOPED(free) float *made = clustered("seed-made", M, D);
	struct fls a, b, c;
	struct fld f, g, h;
	OK(fls_compute(&a, made, M, test, N, train, L, D, 1, &e));
	OK(fld_compute(&f, made, M, test, N, train, L, D, 1, &e));
	cpu_set_threads(cpu_threads() == 1 ? 2 : 1);
	OK(fls_compute(&b, made, M, test, N, train, L, D, 1, &e));
	OK(fld_compute(&g, made, M, test, N, train, L, D, 1, &e));
	OK(fls_compute(&c, made, M, test, N, train, L, D, 2, &e));
	OK(fld_compute(&h, made, M, test, N, train, L, D, 2, &e));
	cr_assert_eq(a.fls, b.fls);
	cr_assert_eq(a.overfit, b.overfit);
	cr_assert_neq(a.fls, c.fls);
	cr_assert_eq(f.fld, g.fld);
	cr_assert_eq(f.gap, g.gap);
	cr_assert(a.fls_half == b.fls_half && a.overfit_half == b.overfit_half && f.fld_half == g.fld_half &&
	          f.gap_half == g.gap_half);
	cr_assert_neq(f.fld, h.fld);
}

static void refuses(int rc, const char *text)
{
	cr_assert_eq(rc, -1);
	cr_assert(strstr(e.msg, text), "%s", e.msg);
	e = ERR_INIT;
}

/* Each of these would give a NaN, or a mean over fewer cells than it says. */
Test(memory, what_has_no_value_is_an_error_that_says_why)
{
	enum { N = 90, D = 3 };
	SCOPED(free) float *x = clustered("refused", N, D);
	SCOPED(free) float *one = xcalloc(N * D, sizeof *one);
	SCOPED(free) float *wide = clustered("refused-wide", 64, 80);
	struct copying_ct ct;
	struct fls fls;
	struct fld fld;
	e = ERR_INIT;
	refuses(copying_ct(&ct, x, 60, x, N, x, N, D, 0, &e), "none of the 3 cells has more than 20 generated");
	OK(copying_ct(&ct, x, 61, x, N, x, N, D, 0, &e)); /* 21 in one */
	cr_assert_eq(ct.cells, 1);
	refuses(copying_ct(&ct, x, N, x, 2, x, N, D, 0, &e), "no test pictures");
	refuses(copying_ct(&ct, x, N, x, N, one, N, D, 0, &e), "3 cells needs as many different vectors; these have 1");
	refuses(copying_ct(&ct, wide, 64, wide, 64, wide, 64, 80, 0, &e), "64 training pictures; it needs more than 64");
	for (int i = 0; i < N; i++)
		x[i * D + 1] = 5;
	refuses(fls_compute(&fls, x, N, x, N, x, N, D, 0, &e), "FLS divides by the features' deviations, and feature 1 is");
	refuses(fld_compute(&fld, x, N, x, N, x, N, D, 0, &e), "and feature 1 is the same");
	refuses(fld_compute(&fld, x, N, x, 1, x, N, D, 0, &e), "1 vectors have no deviation");
	refuses(fld_compute(&fld, x, N, x, N, x, FLD_TRAIN_MOST + 1, D, 0, &e), "it takes up to 100000");
}
