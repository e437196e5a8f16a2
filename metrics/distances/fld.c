/* fld.c - see fld.h. */
#include "metrics/distances/fld.h"

#include "metrics/distances/mog.h"
#include "metrics/distances/standardise.h"
#include "metrics/math/jackknife.h"
#include "metrics/math/randomstate.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>

static const struct mog_recipe recipe = { .rounds = 50,
	                                      .batch = 10000,
	                                      .lr = 0.5,
	                                      .lr_drops = 50,
	                                      .low = -40,
	                                      .high = 40,
	                                      .start_at_data = true,
	                                      .background = true,
	                                      .per_dimension = true,
	                                      .stop_below = 5e-4 };

struct job {
	struct randomstate random;
	int d;
	double *mean, *deviation;
	struct rows test;
	struct pairs_set test_set;
	int blocks; /* of the jackknife; 1 = none */
};

/* A mean negative log-likelihood per dimension, and the same without each block. */
struct nll {
	double all, without[JACKKNIFE_BLOCKS];
};

static void nll_of(struct nll *out, const double *log_variance, const struct job *j, const struct pairs_set *centre,
                   const struct pairs_set *x)
{
	SCOPED(free) double *part = xmalloc(sizeof *part * (size_t)x->n * (size_t)j->blocks);
	mog_block_sums(part, NULL, j->blocks, log_variance, centre, x);
	out->all = mog_nll_without(part, x->n, centre->n, j->blocks, -1) / j->d;
	for (int b = 0; j->blocks > 1 && b < j->blocks; b++)
		out->without[b] = mog_nll_without(part, x->n, centre->n, j->blocks, b) / j->d;
}

/* Half-width of 100 (a - b). */
static double half_of(const struct nll *a, const struct nll *b, int blocks)
{
	double without[JACKKNIFE_BLOCKS];
	if (blocks < 2)
		return NAN;
	for (int k = 0; k < blocks; k++)
		without[k] = 100 * (a->without[k] - b->without[k]);
	return jackknife_half_width(without, blocks);
}

/* Standardised rows of x, as a set to measure from. */
static int take(struct rows *r, struct pairs_set *s, const struct job *j, const float *x, const int64_t *which,
                int64_t n, const char *what, struct err *e)
{
	rows_take(r, x, which, n, j->d);
	standardise(r, j->d, j->mean, j->deviation);
	return pairs_set_init_double(s, r->x, n, j->d, what, e);
}

/* A fit of Gaussians at `centre` to rows which[0..n) of x, which the peer shuffles once more; the likelihood of test,
 * and of those rows where of_data is not NULL. Returns the rounds, or -1. */
static int fit(struct nll *test, struct nll *of_data, struct job *j, const struct pairs_set *centre, const float *x,
               const int64_t *which, int64_t n, struct err *e)
{
	SCOPED(free) int64_t *order = xmalloc(sizeof *order * (size_t)n);
	SCOPED(free) double *log_variance = xmalloc(sizeof *log_variance * (size_t)centre->n);
	SCOPED(rows) struct rows rows = { 0 };
	SCOPED(pairs_set) struct pairs_set data = { 0 };
	randomstate_permutation(&j->random, order, n);
	for (int64_t i = 0; which && i < n; i++)
		order[i] = which[order[i]];
	if (take(&rows, &data, j, x, order, n, "training", e))
		return -1;
	int rounds = mog_fit(log_variance, NULL, centre, &data, &recipe);
	nll_of(test, log_variance, j, centre, &j->test_set);
	if (of_data)
		nll_of(of_data, log_variance, j, centre, &data);
	return rounds;
}

static int fit_generated(struct fld *r, struct nll *of_test, struct nll *of_train, struct job *j,
                         const float *generated, int64_t m, const float *train, int64_t l, struct err *e)
{
	SCOPED(free) int64_t *which = xmalloc(sizeof *which * FLD_GAUSSIANS);
	SCOPED(rows) struct rows rows = { 0 };
	SCOPED(pairs_set) struct pairs_set centre = { 0 };
	r->gaussians = m > FLD_GAUSSIANS ? FLD_GAUSSIANS : m;
	if (m > FLD_GAUSSIANS)
		randomstate_choice(&j->random, which, m, FLD_GAUSSIANS);
	if (take(&rows, &centre, j, generated, m > FLD_GAUSSIANS ? which : NULL, r->gaussians, "generated", e))
		return -1;
	r->rounds = fit(of_test, of_train, j, &centre, train, NULL, l, e);
	return r->rounds < 0 ? -1 : 0;
}

static int fit_baseline(struct fld *r, struct nll *of_test, struct job *j, const float *train, int64_t l, struct err *e)
{
	SCOPED(free) int64_t *order = xmalloc(sizeof *order * (size_t)l);
	SCOPED(rows) struct rows rows = { 0 };
	SCOPED(pairs_set) struct pairs_set centre = { 0 };
	int64_t half = r->gaussians < l / 2 ? r->gaussians : l / 2;
	r->baseline_gaussians = half;
	randomstate_permutation(&j->random, order, l);
	if (take(&rows, &centre, j, train, order, half, "training", e))
		return -1;
	r->baseline_rounds = fit(of_test, NULL, j, &centre, train, order + half, l - half, e);
	return r->baseline_rounds < 0 ? -1 : 0;
}

static int run(struct fld *r, struct job *j, const float *generated, int64_t m, const float *test, int64_t n,
               const float *train, int64_t l, struct err *e)
{
	rows_take(&j->test, test, NULL, n, j->d);
	if (standardise_fit(j->mean, j->deviation, &j->test, 1, j->d, "FLD (of the test pictures)", e))
		return -1;
	standardise(&j->test, j->d, j->mean, j->deviation);
	struct nll of_test, of_train, baseline;
	int64_t fewest = m < n ? m : n;
	j->blocks = (fewest < l / 2 ? fewest : l / 2) >= 2 * JACKKNIFE_BLOCKS ? JACKKNIFE_BLOCKS : 1;
	if (pairs_set_init_double(&j->test_set, j->test.x, n, j->d, "test", e) ||
	    fit_generated(r, &of_test, &of_train, j, generated, m, train, l, e) ||
	    fit_baseline(r, &baseline, j, train, l, e))
		return -1;
	r->nll_test = of_test.all;
	r->nll_train = of_train.all;
	r->nll_baseline = baseline.all;
	r->fld = 100 * (r->nll_test - r->nll_baseline);
	r->gap = 100 * (r->nll_train - r->nll_test);
	r->fld_half = half_of(&of_test, &baseline, j->blocks);
	r->gap_half = half_of(&of_train, &of_test, j->blocks);
	return 0;
}

int fld_compute(struct fld *out, const float *generated, int64_t m, const float *test, int64_t n, const float *train,
                int64_t l, int d, uint32_t seed, struct err *e)
{
	REQUIRE(m >= 1 && n >= 1 && l >= 2);
	if (l > FLD_TRAIN_MOST)
		return err_set(e,
		               "FLD: %lld training pictures; it takes up to %d, for memory: take part of them, or leave it out",
		               (long long)l, FLD_TRAIN_MOST);
	struct job j = { .d = d,
		             .mean = xmalloc(sizeof *j.mean * (size_t)d),
		             .deviation = xmalloc(sizeof *j.deviation * (size_t)d) };
	struct fld r = { 0 };
	randomstate_seed(&j.random, seed);
	int bad = run(&r, &j, generated, m, test, n, train, l, e);
	if (!bad)
		*out = r;
	pairs_set_release(&j.test_set);
	rows_release(&j.test);
	free(j.mean);
	free(j.deviation);
	return bad;
}
