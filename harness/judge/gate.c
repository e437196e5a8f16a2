/* gate.c - the rule of gate.h. All comparisons are written so that a NaN can neither pass nor fail: it is an error. */
#include "harness/judge/gate.h"

#include "harness/judge/stats.h"

#include "model/base/mem.h"
#include "model/base/str.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *gate_verdict_name(enum gate_verdict v)
{
	static const char *const names[] = { "pass", "fail", "inconclusive", "error" };
	return names[v];
}

const char *gate_kind_name(enum gate_kind k)
{
	return k == GATE_SUPERIORITY ? "superiority" : "non-inferiority";
}

const char *gate_test_name(enum gate_test t)
{
	static const char *const names[] = { [GATE_NO_TEST] = "none",
		                                 [GATE_PAIRED_T] = "paired t",
		                                 [GATE_WELCH_T] = "welch t",
		                                 [GATE_PREDICTION] = "prediction interval",
		                                 [GATE_STORED_SD_T] = "stored-sd t" };
	_Static_assert(sizeof names / sizeof *names == GATE_TESTS, "a test has no name");
	return names[t];
}

int gate_rule_check(const struct gate_rule *r, struct err *e)
{
	if (!(r->alpha > 0 && r->alpha <= 0.5))
		return err_code(e, EXIT_USAGE, "gate %s: alpha = %g: a number above 0, at most 0.5, is needed", r->name,
		                r->alpha);
	if (!(r->margin >= 0) || isinf(r->margin))
		return err_code(e, EXIT_USAGE, "gate %s: margin = %g: a finite number >= 0 is needed", r->name, r->margin);
	if (r->kind == GATE_SUPERIORITY && r->margin > 0)
		return err_code(e, EXIT_USAGE,
		                "gate %s: a margin belongs to test = \"non-inferiority\"; superiority asks for "
		                "any difference: remove one of the two",
		                r->name);
	for (int i = 0; i < r->n_looks; i++)
		if (r->looks[i] < 1 || (i && r->looks[i] <= r->looks[i - 1]))
			return err_code(e, EXIT_USAGE, "gate %s: looks must rise and be at least 1: %d is out of order", r->name,
			                r->looks[i]);
	return 0;
}

static void PRINTF_LIKE(2, 3) fail_with(struct gate_result *out, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(out->why, sizeof out->why, fmt, ap);
	va_end(ap);
	out->verdict = GATE_ERROR;
	out->test = GATE_NO_TEST;
	out->lean = "";
}

static void blank(struct gate_result *out, const struct gate_rule *rule)
{
	*out = (struct gate_result){ .rule = rule,
		                         .lean = "",
		                         .test = GATE_NO_TEST,
		                         .diff = NAN,
		                         .lo = NAN,
		                         .hi = NAN,
		                         .df = NAN,
		                         .se = NAN,
		                         .margin = NAN,
		                         .alpha = rule->alpha,
		                         .p_pass = NAN,
		                         .p_fail = NAN,
		                         .permutation_p = NAN,
		                         .mean_cand = NAN,
		                         .mean_base = NAN };
}

void gate_error(struct gate_result *out, const struct gate_rule *rule, const char *why)
{
	blank(out, rule);
	fail_with(out, "%s", why);
}

