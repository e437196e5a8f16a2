/* cases_fid.c - FID of stored features and of synthetic vectors: moments, and every variant of the distance. */
#include "tests/metrics_cases/cases.h"

#include "metrics/distances/fid.h"
#include "tests/common/formula.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Against the exact value; against scipy's sqrtm where it is rank-deficient; and at full rank. */
#define EXACT           1e-9
#define SQRTM_DEFICIENT 5e-4
#define SQRTM_FULL      1e-10
/* Our features against the peer's move the distance by about 1e-6 (metrics/README.md, "Tolerances"). */
#define OWN_FEATURES 1e-5

static struct fid_side side_of(const double *x, int64_t n, int64_t d, int64_t stride)
{
	struct fid_side s;
	struct moments m;
	struct err e = ERR_INIT;
	moments_init(&m, (int)d);
	for (int64_t i = 0; i < n; i++)
		moments_add_double(&m, x + i * stride, 1);
	if (fid_side_of_moments(&s, &m, "features", &e))
		BUG("%s", e.msg);
	moments_release(&m);
	return s;
}

static struct fid_result distance(const double *x, int64_t n, const double *y, int64_t m, int64_t d, int64_t stride)
{
	struct fid_side a = side_of(x, n, d, stride), b = side_of(y, m, d, stride);
	struct fid_result r;
	struct err e = ERR_INIT;
	if (fid_compute(&r, &a, &b, &e))
		BUG("%s", e.msg);
	fid_side_release(&a);
	fid_side_release(&b);
	return r;
}

/* The noise of our own features grows with what is computed from them; rounding is far below what is allowed. */
static double scaled(double allowed, double v)
{
	return allowed == OWN_FEATURES ? allowed * fmax(1, fabs(v) / 10) : allowed;
}

/* One entry of "results": what of x and y it is about, and the values that it holds. */
static void check_result(struct cases *c, const char *name, const json_t *want, const struct fid_result *r,
                         bool full_rank, double exact)
{
	static const struct {
		const char *key;
		bool peer;
	} fids[] = {
		{ "fid_exact_nuclear", false }, { "fid_exact", false },         { "fid_eigh2", true },
		{ "fid_pytorch_fid", true },    { "fid_torch_fidelity", true },
	};
	const struct {
		const char *key;
		double got;
	} parts[] = {
		{ "mean_term", r->mean_term },
		{ "tr1", r->trace1 },
		{ "tr2", r->trace2 },
		{ "trace_sqrt_exact_nuclear", r->trace_sqrt },
	};
	for (size_t i = 0; i < sizeof fids / sizeof *fids; i++) {
		double v = cases_number(want, fids[i].key), allowed = exact;
		if (isnan(v))
			continue;
		/* The routes of the peers: scipy's sqrtm, and two eigenvalue problems, which lose half of the digits. */
		if (fids[i].peer && !full_rank)
			allowed = SQRTM_DEFICIENT;
		else if (strcmp(fids[i].key, "fid_eigh2") == 0)
			allowed = fmax(exact, 1e-8);
		else if (fids[i].peer && exact == EXACT)
			allowed = SQRTM_FULL;
		SCOPED(free) char *label = xstrfmt("%s %s", name, fids[i].key);
		cases_value(c, label, r->fid, v, scaled(allowed, v));
	}
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		double v = cases_number(want, parts[i].key);
		SCOPED(free) char *label = xstrfmt("%s %s", name, parts[i].key);
		if (!isnan(v))
			cases_value(c, label, parts[i].got, v, scaled(exact, v));
	}
}

/* ---- the stored 300 x 2048 features ---- */

static void check_moments(struct cases *c, struct npz *z, const double *x, int64_t n, char letter)
{
	enum { D = 2048, STEP = 64, SUB = D / STEP };
	struct moments m;
	SCOPED(free)
	double *mu = xmalloc(sizeof *mu * D), *sigma = xmalloc(sizeof *sigma * D * D), *got = xmalloc(sizeof *got * D);
	moments_init(&m, D);
	moments_add_double(&m, x, n);
	moments_mean(mu, &m);
	moments_sigma(sigma, &m);
	moments_release(&m);
	for (int k = 0; k < 3; k++) {
		static const char *const stems[] = { "mu", "diag", "sigma_sub" };
		SCOPED(free) char *key = xstrfmt("%s_%c", stems[k], letter);
		int64_t count, expected = k < 2 ? D : SUB * SUB;
		SCOPED(free) double *want = cases_doubles(c, "fid_sets_stats", z, key, &count);
		if (!want)
			continue;
		for (int64_t i = 0; i < expected; i++)
			got[i] = k == 0 ? mu[i] : k == 1 ? sigma[i * (D + 1)] : sigma[i / SUB * STEP * D + i % SUB * STEP];
		if (count == expected)
			cases_array(c, key, got, want, NULL, count, 1e-12, 1e-13);
		else
			cases_equal(c, key, false, "another shape than expected");
	}
}

