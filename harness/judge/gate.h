/* gate.h - is the candidate not worse than the baseline, or better, or are these too few seeds to tell?
 *
 * theta = candidate - baseline, in the metric's units, negated where higher is better. From one-sided bounds L and
 * U at level 1 - alpha and the margin d:
 *     non-inferiority   pass U <= d    fail L > d    else inconclusive
 *     superiority       pass U < 0     fail L > 0    else inconclusive
 * A margin that is a share r of the baseline's mean is no known number: that mean has an error of its own. The bounds
 * are then those of theta - r |baseline| = candidate - (1 + r) baseline (lower is better, values above 0) and are
 * compared with 0; a candidate that equals the baseline in every seed passes. On which side of 0 the bounds of theta
 * itself lie is the direction: "worse" L > 0, "better" U < 0, "unclear".
 *
 * The error term is the spread between training seeds. Paired t when the rule asks for pairs and the seeds match, else
 * Welch; one candidate seed against at least 5 baseline seeds is judged by the t prediction interval; where a side has
 * one seed and the baseline stores an sd, by the t test with that sd. The last two take the candidate to spread like
 * the baseline. More seeds may be added when it was inconclusive, but only at the declared looks, over which alpha is
 * split evenly (Bonferroni). Several gates: passing needs all of them and no correction; a fail is kept only if it
 * survives Holm's rule over the family (gate_holm).
 *
 * What cannot be compared (protocol, numerics, a NaN, too few seeds) is the verdict `error`, never an inconclusive
 * one. */
#ifndef ABLATE_GATE_H
#define ABLATE_GATE_H

#include "model/base/err.h"
#include "model/base/str.h"
#include "harness/text/json_keys.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum gate_kind { GATE_NON_INFERIORITY, GATE_SUPERIORITY };
enum gate_verdict { GATE_PASS, GATE_FAIL, GATE_INCONCLUSIVE, GATE_ERROR };
enum gate_test { GATE_NO_TEST, GATE_PAIRED_T, GATE_WELCH_T, GATE_PREDICTION, GATE_STORED_SD_T, GATE_TESTS };
enum { GATE_LOOKS_MAX = 16, GATE_SEEDS_MAX = 4096, GATE_PREDICTION_MIN = 5, GATE_PERMUTATION_MIN = 5 };

struct gate_rule {
	const char *name, *metric, *arm, *against; /* texts for the report; "against" is an arm's label or "baseline" */
	const char *against_grid;                  /* the grid that `against` is a row of; NULL or "" = this one */
	const char *remark;                        /* a sentence after the verdict's, NULL or "" for none */
	enum gate_kind kind;
	double margin;        /* >= 0; non-inferiority only */
	bool margin_relative; /* margin is a share of |mean of the baseline| */
	double alpha;         /* one-sided, (0, 0.5] */
	bool doubled;         /* the margin is twice the gate's own, for the sentence (gate_judge_drift) */
	bool paired;          /* pair by seed when the seeds match */
	bool higher_is_better;
	bool fail_on_inconclusive;          /* exit 4 and a JUnit failure, else a warning */
	int looks[GATE_LOOKS_MAX], n_looks; /* seeds at which the gate may be read, ascending; 0 looks = any, once */
};

/* The values of one side. Everything is the caller's. */
struct gate_side {
	const double *value; /* one per training seed, mean over evaluation seeds */
	const int64_t *seed; /* NULL: unknown, so never paired */
	int n;
	double mean;          /* for a side that is only a summary (value NULL): its mean ... */
	double sd;            /* ... and, for any side, a stored spread between seeds; 0 = none ... */
	int sd_n;             /* ... from this many seeds */
	const char *protocol; /* "" or NULL = not given; both given and different = error */
	const char *numerics; /* the numerics version, likewise */
};