/* What both sides must have before any arithmetic. */
static bool comparable(struct gate_result *out, const struct gate_side *cand, const struct gate_side *base)
{
	const struct {
		const char *what, *a, *b;
	} same[] = { { "protocols", cand->protocol, base->protocol },
		         { "numerics versions", cand->numerics, base->numerics } };
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		if (same[i].a && same[i].b && *same[i].a && *same[i].b && strcmp(same[i].a, same[i].b) != 0) {
			fail_with(out, "the sides have different %s and are not comparable: %s and %s", same[i].what, same[i].a,
			          same[i].b);
			return false;
		}
	}
	const struct {
		const char *name;
		const struct gate_side *s;
	} sides[] = { { "candidate", cand }, { "baseline", base } };
	for (size_t k = 0; k < 2; k++) {
		const struct gate_side *s = sides[k].s;
		if (!s->value) {
			if (k == 0 || !isfinite(s->mean) || !(s->sd > 0) || !isfinite(s->sd) || s->sd_n < 2) {
				fail_with(out, "the %s has no values%s", sides[k].name,
				          k ? " and no mean with an sd of at least 2 seeds" : "");
				return false;
			}
			continue;
		}
		if (s->n < 1 || s->n > GATE_SEEDS_MAX) {
			fail_with(out, "the %s has %d values: 1 to %d can be judged", sides[k].name, s->n, GATE_SEEDS_MAX);
			return false;
		}
		for (int i = 0; i < s->n; i++) {
			if (!isfinite(s->value[i])) {
				fail_with(out,
				          "the %s has a value that is not a number (%g at position %d%s): the run diverged or the "
				          "metric failed",
				          sides[k].name, s->value[i], i + 1, s->seed ? " of its seeds" : "");
				return false;
			}
			for (int j = 0; s->seed && j < i; j++) {
				if (s->seed[i] == s->seed[j]) {
					fail_with(out, "the %s has seed %lld twice", sides[k].name, (long long)s->seed[i]);
					return false;
				}
			}
		}
	}
	return true;
}

/* The largest declared look that the candidate's seeds reach: alpha and n follow from it. */
static bool choose_look(struct gate_result *out, const struct gate_rule *rule, int *n)
{
	out->n_looks = rule->n_looks;
	if (!rule->n_looks)
		return true;
	for (int i = 0; i < rule->n_looks; i++)
		if (rule->looks[i] <= *n)
			out->look = i + 1;
	if (!out->look) {
		fail_with(out, "%d seed%s so far; the first declared look is at %d", *n, str_plural(*n), rule->looks[0]);
		return false;
	}
	*n = rule->looks[out->look - 1];
	out->alpha = rule->alpha / rule->n_looks;
	return true;
}

/* paired[i] = the baseline value of the candidate's i-th seed; false when some seed has no partner. */
static bool pair_up(double *paired, const struct gate_side *cand, int n, const struct gate_side *base, int base_n)
{
	if (!cand->seed || !base->seed || !base->value || n > base_n)
		return false;
	for (int i = 0; i < n; i++) {
		int k = 0;
		while (k < base_n && base->seed[k] != cand->seed[i])
			k++;
		if (k == base_n)
			return false;
		paired[i] = base->value[k];
	}
	return true;
}

static bool choose_test(struct gate_result *out, struct stats_diff *d, const struct gate_side *cand,
                        const struct gate_side *base)
{
	const struct gate_rule *rule = out->rule;
	int n = out->n_cand, m = out->n_base;
	SCOPED(free) double *partner = xcalloc((size_t)n, sizeof *partner);
	/* With declared looks the baseline may hold more seeds than this look reads: only the pairs count. */
	bool pairs = rule->paired && n >= 2 && (n == m || rule->n_looks) && pair_up(partner, cand, n, base, m);
	out->unpaired = rule->paired && !pairs && cand->seed && base->seed && base->value;
	bool permute = n >= GATE_PERMUTATION_MIN && base->value && m >= GATE_PERMUTATION_MIN;
	if (pairs) {
		out->test = GATE_PAIRED_T;
		out->n_base = n;
		out->mean_base = stats_mean(partner, n);
		*d = stats_paired(cand->value, partner, n);
	} else if (n >= 2 && base->value && m >= 2) {
		out->test = GATE_WELCH_T;
		*d = stats_welch(cand->value, n, base->value, m);
	} else if (n == 1 && base->value && m >= GATE_PREDICTION_MIN) {
		out->test = GATE_PREDICTION;
		*d = stats_prediction(cand->value[0], base->value, m);
	} else if (base->sd > 0 && base->sd_n >= 2) {
		/* The stored sd is used for both sides; its own seeds give the degrees of freedom. */
		out->test = GATE_STORED_SD_T;
		*d = (struct stats_diff){ .diff = out->mean_cand - out->mean_base,
			                      .df = base->sd_n - 1,
			                      .se = base->sd * sqrt(1.0 / n + 1.0 / m) };
	} else {
		fail_with(out,
		          "%d candidate and %d baseline seed%s: at least 2 on each side are needed, or 1 against %d, or a "
		          "baseline with a stored sd",
		          n, m, str_plural(m), GATE_PREDICTION_MIN);
		return false;
	}
	if (!permute)
		return true;
	if (rule->higher_is_better) { /* "less by permutation" then asks about baseline - candidate */
		const double *b = pairs ? partner : base->value;
		out->permutation_p = stats_permutation_p(b, pairs ? n : m, cand->value, n, pairs, out->margin);
	} else {
		out->permutation_p = stats_permutation_p(cand->value, n, pairs ? partner : base->value, pairs ? n : m, pairs,
		                                         out->margin);
	}
	return true;
}