/* What the names of the entries mean: how many of A, how many of B (negative: of A again), how many dimensions. */
static const struct {
	const char *name;
	int n1, n2, d;
} variants[] = {
	{ "A_vs_B_300", 300, 300, 2048 }, { "A_vs_A", 300, -300, 2048 },    { "A10_vs_B10", 10, 10, 2048 },
	{ "A300_vs_B40", 300, 40, 2048 }, { "first64_dims", 300, 300, 64 }, { "first192dims_n100", 100, 100, 192 },
};

static double *tf_doubles(struct cases *c, int which)
{
	enum { N = 300 * 2048 };
	double *x = xmalloc(sizeof *x * N);
	cases_tf_set(c, which);
	for (int i = 0; i < N; i++)
		x[i] = c->tf_features[which][i];
	return x;
}

static void own_features(struct cases *c, const char *name, const json_t *want)
{
	SCOPED(free) double *x = tf_doubles(c, 0), *y = tf_doubles(c, 1);
	struct fid_result r = distance(x, 300, y, 300, 2048, 2048);
	SCOPED(free) char *exact = xstrfmt("%s exact, our features", name), *peer = xstrfmt("%s the peer's number", name);
	cases_value(c, exact, r.fid, cases_number(want, "fid_exact_nuclear"), OWN_FEATURES);
	cases_value(c, peer, r.fid, cases_number(want, "fid_torch_fidelity"), SQRTM_DEFICIENT);
}

static void check_variants(struct cases *c, const json_t *results, const double *a, int64_t na, const double *b,
                           int64_t nb, double exact)
{
	const char *name;
	json_t *want;
	json_object_foreach((json_t *)(uintptr_t)results, name, want)
	{
		bool known = false;
		for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
			if (strcmp(variants[i].name, name) != 0)
				continue;
			int n1 = variants[i].n1, n2 = abs(variants[i].n2), d = variants[i].d;
			known = true;
			if (n1 > na || n2 > (variants[i].n2 < 0 ? na : nb)) {
				cases_skip(c, name, "fewer features stored than it needs");
				continue;
			}
			struct fid_result r = distance(a, n1, variants[i].n2 < 0 ? a : b, n2, d, 2048);
			check_result(c, name, want, &r, n1 > d && n2 > d, exact);
		}
		if (known)
			continue;
		if (strcmp(name, "torch_fidelity_A_vs_B_300") == 0)
			own_features(c, name, want);
		else if (json_is_number(want))
			cases_value(c, name, distance(a, na, b, nb, 2048, 2048).fid, json_number_value(want), SQRTM_DEFICIENT);
		else if (strcmp(name, "A_vs_B_300_f64_features") == 0)
			cases_value(c, "A_vs_B_300_f64_features exact", distance(a, na, b, nb, 2048, 2048).fid,
			            cases_number(want, "fid_exact_nuclear"), OWN_FEATURES);
		else
			cases_skip(c, name, "an entry of a name that is not known");
	}
}

/* The 300 pictures of a set through our own network: for a folder without stored features. */
static double *computed(struct cases *c, char kind)
{
	enum { N = 300 };
	char *names[N];
	SCOPED(free) float *out = xmalloc(sizeof *out * N * 2048);
	double *x = xmalloc(sizeof *x * N * 2048);
	for (int i = 0; i < N; i++)
		names[i] = xstrfmt("%c32%c/%d", kind, c->letter, i);
	cases_run(c, (const char *const *)names, N, INPUT_PYTORCH_FID, &(struct inception_out){ .d2048 = out });
	for (int i = 0; i < N * 2048; i++)
		x[i] = out[i];
	for (int i = 0; i < N; i++)
		free(names[i]);
	return x;
}

void family_fid_sets(struct cases *c)
{
	SCOPED(npz) struct npz *stats = NULL, *features = NULL;
	json_t *json;
	if (!cases_json(&json, c, "fid_sets_stats.json"))
		return;
	int64_t na = 300 * 2048, nb = na;
	bool have = cases_npz(&features, c, "features_A32_B32.npz");
	SCOPED(free) double *a = have ? cases_doubles(c, "fid_sets_stats", features, "A", &na) : computed(c, 'A');
	SCOPED(free) double *b = have ? cases_doubles(c, "fid_sets_stats", features, "B", &nb) : computed(c, 'B');
	if (a && b) {
		if (have && cases_npz(&stats, c, "fid_sets_stats.npz")) {
			check_moments(c, stats, a, na / 2048, 'A');
			check_moments(c, stats, b, nb / 2048, 'B');
		}
		check_variants(c, json_object_get(json, "results"), a, na / 2048, b, nb / 2048, have ? EXACT : OWN_FEATURES);
	}
	json_decref(json);
}

