/* stats.c - see stats.h. Quantiles are found by bisection on the distribution function: 60 halvings cost microseconds,
 * and no approximation has to be trusted. */
#include "harness/judge/stats.h"

#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/base/rng.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

double stats_normal_cdf(double x)
{
	return 0.5 * erfc(-x / sqrt(2));
}

/* The continued fraction of I_x(a, b) by Lentz's method; converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1);
	d = 1 / (fabs(d) < tiny ? tiny : d);
	double f = d;
	for (int m = 1; m < 2000; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double step = 1;
		for (int k = 0; k < 2; k++) {
			double q = k ? odd : even;
			d = 1 + q * d, c = 1 + q / c;
			d = 1 / (fabs(d) < tiny ? tiny : d);
			c = fabs(c) < tiny ? tiny : c;
			step = c * d;
			f *= step;
		}
		if (fabs(step - 1) < DBL_EPSILON)
			break;
	}
	return f;
}

double stats_beta(double x, double a, double b)
{
	REQUIRE(a > 0 && b > 0);
	if (!(x > 0))
		return x == 0 || x < 0 ? 0 : NAN;
	if (x >= 1)
		return 1;
	double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	return x < (a + 1) / (a + b + 2) ? front * beta_fraction(x, a, b) / a : 1 - front * beta_fraction(1 - x, b, a) / b;
}

double stats_t_cdf(double t, double df)
{
	REQUIRE(df > 0);
	if (isnan(t))
		return NAN;
	if (isinf(df) || df > 1e10)
		return stats_normal_cdf(t);
	if (isinf(t))
		return t > 0;
	/* Two expressions are equal; the one with the small argument keeps its digits. */
	double square = t * t;
	double tail = square > df ? 0.5 * stats_beta(df / (df + square), df / 2, 0.5)
	                          : 0.5 - 0.5 * stats_beta(square / (df + square), 0.5, df / 2);
	return t > 0 ? 1 - tail : tail;
}

double stats_t_quantile(double p, double df)
{
	REQUIRE(p > 0 && p < 1);
	if (p > 0.5)
		return -stats_t_quantile(1 - p, df);
	double lo = -1, hi = 0;
	while (stats_t_cdf(lo, df) > p && lo > -1e300)
		hi = lo, lo *= 2;
	for (;;) {
		double mid = lo + (hi - lo) / 2;
		if (mid <= lo || mid >= hi)
			return mid;
		if (stats_t_cdf(mid, df) < p)
			lo = mid;
		else
			hi = mid;
	}
}

double stats_noncentral_t_cdf(double t, double df, double delta)
{
	REQUIRE(df > 0);
	if (isinf(df))
		return stats_normal_cdf(t - delta);
	/* T = (Z + delta) / S with S = chi / sqrt(df), which strays from 1 by z / sqrt(df) with chance < exp(-z^2 / 2). */
	double log_scale = log(2) + df / 2 * log(df / 2) - lgamma(df / 2), sum = 0;
	/* By x = cbrt(s): the density is like s^(df - 1) near 0, which Simpson's rule follows badly at df = 1.4. */
	double lo = cbrt(fmax(0, 1 - 9 / sqrt(df))), hi = cbrt(1 + 9 / sqrt(df));
	enum { STEPS = 2000 };
	for (int i = 0; i <= STEPS; i++) {
		double x = lo + (hi - lo) * i / STEPS, s = x * x * x, weight = i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2;
		double density = s > 0 ? 3 * x * x * exp(log_scale + (df - 1) * log(s) - df * s * s / 2) : 0;
		sum += weight * density * stats_normal_cdf(t * s - delta);
	}
	return fmin(1, sum * (hi - lo) / STEPS / 3);
}

double stats_mean(const double *x, int n)
{
	REQUIRE(n > 0);
	double sum = 0;
	for (int i = 0; i < n; i++)
		sum += x[i];
	double mean = sum / n, rest = 0;
	for (int i = 0; i < n; i++)
		rest += x[i] - mean;
	return mean + rest / n;
}

double stats_sd(const double *x, int n)
{
	if (n < 2)
		return NAN;
	double mean = stats_mean(x, n), sum = 0;
	for (int i = 0; i < n; i++)
		sum += (x[i] - mean) * (x[i] - mean);
	return sqrt(sum / (n - 1));
}