struct gate_result {
	const struct gate_rule *rule;
	enum gate_verdict verdict;
	const char *lean;      /* of an inconclusive one: its direction; else "" */
	const char *direction; /* "worse", "better", "unclear"; "" for an error */
	enum gate_test test;
	int n_cand, n_base;
	double mean_cand, mean_base;
	double diff, lo, hi; /* candidate - baseline in the metric's units with one-sided bounds, each at level alpha */
	double df, se;
	double share;                        /* the k of beyond: 1 + r or 1 - r; 1 where the margin is absolute */
	double beyond, beyond_lo, beyond_hi; /* candidate - k baseline likewise; NAN where the margin is absolute */
	double margin, alpha;                /* in the metric's units, and after the split over looks */
	double p_pass, p_fail;               /* one-sided p of the passing and of the failing claim */
	double permutation_p;                /* of the passing claim; NAN below GATE_PERMUTATION_MIN seeds */
	double rho;                          /* correlation over the seeds that both sides share; NAN below 3 */
	int look, n_looks;                   /* 1-based; 0 without declared looks */
	bool holm;                           /* a fail that Holm's rule took back */
	bool unpaired;                       /* pairs were asked for, and some seed has no partner */
	bool pairs_unused;                   /* every seed has a partner, and pairs were not asked for */
	char why[900];                       /* a sentence with the numbers */
};

const char *gate_verdict_name(enum gate_verdict v);
const char *gate_kind_name(enum gate_kind k);
const char *gate_test_name(
	enum gate_test t); /* as in verdict.test of the database, whose comment in schema.sql lists these */

/* Checks a rule's settings themselves (margin, alpha, looks); exit code 2. */
MUST_CHECK int gate_rule_check(const struct gate_rule *rule, struct err *e);
/* Judges; never fails: what cannot be judged is verdict GATE_ERROR. The rule must outlive the result. */
void gate_judge(struct gate_result *out, const struct gate_rule *rule, const struct gate_side *cand,
                const struct gate_side *base);
/* An error verdict with that reason, for a gate whose sides could not even be found. */
void gate_error(struct gate_result *out, const struct gate_rule *rule, const char *why);
/* The second question of a non-inferiority gate against a stored baseline: is the candidate worse by more than twice
 * the margin than the first baseline of its numerics version? If so *out becomes that fail, so that twenty accepted
 * steps of 4 % do not go unnoticed. */
void gate_judge_drift(struct gate_result *out, const struct gate_side *cand, const struct gate_side *first);
/* Holm over the fails of one grid: a fail that does not survive becomes inconclusive ("worse"). */
void gate_holm(struct gate_result *results, int n);
/* 0, 3 (a fail), 4 (inconclusive that must fail), 5 (an error): the most severe of all; 2 when n is 0. */
int gate_exit_code(const struct gate_result *results, int n);
/* "N passed, N failed, N inconclusive", then ", N errors" when there are any. */
void gate_summary(char *buf, size_t size, const struct gate_result *results, int n);
/* Writes result->why from all else. */
void gate_explain(struct gate_result *result);
extern const struct json_key gate_keys[]; /* of gate_json */
/* An object of gate_keys: numbers that are NaN become null. New reference. */
json_t *gate_json(const struct gate_result *r);

/* --- what a gate can resolve --- */

/* The bare decision over n and m seeds in looking order (the first conclusive look decides) by that test: GATE_PAIRED_T
 * (n = m), GATE_WELCH_T or GATE_PREDICTION. Lower is better, a[i] and b[i] share a seed. Costs about a microsecond a
 * look. */
enum gate_verdict gate_judge_looks(const struct gate_rule *rule, enum gate_test test, const double *a, int n,
                                   const double *b, int m);

/* Normal samples whose truth is known. */
struct gate_truth {
	int n, m;        /* seeds of the candidate and of the baseline */
	double mean, sd; /* of the baseline; the mean matters for relative margins alone */
	double spread;   /* sd of the candidate as a multiple of the baseline's; 0 = 1 */
	double rho;      /* correlation between the sides at the same seed, -1 to 1 */
	double theta;    /* candidate - baseline */
};
struct gate_chances {
	double pass, fail, inconclusive;
};
/* Draws `reps` pairs of samples (seed 0) and judges each by the rule at its looks. */
struct gate_chances gate_simulate(const struct gate_rule *rule, enum gate_test test, const struct gate_truth *truth,
                                  int reps);

/* --power: the chance of a pass by the test that judged `r`, at 3, 5, 8 and the judged number of seeds; sd: the
 * baseline's spread between seeds, which both sides are taken to have. For non-inferiority when nothing changed, at
 * margins of 1 to 4 sd and the gate's own; for superiority when the candidate is truly better by 1 to 4 sd. Appended as
 * text. */
void gate_power_text(struct str *out, const struct gate_result *r, double sd);

#endif