/* The metric's name, for a sentence. */
static const char *metric_of(const struct gate_rule *r)
{
	return r->metric && *r->metric ? r->metric : "the metric";
}

static void explain(struct gate_result *out)
{
	const struct gate_rule *r = out->rule;
	const char *arm = r->arm && *r->arm ? r->arm : "the candidate";
	const char *against = r->against && *r->against ? r->against : "the baseline";
	double theta = r->higher_is_better ? -out->diff : out->diff;
	char claim[200], numbers[320], look[48] = "";
	if (out->n_looks)
		snprintf(look, sizeof look, ", look %d of %d", out->look, out->n_looks);
	snprintf(numbers, sizeof numbers,
	         "%s %.4g against %.4g, difference %+.4g, %.4g %% bounds %+.4g to %+.4g; %s, n = %d "
	         "and %d%s%s",
	         metric_of(r), out->mean_cand, out->mean_base, out->diff, 100 * (1 - out->alpha), out->lo, out->hi,
	         gate_test_name(out->test), out->n_cand, out->n_base,
	         out->unpaired ? " (not paired: the seeds are not the same)" : "", look);
	char margin[32] = "";
	if (r->kind == GATE_NON_INFERIORITY)
		snprintf(margin, sizeof margin, "%.4g", out->margin);
	if (out->verdict == GATE_PASS && r->kind == GATE_NON_INFERIORITY)
		snprintf(claim, sizeof claim, "%s is not worse than %s by more than the margin %s", arm, against, margin);
	else if (out->verdict == GATE_PASS)
		snprintf(claim, sizeof claim, "%s is better than %s", arm, against);
	else if (out->verdict == GATE_FAIL && r->kind == GATE_NON_INFERIORITY)
		snprintf(claim, sizeof claim, "%s is worse than %s by more than the margin %s", arm, against, margin);
	else if (out->verdict == GATE_FAIL)
		snprintf(claim, sizeof claim, "%s is worse than %s", arm, against);
	else if (out->holm)
		snprintf(claim, sizeof claim,
		         "%s looks worse than %s, but the fail does not survive Holm's correction over the "
		         "grid's gates (p = %.3g)",
		         arm, against, out->p_fail);
	else if (strcmp(out->lean, "unclear") != 0)
		snprintf(claim, sizeof claim, "%s is %s than %s, but whether by more than the margin %s is undecided", arm,
		         out->lean, against, margin);
	else if (theta == 0 && out->se == 0)
		snprintf(claim, sizeof claim,
		         "%s and %s are the same in every seed, so neither is better: do they differ in a setting?", arm,
		         against);
	else if (theta == 0)
		snprintf(claim, sizeof claim,
		         "%s and %s show no difference, but what these seeds can resolve is coarser: more seeds are needed",
		         arm, against);
	else
		snprintf(claim, sizeof claim, "%s seems %s than %s, within what these seeds can resolve: more seeds are needed",
		         arm, theta > 0 ? "worse" : "better", against);
	snprintf(out->why, sizeof out->why, "%s (%s)", claim, numbers);
}

