/* fls.c - see fls.h. */
#include "metrics/distances/fls.h"

#include "metrics/distances/mog.h"
#include "metrics/distances/standardise.h"
#include "metrics/math/randomstate.h"
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

static double overfit(const struct job *j, const double *log_variance, int64_t size)
{
	SCOPED(free) double *train = xmalloc(sizeof *train * (size_t)size), *test = xmalloc(sizeof *test * (size_t)size);
	int64_t closer = 0;
	mog_log_sums(NULL, train, log_variance, &j->set[GENERATED], &j->set[TRAIN]);
	mog_log_sums(NULL, test, log_variance, &j->set[GENERATED], &j->set[TEST]);
	for (int64_t i = 0; i < size; i++)
		closer += train[i] > test[i];
	return 100 * (double)closer / (double)size - 50;
}

static void score(struct fls *out, const struct job *j, int d)
{
	SCOPED(free) double *log_variance = xmalloc(sizeof *log_variance * (size_t)out->size);
	(void)mog_fit(log_variance, NULL, &j->set[GENERATED], &j->set[TRAIN], &recipe);
	out->nll_generated = mog_nll(log_variance, &j->set[GENERATED], &j->set[TEST]);
	out->overfit = overfit(j, log_variance, out->size);
	(void)mog_fit(log_variance, NULL, &j->set[BASELINE], &j->set[TRAIN], &recipe);
	out->nll_baseline = mog_nll(log_variance, &j->set[BASELINE], &j->set[TEST]);
	out->fls = 100 * exp(-2 * (out->nll_generated - out->nll_baseline) / d);
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
		score(&r, &j, d);
		*out = r;
	}
	job_release(&j);
	return bad;
}
