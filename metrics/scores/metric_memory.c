/* metric_memory.c - see metric_memory.h. */
#include "metrics/scores/metric_memory.h"

#include "metrics/distances/authpct.h"
#include "metrics/distances/copying_ct.h"
#include "metrics/distances/fld.h"
#include "metrics/distances/fls.h"
#include "metrics/distances/pairs.h"
#include "metrics/math/wilson.h"
#include "metrics/scores/metric_scores.h"
#include "metrics/scores/score_add.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OF_FIT     "95 %, jackknife over generated, test and training images: at these n, fits held, bias not included"
#define FLD_COPIES (-1000.0) /* a gap below it is what the peer warns of, too */

const struct memory_row memory_rows[MEMORY_KINDS] = {
	[MEMORY_AUTHPCT] = { "authpct", false },
	[MEMORY_CT] = { "ct", true },
	[MEMORY_FLS] = { "fls", true },
	[MEMORY_FLD] = { "fld", true },
};

static const struct {
	const char *score, *text;
} readings[] = {
	{ "authpct", "in %; copies where it is far below that of test pictures" },
	{ "ct", "about 0 for fresh pictures; far below (-3): copies; far above: unlike the data" },
	{ "fls", "higher is better, 100: as good as pictures of training" },
	{ "fls_overfit", "about 0 for fresh pictures; above, up to 50: copies" },
	{ "fld", "lower is better, 0: as good as pictures of training" },
	{ "fld_gap", "about 0 for fresh pictures; far below: copies" },
};

const char *memory_reading(const char *score)
{
	for (size_t i = 0; i < sizeof readings / sizeof *readings; i++)
		if (strcmp(readings[i].score, score) == 0)
			return readings[i].text;
	return NULL;
}

/* ---- sets ------------------------------------------------------------------------------------------------------- */

/* Whoever made the features, feature_set_load or feature_set_extract, has checked that they are finite. */
static int check_set(struct feature_set *f, struct err *e)
{
	const float *x;
	if (feature_set_floats(&x, f, FEATURE_POOL, e))
		return -1;
	return f->n < 2 ? err_set(e, "%s: %lld pictures; give two or more", f->origin, (long long)f->n) : 0;
}

int memory_check(const struct memory_sets *s, struct err *e)
{
	if (feature_set_check_pair(s->generated, s->train, e) || check_set(s->generated, e) || check_set(s->train, e))
		return -1;
	if (!s->test)
		return 0;
	if (feature_set_check_pair(s->generated, s->test, e) || feature_set_check_pair(s->train, s->test, e) ||
	    check_set(s->test, e))
		return -1;
	if (s->test->sha256[0] && strcmp(s->test->sha256, s->train->sha256) == 0)
		return err_set(e, "%s and %s hold the same pictures; the test pictures must be ones that training did not see",
		               s->train->origin, s->test->origin);
	return 0;
}

/* ---- neighbours ------------------------------------------------------------------------------------------------- */

static int open_set(struct pairs_set *out, struct feature_set *f, struct err *e)
{
	const float *x;
	return feature_set_floats(&x, f, FEATURE_POOL, e) ||
	               pairs_set_init(out, x, f->n, f->dim[FEATURE_POOL], f->origin, e)
	           ? -1
	           : 0;
}

static struct memory_near *near_new(const struct pairs_set *x, const struct pairs_set *train, const double *own)
{
	SCOPED(free) double *d2 = xmalloc(sizeof *d2 * (size_t)x->n);
	SCOPED(free) int64_t *index = xmalloc(sizeof *index * (size_t)x->n);
	struct memory_near *near = xmalloc(sizeof *near * (size_t)x->n);
	pairs_nearest(d2, index, 1, x, train);
	for (int64_t i = 0; i < x->n; i++)
		near[i] = (struct memory_near){ i, index[i], sqrt(d2[i]), sqrt(own[index[i]]) };
	return near;
}

int memory_nearest(struct memory_near **generated, struct memory_near **test, const struct memory_sets *s,
                   struct err *e)
{
	SCOPED(pairs_set) struct pairs_set g = { 0 }, t = { 0 }, u = { 0 };
	if (open_set(&g, s->generated, e) || open_set(&t, s->train, e) || (s->test && open_set(&u, s->test, e)))
		return -1;
	SCOPED(free) double *own = xmalloc(sizeof *own * (size_t)t.n);
	pairs_nearest(own, NULL, 1, &t, &t);
	*generated = near_new(&g, &t, own);
	*test = s->test ? near_new(&u, &t, own) : NULL;
	return 0;
}