/* U <= d (U < 0) and L > d, expressed as p-values: a bound lies beyond d exactly when the p of "theta = d" is at most
 * alpha, and a p costs one distribution function where a bound costs sixty. */
static enum gate_verdict decide(enum gate_kind kind, const struct stats_diff *theta, double margin, double alpha)
{
	if (!(theta->se > 0))
		return theta->diff < margin || (kind == GATE_NON_INFERIORITY && theta->diff <= margin) ? GATE_PASS
		       : theta->diff > margin                                                          ? GATE_FAIL
		                                                                                       : GATE_INCONCLUSIVE;
	double p = stats_p_less(theta, margin);
	return p <= alpha ? GATE_PASS : p >= 1 - alpha ? GATE_FAIL : GATE_INCONCLUSIVE;
}

void gate_judge(struct gate_result *out, const struct gate_rule *rule, const struct gate_side *cand,
                const struct gate_side *base)
{
	blank(out, rule);
	if (!comparable(out, cand, base))
		return;
	int n = cand->n;
	out->n_cand = n;
	out->n_base = base->value ? base->n : base->sd_n;
	if (!choose_look(out, rule, &n))
		return;
	out->n_cand = n;
	out->mean_cand = stats_mean(cand->value, n);
	out->mean_base = base->value ? stats_mean(base->value, base->n) : base->mean;
	out->margin = rule->kind == GATE_SUPERIORITY ? 0
	              : rule->margin_relative        ? rule->margin * fabs(out->mean_base)
	                                             : rule->margin;
	struct stats_diff d;
	if (!choose_test(out, &d, cand, base))
		return;
	out->diff = d.diff, out->df = d.df, out->se = d.se;
	out->lo = stats_lower(&d, out->alpha), out->hi = stats_upper(&d, out->alpha);
	struct stats_diff theta = d;
	if (rule->higher_is_better)
		theta.diff = -theta.diff;
	double lower = rule->higher_is_better ? -out->hi : out->lo, upper = rule->higher_is_better ? -out->lo : out->hi;
	if (!isfinite(lower) || !isfinite(upper)) {
		fail_with(out, "the difference cannot be computed in double precision (%g)", d.diff);
		return;
	}
	out->p_pass = stats_p_less(&theta, out->margin);
	out->p_fail = 1 - out->p_pass;
	out->verdict = decide(rule->kind, &theta, out->margin, out->alpha);
	if (out->verdict == GATE_INCONCLUSIVE)
		out->lean = lower > 0 ? "worse" : upper < 0 ? "better" : "unclear";
	explain(out);
}

void gate_judge_drift(struct gate_result *out, const struct gate_side *cand, const struct gate_side *first)
{
	if (out->verdict == GATE_ERROR || out->verdict == GATE_FAIL || out->rule->kind != GATE_NON_INFERIORITY)
		return;
	struct gate_rule twice = *out->rule;
	twice.margin *= 2;
	twice.against = "the first baseline of this numerics version";
	struct gate_result r;
	gate_judge(&r, &twice, cand, first);
	if (r.verdict != GATE_FAIL)
		return;
	r.rule = out->rule;
	*out = r;
}

void gate_holm(struct gate_result *results, int n)
{
	SCOPED(free) double *p = xcalloc((size_t)n + 1, sizeof *p);
	SCOPED(free) double *alpha = xcalloc((size_t)n + 1, sizeof *alpha);
	SCOPED(free) bool *kept = xcalloc((size_t)n + 1, sizeof *kept);
	int family = 0;
	for (int i = 0; i < n; i++)
		if (results[i].verdict != GATE_ERROR)
			p[family] = results[i].p_fail, alpha[family++] = results[i].alpha;
	stats_holm(kept, p, alpha, family);
	family = 0;
	for (int i = 0; i < n; i++) {
		struct gate_result *r = &results[i];
		if (r->verdict == GATE_ERROR)
			continue;
		if (r->verdict == GATE_FAIL && !kept[family]) {
			r->verdict = GATE_INCONCLUSIVE;
			r->lean = "worse";
			r->holm = true;
			explain(r);
		}
		family++;
	}
}

