/* gate_power.c - what a gate can resolve: its own rule, applied to samples whose truth is known. */
#include "harness/judge/gate.h"
#include "harness/judge/stats.h"

#include "model/base/mem.h"
#include "model/base/rng.h"

#include <math.h>

struct gate_chances gate_simulate(const struct gate_rule *rule, enum gate_test test, const struct gate_truth *t,
                                  int reps)
{
	int n = t->n, m = t->m, most = n > m ? n : m, counts[4] = { 0 };
	REQUIRE(n >= 1 && m >= 2 && most <= GATE_SEEDS_MAX && t->sd > 0 && fabs(t->rho) <= 1 && reps > 0);
	REQUIRE(test == GATE_PREDICTION || n >= 2);
	SCOPED(free) double *a = xcalloc((size_t)n, sizeof *a);
	SCOPED(free) double *b = xcalloc((size_t)m, sizeof *b);
	SCOPED(free) float *z = xcalloc((size_t)most + (size_t)n + (size_t)m, sizeof *z);
	double wide = t->spread > 0 ? t->spread : 1, part = sqrt(fabs(t->rho)), own = sqrt(1 - fabs(t->rho)),
		   other = t->rho < 0 ? -part : part;
	for (int rep = 0; rep < reps; rep++) {
		rng_normal(z, (size_t)most + (size_t)n + (size_t)m, 0, RNG_EVAL, (uint32_t)rep, 0);
		for (int i = 0; i < n; i++) /* a shared part of variance |rho|, an own part of 1 - |rho| */
			a[i] = t->mean + t->theta + wide * t->sd * (part * (double)z[i] + own * (double)z[most + i]);
		for (int i = 0; i < m; i++)
			b[i] = t->mean + t->sd * (other * (double)z[i] + own * (double)z[most + n + i]);
		counts[gate_judge_looks(rule, test, a, n, b, m)]++;
	}
	return (struct gate_chances){ .pass = (double)counts[GATE_PASS] / reps,
		                          .fail = (double)counts[GATE_FAIL] / reps,
		                          .inconclusive = (double)counts[GATE_INCONCLUSIVE] / reps };
}

/* --- as text --- */

enum { POWER_REPS = 10000 };

static double chance(const struct gate_rule *rule, enum gate_test test, const struct gate_truth *truth)
{
	return 100 * gate_simulate(rule, test, truth, POWER_REPS).pass;
}

/* One row: by that test, and for the gate's own margin where it has one. */
static void add_row(struct str *out, const struct gate_rule *rule, enum gate_test test, struct gate_truth t)
{
	struct gate_rule plain = *rule;
	plain.margin_relative = false;
	SCOPED(str) struct str seeds = { 0 };
	str_addf(&seeds, t.n == t.m ? "%d" : "%d against %d", t.n, t.m);
	str_addf(out, "%5s", str_text(&seeds));
	for (int k = 1; k <= 4; k++) {
		struct gate_truth at = t;
		if (rule->kind == GATE_SUPERIORITY)
			at.theta = -k * t.sd;
		else
			plain.margin = k * t.sd;
		str_addf(out, "  %5.1f %%", chance(&plain, test, &at));
	}
	if (rule->margin > 0)
		str_addf(out, "  %8.1f %%", chance(rule, test, &t));
	str_addf(out, "  %s\n", gate_test_name(test));
}

static void add_needed(struct str *out, const struct gate_result *r, enum gate_test test, double sd, double rho)
{
	const struct gate_rule *rule = r->rule;
	bool superiority = rule->kind == GATE_SUPERIORITY;
	double split = rule->alpha / (rule->n_looks ? rule->n_looks : 1), share = superiority ? 1 : r->share;
	/* with a relative margin it is the share that separates the sides: (share - 1) |baseline| */
	double own = superiority ? sd : r->margin;
	if (!(own > 0))
		return;
	int need = stats_seeds_for_power(0.8, own, sd, rho, test == GATE_PAIRED_T, split, 1000, share);
	SCOPED(str) struct str what = { 0 };
	if (superiority)
		str_add(&what, "for an improvement of 1 sd");
	else
		str_addf(&what, "at the margin %.4g (%.2g sd)", own, own / sd);
	if (need)
		str_addf(out, "%d seeds a side give 80 %% %s by the %s%s\n", need, str_text(&what), gate_test_name(test),
		         rule->n_looks ? " at the last look alone" : "");
	else
		str_addf(out, "no number of seeds up to 1000 gives 80 %% %s%s\n", str_text(&what),
		         superiority ? "" : ": widen the margin");
}

void gate_power_text(struct str *out, const struct gate_result *r, double sd)
{
	struct gate_rule rule = *r->rule;
	rule.higher_is_better = false; /* the mirror image has the same chances */
	if (r->verdict == GATE_ERROR)
		return;
	if (r->test == GATE_STORED_SD_T || !(sd > 0)) {
		str_addf(out, "gate %s: no power is given %s\n", rule.name,
		         r->test == GATE_STORED_SD_T ? "for a stored sd: give the values of the baseline's seeds"
		                                     : "for a baseline whose seeds all have the same value");
		return;
	}
	/* More seeds than one a side are judged as the rule says; where pairs failed for want of the same seeds they are
	 * not expected of more of them. */
	bool one = r->test == GATE_PREDICTION, pairs = one ? rule.paired : r->test == GATE_PAIRED_T,
		 known = isfinite(r->rho);
	enum gate_test test = pairs ? GATE_PAIRED_T : GATE_WELCH_T;
	double rho = known ? fmin(fmax(r->rho, -0.999), 0.999) : 0;
	bool better = rule.kind == GATE_SUPERIORITY, own = rule.margin > 0;
	str_addf(
		out,
		"gate %s: chance of a clear pass when %s, alpha %g%s, in simulations; the spread between seeds of both sides "
		"is taken to be the baseline's, sd %.4g",
		rule.name, better ? "the arm is truly better" : "nothing changed", rule.alpha,
		rule.n_looks ? " split over the looks" : "", sd);
	if (pairs || known)
		str_addf(out,
		         known ? ", the correlation of equal seeds %.2f"
		               : ", the correlation of equal seeds, which is not known, %.0f",
		         rho);
	str_addf(out, "\nseeds   %s 1 sd, 2 sd, 3 sd, 4 sd%s\n", better ? "better by" : "margin of",
	         own ? "; the gate's own margin" : "");
	double mean = r->share != 1 ? fabs(r->mean_base) : 0;
	if (r->rule->margin_relative && (r->share < 1))
		mean = -mean;
	const struct gate_truth judged = { .n = r->n_cand, .m = r->n_base, .mean = mean, .sd = sd, .rho = rho };
	static const int usual[] = { 3, 5, 8 };
	bool told = false;
	for (int i = 0; i < 4; i++) {
		if (!told && (i == 3 || r->n_cand <= usual[i])) {
			add_row(out, &rule, r->test, judged);
			told = true;
		}
		if (i == 3 || (r->n_cand == usual[i] && r->n_base == usual[i]))
			continue;
		add_row(out, &rule, test,
		        (struct gate_truth){ .n = usual[i], .m = usual[i], .mean = mean, .sd = sd, .rho = rho });
	}
	add_needed(out, r, test, sd, rho);
}
