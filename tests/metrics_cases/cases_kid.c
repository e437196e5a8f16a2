/* cases_kid.c - KID, Inception Score, precision and recall on stored, own and synthetic features, with their random
 * draws. */
#include "tests/metrics_cases/cases.h"

#include "metrics/distances/inception_score.h"
#include "metrics/distances/kid.h"
#include "metrics/distances/precision_recall.h"
#include "metrics/math/randomstate.h"
#include "tests/common/formula.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In double, on features that are the peer's own; and on features that we computed (their noise moves the score). */
#define SAME_FEATURES 1e-9
#define OWN_FEATURES  2e-6
/* Precision and recall are counts; with our features a picture on the very border of a ball may fall on its other
 * side. */
#define EXACTLY     1e-12
#define ONE_PICTURE (1.01 / 300)

struct vectors {
	float *x;
	int64_t n;
	int d;
};

static struct vectors stored(struct cases *c, struct npz *z, const char *key, int d)
{
	struct vectors v = { .d = d };
	int64_t n;
	SCOPED(free) double *x = cases_doubles(c, "kid_is_prc", z, key, &n);
	if (!x || n % d)
		return v;
	v.x = xmalloc(sizeof *v.x * (size_t)n);
	for (int64_t i = 0; i < n; i++)
		v.x[i] = (float)x[i];
	v.n = n / d;
	return v;
}

static struct vectors synthetic(const char *tag, int64_t n, int d)
{
	struct vectors v = { xmalloc(sizeof(float) * (size_t)(n * d)), n, d };
	SCOPED(free) double *x = xmalloc(sizeof *x * (size_t)(n * d));
	formula_set(x, tag, n, d);
	for (int64_t i = 0; i < n * d; i++)
		v.x[i] = (float)x[i];
	return v;
}

/* ---- KID ---- */

static void check_kid(struct cases *c, const char *name, const json_t *want, const struct vectors *x,
                      const struct vectors *y, double allowed)
{
	const json_t *settings = json_object_get(want, "settings"), *pair = json_object_get(want, "kid_mean_std_f64");
	double subsets = cases_number(settings, "subsets"), size = cases_number(settings, "subset_size");
	struct kid_full full;
	struct kid_subsets s;
	struct err e = ERR_INIT;
	if (!(subsets >= 1 && subsets < 1e6 && size >= 2 && size < 1e6)) {
		cases_skip(c, name, "no settings");
		return;
	}
	if (kid_full(&full, x->x, x->n, y->x, y->n, x->d, &e) ||
	    kid_subsets(&s, x->x, x->n, y->x, y->n, x->d, (int)subsets, (int)size, 2020, &e)) {
		cases_broken(c, name, &e);
		return;
	}
	const struct {
		const char *key;
		double got, want;
	} values[] = {
		{ "mean f64", s.mean, json_number_value(json_array_get(pair, 0)) },
		{ "std f64", s.std, json_number_value(json_array_get(pair, 1)) },
		{ "mmd2_full_unbiased_f64", full.unbiased, cases_number(want, "mmd2_full_unbiased_f64") },
		{ "cleanfid_formula_full_f64", full.unbiased, cases_number(want, "cleanfid_formula_full_f64") },
		{ "mmd2_full_ustat_f64", full.ustat, cases_number(want, "mmd2_full_ustat_f64") },
		{ "mmd2_full_biased_f64", full.biased, cases_number(want, "mmd2_full_biased_f64") },
	};
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		SCOPED(free) char *label = xstrfmt("%s %s", name, values[i].key);
		cases_value(c, label, values[i].got, values[i].want, allowed * fmax(1, fabs(values[i].want)));
	}
}

