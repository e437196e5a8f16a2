/* metric_scores.c - one function per row of metrics.def: fetch what it needs, compute, say how far the number can be
 * trusted. */
#include "metrics/scores/metric_scores.h"

#include "metrics/scores/score_add.h"
#include "metrics/distances/inception_score.h"
#include "metrics/math/jackknife.h"
#include "metrics/distances/kid.h"
#include "model/base/mem.h"
#include "metrics/distances/precision_recall.h"
#include "metrics/math/randomstate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED_OF_PEERS = 2020, EXTRAPOLATION_PARTS = 5, LINE_VECTORS = 30 };

static int frechet(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
                   const struct metric_options *o, enum feature_kind kind, struct err *e)
{
	SCOPED(fid_side) struct fid_side x = { 0 }, y = { 0 };
	struct fid_result r;
	double half = NAN;
	if (feature_set_side(&x, a, kind, e) || feature_set_side(&y, b, kind, e))
		return -1;
	y.device = o->device;
	if (fid_compute(&r, &x, &y, e))
		return -1;
	if (o->interval && !a->mu[kind] && a->store[kind].n) {
		const float *f;
		if (feature_set_floats(&f, a, kind, e) || fid_interval(&half, f, a->n, &y, JACKKNIFE_BLOCKS, e))
			return -1;
	}
	struct score *s = score_add(out, m->name, m->name, m, a, b, kind, r.fid, half);
	score_spread(s, "95 %, jackknife over the first set: of FID at this n, bias not included",
	             !o->interval  ? NULL
	             : a->mu[kind] ? "of statistics, without images to leave out"
	                           : SCORE_TOO_FEW);
	if (o->device)
		(void)snprintf(s->computed_by, sizeof s->computed_by, "%s", r.by.by);
	score_add_part(s, "mean_term", r.mean_term);
	score_add_part(s, "trace1", r.trace1);
	score_add_part(s, "trace2", r.trace2);
	score_add_part(s, "trace_sqrt", r.trace_sqrt);
	score_add_part(s, "clipped", r.clipped);
	score_add_part(s, "rank1", x.rank);
	score_add_part(s, "rank2", y.rank);
	score_warn_of_size(s, a->n, x.d, a->origin);
	score_warn_of_size(s, b->n, y.d, b->origin);
	return 0;
}

int metric_fid(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
               const struct metric_options *o, struct err *e)
{
	return frechet(out, m, a, b, o, FEATURE_POOL, e);
}

int metric_sfid(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
                const struct metric_options *o, struct err *e)
{
	return frechet(out, m, a, b, o, FEATURE_SPATIAL, e);
}

/* The bias of FID is straight in 1/N only where each part has several vectors for each dimension. */
static void warn_of_line(struct score *s, const struct feature_set *a, int d)
{
	const char *below = s->value < 0 ? ", and a limit below 0 says no more than that it is near 0" : "";
	if (a->n < LINE_VECTORS * (int64_t)d)
		(void)snprintf(
			s->warning, sizeof s->warning,
			"%s: %lld images in %d dimensions: too few for a straight line over 1/n, which takes about %d for "
			"each dimension; the limit is a guess%s",
			a->origin, (long long)a->n, d, LINE_VECTORS, below);
	else if (s->value < 0)
		(void)snprintf(s->warning, sizeof s->warning,
		               "%s: the line over 1/n ends at %.3g, where no distance is: the limit is near 0", a->origin,
		               s->value);
}

int metric_fid_infinity(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
                        const struct metric_options *o, struct err *e)
{
	SCOPED(fid_side) struct fid_side y = { 0 };
	const float *f;
	double value, half = NAN;
	if (feature_set_floats(&f, a, FEATURE_POOL, e) || feature_set_side(&y, b, FEATURE_POOL, e))
		return -1;
	y.device = o->device;
	if (fid_infinity(&value, o->interval ? &half : NULL, f, a->n, &y, EXTRAPOLATION_PARTS, o->seed, e))
		return err_in(e, "%s", a->origin);
	struct score *s = score_add(out, m->name, m->name, m, a, b, FEATURE_POOL, value, half);
	score_spread(s, "95 %, jackknife over the first set and scatter about the line",
	             o->interval ? SCORE_TOO_FEW : NULL);
	warn_of_line(s, a, y.d);
	return 0;
}

