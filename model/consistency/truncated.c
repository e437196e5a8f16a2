/* truncated.c - see truncated.h. */
#include "model/consistency/truncated.h"

#include <math.h>

int64_t truncated_first_steps(const struct run_config *c)
{
	return c->method.kind == METHOD_TCM ? (int64_t)floor(c->tcm.first * c->train.steps) : 0;
}

bool truncated_at(const struct run_config *c, int64_t k)
{
	return c->method.kind == METHOD_TCM && k >= truncated_first_steps(c);
}

double truncated_rate(const struct run_config *c, int64_t k)
{
	return truncated_at(c, k) ? c->tcm.lr : c->optim.lr;
}

bool truncated_answers(const struct run_config *c, double r, int64_t k)
{
	return truncated_at(c, k) && r < c->tcm.split;
}

int64_t truncated_boundary(const struct run_config *c)
{
	int64_t n = llround(c->tcm.share * c->train.batch), most = c->train.batch - 1;
	return !(c->tcm.share > 0) ? 0 : n < 1 ? 1 : n > most ? most : n;
}

/* With x = scale sqrt(df) sinh(y) the density of Student's t becomes cosh(y)^-df, which is nearly even where df is
 * small: its integral from a to b, by Simpson's rule on pieces of at most 1/64. */
static double mass(double df, double a, double b)
{
	int64_t n = (int64_t)ceil((b - a) * 64) + 1;
	double h = (b - a) / (double)n, sum = 0;
	for (int64_t i = 0; i < n; i++) {
		double from = a + (double)i * h;
		sum += pow(cosh(from), -df) + 4 * pow(cosh(from + h / 2), -df) + pow(cosh(from + h), -df);
	}
	return sum * h / 6;
}

/* The value below which the share u of the distribution lies that is cut to [lo, hi]. */
static double cut_t(double scale, double df, double lo, double hi, double u)
{
	double width = scale * sqrt(df), a = asinh(lo / width), b = asinh(hi / width);
	double wanted = u * mass(df, a, b), below = 0, from = a, to = b;
	for (int i = 0; i < 60 && to - from > 1e-14 * (1 + fabs(from)); i++) { /* halving: mass is monotone */
		double mid = (from + to) / 2, half = mass(df, from, mid);
		if (below + half < wanted) {
			below += half;
			from = mid;
		} else {
			to = mid;
		}
	}
	return width * sinh((from + to) / 2);
}

double truncated_level(const struct run_config *c, int64_t place, double u)
{
	if (place < truncated_boundary(c))
		return c->tcm.split;
	double level = exp(cut_t(c->tcm.scale, c->tcm.df, log(c->tcm.split), log(c->sigma.max), u));
	return fmin(fmax(level, c->tcm.split), c->sigma.max);
}

double truncated_weight(const struct run_config *c, int64_t place)
{
	double n = c->train.batch, boundary = (double)truncated_boundary(c);
	return place < (int64_t)boundary ? c->tcm.weight * n / boundary : n / (n - boundary);
}

int truncated_allow(const struct run_config *c, int nfe, struct err *e)
{
	if (c->method.kind != METHOD_TCM || nfe < 2 || c->sample.sigma_mid >= c->tcm.split)
		return 0;
	return err_code(e, EXIT_USAGE,
	                "nfe = %d: a model of method.kind = \"tcm\" has no answer below tcm.split = %g: raise "
	                "sample.sigma_mid = %g to it at least",
	                nfe, c->tcm.split, c->sample.sigma_mid);
}