double stats_correlation(const double *x, const double *y, int n)
{
	if (n < 3)
		return NAN;
	double mx = stats_mean(x, n), my = stats_mean(y, n), xx = 0, yy = 0, xy = 0;
	for (int i = 0; i < n; i++) {
		xx += (x[i] - mx) * (x[i] - mx);
		yy += (y[i] - my) * (y[i] - my);
		xy += (x[i] - mx) * (y[i] - my);
	}
	return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

/* Distance of a bound at level alpha; NaN where the spread of the values is beyond double precision. */
static double half_width(const struct stats_diff *d, double alpha)
{
	return !(d->se > 0) ? 0 : isfinite(d->se) ? -stats_t_quantile(alpha, d->df) * d->se : NAN;
}

double stats_lower(const struct stats_diff *d, double alpha)
{
	return d->diff - half_width(d, alpha);
}

double stats_upper(const struct stats_diff *d, double alpha)
{
	return d->diff + half_width(d, alpha);
}

double stats_p_less(const struct stats_diff *d, double theta)
{
	if (d->se > 0)
		return isfinite(d->se) ? stats_t_cdf((d->diff - theta) / d->se, d->df) : NAN;
	return d->diff < theta ? 0 : d->diff > theta ? 1 : 0.5;
}

struct stats_diff stats_paired(const double *a, const double *b, int n, double k)
{
	REQUIRE(n >= 2);
	double *d = xmalloc((size_t)n * sizeof *d);
	for (int i = 0; i < n; i++)
		d[i] = a[i] - k * b[i];
	struct stats_diff r = { .diff = stats_mean(d, n), .se = stats_sd(d, n) / sqrt(n), .df = n - 1 };
	free(d);
	return r;
}

struct stats_diff stats_welch(const double *a, int n, const double *b, int m, double k)
{
	REQUIRE(n >= 2 && m >= 2);
	double va = stats_sd(a, n), vb = k * stats_sd(b, m);
	va = va * va / n, vb = vb * vb / m;
	/* shares of the whole: its square may be beyond double precision where it is not */
	double both = va + vb, of_a = va / both, of_b = vb / both;
	return (struct stats_diff){ .diff = stats_mean(a, n) - k * stats_mean(b, m),
		                        .se = sqrt(both),
		                        .df = both > 0 ? 1 / (of_a * of_a / (n - 1) + of_b * of_b / (m - 1)) : n + m - 2 };
}

struct stats_diff stats_pooled(double mean_a, double sd_a, int n, double mean_b, double sd_b, int m)
{
	REQUIRE(n >= 1 && m >= 1 && n + m > 2);
	double squares = (n > 1 ? (n - 1) * sd_a * sd_a : 0) + (m > 1 ? (m - 1) * sd_b * sd_b : 0), df = n + m - 2;
	return (struct stats_diff){ .diff = mean_a - mean_b, .se = sqrt(squares / df * (1.0 / n + 1.0 / m)), .df = df };
}

struct stats_diff stats_prediction(double a, const double *b, int n, double k)
{
	REQUIRE(n >= 2);
	return stats_stored_sd(a, 1, stats_mean(b, n), n, stats_sd(b, n), n, k);
}

struct stats_diff stats_stored_sd(double mean_a, int n, double mean_b, int m, double sd, int sd_n, double k)
{
	REQUIRE(n >= 1 && m >= 1 && sd_n >= 2);
	return (struct stats_diff){ .diff = mean_a - k * mean_b, .se = sd * sqrt(1.0 / n + k * k / m), .df = sd_n - 1 };
}

enum { EXACT_MAX = 1 << 18 };

/* Relabelings to draw where there are too many: 2^24 random bits in all, so that thousands of values take a second. */
static int64_t draws(int n)
{
	int64_t k = ((int64_t)1 << 24) / n;
	return k < 4096 ? 4096 : k < EXACT_MAX ? k : EXACT_MAX;
}

/* Number of ways to choose k of n, capped just above EXACT_MAX. */
static int64_t choose(int n, int k)
{
	int64_t c = 1;
	for (int i = 1; i <= k; i++) {
		c = c * (n - k + i) / i;
		if (c > EXACT_MAX)
			return EXACT_MAX + 1;
	}
	return c;
}

/* A relabeling as extreme as the observed one counts, also when rounding puts it slightly above. */
static bool not_above(double sum, double observed, double scale)
{
	return sum <= observed + 1e-12 * scale;
}

static double sign_flips(const double *d, int n, double observed, double scale)
{
	int64_t total = n <= 18 ? (int64_t)1 << n : draws(n), hits = 0;
	for (int64_t k = 0; k < total; k++) {
		uint32_t bits[4] = { 0 };
		double sum = 0;
		for (int i = 0; i < n; i++) {
			if (n > 18 && i % 128 == 0)
				rng_block(bits, 0, RNG_EVAL, (uint32_t)k, (uint64_t)i);
			bool flip = n <= 18 ? k >> i & 1 : k && bits[i % 128 / 32] >> i % 32 & 1; /* k = 0 is the observed one */
			sum += flip ? -d[i] : d[i];
		}
		hits += not_above(sum, observed, scale);
	}
	return (double)hits / (double)total;
}

/* x holds n + m values; the sum over the n labelled "candidate" decides, since the total is fixed. */
static double splits(double *x, int n, int m, double observed, double scale)
{
	int all = n + m;
	int64_t total = choose(all, n), hits = 0;
	if (total <= EXACT_MAX) {
		int *pick = xmalloc((size_t)n * sizeof *pick);
		for (int i = 0; i < n; i++)
			pick[i] = i;
		for (;;) {
			double sum = 0;
			for (int i = 0; i < n; i++)
				sum += x[pick[i]];
			hits += not_above(sum, observed, scale);
			int i = n - 1;
			while (i >= 0 && pick[i] == all - n + i)
				i--;
			if (i < 0)
				break;
			pick[i]++;
			for (int k = i + 1; k < n; k++)
				pick[k] = pick[k - 1] + 1;
		}
		free(pick);
		return (double)hits / (double)total;
	}
	total = draws(n);
	for (int64_t k = 0; k < total; k++) {
		double sum = 0;
		for (int i = 0; i < n; i++)
			sum += x[k ? rng_permute((uint64_t)i, (uint64_t)all, 0, RNG_EVAL, (uint32_t)k) : (uint64_t)i];
		hits += not_above(sum, observed, scale);
	}
	return (double)hits / (double)total;
}

double stats_permutation_p(const double *a, int n, const double *b, int m, bool paired, double theta)
{
	REQUIRE(n > 0 && m > 0 && (!paired || n == m));
	double *x = xmalloc((size_t)(n + m) * sizeof *x), observed = 0, scale = 0, p;
	if (paired) {
		for (int i = 0; i < n; i++)
			x[i] = a[i] - b[i] - theta, observed += x[i], scale += fabs(x[i]);
		p = sign_flips(x, n, observed, scale);
	} else {
		for (int i = 0; i < n; i++)
			x[i] = a[i] - theta, observed += x[i], scale += fabs(x[i]);
		for (int i = 0; i < m; i++)
			x[n + i] = b[i], scale += fabs(b[i]);
		p = splits(x, n, m, observed, scale);
	}
	free(x);
	return p;
}

void stats_holm(bool *significant, const double *p, const double *alpha, int n)
{
	for (int i = 0; i < n; i++)
		significant[i] = false;
	for (int left = n; left > 0; left--) {
		int best = -1;
		for (int i = 0; i < n; i++)
			if (!significant[i] && (best < 0 || p[i] / alpha[i] < p[best] / alpha[best]))
				best = i;
		if (!(p[best] * left <= alpha[best]))
			return;
		significant[best] = true;
	}
}

double stats_power(double margin, double theta, double sd, double rho, bool paired, int n, double alpha, double k)
{
	REQUIRE(n >= 2 && sd > 0);
	double square = k * k, df = paired ? n - 1 : (n - 1) * (1 + square) * (1 + square) / (1 + square * square),
		   se = sd * sqrt(fmax(0, 1 + square - (paired ? 2 * rho * k : 0)) / n);
	if (!(se > 0))
		return theta < margin;
	return 1 - stats_noncentral_t_cdf(stats_t_quantile(1 - alpha, df), df, (margin - theta) / se);
}

int stats_seeds_for_power(double power, double margin, double sd, double rho, bool paired, double alpha, int max_n,
                          double k)
{
	for (int n = 2; n <= max_n; n++)
		if (stats_power(margin, 0, sd, rho, paired, n, alpha, k) >= power)
			return n;
	return 0;
}
