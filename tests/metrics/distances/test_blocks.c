/* test_blocks.c - the half-widths of scores over blocks that are dealt: what they are by definition, and that a set in
 * the order of its classes, as folders often are, has those of the same set in any other order. */
#include "metrics/distances/cmmd.h"
#include "metrics/distances/fid.h"
#include "metrics/distances/kid.h"
#include "metrics/distances/prdc.h"
#include "metrics/distances/precision_recall.h"
#include "metrics/math/jackknife.h"
#include "metrics/math/moments.h"
#include "model/base/cpu.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "tests/common/ok.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

enum { B = JACKKNIFE_BLOCKS, K = 5 };

struct interval {
	double value, half;
};

/* Of x [n, d] against y [m, d]. */
struct sets {
	const float *x, *y;
	int64_t n, m;
	int d;
};

static struct interval fid(const struct sets *s)
{
	SCOPED(moments) struct moments of_x = { 0 }, of_y = { 0 };
	SCOPED(fid_side) struct fid_side x = { 0 }, y = { 0 };
	struct fid_result r;
	double half;
	moments_init(&of_x, s->d);
	moments_init(&of_y, s->d);
	moments_add(&of_x, s->x, s->n);
	moments_add(&of_y, s->y, s->m);
	OK(fid_side_of_moments(&x, &of_x, "x", &e) || fid_side_of_moments(&y, &of_y, "y", &e));
	OK(fid_compute(&r, &x, &y, &e));
	OK(fid_interval(&half, s->x, s->n, &y, B, &e));
	return (struct interval){ r.fid, half };
}

static struct interval kid(const struct sets *s)
{
	struct kid_full r;
	OK(kid_full(&r, s->x, s->n, s->y, s->m, s->d, &e));
	return (struct interval){ r.unbiased, r.half };
}

static struct interval cmmd_of(const struct sets *s)
{
	struct cmmd r;
	OK(cmmd(&r, s->x, s->n, s->y, s->m, s->d, &e));
	return (struct interval){ r.value, r.half };
}

static struct interval precision(const struct sets *s)
{
	struct precision_recall r;
	OK(precision_recall(&r, NULL, NULL, s->x, s->n, s->y, s->m, s->d, K, &e));
	return (struct interval){ r.precision, r.precision_half };
}

static struct prdc prdc_of(const struct sets *s)
{
	struct prdc r;
	OK(prdc(&r, s->x, s->n, s->y, s->m, s->d, K, &e));
	return r;
}

static struct interval precision_prdc(const struct sets *s)
{
	struct prdc r = prdc_of(s);
	return (struct interval){ r.precision, r.precision_half };
}

static struct interval density(const struct sets *s)
{
	struct prdc r = prdc_of(s);
	return (struct interval){ r.density, r.density_half };
}

static struct interval coverage(const struct sets *s)
{
	struct prdc r = prdc_of(s);
	return (struct interval){ r.coverage, r.coverage_half };
}

static const struct {
	const char *name;
	struct interval (*of)(const struct sets *s);
	bool both; /* a block is of both sets */
} scores[] = {
	{ "fid", fid, false },           { "kid", kid, true },
	{ "cmmd", cmmd_of, true },       { "precision", precision, false },
	{ "density", density, false },   { "precision_prdc", precision_prdc, false },
	{ "coverage", coverage, false },
};
enum { SCORES = sizeof scores / sizeof *scores, CLASSES = 20 };

/* n vectors of CLASSES in order: their centres are apart, and their widths differ. `set` is another draw of one law,
 * with the widths times `wider`. */
static float *sorted(uint32_t set, int64_t n, int d, float wider)
{
	float *x = xmalloc(sizeof *x * (size_t)(n * d)), centre[CLASSES * 64];
	cr_assert(d <= 64);
	rng_normal(centre, CLASSES * (size_t)d, 1, RNG_EVAL, 0, 0);
	rng_normal(x, (size_t)(n * d), 1, RNG_EVAL, set, 0);
	for (int64_t i = 0; i < n; i++) {
		int64_t c = i * CLASSES / n;
		for (int k = 0; k < d; k++)
			x[i * d + k] = 2 * centre[c * d + k] + x[i * d + k] * (0.3F + wider * (float)c);
	}
	return x;
}

