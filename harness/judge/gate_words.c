/* gate_words.c - a verdict in a sentence and as JSON. Each sentence claims what its test has shown and no more; the
 * estimate itself stands among the numbers. */
#include "harness/judge/gate.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdio.h>
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

static const char *or_else(const char *text, const char *otherwise)
{
	return text && *text ? text : otherwise;
}

/* What a reader must know of the test to trust it. */
static const char *caveat(const struct gate_result *r)
{
	if (r->test == GATE_PREDICTION)
		return " (one value shows no spread: it is taken to be the baseline's, and a wider one passes and fails too "
			   "often)";
	if (r->test == GATE_STORED_SD_T)
		return " (both sides are taken to spread like the stored sd)";
	if (r->unpaired)
		return " (not paired: the seeds are not the same)";
	return r->pairs_unused ? " (the seeds are the same but not paired: paired = false)" : "";
}

static void add_numbers(struct str *s, const struct gate_result *r)
{
	const struct gate_rule *rule = r->rule;
	str_addf(s, "%s %.4g against %.4g, difference %+.4g, one-sided %.4g %% bounds %+.4g and %+.4g",
	         or_else(rule->metric, "the metric"), r->mean_cand, r->mean_base, r->diff, 100 * (1 - r->alpha), r->lo,
	         r->hi);
	if (isfinite(r->beyond))
		str_addf(s, "; against %.4g times the baseline, whose own error counts, %+.4g, bounds %+.4g and %+.4g",
		         r->share, r->beyond, r->beyond_lo, r->beyond_hi);
	str_addf(s, "; %s, n = %d and %d%s", gate_test_name(r->test), r->n_cand, r->n_base, caveat(r));
	if (r->n_looks)
		str_addf(s, ", look %d of %d", r->look, r->n_looks);
}

/* "worse than BASELINE by more than the margin 0.5"; with no margin that is "worse than BASELINE". */
static void add_worse(struct str *s, const struct gate_result *r, const char *against)
{
	str_addf(s, "worse than %s", against);
	if (r->margin > 0)
		str_addf(s, " by more than %s %.4g", r->rule->doubled ? "twice the margin," : "the margin", r->margin);
}

static void add_pass(struct str *s, const struct gate_result *r, const char *arm, const char *against)
{
	if (strcmp(r->direction, "better") == 0)
		str_addf(s, "%s is better than %s, by about %.4g", arm, against, fabs(r->diff));
	else if (r->se == 0 && r->diff == 0)
		str_addf(s, "%s and %s are the same in every seed", arm, against);
	else if (strcmp(r->direction, "worse") == 0)
		str_addf(s, "%s is worse than %s, by about %.4g, but by no more than the margin %.4g", arm, against,
		         fabs(r->diff), r->margin);
	else {
		str_addf(s, "%s is not ", arm);
		add_worse(s, r, against);
	}
}

static void add_inconclusive(struct str *s, const struct gate_result *r, const char *arm, const char *against)
{
	bool superiority = r->rule->kind == GATE_SUPERIORITY;
	if (r->holm) {
		str_addf(s, "by itself %s is ", arm);
		add_worse(s, r, against);
		str_addf(s, " (p = %.3g), but that does not survive Holm's correction over the grid's gates", r->p_fail);
	} else if (superiority && r->se == 0 && r->diff == 0) {
		str_addf(s, "%s and %s are the same in every seed, so neither is better: do they differ in a setting?", arm,
		         against);
	} else if (strcmp(r->direction, "better") == 0) { /* a share of a baseline whose mean is all but unknown */
		str_addf(s,
		         "%s is better than %s, but the test of the margin, in which the baseline's own error counts, is "
		         "undecided",
		         arm, against);
	} else if (strcmp(r->direction, "worse") == 0) {
		str_addf(s, "%s is worse than %s, but whether it is ", arm, against);
		add_worse(s, r, against);
		str_add(s, " is undecided");
	} else {
		str_addf(s, "these seeds cannot tell whether %s is ", arm);
		if (superiority)
			str_addf(s, "better or worse than %s", against);
		else
			add_worse(s, r, against);
	}
}