static int closer_first(const void *a, const void *b)
{
	const struct memory_near *x = a, *y = b;
	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return (x->generated > y->generated) - (x->generated < y->generated);
}

void memory_sort(struct memory_near *near, int64_t n)
{
	qsort(near, (size_t)n, sizeof *near, closer_first);
}

/* ---- scores ----------------------------------------------------------------------------------------------------- */

/* settings: what stands behind the name in the protocol, "(seed0)" or "". */
static struct score *add(struct score_list *out, const char *name, const char *settings, const struct memory_sets *s,
                         bool test, double value, double half, const char *half_text)
{
	REQUIRE(out->n < SCORES_MAX);
	struct score *score = &out->v[out->n++];
	*score = (struct score){ .value = value, .half = half, .n = s->generated->n };
	score_spread(score, half_text, SCORE_TOO_FEW);
	(void)snprintf(score->name, sizeof score->name, "%s", name);
	SCOPED(free) char *whole = xstrfmt("%s%s", name, settings);
	const char *features = s->generated->protocol[0] ? s->generated->protocol : s->train->protocol;
	protocol_text_of(score->protocol, whole, features, s->generated->n, s->generated->drawn, NULL);
	const struct feature_set *others[] = { s->train, test ? s->test : NULL };
	for (int i = 0; i < 2; i++) {
		size_t used = strlen(score->protocol);
		if (others[i] && others[i]->sha256[0])
			(void)snprintf(score->protocol + used, PROTOCOL_TEXT - used, ":%s=%.*s", i ? "test" : "train", PROTOCOL_REF,
			               others[i]->sha256);
	}
	return score;
}

struct floats {
	const float *g, *u, *t; /* generated, test, training */
	int64_t m, n, l;
	int d;
};

static int ct(struct score_list *out, const struct memory_sets *s, const struct floats *f, uint32_t seed, struct err *e)
{
	static const char *const names[CT_CELLS] = { "z1", "z2", "z3" };
	struct copying_ct r;
	char settings[32];
	if (copying_ct(&r, f->g, f->m, f->u, f->n, f->t, f->l, f->d, seed, e))
		return err_in(e, "%s", s->generated->origin);
	(void)snprintf(settings, sizeof settings, "(seed%u)", seed);
	struct score *score = add(
		out, "ct", settings, s, true, r.value, r.half,
		"95 %, jackknife over generated and test images: at these n, training and its cells held");
	for (int k = 0; k < CT_CELLS; k++)
		score_add_part(score, names[k], r.cell[k].z);
	score_add_part(score, "cells", r.cells);
	if (r.cells < CT_CELLS)
		(void)snprintf(score->warning, sizeof score->warning,
		               "%s: ct is over %d of its %d cells; the other%s no more than %d generated pictures",
		               s->generated->origin, r.cells, CT_CELLS, CT_CELLS - r.cells == 1 ? " has" : "s have", CT_FEW);
	return 0;
}

static int fls(struct score_list *out, const struct memory_sets *s, const struct floats *f, uint32_t seed,
               struct err *e)
{
	struct fls r;
	char settings[48];
	if (fls_compute(&r, f->g, f->m, f->u, f->n, f->t, f->l, f->d, seed, e))
		return err_in(e, "%s", s->generated->origin);
	(void)snprintf(settings, sizeof settings, "(%lld,seed%u)", (long long)r.size, seed);
	struct score *score = add(out, "fls", settings, s, true, r.fls, r.fls_half, OF_FIT);
	score_add_part(score, "nll_generated", r.nll_generated);
	score_add_part(score, "nll_baseline", r.nll_baseline);
	(void)add(out, "fls_overfit", settings, s, true, r.overfit, r.overfit_half,
	          "95 %, Wilson over generated and jackknife over test and training images: at these n, the fit held");
	return 0;
}

static int fld(struct score_list *out, const struct memory_sets *s, const struct floats *f, uint32_t seed,
               struct err *e)
{
	struct fld r;
	char settings[48];
	if (fld_compute(&r, f->g, f->m, f->u, f->n, f->t, f->l, f->d, seed, e))
		return err_in(e, "%s", s->generated->origin);
	(void)snprintf(settings, sizeof settings, "(%lld,seed%u)", (long long)r.gaussians, seed);
	struct score *score = add(out, "fld", settings, s, true, r.fld, r.fld_half, OF_FIT);
	score_add_part(score, "nll_test", r.nll_test);
	score_add_part(score, "nll_baseline", r.nll_baseline);
	if (r.gap < FLD_COPIES)
		(void)snprintf(
			score->warning, sizeof score->warning,
			"%s: training pictures are so much likelier than test pictures that most of these are exact copies; "
			"how large fld and fld_gap are then says nothing more",
			s->generated->origin);
	score = add(out, "fld_gap", settings, s, true, r.gap, r.gap_half, OF_FIT);
	score_add_part(score, "nll_train", r.nll_train);
	score_add_part(score, "nll_test", r.nll_test);
	return 0;
}