enum gate_verdict gate_judge_looks(const struct gate_rule *rule, const double *a, const double *b, int n)
{
	int once = n, n_looks = rule->n_looks ? rule->n_looks : 1;
	for (int i = 0; i < n_looks; i++) {
		int k = rule->n_looks ? rule->looks[i] : once;
		if (k > n)
			break;
		struct stats_diff d = rule->paired ? stats_paired(a, b, k) : stats_welch(a, k, b, k);
		enum gate_verdict v = decide(rule->kind, &d, rule->margin, rule->alpha / n_looks);
		if (v != GATE_INCONCLUSIVE)
			return v;
	}
	return GATE_INCONCLUSIVE;
}

static int count(const struct gate_result *results, int n, enum gate_verdict v)
{
	int c = 0;
	for (int i = 0; i < n; i++)
		c += results[i].verdict == v;
	return c;
}

int gate_exit_code(const struct gate_result *results, int n)
{
	if (!n)
		return EXIT_USAGE;
	if (count(results, n, GATE_ERROR))
		return EXIT_RECORD;
	if (count(results, n, GATE_FAIL))
		return EXIT_GATE;
	for (int i = 0; i < n; i++)
		if (results[i].verdict == GATE_INCONCLUSIVE && results[i].rule->fail_on_inconclusive)
			return EXIT_INCONCLUSIVE;
	return EXIT_OK;
}

void gate_summary(char *buf, size_t size, const struct gate_result *results, int n)
{
	int errors = count(results, n, GATE_ERROR);
	char tail[32] = "";
	if (errors)
		snprintf(tail, sizeof tail, ", %d error%s", errors, str_plural(errors));
	snprintf(buf, size, "%d passed, %d failed, %d inconclusive%s", count(results, n, GATE_PASS),
	         count(results, n, GATE_FAIL), count(results, n, GATE_INCONCLUSIVE), tail);
}

static json_t *number(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

static json_t *text(const char *s)
{
	json_t *t = json_string(s ? s : "");
	return t ? t : json_string("(not UTF-8)");
}

json_t *gate_json(const struct gate_result *r)
{
	json_t *o = json_object();
	const struct {
		const char *key;
		json_t *value;
	} rows[] = {
		{ "gate", text(r->rule->name) },
		{ "metric", text(r->rule->metric) },
		{ "arm", text(r->rule->arm) },
		{ "against", text(r->rule->against) },
		{ "kind", text(gate_kind_name(r->rule->kind)) },
		{ "verdict", text(gate_verdict_name(r->verdict)) },
		{ "lean", *r->lean ? text(r->lean) : json_null() },
		{ "test", text(gate_test_name(r->test)) },
		{ "n", json_integer(r->n_cand) },
		{ "n_base", json_integer(r->n_base) },
		{ "mean", number(r->mean_cand) },
		{ "mean_base", number(r->mean_base) },
		{ "diff", number(r->diff) },
		{ "lo", number(r->lo) },
		{ "hi", number(r->hi) },
		{ "se", number(r->se) },
		{ "df", number(r->df) },
		{ "margin", number(r->margin) },
		{ "alpha", number(r->alpha) },
		{ "p_pass", number(r->p_pass) },
		{ "p_fail", number(r->p_fail) },
		{ "permutation_p", number(r->permutation_p) },
		{ "look", r->n_looks ? json_integer(r->look) : json_null() },
		{ "looks", json_integer(r->n_looks) },
		{ "why", text(r->why) },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		(void)json_object_set_new(o, rows[i].key, rows[i].value);
	return o;
}