void gate_explain(struct gate_result *r)
{
	const char *arm = or_else(r->rule->arm, "the candidate"), *against = or_else(r->rule->against, "the baseline");
	SCOPED(str) struct str s = { 0 };
	if (r->verdict == GATE_PASS) {
		add_pass(&s, r, arm, against);
	} else if (r->verdict == GATE_FAIL) {
		str_addf(&s, "%s is ", arm);
		add_worse(&s, r, against);
		if (!(r->margin > 0))
			str_addf(&s, ", by about %.4g", fabs(r->diff));
	} else {
		add_inconclusive(&s, r, arm, against);
	}
	str_add(&s, " (");
	add_numbers(&s, r);
	str_add(&s, ")");
	if (r->rule->remark && *r->rule->remark)
		str_addf(&s, ". %s", r->rule->remark);
	snprintf(r->why, sizeof r->why, "%s", str_text(&s));
}

const struct json_key gate_keys[] = {
	JSON_KEY("gate", "string", "its name"),
	JSON_KEY("metric", "string", "what is compared, such as fid@1; empty where values were given without one"),
	JSON_KEY("arm", "string", "the candidate; empty where values were given without one"),
	JSON_KEY("against", "string",
	         "the arm or baseline that it is compared with; empty where values were given without one"),
	JSON_KEY("kind", "string", "non-inferiority or superiority"),
	JSON_KEY("verdict", "string", "pass, fail, inconclusive or error"),
	JSON_KEY("lean", "string?", "where an inconclusive one points: worse, better or unclear; null for the others"),
	JSON_KEY("direction", "string?", "what the interval shows: worse, better or unclear; null for an error"),
	JSON_KEY("test", "string", "none, paired t, welch t, prediction interval or stored-sd t"),
	JSON_KEY("n", "integer", "values of the candidate"),
	JSON_KEY("n_base", "integer", "values of the baseline"),
	JSON_KEY("mean", "number?", "mean of the candidate, in units of the metric; null where it is not known"),
	JSON_KEY("mean_base", "number?", "mean of the baseline; null for an error"),
	JSON_KEY("diff", "number?", "candidate minus baseline; null for an error"),
	JSON_KEY("lo", "number?", "one-sided lower bound of diff, at level alpha; null for an error"),
	JSON_KEY("hi", "number?", "one-sided upper bound of diff, at level alpha; null for an error"),
	JSON_KEY("se", "number?", "standard error of diff; null for an error"),
	JSON_KEY("df", "number?", "degrees of freedom of the test; null for an error"),
	JSON_KEY("beyond", "number?",
	         "candidate minus (1 + relative margin) times the baseline; null where the margin is absolute"),
	JSON_KEY("beyond_lo", "number?", "one-sided lower bound of beyond; null where beyond is"),
	JSON_KEY("beyond_hi", "number?", "one-sided upper bound of beyond; null where beyond is"),
	JSON_KEY("margin", "number?", "the margin, in units of the metric; null for an error"),
	JSON_KEY("alpha", "number?", "error level of this look"),
	JSON_KEY("p_pass", "number?", "one-sided p of the passing claim; null for an error"),
	JSON_KEY("p_fail", "number?", "one-sided p of the failing claim; null for an error"),
	JSON_KEY("permutation_p", "number?", "p of the passing claim by permutation; null with few seeds"),
	JSON_KEY("look", "integer?", "which of the declared looks this is, from 1; null without looks"),
	JSON_KEY("looks", "integer", "declared looks; 0 without"),
	JSON_KEY("why", "string", "the verdict as a sentence with its numbers"),
	{ 0 },
};

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
		{ "direction", *r->direction ? text(r->direction) : json_null() },
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
		{ "beyond", number(r->beyond) },
		{ "beyond_lo", number(r->beyond_lo) },
		{ "beyond_hi", number(r->beyond_hi) },
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
