/* test_scores.c - which number a score reports: every row of metrics.def against the distance that it is called after,
 * computed here from the same vectors. The suites of metrics/distances know the distances; a row that hands over the
 * wrong one, other vectors or another seed gives a number that looks as good. */
#include "metrics/distances/cmmd.h"
#include "metrics/distances/inception_score.h"
#include "metrics/distances/kid.h"
#include "metrics/distances/mind.h"
#include "metrics/distances/prdc.h"
#include "metrics/distances/precision_recall.h"
#include "metrics/math/jackknife.h"
#include "metrics/math/randomstate.h"
#include "metrics/scores/metric_memory.h"
#include "model/base/mem.h"
#include "tests/common/formula.h"
#include "tests/common/ok.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

enum { N = 90, M = 70, D = 4, CLASSES = 5, SPATIAL = 3 };
static const int dims[FEATURE_KINDS] = { D, CLASSES, SPATIAL };

/* Features of three kinds, by formulas. */
struct set {
	float *x[FEATURE_KINDS];
	struct feature_set f;
};

static struct set make(const char *name, int64_t n, double scale)
{
	struct set s = { .f = { .origin = xstrdup(name), .n = n, .protocol = "x:none:u8" } };
	(void)snprintf(s.f.sha256, sizeof s.f.sha256, "%s23456789abcdef", name);
	for (int k = 0; k < FEATURE_KINDS; k++) {
		size_t count = (size_t)n * (size_t)dims[k];
		SCOPED(free) char *text = xstrfmt("%s%d", name, k);
		s.x[k] = xmalloc(sizeof *s.x[k] * count);
		for (size_t i = 0; i < count; i++)
			s.x[k][i] = (float)(scale * formula_u(text, i));
		s.f.dim[k] = dims[k];
		OK(float_store_append(&s.f.store[k], s.x[k], (int64_t)count, &e));
		if (k == FEATURE_LOGITS)
			continue;
		moments_init(&s.f.moments[k], dims[k]);
		moments_add(&s.f.moments[k], s.x[k], n);
	}
	return s;
}

static void release(struct set *s)
{
	for (int k = 0; k < FEATURE_KINDS; k++)
		free(s->x[k]);
	feature_set_release(&s->f);
}

static struct score_list scores_of(const char *name, struct set *a, struct set *b, const struct metric_options *o)
{
	struct score_list list = { .n = 0 };
	OK(metric_run(&list, metric_find(name), &a->f, &b->f, o, &e));
	return list;
}

static double frechet(const struct set *a, const struct set *b, enum feature_kind kind, double *half)
{
	struct fid_side side[2];
	struct fid_result r;
	const struct set *of[2] = { a, b };
	for (int s = 0; s < 2; s++) {
		SCOPED(moments) struct moments m = { 0 };
		moments_init(&m, dims[kind]);
		moments_add(&m, of[s]->x[kind], of[s]->f.n);
		OK(fid_side_of_moments(&side[s], &m, "x", &e));
	}
	OK(fid_compute(&r, &side[0], &side[1], &e));
	OK(fid_interval(half, a->x[kind], a->f.n, &side[1], JACKKNIFE_BLOCKS, &e));
	fid_side_release(&side[0]);
	fid_side_release(&side[1]);
	return r.fid;
}

Test(scores, frechet_distances_are_of_their_own_features)
{
	struct set a = make("a", N, 1), b = make("b", M, 2);
	struct metric_options o = METRIC_OPTIONS;
	static const struct {
		const char *name;
		enum feature_kind kind;
	} rows[] = { { "fid", FEATURE_POOL }, { "sfid", FEATURE_SPATIAL } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double half, want = frechet(&a, &b, rows[i].kind, &half);
		o.interval = true;
		struct score_list list = scores_of(rows[i].name, &a, &b, &o);
		cr_expect(list.n == 1 && list.v[0].value == want && list.v[0].half == half, "%s", rows[i].name);
		cr_expect(list.v[0].half_text && strstr(list.v[0].half_text, "95 %"));
		SCOPED(free) char *protocol = xstrfmt("%s:x:none:u8:n%d:ref=b23456789abc", rows[i].name, N);
		cr_expect_str_eq(list.v[0].protocol, protocol);
		o.interval = false;
		list = scores_of(rows[i].name, &a, &b, &o);
		cr_expect(list.v[0].value == want && isnan(list.v[0].half) && !list.v[0].half_text, "not asked for");
	}
	release(&a);
	release(&b);
}