/* "kid_synthetic_500x32" of the tags [X, Y]. */
static void check_kid_synthetic(struct cases *c, const char *name, const json_t *want)
{
	const json_t *tags = json_object_get(want, "tags");
	const char *tx = json_string_value(json_array_get(tags, 0)), *ty = json_string_value(json_array_get(tags, 1));
	int n, d;
	if (!tx || !ty || sscanf(name, "kid_synthetic_%dx%d", &n, &d) != 2 || n < 2 || d < 1 || (int64_t)n * d > 1 << 26) {
		cases_skip(c, name, "no tags or sizes");
		return;
	}
	struct vectors x = synthetic(tx, n, d), y = synthetic(ty, n, d);
	check_kid(c, name, want, &x, &y, SAME_FEATURES);
	free(x.x);
	free(y.x);
}

/* ---- Inception Score ---- */

static void check_is(struct cases *c, const char *name, const json_t *want, const float *logits, int64_t n, int classes,
                     double allowed)
{
	static const char *const keys[] = { "noshuffle_mean_std", "shuffle2020_mean_std" };
	double splits = cases_number(want, "splits");
	SCOPED(free) int64_t *order = xmalloc(sizeof *order * (size_t)n);
	struct randomstate rs;
	randomstate_seed(&rs, 2020);
	randomstate_permutation(&rs, order, n);
	for (int k = 0; k < 2; k++) {
		const json_t *pair = json_object_get(want, keys[k]);
		struct inception_score r;
		struct err e = ERR_INIT;
		if (!pair || !(splits >= 1 && splits <= 1000))
			continue;
		if (inception_score(&r, logits, n, classes, (int)splits, k ? order : NULL, &e)) {
			cases_broken(c, name, &e);
			continue;
		}
		SCOPED(free)
		char *mean = xstrfmt("%s %s mean", name, k ? "shuffled" : "in order"),
			 *std = xstrfmt("%s %s std", name, k ? "shuffled" : "in order");
		cases_value(c, mean, r.mean, json_number_value(json_array_get(pair, 0)), allowed);
		cases_value(c, std, r.std, json_number_value(json_array_get(pair, 1)), allowed);
	}
}

/* "3*ih12(isLp,1003,10) rounded to float32" */
static void check_is_synthetic(struct cases *c, const char *name, const json_t *want)
{
	const char *text = json_string_value(json_object_get(want, "tag"));
	char tag[32];
	int n, classes;
	double scale;
	if (!text || sscanf(text, "%lf*ih12(%31[^,],%d,%d)", &scale, tag, &n, &classes) != 4 || n < 1 || classes < 1 ||
	    (int64_t)n * classes > 1 << 26) {
		cases_skip(c, name, "its tag is not understood");
		return;
	}
	SCOPED(free) double *g = xmalloc(sizeof *g * (size_t)n * (size_t)classes);
	SCOPED(free) float *x = xmalloc(sizeof *x * (size_t)n * (size_t)classes);
	formula_ih12(g, tag, n, classes);
	for (int64_t i = 0; i < (int64_t)n * classes; i++)
		x[i] = (float)(scale * g[i]);
	check_is(c, name, want, x, n, classes, SAME_FEATURES);
}

/* The 12 stored rows of class scores of torch-fidelity's features. */
static void check_is_stored(struct cases *c, const char *name, const json_t *want)
{
	SCOPED(npz) struct npz *z = NULL;
	const char *key = strstr(name, "WITH_bias") ? "logits_f32" : "logits_unbiased_f32";
	if (!cases_npz(&z, c, "torch_fidelity_features.npz"))
		return;
	struct vectors v = stored(c, z, key, INCEPTION_CLASSES);
	if (v.x)
		check_is(c, name, want, v.x, v.n, v.d, SAME_FEATURES);
	free(v.x);
}

/* ---- precision and recall ---- */

