/* segments.c - see segments.h. */
#include "model/consistency/segments.h"

#include <math.h>

/* Ends of neighbouring segments are at distance 1; rounding of a level, in single precision too, is far below this. */
static const double near = 1e-5;

double segment_end(const struct run_config *c, int j)
{
	int n = c->multistep.segments;
	if (j <= 0)
		return 0;
	if (j >= n)
		return c->sigma.max;
	double lo = pow(c->sigma.min, 1 / c->sigma.rho), hi = pow(c->sigma.max, 1 / c->sigma.rho);
	return pow(lo + (double)j / n * (hi - lo), c->sigma.rho);
}

double segment_below(const struct run_config *c, double t)
{
	int n = c->multistep.segments;
	if (n == 1)
		return 0;
	double lo = pow(c->sigma.min, 1 / c->sigma.rho), hi = pow(c->sigma.max, 1 / c->sigma.rho);
	double at = ceil((pow(t, 1 / c->sigma.rho) - lo) / (hi - lo) * n - near) - 1;
	return segment_end(c, (int)fmin(at, n - 1));
}

double segment_teacher(const struct run_config *c, double t, double r)
{
	double end = segment_below(c, t);
	return r < end ? end : r;
}

struct precond segment_precond(struct precond p, double sigma, double end)
{
	double stay = end / sigma;
	p.c_skip = stay + (1 - stay) * p.c_skip;
	p.c_out *= 1 - stay;
	return p;
}

int segments_allow(const struct run_config *c, int nfe, struct err *e)
{
	int n = c->multistep.segments;
	if (nfe < n)
		return err_code(e, EXIT_USAGE, "nfe = %d: a model of multistep.segments = %d needs %d network evaluations", nfe,
		                n, n);
	if (n > 1 && nfe > n && segment_below(c, c->sample.sigma_mid) > 0)
		return err_code(
			e, EXIT_USAGE,
			"nfe = %d: beyond multistep.segments = %d evaluations sample.sigma_mid = %g must be in the lowest "
			"segment, at most %g",
			nfe, n, c->sample.sigma_mid, segment_end(c, 1));
	return 0;
}