int metric_kid(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
               const struct metric_options *o, struct err *e)
{
	(void)o;
	const float *x, *y;
	struct kid_full r;
	if (score_floats_of_both(&x, &y, a, b, e) || kid_full(&r, x, a->n, y, b->n, a->dim[FEATURE_POOL], e))
		return -1;
	struct score *s = score_add(out, m->name, m->name, m, a, b, FEATURE_POOL, r.unbiased, r.half);
	score_spread(s, "95 %, jackknife over both sets: unbiased, so of KID at any n", SCORE_TOO_FEW);
	score_add_part(s, "biased", r.biased);
	return 0;
}

int metric_kid_subsets(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
                       const struct metric_options *o, struct err *e)
{
	const float *x, *y;
	struct kid_subsets r;
	char name[64];
	if (score_floats_of_both(&x, &y, a, b, e) ||
	    kid_subsets(&r, x, a->n, y, b->n, a->dim[FEATURE_POOL], o->kid_subsets, o->kid_size, SEED_OF_PEERS, e))
		return -1;
	(void)snprintf(name, sizeof name, "%s(%dx%d)", m->name, r.subsets, r.size);
	struct score *s = score_add(out, m->name, name, m, a, b, FEATURE_POOL, r.mean, r.std);
	s->half_text = "population sd of the subsets";
	return 0;
}

int metric_is(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
              const struct metric_options *o, struct err *e)
{
	(void)b;
	const float *x;
	struct inception_score r;
	if (feature_set_floats(&x, a, FEATURE_LOGITS, e))
		return -1;
	SCOPED(free) int64_t *order = xmalloc(sizeof *order * (size_t)(a->n ? a->n : 1));
	if (o->is_shuffle) {
		struct randomstate rs;
		randomstate_seed(&rs, SEED_OF_PEERS);
		randomstate_permutation(&rs, order, a->n);
	}
	if (inception_score(&r, x, a->n, a->dim[FEATURE_LOGITS], o->is_splits, o->is_shuffle ? order : NULL, e))
		return err_in(e, "%s", a->origin);
	char name[64];
	(void)snprintf(name, sizeof name, "%s(%d%s)", m->name, r.splits, o->is_shuffle ? ",shuffled" : "");
	struct score *s = score_add(out, m->name, name, m, a, NULL, FEATURE_LOGITS, r.mean, r.std);
	s->half_text = "population sd of the splits";
	if (a->n < 10 * (int64_t)a->dim[FEATURE_LOGITS])
		(void)snprintf(s->warning, sizeof s->warning,
		               "%s: %lld images over %d classes: the score is far below its limit", a->origin, (long long)a->n,
		               a->dim[FEATURE_LOGITS]);
	return 0;
}

int metric_pr(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
              const struct metric_options *o, struct err *e)
{
	const float *x, *y;
	struct precision_recall r;
	char name[64];
	if (score_floats_of_both(&x, &y, a, b, e) ||
	    precision_recall(&r, NULL, NULL, x, a->n, y, b->n, a->dim[FEATURE_POOL], o->k, e))
		return -1;
	(void)snprintf(name, sizeof name, "%s(k%d)", m->name, o->k);
	struct score *s = score_add(out, "precision", name, m, a, b, FEATURE_POOL, r.precision, r.precision_half);
	score_spread(s, "95 %, jackknife over the first set", SCORE_NO_BLOCKS);
	s = score_add(out, "recall", name, m, a, b, FEATURE_POOL, r.recall, NAN);
	score_spread(s, NULL, SCORE_OWN_BALLS);
	return 0;
}
