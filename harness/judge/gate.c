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
	out->lean = out->direction = "";
}

static void blank(struct gate_result *out, const struct gate_rule *rule)
{
	*out = (struct gate_result){ .rule = rule,
		                         .lean = "",
		                         .direction = "",
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
		                         .share = 1,
		                         .beyond = NAN,
		                         .beyond_lo = NAN,
		                         .beyond_hi = NAN,
		                         .rho = NAN,
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

/* What is compared: the candidate's n values with the baseline's m, or with its summary. */
struct sample {
	enum gate_test test;
	const double *a, *b; /* b: NULL for a summary; in pairs the partners of a */
	int n, m;
	double mean_b, sd; /* of the summary; sd_n > 1 for GATE_STORED_SD_T */
	int sd_n;
};

/* candidate - k baseline. */
static struct stats_diff contrast(const struct sample *s, double k)
{
	switch (s->test) {
	case GATE_PAIRED_T: return stats_paired(s->a, s->b, s->n, k);
	case GATE_WELCH_T: return stats_welch(s->a, s->n, s->b, s->m, k);
	case GATE_PREDICTION: return stats_prediction(s->a[0], s->b, s->m, k);
	case GATE_STORED_SD_T: return stats_stored_sd(stats_mean(s->a, s->n), s->n, s->mean_b, s->m, s->sd, s->sd_n, k);
	case GATE_NO_TEST:
	case GATE_TESTS: break;
	}
	BUG("test %d has no difference", (int)s->test);
}

/* The k with candidate - k baseline = theta - margin, up to the sign: 1 + r where lower is better and the baseline is
 * above 0. 1 for a margin that is a number. */
static double share_of(const struct gate_rule *rule, double mean_base)
{
	if (rule->kind == GATE_SUPERIORITY || !rule->margin_relative)
		return 1;
	return (mean_base < 0) == rule->higher_is_better ? 1 + rule->margin : 1 - rule->margin;
}

static double permutation_p(const struct sample *s, const struct gate_rule *rule, double k, double margin)
{
	SCOPED(free) double *scaled = xcalloc((size_t)s->m, sizeof *scaled);
	bool pairs = s->test == GATE_PAIRED_T;
	for (int i = 0; i < s->m; i++)
		scaled[i] = k * s->b[i];
	/* where higher is better, "less by permutation" asks about baseline - candidate */
	return rule->higher_is_better ? stats_permutation_p(scaled, s->m, s->a, s->n, pairs, margin)
	                              : stats_permutation_p(s->a, s->n, scaled, s->m, pairs, margin);
}

/* partner: room for n values. */
static bool choose_test(struct sample *s, struct gate_result *out, double *partner, const struct gate_side *cand,
                        const struct gate_side *base)
{
	const struct gate_rule *rule = out->rule;
	int n = out->n_cand, m = out->n_base;
	*s = (struct sample){
		.a = cand->value, .b = base->value, .n = n, .m = m, .mean_b = out->mean_base, .sd = base->sd, .sd_n = base->sd_n
	};
	/* With declared looks the baseline may hold more seeds than this look reads: only the pairs count. */
	bool match = n >= 2 && (n == m || rule->n_looks) && pair_up(partner, cand, n, base, m);
	out->unpaired = rule->paired && !match && n >= 2 && cand->seed && base->seed && base->value;
	out->pairs_unused = !rule->paired && match;
	if (match)
		out->rho = stats_correlation(cand->value, partner, n);
	if (match && rule->paired) {
		s->test = GATE_PAIRED_T;
		s->b = partner;
		s->m = out->n_base = n;
		out->mean_base = stats_mean(partner, n);
	} else if (n >= 2 && base->value && m >= 2) {
		s->test = GATE_WELCH_T;
	} else if (n == 1 && base->value && m >= GATE_PREDICTION_MIN) {
		s->test = GATE_PREDICTION;
	} else if (base->sd > 0 && base->sd_n >= 2) {
		s->test = GATE_STORED_SD_T;
	} else {
		fail_with(out,
		          "%d candidate and %d baseline seed%s: at least 2 on each side are needed, or 1 against %d, or a "
		          "baseline with a stored sd",
		          n, m, str_plural(m), GATE_PREDICTION_MIN);
		return false;
	}
	out->test = s->test;
	return true;
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

static const char *direction_of(const struct gate_result *out)
{
	bool up = out->lo > 0, down = out->hi < 0;
	if (!up && !down)
		return "unclear";
	return up == out->rule->higher_is_better ? "better" : "worse";
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
	SCOPED(free) double *partner = xcalloc((size_t)n, sizeof *partner);
	struct sample sample;
	if (!choose_test(&sample, out, partner, cand, base))
		return;
	bool relative = rule->kind == GATE_NON_INFERIORITY && rule->margin_relative;
	out->margin = rule->kind == GATE_SUPERIORITY ? 0 : relative ? rule->margin * fabs(out->mean_base) : rule->margin;
	out->share = share_of(rule, out->mean_base);
	struct stats_diff d = contrast(&sample, 1), theta = contrast(&sample, out->share);
	out->diff = d.diff, out->df = d.df, out->se = d.se;
	out->lo = stats_lower(&d, out->alpha), out->hi = stats_upper(&d, out->alpha);
	if (relative) {
		out->beyond = theta.diff;
		out->beyond_lo = stats_lower(&theta, out->alpha), out->beyond_hi = stats_upper(&theta, out->alpha);
	}
	if (!isfinite(out->lo) || !isfinite(out->hi) || !isfinite(theta.diff) || !isfinite(theta.se)) {
		fail_with(out, "the difference cannot be computed in double precision (%g)", d.diff);
		return;
	}
	/* Equal in every seed, or better by the same amount: no worse by whatever share, however little is known of the
	 * mean that it is a share of. */
	bool settled = relative && !(d.se > 0) && (rule->higher_is_better ? d.diff >= 0 : d.diff <= 0);
	if (settled)
		theta = d;
	double margin = relative && !settled ? 0 : out->margin;
	if (sample.b && sample.n >= GATE_PERMUTATION_MIN && sample.m >= GATE_PERMUTATION_MIN)
		out->permutation_p = permutation_p(&sample, rule, settled ? 1 : out->share, margin);
	if (rule->higher_is_better)
		theta.diff = -theta.diff;
	out->p_pass = stats_p_less(&theta, margin);
	out->p_fail = 1 - out->p_pass;
	out->verdict = decide(rule->kind, &theta, margin, out->alpha);
	out->direction = direction_of(out);
	if (out->verdict == GATE_INCONCLUSIVE)
		out->lean = out->direction;
	gate_explain(out);
}

void gate_judge_drift(struct gate_result *out, const struct gate_side *cand, const struct gate_side *first)
{
	if (out->verdict == GATE_ERROR || out->verdict == GATE_FAIL || out->rule->kind != GATE_NON_INFERIORITY)
		return;
	struct gate_rule twice = *out->rule;
	twice.margin *= 2;
	twice.doubled = true;
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
			gate_explain(r);
		}
		family++;
	}
}

enum gate_verdict gate_judge_looks(const struct gate_rule *rule, enum gate_test test, const double *a, int n,
                                   const double *b, int m)
{
	int n_looks = rule->n_looks ? rule->n_looks : 1;
	for (int i = 0; i < n_looks; i++) {
		int k = rule->n_looks ? rule->looks[i] : n;
		if (k > n)
			break;
		struct sample s = { .test = test, .a = a, .b = b, .n = k, .m = rule->n_looks && k < m ? k : m };
		double share = rule->margin_relative ? share_of(rule, stats_mean(s.b, s.m)) : 1;
		struct stats_diff d = contrast(&s, share);
		enum gate_verdict v = decide(rule->kind, &d, rule->margin_relative ? 0 : rule->margin, rule->alpha / n_looks);
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