Test(scores, kernel_distances_and_the_inception_score_are_those_of_the_peers_draws)
{
	struct set a = make("a", N, 1), b = make("b", M, 2);
	struct metric_options o = METRIC_OPTIONS;
	struct kid_full kid;
	struct kid_subsets subsets;
	o.kid_subsets = 7, o.kid_size = 20, o.is_splits = 3;
	OK(kid_full(&kid, a.x[FEATURE_POOL], N, b.x[FEATURE_POOL], M, D, &e));
	OK(kid_subsets(&subsets, a.x[FEATURE_POOL], N, b.x[FEATURE_POOL], M, D, 7, 20, 2020,
	               &e)); /* torch-fidelity's seed */
	struct score_list list = scores_of("kid", &a, &b, &o);
	cr_expect(list.v[0].value == kid.unbiased && list.v[0].half == kid.half && kid.biased != kid.unbiased);
	list = scores_of("kid_subsets", &a, &b, &o);
	cr_expect(list.v[0].value == subsets.mean && list.v[0].half == subsets.std);
	cr_expect(strncmp(list.v[0].protocol, "kid_subsets(7x20):", 18) == 0, "%s", list.v[0].protocol);

	int64_t order[N];
	struct randomstate random;
	struct inception_score is;
	randomstate_seed(&random, 2020);
	randomstate_permutation(&random, order, N);
	for (int shuffle = 0; shuffle < 2; shuffle++) {
		o.is_shuffle = shuffle;
		OK(inception_score(&is, a.x[FEATURE_LOGITS], N, CLASSES, 3, shuffle ? order : NULL, &e));
		list = scores_of("is", &a, &b, &o);
		cr_expect(list.v[0].value == is.mean && list.v[0].half == is.std, "shuffle %d", shuffle);
		cr_expect_str_eq(list.v[0].protocol, shuffle ? "is(3,shuffled):x:none:u8:n90" : "is(3):x:none:u8:n90");
	}
	release(&a);
	release(&b);
}

static void expect_score(const struct score *s, const char *name, double value, double half, const char *protocol)
{
	cr_expect_str_eq(s->name, name);
	cr_expect(s->value == value && (s->half == half || (isnan(s->half) && isnan(half))), "%s: %g +- %g", name, s->value,
	          s->half);
	cr_expect(strncmp(s->protocol, protocol, strlen(protocol)) == 0, "%s", s->protocol);
}

Test(scores, of_pairs_have_the_names_of_their_values)
{
	struct set a = make("a", N, 1), b = make("b", M, 1.2);
	struct metric_options o = METRIC_OPTIONS;
	const float *x = a.x[FEATURE_POOL], *y = b.x[FEATURE_POOL];
	struct precision_recall pr;
	struct prdc p;
	struct mind m;
	o.k = 2, o.prdc_k = 4, o.mind_directions = 9, o.seed = 5;
	OK(precision_recall(&pr, NULL, NULL, x, N, y, M, D, 2, &e));
	OK(prdc(&p, x, N, y, M, D, 4, &e));
	OK(mind(&m, x, N, y, M, D, 9, 5, &e));
	cr_assert(pr.precision != pr.recall && p.density != p.coverage, "equal values prove little");
	struct score_list list = scores_of("pr", &a, &b, &o);
	expect_score(&list.v[0], "precision", pr.precision, pr.precision_half, "pr(k2):x:none:u8:n90:ref=b2");
	expect_score(&list.v[1], "recall", pr.recall, NAN, "pr(k2):");
	list = scores_of("prdc", &a, &b, &o);
	expect_score(&list.v[0], "precision_prdc", p.precision, p.precision_half, "prdc(k4):");
	expect_score(&list.v[1], "recall_prdc", p.recall, NAN, "prdc(k4):");
	expect_score(&list.v[2], "density", p.density, p.density_half, "prdc(k4):");
	expect_score(&list.v[3], "coverage", p.coverage, p.coverage_half, "prdc(k4):");
	list = scores_of("mind", &a, &b, &o);
	expect_score(&list.v[0], "mind", m.value, m.half, "mind(9,seed5):");
	for (int i = 0; i < 2; i++) { /* a row's scores are found by their own names */
		cr_expect_eq(metric_of_score(i ? "recall" : "precision"), metric_find("pr"));
		cr_expect_eq(metric_of_score(i ? "coverage" : "density"), metric_find("prdc"));
	}
	release(&a);
	release(&b);
}