static void check_prc(struct cases *c, const char *name, const json_t *want, const struct vectors *x,
                      const struct vectors *y, double allowed)
{
	double k = cases_number(want, "k");
	const json_t *brute = json_object_get(want, "brute_f64");
	struct precision_recall r;
	struct err e = ERR_INIT;
	if (!(k >= 1 && k < 64) || json_array_size(brute) < 2) {
		cases_skip(c, name, "no k or no brute_f64");
		return;
	}
	if (precision_recall(&r, NULL, NULL, x->x, x->n, y->x, y->n, x->d, (int)k, &e)) {
		cases_broken(c, name, &e);
		return;
	}
	SCOPED(free) char *p = xstrfmt("%s precision", name), *q = xstrfmt("%s recall", name);
	cases_value(c, p, r.precision, json_number_value(json_array_get(brute, 0)), allowed);
	cases_value(c, q, r.recall, json_number_value(json_array_get(brute, 1)), allowed);
}

/* 50 rows of X, five times each. */
static void check_prc_copies(struct cases *c, const char *name, const json_t *want, const struct vectors *x,
                             const struct vectors *y)
{
	int times, rows;
	if (sscanf(name, "prc_duplicates_%dx%d", &times, &rows) != 2 || times < 1 || times > 1000 || rows < 1 ||
	    rows > x->n) {
		cases_skip(c, name, "sizes are not understood");
		return;
	}
	struct vectors v = { xmalloc(sizeof(float) * (size_t)times * (size_t)rows * (size_t)x->d), (int64_t)times * rows,
		                 x->d };
	for (int64_t i = 0; i < v.n; i++)
		memcpy(v.x + i * x->d, x->x + i % rows * x->d, sizeof *x->x * (size_t)x->d);
	check_prc(c, name, want, &v, y, EXACTLY);
	free(v.x);
}

static void check_radii(struct cases *c, struct npz *z, const struct vectors *a, const struct vectors *b)
{
	struct precision_recall r;
	struct err e = ERR_INIT;
	SCOPED(free) double *ra = xmalloc(sizeof *ra * (size_t)a->n), *rb = xmalloc(sizeof *rb * (size_t)b->n);
	if (precision_recall(&r, ra, rb, a->x, a->n, b->x, b->n, a->d, 3, &e)) {
		cases_broken(c, "knn_radius", &e);
		return;
	}
	int64_t na, nb;
	SCOPED(free) double *wa = cases_doubles(c, "kid_is_prc", z, "knn_radius_A_f64", &na);
	SCOPED(free) double *wb = cases_doubles(c, "kid_is_prc", z, "knn_radius_B_f64", &nb);
	if (wa && na == a->n)
		cases_array(c, "knn_radius_A_f64", ra, wa, NULL, na, 1e-9, 1e-10);
	if (wb && nb == b->n)
		cases_array(c, "knn_radius_B_f64", rb, wb, NULL, nb, 1e-9, 1e-10);
}

/* ---- random draws ---- */

static void check_draws(struct cases *c, struct npz *z, const json_t *results)
{
	const json_t *settings = json_object_get(json_object_get(results, "kid_pytorch_fid_features"), "settings");
	double size = cases_number(settings, "subset_size");
	int64_t n1, n2;
	SCOPED(free)
	double *i1 = cases_doubles(c, "kid_is_prc", z, "kid_idx1", &n1),
		   *i2 = cases_doubles(c, "kid_is_prc", z, "kid_idx2", &n2);
	if (i1 && i2 && n1 == n2 && size >= 2 && size <= 300 && n1 % (int64_t)size == 0) {
		struct randomstate rs;
		int64_t got[300], wrong = 0, s = (int64_t)size;
		randomstate_seed(&rs, 2020);
		for (int64_t at = 0; at < n1; at += s)
			for (int side = 0; side < 2; side++) {
				randomstate_choice(&rs, got, 300, s);
				for (int64_t k = 0; k < s; k++)
					wrong += (double)got[k] != (side ? i2 : i1)[at + k];
			}
		cases_equal(c, "kid_idx1 kid_idx2", wrong == 0, "subsets drawn by RandomState(2020)");
	}
	for (int i = 0; i < npz_count(z); i++) {
		const char *member = npz_name(z, i);
		int64_t n;
		if (!member || strncmp(member, "isc_perm_", 9) != 0)
			continue;
		SCOPED(free) char *key = xstrndup(member, strlen(member) - 4);
		SCOPED(free) double *want = cases_doubles(c, "kid_is_prc", z, key, &n);
		if (!want)
			continue;
		SCOPED(free) int64_t *got = xmalloc(sizeof *got * (size_t)n);
		struct randomstate rs;
		int64_t wrong = 0;
		randomstate_seed(&rs, 2020);
		randomstate_permutation(&rs, got, n);
		for (int64_t k = 0; k < n; k++)
			wrong += (double)got[k] != want[k];
		cases_equal(c, key, wrong == 0, "a permutation by RandomState(2020)");
	}
}