/* ---- synthetic vectors ---- */

static void compare_all(struct cases *c, struct npz *z, const char *key, const double *got, int64_t n, double allowed)
{
	int64_t count;
	SCOPED(free) double *want = cases_doubles(c, "fid_synthetic", z, key, &count);
	if (want && count == n)
		cases_array(c, key, got, want, NULL, n, allowed, allowed);
	else if (want)
		cases_equal(c, key, false, "another shape than expected");
}

struct synthetic {
	double *x, *mu, *sigma, *population, *mean;
};

static struct synthetic synthesise(const char *tag, int64_t n, int64_t d)
{
	size_t d2 = (size_t)(d * d);
	struct synthetic s = { .x = xmalloc(sizeof(double) * (size_t)(n * d)),
		                   .mu = xmalloc(sizeof(double) * (size_t)d),
		                   .sigma = xmalloc(sizeof(double) * d2),
		                   .population = xcalloc(d2, sizeof(double)),
		                   .mean = xmalloc(sizeof(double) * (size_t)d) };
	SCOPED(free) double *l = xmalloc(sizeof *l * d2);
	SCOPED(free) char *lower = xstrfmt("%s.L", tag), *mean = xstrfmt("%s.mean", tag);
	struct moments m;
	formula_set(s.x, tag, n, d);
	formula_lower(l, lower, d);
	for (int64_t i = 0; i < d; i++) {
		s.mean[i] = formula_u(mean, (uint64_t)i);
		for (int64_t j = 0; j < d; j++)
			for (int64_t k = 0; k < d; k++)
				s.population[i * d + j] += l[i * d + k] * l[j * d + k];
	}
	moments_init(&m, (int)d);
	moments_add_double(&m, s.x, n);
	moments_mean(s.mu, &m);
	moments_sigma(s.sigma, &m);
	moments_release(&m);
	return s;
}

static void synthetic_release(struct synthetic *s)
{
	free(s->x);
	free(s->mu);
	free(s->sigma);
	free(s->population);
	free(s->mean);
}

static void population_fid(struct cases *c, const struct synthetic *x, const struct synthetic *y, int d, double want)
{
	SCOPED(fid_side) struct fid_side a = { 0 }, b = { 0 };
	struct fid_result r;
	struct err e = ERR_INIT;
	if (fid_side_of_sigma(&a, x->mean, x->population, d, 0, "X", &e) ||
	    fid_side_of_sigma(&b, y->mean, y->population, d, 0, "Y", &e) || fid_compute(&r, &a, &b, &e))
		cases_broken(c, "fid_population", &e);
	else if (isnan(want))
		cases_skip(c, "fid_population", "absent");
	else
		cases_value(c, "fid_population", r.fid, want, EXACT);
}

void family_fid_synthetic(struct cases *c)
{
	SCOPED(npz) struct npz *z = NULL;
	json_t *json;
	if (!cases_json(&json, c, "fid_synthetic.json"))
		return;
	const json_t *tags = json_object_get(json, "tags"), *want = json_object_get(json, "results");
	const char *tx = json_string_value(json_array_get(tags, 0)), *ty = json_string_value(json_array_get(tags, 1));
	double n1 = cases_number(want, "n1"), n2 = cases_number(want, "n2"), dim = cases_number(want, "d");
	if (!tx || !ty || !(n1 > 1 && n2 > 1 && dim >= 1 && n1 * dim < 1e8 && n2 * dim < 1e8)) {
		cases_skip(c, "fid_synthetic", "its JSON gives no tags, n1, n2 or d");
	} else if (cases_npz(&z, c, "fid_synthetic.npz")) {
		int64_t n = (int64_t)n1, m = (int64_t)n2, d = (int64_t)dim;
		struct synthetic x = synthesise(tx, n, d), y = synthesise(ty, m, d);
		struct fid_result r = distance(x.x, n, y.x, m, d, d);
		compare_all(c, z, "mu_X", x.mu, d, 1e-13);
		compare_all(c, z, "mu_Y", y.mu, d, 1e-13);
		compare_all(c, z, "sigma_X", x.sigma, d * d, 1e-13);
		compare_all(c, z, "sigma_Y", y.sigma, d * d, 1e-13);
		compare_all(c, z, "x_rows_0_1", x.x, 2 * d, 1e-14);
		compare_all(c, z, "y_row_4095", y.x + 4095 % m * d, d, 1e-14);
		compare_all(c, z, "pop_sigma_X", x.population, d * d, 1e-14);
		compare_all(c, z, "pop_sigma_Y", y.population, d * d, 1e-14);
		check_result(c, "synthetic", want, &r, n > d && m > d, EXACT);
		population_fid(c, &x, &y, (int)d, cases_number(want, "fid_population"));
		synthetic_release(&x);
		synthetic_release(&y);
	}
	json_decref(json);
}