static float *shuffled(uint64_t seed, const float *x, int64_t n, int d)
{
	float *out = xmalloc(sizeof *x * (size_t)(n * d));
	for (int64_t i = 0; i < n; i++)
		memcpy(out + i * d, x + rng_permute((uint64_t)i, (uint64_t)n, seed, RNG_EVAL, 0) * (uint64_t)d,
		       sizeof *x * (size_t)d);
	return out;
}

/* The rows that are not dealt to a block: heap, and how many. */
static float *without(int64_t *left, const float *x, int64_t n, int d, int block)
{
	float *out = xmalloc(sizeof *x * (size_t)(n * d));
	*left = 0;
	for (int64_t i = 0; i < n; i++)
		if (jackknife_dealt(i, B) != block)
			memcpy(out + (*left)++ * d, x + i * d, sizeof *x * (size_t)d);
	return out;
}

/* A score without a block is that of the sets without its rows. The sizes divide by nothing; in 50 dimensions the fewer
 * vectors take FID's exact route. Any number of threads. */
Test(blocks, a_half_width_is_of_the_scores_without_the_dealt_rows)
{
	static const struct {
		int n, m, d;
	} cases[] = { { 133, 171, 3 }, { 47, 61, 50 } };
	for (int s = 0; s < SCORES; s++)
		for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
			int n = cases[c].n, m = cases[c].m, d = cases[c].d;
			SCOPED(free) float *x = sorted(1, n, d, 0.1F), *y = sorted(2, m, d, 0.05F);
			struct interval all = { 0 };
			double value[B];
			for (int b = 0; b < B; b++) {
				struct sets fewer = { .n = n, .m = m, .d = d };
				SCOPED(free) float *fewer_x = without(&fewer.n, x, n, d, b);
				SCOPED(free) float *fewer_y = without(&fewer.m, y, m, d, scores[s].both ? b : -1);
				fewer.x = fewer_x;
				fewer.y = fewer_y;
				value[b] = scores[s].of(&fewer).value;
			}
			double want = jackknife_half_width(value, B), first = 0;
			for (int threads = 1; threads <= 3; threads += 2) {
				cpu_set_threads(threads);
				all = scores[s].of(&(struct sets){ x, y, n, m, d });
				first = threads == 1 ? all.half : first;
				cr_assert_eq(all.half, first, "%s: %d threads", scores[s].name, threads);
			}
			cr_assert(want > 1e-3 * fabs(all.value), "%s, case %zu proves little: %g", scores[s].name, c, want);
			cr_assert(fabs(all.half - want) <= 1e-9 * want, "%s, case %zu: %.15g, not %.15g", scores[s].name, c,
			          all.half, want);
		}
}

/* The means of a few sets, as one half-width of 20 blocks scatters by a sixth. Blocks of neighbours would be classes of
 * their own here, which makes each interval two to three times as wide in order. */
Test(blocks, the_order_of_classes_does_not_widen_an_interval)
{
	enum { N = 500, D = 4, SETS = 6 };
	struct interval in_order[SCORES] = { 0 }, mixed[SCORES] = { 0 };
	for (uint32_t k = 0; k < SETS; k++) {
		SCOPED(free) float *x = sorted(2 * k + 1, N, D, 0.2F), *real = sorted(2 * k + 2, N, D, 0.05F);
		SCOPED(free) float *other = shuffled(k, x, N, D), *y = shuffled(SETS + k, real, N, D);
		for (int s = 0; s < SCORES; s++) {
			struct interval a = scores[s].of(&(struct sets){ x, y, N, N, D });
			struct interval b = scores[s].of(&(struct sets){ other, y, N, N, D });
			in_order[s].value += a.value / SETS;
			in_order[s].half += a.half / SETS;
			mixed[s].value += b.value / SETS;
			mixed[s].half += b.half / SETS;
		}
	}
	for (int s = 0; s < SCORES; s++) {
		double ratio = in_order[s].half / mixed[s].half, gap = in_order[s].value - mixed[s].value;
		cr_log_info("%s: %g of %g", scores[s].name, ratio, mixed[s].half);
		cr_assert(fabs(gap) <= 1e-9 * fabs(mixed[s].value), "%s depends on the order", scores[s].name);
		cr_assert(ratio > 0.5 && ratio < 1.5, "%s: half-widths in order of classes are %g times those mixed",
		          scores[s].name, ratio);
	}
}