static double share_authentic(const struct memory_near *near, int64_t n, int64_t l)
{
	SCOPED(free) int64_t *index = xmalloc(sizeof *index * (size_t)n);
	SCOPED(free) double *distance = xmalloc(sizeof *distance * (size_t)n);
	SCOPED(free) double *own = xcalloc((size_t)l, sizeof *own);
	for (int64_t i = 0; i < n; i++) {
		index[i] = near[i].train;
		distance[i] = near[i].distance;
		own[index[i]] = near[i].own;
	}
	return authpct(index, distance, n, own);
}

static int authentic(struct score_list *out, const struct memory_sets *s, const struct memory_near *near,
                     const struct memory_near *near_test)
{
	double value = share_authentic(near, s->generated->n, s->train->n);
	struct score *score = add(out, "authpct", "", s, false, value, wilson_half_width(value, s->generated->n),
	                          "95 %, Wilson over the generated images, training held");
	if (near_test) {
		double of_test = share_authentic(near_test, s->test->n, s->train->n);
		score_add_part(score, "of_test", of_test);
		score_add_part(score, "of_test_half_width", wilson_half_width(of_test, s->test->n));
	}
	return 0;
}

int memory_score(struct score_list *out, enum memory_kind kind, const struct memory_sets *s,
                 const struct memory_near *near, const struct memory_near *near_test, uint32_t seed, struct err *e)
{
	struct floats f = { .m = s->generated->n, .l = s->train->n, .d = s->train->dim[FEATURE_POOL] };
	if (feature_set_floats(&f.g, s->generated, FEATURE_POOL, e) || feature_set_floats(&f.t, s->train, FEATURE_POOL, e))
		return -1;
	if (memory_rows[kind].test) {
		REQUIRE(s->test);
		if (feature_set_floats(&f.u, s->test, FEATURE_POOL, e))
			return -1;
		f.n = s->test->n;
	}
	switch (kind) {
	case MEMORY_AUTHPCT: return authentic(out, s, near, near_test);
	case MEMORY_CT: return ct(out, s, &f, seed, e);
	case MEMORY_FLS: return fls(out, s, &f, seed, e);
	case MEMORY_FLD: return fld(out, s, &f, seed, e);
	case MEMORY_KINDS: break;
	}
	BUG("memory score %d", kind);
}

/* ---- rows of metrics.def ---------------------------------------------------------------------------------------- */

/* Of what a row of memory_rows gives, the score that the metric is called after. */
static int one_of(struct score_list *out, enum memory_kind kind, const struct metric *m, const struct memory_sets *s,
                  const struct metric_options *o, struct err *e)
{
	SCOPED(free) struct memory_near *near = NULL, *near_test = NULL;
	struct score_list list = { 0 };
	if (memory_check(s, e) || (kind == MEMORY_AUTHPCT && memory_nearest(&near, &near_test, s, e)) ||
	    memory_score(&list, kind, s, near, near_test, (uint32_t)o->seed, e))
		return -1;
	for (int i = 0; i < list.n; i++)
		if (strcmp(list.v[i].name, m->name) == 0) {
			REQUIRE(out->n < SCORES_MAX);
			list.v[i].better = m->better;
			out->v[out->n++] = list.v[i];
		}
	return 0;
}

int metric_authpct(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
                   const struct metric_options *o, struct err *e)
{
	return one_of(out, MEMORY_AUTHPCT, m, &(struct memory_sets){ a, b, NULL }, o, e);
}

#define THREE_SIDES(name, kind) \
	int metric_##name(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b, \
	                  const struct metric_options *o, struct err *e) \
	{ \
		return one_of(out, kind, m, &(struct memory_sets){ a, o->train, b }, o, e); \
	}
THREE_SIDES(ct, MEMORY_CT)
THREE_SIDES(fls, MEMORY_FLS)
THREE_SIDES(fls_overfit, MEMORY_FLS)
THREE_SIDES(fld, MEMORY_FLD)
THREE_SIDES(fld_gap, MEMORY_FLD)
