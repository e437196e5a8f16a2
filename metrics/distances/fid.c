/* fid.c - see fid.h. */
#include "metrics/distances/fid.h"

#include "metrics/math/linalg.h"
#include "model/base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIGMA_SLACK 1e-6 /* of the largest variance: above rounding in any float format, below any real covariance */

void fid_side_release(struct fid_side *s)
{
	free(s->mu);
	free(s->factor);
	*s = (struct fid_side){ 0 };
}

void scoped_fid_side(struct fid_side *s)
{
	fid_side_release(s);
}

static int check_finite(const double *x, size_t n, const char *what, const char *name, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return err_set(e, "%s: %s holds %s at element %zu", name, what, isnan(x[i]) ? "NaN" : "infinity", i);
	return 0;
}

static double square_sum(const double *x, size_t n)
{
	double s = 0;
	for (size_t i = 0; i < n; i++)
		s += x[i] * x[i];
	return s;
}

static double largest_variance(const double *sigma, int64_t d)
{
	double top = 0;
	for (int64_t i = 0; i < d; i++)
		top = fmax(top, fabs(sigma[i * (d + 1)]));
	return top;
}

/* In place of the factor that pivots gave. */
static int factorise_rounded(struct fid_side *s, const double *sigma, double unit, const char *name, struct err *e)
{
	double bound = unit * sqrt(square_sum(sigma, (size_t)s->d * (size_t)s->d)), lowest, highest;
	free(s->factor);
	linalg_factor_rounded(&s->factor, &s->rank, &s->left, &lowest, &highest, sigma, s->d, bound);
	if (!(lowest >= -s->d * unit * highest))
		return err_set(
			e,
			"%s: sigma is not a covariance: not positive semi-definite (eigenvalues from %.3g to %.3g; rounding "
			"explains no less than %.3g)",
			name, lowest, highest, -s->d * unit * highest);
	return 0;
}

/* Fills the factor from a covariance that is known to be finite; unit: what its numbers were rounded to. */
static int factorise(struct fid_side *s, const double *sigma, double unit, const char *name, struct err *e)
{
	double left_max, top = largest_variance(sigma, s->d);
	for (int64_t i = 0; i < s->d; i++)
		s->trace += sigma[i * (s->d + 1)];
	linalg_factor(&s->factor, &s->rank, &s->left, &left_max, sigma, s->d);
	if (unit > DBL_EPSILON && s->rank < s->d)
		return factorise_rounded(s, sigma, unit, name, e);
	if (!(left_max <= SIGMA_SLACK * top))
		return err_set(
			e, "%s: sigma is not a covariance: not positive semi-definite (%.3g against a largest variance of %.3g)",
			name, left_max, top);
	return 0;
}

int fid_side_of_moments(struct fid_side *out, struct moments *m, const char *name, struct err *e)
{
	SCOPED(fid_side) struct fid_side s = { .d = m->d, .n = m->n };
	if (m->n < 2)
		return err_set(e, "%s: %s; a covariance needs at least 2", name, m->n ? "one image" : "no images");
	s.mu = xmalloc(sizeof *s.mu * (size_t)m->d);
	moments_mean(s.mu, m);
	if (check_finite(s.mu, (size_t)m->d, "a feature's mean", name, e))
		return -1;
	if (m->n <= m->d && (s.factor = moments_factor(m))) {
		s.rank = (int)m->n;
		s.trace = square_sum(s.factor, (size_t)s.rank * (size_t)s.d);
	} else {
		SCOPED(free) double *sigma = xmalloc(sizeof *sigma * (size_t)m->d * (size_t)m->d);
		moments_sigma(sigma, m);
		if (factorise(&s, sigma, 0, name, e))
			return -1;
	}
	*out = s;
	s = (struct fid_side){ 0 };
	return 0;
}

/* even = (sigma + sigma^T) / 2, tile by tile because one of the two is read across; returns their largest
 * difference. */
static double make_even(double *even, const double *sigma, int64_t d)
{
	enum { TILE = 32 };
	double worst = 0;
	for (int64_t i0 = 0; i0 < d; i0 += TILE)
		for (int64_t j0 = 0; j0 < d; j0 += TILE)
			for (int64_t i = i0; i < i0 + TILE && i < d; i++)
				for (int64_t j = j0; j < j0 + TILE && j < d; j++) {
					double a = sigma[i * d + j], b = sigma[j * d + i];
					worst = fmax(worst, fabs(a - b));
					even[i * d + j] = 0.5 * (a + b);
				}
	return worst;
}

int fid_side_of_sigma(struct fid_side *out, const double *mu, const double *sigma, int d, int64_t n, const char *name,
                      struct err *e)
{
	return fid_side_of_rounded(out, mu, sigma, d, n, 0, name, e);
}

int fid_side_of_rounded(struct fid_side *out, const double *mu, const double *sigma, int d, int64_t n, double unit,
                        const char *name, struct err *e)
{
	size_t d2 = (size_t)d * (size_t)d;
	if (check_finite(mu, (size_t)d, "mu", name, e) || check_finite(sigma, d2, "sigma", name, e))
		return -1;
	double top = largest_variance(sigma, d);
	SCOPED(free) double *even = xmalloc(sizeof *even * d2);
	double worst = make_even(even, sigma, d);
	if (!(worst <= fmax(SIGMA_SLACK, 2 * unit) * top))
		return err_set(e, "%s: sigma is not symmetric: elements differ by up to %.3g (largest variance %.3g)", name,
		               worst, top);
	SCOPED(fid_side) struct fid_side s = { .d = d, .n = n, .mu = xmalloc(sizeof *s.mu * (size_t)d) };
	memcpy(s.mu, mu, sizeof *mu * (size_t)d);
	if (factorise(&s, even, unit, name, e))
		return -1;
	*out = s;
	s = (struct fid_side){ 0 };
	return 0;
}

int fid_compute(struct fid_result *out, const struct fid_side *a, const struct fid_side *b, struct err *e)
{
	if (a->d != b->d)
		return err_code(e, EXIT_RECORD, "statistics of %d dimensions against %d: not from the same extractor", a->d,
		                b->d);
	struct fid_result r = {
		.trace1 = a->trace, .trace2 = b->trace, .clipped = fabs(a->left) + fabs(b->left), .by = { .device = b->device }
	};
	for (int j = 0; j < a->d; j++)
		r.mean_term += (a->mu[j] - b->mu[j]) * (a->mu[j] - b->mu[j]);
	r.trace_sqrt = linalg_nuclear_cross(a->factor, a->rank, b->factor, b->rank, a->d, &r.by);
	r.fid = r.mean_term + r.trace1 + r.trace2 - 2 * r.trace_sqrt;
	*out = r;
	return 0;
}
