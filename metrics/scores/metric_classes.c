/* metric_classes.c - see metric_classes.h. */
#include "metrics/scores/metric_classes.h"

#include "metrics/math/jackknife.h"
#include "metrics/scores/score_add.h"
#include "model/base/mem.h"
#include "model/base/sha256.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void class_scores_release(struct class_scores *s)
{
	free(s->v);
	*s = (struct class_scores){ 0 };
}

/* One side's vectors of class k, [*n, d]: heap. */
static float *vectors_of(int64_t *n, const struct class_match *m, int side, int k, const float *all, int d)
{
	const int64_t *which = m->side[side].which + m->side[side].at[k];
	*n = class_match_count(m, side, k);
	float *out = xmalloc(sizeof *out * (size_t)*n * (size_t)d);
	for (int64_t i = 0; i < *n; i++)
		memcpy(out + i * d, all + which[i] * d, sizeof *out * (size_t)d);
	return out;
}

static int side_of(struct fid_side *out, const float *x, int64_t n, int d, const char *name, struct err *e)
{
	SCOPED(moments) struct moments moments = { 0 };
	moments_init(&moments, d);
	moments_add(&moments, x, n);
	return fid_side_of_moments(out, &moments, name, e);
}

static int score_class(struct class_score *out, const struct class_match *m, int k, const float *x, const float *y,
                       int d, const struct metric_options *o, struct err *e)
{
	SCOPED(fid_side) struct fid_side ours = { 0 }, theirs = { 0 };
	struct fid_result r;
	*out = (struct class_score){ .name = m->name[k], .half = NAN };
	SCOPED(free) float *a = vectors_of(&out->n, m, 0, k, x, d);
	SCOPED(free) float *b = vectors_of(&out->n_reference, m, 1, k, y, d);
	if (side_of(&ours, a, out->n, d, "the first set", e) || side_of(&theirs, b, out->n_reference, d, "the second", e))
		return err_in(e, "class '%s'", m->name[k]);
	theirs.device = o->device;
	if (fid_compute(&r, &ours, &theirs, e) ||
	    (o->interval && fid_interval(&out->half, a, out->n, &theirs, JACKKNIFE_BLOCKS, e)))
		return err_in(e, "class '%s'", m->name[k]);
	out->value = r.fid;
	return 0;
}

/* Which class each picture of the reference is of is part of how the number was made. */
static void hash_classes(char hex[SHA256_HEX], const struct class_match *m)
{
	struct sha256 hash;
	const struct class_members *reference = &m->side[1];
	sha256_init(&hash);
	for (int k = 0; k < m->n; k++) {
		int64_t n = class_match_count(m, 1, k);
		sha256_add(&hash, m->name[k], strlen(m->name[k]) + 1);
		sha256_add(&hash, &n, sizeof n);
		sha256_add(&hash, reference->which + reference->at[k], sizeof *reference->which * (size_t)n);
	}
	sha256_hex(hex, &hash);
}

/* The class with the fewest pictures of a side. */
static int smallest(const struct class_match *m, int side)
{
	int least = 0;
	for (int k = 1; k < m->n; k++)
		if (class_match_count(m, side, k) < class_match_count(m, side, least))
			least = k;
	return least;
}

static void warn(struct score *s, const struct class_match *m, const char *const origin[2], int d)
{
	for (int side = 0; side < 2; side++) {
		int k = smallest(m, side);
		SCOPED(free)
		char *what = xstrfmt("%s, class '%s' (%d classes; none has fewer)", origin[side], m->name[k], m->n);
		score_warn_of_size(s, class_match_count(m, side, k), d, what);
	}
}

static void add_mean(struct class_scores *s, const struct class_match *m, struct feature_set *a, struct feature_set *b)
{
	static const struct metric row = { .better = -1 };
	const char *const origin[2] = { a->origin, b->origin };
	struct score_list list = { .n = 0 };
	double sum = 0, squares = 0;
	char name[64], hex[SHA256_HEX];
	for (int k = 0; k < s->n; k++) {
		sum += s->v[k].value;
		squares += s->v[k].half * s->v[k].half;
	}
	(void)snprintf(name, sizeof name, METRIC_PER_CLASS "(%d)", s->n);
	s->mean = *score_add(&list, METRIC_PER_CLASS "_mean", name, &row, a, b, FEATURE_POOL, sum / s->n,
	                     sqrt(squares) / s->n);
	if (!isnan(s->mean.half))
		s->mean.half_text = "95 %, jackknife over the first set of each class: of FID at this n, bias not included";
	hash_classes(hex, m);
	size_t used = strlen(s->mean.protocol);
	(void)snprintf(s->mean.protocol + used, sizeof s->mean.protocol - used, ":classes=%.*s", PROTOCOL_REF, hex);
	warn(&s->mean, m, origin, a->dim[FEATURE_POOL]);
}

int metric_classes(struct class_scores *out, const struct class_match *m, struct feature_set *a, struct feature_set *b,
                   const struct metric_options *o, struct err *e)
{
	const float *x, *y;
	if (feature_set_check_pair(a, b, e) || score_floats_of_both(&x, &y, a, b, e))
		return -1;
	struct class_scores s = { .v = xcalloc((size_t)m->n, sizeof *s.v), .n = m->n };
	for (int k = 0; k < m->n; k++)
		if (score_class(&s.v[k], m, k, x, y, a->dim[FEATURE_POOL], o, e)) {
			class_scores_release(&s);
			return -1;
		}
	add_mean(&s, m, a, b);
	*out = s;
	return 0;
}
