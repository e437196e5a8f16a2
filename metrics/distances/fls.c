/* fls.c - see fls.h. */
#include "metrics/distances/fls.h"

#include "metrics/distances/mog.h"
#include "metrics/distances/standardise.h"
#include "metrics/math/jackknife.h"
#include "metrics/math/randomstate.h"
#include "metrics/math/wilson.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { TRAIN, BASELINE, TEST, GENERATED, SETS };

static const struct mog_recipe recipe = { .rounds = 100, .lr = 0.5, .lr_drops = 50, .low = -100, .high = 20 };

struct job {
	struct rows rows[SETS];
	struct pairs_set set[SETS];
};

static void job_release(struct job *j)
{
	for (int k = 0; k < SETS; k++) {
		pairs_set_release(&j->set[k]);
		rows_release(&j->rows[k]);
	}
}

static void draw(struct job *j, const float *generated, int64_t m, const float *test, int64_t n, const float *train,
                 int64_t l, int d, int64_t size, uint32_t seed)
{
	struct randomstate r;
	SCOPED(free) int64_t *which = xmalloc(sizeof *which * 2 * (size_t)size);
	randomstate_seed(&r, seed);
	randomstate_choice(&r, which, n, size);
	rows_take(&j->rows[TEST], test, which, size, d);
	randomstate_choice(&r, which, m, size);
	rows_take(&j->rows[GENERATED], generated, which, size, d);
	randomstate_choice(&r, which, l, 2 * size);
	rows_take(&j->rows[TRAIN], train, which, size, d);
	rows_take(&j->rows[BASELINE], train, which + size, size, d);
}

static int prepare(struct job *j, int d, struct err *e)
{
	static const char *const names[SETS] = { "training", "baseline", "test", "generated" };
	SCOPED(free) double *mean = xmalloc(sizeof *mean * (size_t)d), *deviation = xmalloc(sizeof *deviation * (size_t)d);
	if (standardise_fit(mean, deviation, j->rows, SETS, d, "FLS", e))
		return -1;
	for (int k = 0; k < SETS; k++) {
		standardise(&j->rows[k], d, mean, deviation);
		if (pairs_set_init_double(&j->set[k], j->rows[k].x, j->rows[k].n, d, names[k], e))
			return -1;
	}
	return 0;
}

/* Log sums of a fit, by blocks of the jackknife: [size, blocks] each. */
struct parts {
	int64_t size;
	int blocks;
	double *test, *test_baseline; /* of test vectors, over the generated Gaussians and over the baseline's */
	double *by_train, *by_test;   /* of generated Gaussians, over training and test vectors */
};

/* Of generated Gaussians first, first + step, ...: the share, in percent, that is likelier for training than for test,
 * both without a block (-1: of all). */
static double likelier(const struct parts *p, int64_t first, int64_t step, int gone)
{
	int64_t closer = 0, all = 0;
	for (int64_t j = first; j < p->size; j += step, all++)
		closer += mog_sum_without(p->by_train + j * p->blocks, p->blocks, gone) >
		          mog_sum_without(p->by_test + j * p->blocks, p->blocks, gone);
	return 100 * (double)closer / (double)all;
}

/* The luck of the Gaussians is that of a share. What that of test and training adds is how the blocks move one half of
 * the Gaussians together with the other half: by itself a half moves more, for which Gaussians are at stake is luck,
 * too, and counted already. */
static double overfit_half(const struct parts *p)
{
	double a[JACKKNIFE_BLOCKS], b[JACKKNIFE_BLOCKS], mean_a = 0, mean_b = 0, together = 0;
	for (int k = 0; k < p->blocks; k++) {
		a[k] = likelier(p, 0, 2, k);
		b[k] = likelier(p, 1, 2, k);
		mean_a += a[k] / p->blocks;
		mean_b += b[k] / p->blocks;
	}
	for (int k = 0; k < p->blocks; k++)
		together += (a[k] - mean_a) * (b[k] - mean_b) * (p->blocks - 1) / p->blocks;
	return hypot(wilson_half_width(likelier(p, 0, 1, -1), p->size),
	             jackknife_t975(p->blocks - 1) * sqrt(fmax(together, 0)));
}

static double score(double *nll_generated, double *nll_baseline, const struct parts *p, int d, int gone)
{
	*nll_generated = mog_nll_without(p->test, p->size, p->size, p->blocks, gone);
	*nll_baseline = mog_nll_without(p->test_baseline, p->size, p->size, p->blocks, gone);
	return 100 * exp(-2 * (*nll_generated - *nll_baseline) / d);
}

static void measure(struct parts *p, const struct job *j)
{
	SCOPED(free) double *log_variance = xmalloc(sizeof *log_variance * (size_t)p->size);
	(void)mog_fit(log_variance, NULL, &j->set[GENERATED], &j->set[TRAIN], &recipe);
	mog_block_sums(p->test, p->by_test, p->blocks, log_variance, &j->set[GENERATED], &j->set[TEST]);
	mog_block_sums(NULL, p->by_train, p->blocks, log_variance, &j->set[GENERATED], &j->set[TRAIN]);
	(void)mog_fit(log_variance, NULL, &j->set[BASELINE], &j->set[TRAIN], &recipe);
	mog_block_sums(p->test_baseline, NULL, p->blocks, log_variance, &j->set[BASELINE], &j->set[TEST]);
}

static void scores(struct fls *out, const struct job *j, int d)
{
	int blocks = out->size >= 2 * JACKKNIFE_BLOCKS ? JACKKNIFE_BLOCKS : 1;
	size_t count = (size_t)out->size * (size_t)blocks;
	SCOPED(free) double *all = xmalloc(sizeof *all * 4 * count);
	struct parts p = { out->size, blocks, all, all + count, all + 2 * count, all + 3 * count };
	double without[JACKKNIFE_BLOCKS], unused[2];
	measure(&p, j);
	out->fls = score(&out->nll_generated, &out->nll_baseline, &p, d, -1);
	out->overfit = likelier(&p, 0, 1, -1) - 50;
	out->fls_half = out->overfit_half = NAN;
	for (int b = 0; blocks > 1 && b < blocks; b++)
		without[b] = score(&unused[0], &unused[1], &p, d, b);
	if (blocks > 1) {
		out->fls_half = jackknife_half_width(without, blocks);
		out->overfit_half = overfit_half(&p);
	}
}

int fls_compute(struct fls *out, const float *generated, int64_t m, const float *test, int64_t n, const float *train,
                int64_t l, int d, uint32_t seed, struct err *e)
{
	REQUIRE(m >= 1 && n >= 1 && l >= 2);
	const int64_t sizes[] = { l / 2, n, m, FLS_MOST };
	struct fls r = { .size = sizes[0] };
	for (int k = 1; k < 4; k++)
		r.size = sizes[k] < r.size ? sizes[k] : r.size;
	struct job j = { 0 };
	draw(&j, generated, m, test, n, train, l, d, r.size, seed);
	int bad = prepare(&j, d, e);
	if (!bad) {
		scores(&r, &j, d);
		*out = r;
	}
	job_release(&j);
	return bad;
}