Test(scores, cmmd_warns_of_vectors_that_are_not_of_length_one)
{
	struct set a = make("a", N, 1), b = make("b", M, 1);
	struct metric_options o = METRIC_OPTIONS;
	struct cmmd r;
	OK(cmmd(&r, a.x[FEATURE_POOL], N, b.x[FEATURE_POOL], M, D, &e));
	struct score_list list = scores_of("cmmd", &a, &b, &o);
	expect_score(&list.v[0], "cmmd", r.value, r.half, "cmmd:");
	cr_expect(strncmp(list.v[0].warning, "a: features that are not of length 1", 36) == 0, "%s", list.v[0].warning);
	release(&a);
	release(&b);
}

/* What is not needed is not kept, which for a large set is a file of its size. */
Test(scores, features_are_kept_where_a_metric_reads_them)
{
	struct metric_options o = METRIC_OPTIONS;
	for (int interval = 0; interval < 2; interval++) {
		o.interval = interval;
		cr_expect_eq(metric_keep(metric_find("fid"), 0, &o), interval ? 1u << FEATURE_POOL : 0);
		cr_expect_eq(metric_keep(metric_find("fid"), 1, &o), 0);
		cr_expect_eq(metric_keep(metric_find("sfid"), 0, &o), interval ? 1u << FEATURE_SPATIAL : 0);
		cr_expect_eq(metric_keep(metric_find("kid"), 1, &o), 1u << FEATURE_POOL);
		cr_expect_eq(metric_keep(metric_find("is"), 0, &o), 1u << FEATURE_LOGITS);
		cr_expect_eq(metric_keep(metric_find("is"), 1, &o), 0);
	}
}

/* The covariance of n vectors has rank n - 1: at n = d it cannot be full, and up to 10 d it is a poor one. */
Test(scores, few_pictures_are_warned_of)
{
	static const struct {
		int64_t n;
		const char *says;
	} cases[] = { { D, "the covariance has rank 3" },
		          { D + 1, "biased upwards" },
		          { 10 * D - 1, "biased upwards" },
		          { 10 * D, "" } };
	struct metric_options o = METRIC_OPTIONS;
	struct set b = make("b", M, 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct set a = make("a", cases[i].n, 1);
		struct score_list list = scores_of("fid", &a, &b, &o);
		cr_expect(!*cases[i].says == !list.v[0].warning[0] && strstr(list.v[0].warning, cases[i].says), "%lld: %s",
		          (long long)cases[i].n, list.v[0].warning);
		release(&a);
	}
	release(&b);
}

Test(scores, test_pictures_of_training_are_refused_and_distances_are_no_squares)
{
	struct set g = make("g", N, 1), t = make("t", M, 1), u = make("u", M, 1);
	struct memory_sets s = { &g.f, &t.f, &u.f };
	struct memory_near *near, *near_test;
	OK(memory_check(&s, &e));
	OK(memory_nearest(&near, &near_test, &s, &e));
	for (int64_t i = 0; i < N; i++) {
		double best = INFINITY, own = INFINITY;
		for (int64_t j = 0; j < M; j++)
			for (int k = 0; k < 2; k++) { /* of the generated picture, and of its nearest */
				const float *x = k ? t.x[0] + near[i].train * D : g.x[0] + i * D, *y = t.x[0] + j * D;
				double d2 = 0;
				for (int c = 0; c < D; c++)
					d2 += ((double)x[c] - y[c]) * ((double)x[c] - y[c]);
				if (!k)
					best = fmin(best, sqrt(d2));
				else if (j != near[i].train)
					own = fmin(own, sqrt(d2));
			}
		cr_expect(fabs(near[i].distance - best) < 1e-12 && fabs(near[i].own - own) < 1e-12, "%lld", (long long)i);
	}
	free(near);
	free(near_test);
	memcpy(u.f.sha256, t.f.sha256, sizeof u.f.sha256);
	cr_expect_eq(memory_check(&s, &e), -1);
	cr_expect(strstr(e.msg, "t and u hold the same pictures"), "%s", e.msg);
	release(&g);
	release(&t);
	release(&u);
}
