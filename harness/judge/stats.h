/* stats.h - the statistics of a gate, in double, without tables.
 *
 * Distributions (normal, Student t, noncentral t), the comparisons of two small samples that the gate knows, an exact
 * permutation test, Holm's step-down rule and Bonferroni's split of alpha over looks. A comparison is reduced to a
 * struct stats_diff: an estimate of candidate - baseline, its standard error, and the degrees of freedom of that error;
 * bounds and p-values follow from these three. Nothing here fails: preconditions (n, alpha in (0,1)) are the caller's
 * and are REQUIREd. */
#ifndef ABLATE_STATS_H
#define ABLATE_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

double stats_normal_cdf(double x);
/* Regularised incomplete beta function I_x(a, b), a, b > 0, by its continued fraction; about 1e-14. */
double stats_beta(double x, double a, double b);
/* P(T <= t) for Student's t with df > 0 degrees of freedom, not necessarily whole; df = INFINITY is the normal. */
double stats_t_cdf(double t, double df);
/* The t with P(T <= t) = p, 0 < p < 1. */
double stats_t_quantile(double p, double df);
/* P(T <= t) for the noncentral t, delta the noncentrality: by Simpson's rule over the chi density. About 1e-9. */
double stats_noncentral_t_cdf(double t, double df, double delta);

double stats_mean(const double *x, int n);
double stats_sd(const double *x, int n);                           /* of a sample (n - 1); NAN for n < 2 */
double stats_correlation(const double *x, const double *y, int n); /* NAN for n < 3 or a constant sample */

struct stats_diff {
	double diff; /* candidate - baseline, in the metric's units */
	double se;   /* standard error of diff; 0 when all values agree */
	double df;   /* degrees of freedom of se */
};

/* One-sided bounds at level 1 - alpha, and P(a difference of `theta` or more shows a diff this small or smaller). NAN
 * where the values are so large that se is infinite. */
double stats_lower(const struct stats_diff *d, double alpha);
double stats_upper(const struct stats_diff *d, double alpha);
double stats_p_less(const struct stats_diff *d, double theta);

/* The comparisons below estimate candidate - k baseline, whose error has k times the baseline's spread in it; k = 1 is
 * the plain difference, and k = 1 + r compares with a baseline that is a share r worse, whose mean is an estimate.
 *
 * Paired t: a[i] and b[i] share a seed; n >= 2. */
struct stats_diff stats_paired(const double *a, const double *b, int n, double k);
/* Welch's t (unequal variances, Welch-Satterthwaite df); n, m >= 2. */
struct stats_diff stats_welch(const double *a, int n, const double *b, int m, double k);
/* Student's t with one variance pooled from two summaries; a side of one value has no sd of its own (pass n = 1, any
 * sd). The MLPerf rule for reference convergence points is this test on trimmed runs. */
struct stats_diff stats_pooled(double mean_a, double sd_a, int n, double mean_b, double sd_b, int m);
/* One new value against n >= 2 baseline values: the t prediction interval. The new value is taken to spread as the
 * baseline does: at twice its spread a one-sided 5 % test errs in 16 to 18 % of cases (5 to 8 values). */
struct stats_diff stats_prediction(double a, const double *b, int n, double k);
/* Two means of n and m values whose common spread sd was measured over sd_n >= 2 other values. */
struct stats_diff stats_stored_sd(double mean_a, int n, double mean_b, int m, double sd, int sd_n, double k);

/* One-sided permutation p of H0 "candidate - baseline >= theta": the share of relabelings (all sign flips of the pairs
 * when paired, else all splits) whose mean difference is not above the observed one. Exact up to 2^18 relabelings, else
 * 4096 to 2^18 (fewer for more values) drawn with Philox (seed 0), the observed one among them. */
double stats_permutation_p(const double *a, int n, const double *b, int m, bool paired, double theta);

/* Holm: significant[i] = hypothesis i is rejected when all `n` are tested together, each at its own alpha[i]. */
void stats_holm(bool *significant, const double *p, const double *alpha, int n);

/* Power of the one-sided t test of candidate - k baseline: chance that its upper bound lies below `margin` when that is
 * truly theta. sd is the spread between training seeds on both sides; rho the correlation between the sides at the same
 * seed (used only when paired); n seeds a side. Exact when paired; for two samples with Welch's df of the true
 * variances, 2n - 2 at k = 1. */
double stats_power(double margin, double theta, double sd, double rho, bool paired, int n, double alpha, double k);
/* The smallest n in 2..max_n with that power at theta = 0, 0 when none has. */
int stats_seeds_for_power(double power, double margin, double sd, double rho, bool paired, double alpha, int max_n,
                          double k);

#endif
