/* metric_pairs.c - the rows that compare all vectors of two sets: prdc, cmmd, mind. */
#include "metrics/scores/metric_scores.h"

#include "metrics/distances/cmmd.h"
#include "metrics/distances/mind.h"
#include "metrics/distances/prdc.h"
#include "metrics/scores/score_add.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int metric_prdc(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
                const struct metric_options *o, struct err *e)
{
	const float *x, *y;
	struct prdc r;
	char name[64];
	if (score_floats_of_both(&x, &y, a, b, e) || prdc(&r, x, a->n, y, b->n, a->dim[FEATURE_POOL], o->prdc_k, e))
		return -1;
	(void)snprintf(name, sizeof name, "%s(k%d)", m->name, o->prdc_k);
	const struct {
		const char *name;
		double value, half;
	} scores[] = { { "precision_prdc", r.precision, r.precision_half },
		           { "recall_prdc", r.recall, NAN },
		           { "density", r.density, r.density_half },
		           { "coverage", r.coverage, r.coverage_half } };
	for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
		struct score *s = score_add(out, scores[i].name, name, m, a, b, FEATURE_POOL, scores[i].value, scores[i].half);
		bool recall = strcmp(s->name, "recall_prdc") == 0;
		score_spread(s, "95 %, jackknife over the first set", recall ? SCORE_OWN_BALLS : SCORE_NO_BLOCKS);
	}
	return 0;
}

/* Are vectors [n, d] of length 1, up to float32's rounding? */
static bool of_length_one(const float *x, int64_t n, int d)
{
	for (int64_t i = 0; i < n; i++) {
		double length = 0;
		for (int64_t k = 0; k < d; k++)
			length += (double)x[i * d + k] * x[i * d + k];
		if (!(fabs(length - 1) < 1e-3))
			return false;
	}
	return true;
}

int metric_cmmd(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
                const struct metric_options *o, struct err *e)
{
	(void)o;
	const float *x, *y;
	struct cmmd r;
	int d = a->dim[FEATURE_POOL];
	if (score_floats_of_both(&x, &y, a, b, e) || cmmd(&r, x, a->n, y, b->n, d, e))
		return -1;
	struct score *s = score_add(out, m->name, m->name, m, a, b, FEATURE_POOL, r.value, r.half);
	score_spread(s, "95 %, jackknife over both sets: of CMMD at these n, bias not included", SCORE_TOO_FEW);
	const char *other = !of_length_one(x, a->n, d) ? a->origin : !of_length_one(y, b->n, d) ? b->origin : NULL;
	if (other)
		(void)snprintf(s->warning, sizeof s->warning,
		               "%s: features that are not of length 1: cmmd takes them as they are, with a kernel that is made "
		               "for CLIP embeddings of length 1; compare it with no published number",
		               other);
	return 0;
}

int metric_mind(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
                const struct metric_options *o, struct err *e)
{
	const float *x, *y;
	struct mind r;
	char name[64];
	if (score_floats_of_both(&x, &y, a, b, e) ||
	    mind(&r, x, a->n, y, b->n, a->dim[FEATURE_POOL], o->mind_directions, o->seed, e))
		return -1;
	(void)snprintf(name, sizeof name, "%s(%d,seed%llu)", m->name, o->mind_directions, (unsigned long long)o->seed);
	struct score *s = score_add(out, m->name, name, m, a, b, FEATURE_POOL, r.value, r.half);
	score_spread(s,
	             "95 %, jackknife over both sets and scatter over the directions: of MIND at this n, bias not included",
	             SCORE_TOO_FEW);
	score_add_part(s, "error_of_directions", r.error);
	score_add_part(s, "vectors", (double)r.used);
	const struct feature_set *larger = a->n > b->n ? a : b;
	if (larger->n > r.used)
		(void)snprintf(s->warning, sizeof s->warning,
		               "%s: mind compares sets of one size: %lld of its %lld images are drawn, as many as %s has",
		               larger->origin, (long long)r.used, (long long)larger->n, larger == a ? b->origin : a->origin);
	return 0;
}