/* ---- the family ---- */

struct sets {
	struct vectors a, b, pr_x, pr_y;
};

static struct vectors tf_vectors(struct cases *c, int which)
{
	cases_tf_set(c, which);
	return (struct vectors){ c->tf_features[which], 300, 2048 };
}

static void dispatch(struct cases *c, const char *name, const json_t *want, const struct sets *s)
{
	bool own = strstr(name, "torch_fidelity_features") != NULL, kid = strncmp(name, "kid_", 4) == 0;
	if (strncmp(name, "kid_synthetic", 13) == 0) {
		check_kid_synthetic(c, name, want);
	} else if (own) {
		struct vectors a = tf_vectors(c, 0), b = tf_vectors(c, 1);
		if (kid)
			check_kid(c, name, want, &a, &b, OWN_FEATURES);
		else
			check_prc(c, name, want, &a, &b, ONE_PICTURE);
	} else if (strncmp(name, "prc_synthetic_", 14) == 0 && json_is_object(want)) {
		if (s->pr_x.x && s->pr_y.x)
			check_prc(c, name, want, &s->pr_x, &s->pr_y, EXACTLY);
	} else if (strncmp(name, "prc_duplicates", 14) == 0) {
		if (s->pr_x.x && s->pr_y.x)
			check_prc_copies(c, name, want, &s->pr_x, &s->pr_y);
	} else if (strstr(name, "pytorch_fid_features")) {
		if (!s->a.x || !s->b.x)
			cases_skip(c, name, "features_A32_B32.npz is absent");
		else if (kid)
			check_kid(c, name, want, &s->a, &s->b, SAME_FEATURES);
		else
			check_prc(c, name, want, &s->a, &s->b, EXACTLY);
	} else if (strncmp(name, "isc_synthetic", 13) == 0) {
		check_is_synthetic(c, name, want);
	} else if (strncmp(name, "isc_12", 6) == 0) {
		check_is_stored(c, name, want);
	} else if (strncmp(name, "isc_torch_fidelity_", 19) == 0 && json_is_object(want)) {
		int which = name[19] == 'B';
		cases_tf_set(c, which);
		check_is(c, name, want, c->tf_logits[which], 300, INCEPTION_CLASSES, OWN_FEATURES);
	} else if (json_is_object(want)) {
		cases_skip(c, name, "an entry of a name that is not known");
	}
}

void family_kid_is_prc(struct cases *c)
{
	SCOPED(npz) struct npz *z = NULL, *features = NULL;
	json_t *json, *want;
	const char *name;
	struct sets s = { 0 };
	if (!cases_json(&json, c, "kid_is_prc.json"))
		return;
	json_t *results = json_object_get(json, "results");
	if (cases_npz(&z, c, "kid_is_prc.npz")) {
		if (cases_npz(&features, c, "features_A32_B32.npz")) {
			s.a = stored(c, features, "A", 2048);
			s.b = stored(c, features, "B", 2048);
		}
		s.pr_x = stored(c, z, "pr_X", 8);
		s.pr_y = stored(c, z, "pr_Y", 8);
		check_draws(c, z, results);
		if (s.a.x && s.b.x)
			check_radii(c, z, &s.a, &s.b);
		json_object_foreach(results, name, want) dispatch(c, name, want, &s);
		free(s.a.x);
		free(s.b.x);
		free(s.pr_x.x);
		free(s.pr_y.x);
	}
	json_decref(json);
}
