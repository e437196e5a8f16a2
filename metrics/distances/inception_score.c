/* inception_score.c - see inception_score.h. */
#include "metrics/distances/inception_score.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* p = softmax(x); returns sum of p log p. */
static double softmax(double *p, const float *x, int c)
{
	double top = x[0], sum = 0, plogp = 0;
	for (int k = 1; k < c; k++)
		top = fmax(top, x[k]);
	for (int k = 0; k < c; k++)
		sum += p[k] = exp(x[k] - top);
	for (int k = 0; k < c; k++) {
		p[k] /= sum;
		plogp += p[k] * (x[k] - top - log(sum));
	}
	return plogp;
}

/* KL(p(y|x) || p(y)) averaged over [from, to): mean of sum p log p, minus sum of q log q with q the mean of p. */
static double split_score(const float *logits, int c, const int64_t *order, int64_t from, int64_t to, double *p,
                          double *q)
{
	double plogp = 0, qlogq = 0, n = (double)(to - from);
	memset(q, 0, sizeof *q * (size_t)c);
	for (int64_t i = from; i < to; i++) {
		plogp += softmax(p, logits + (order ? order[i] : i) * c, c);
		for (int k = 0; k < c; k++)
			q[k] += p[k];
	}
	for (int k = 0; k < c; k++)
		qlogq += q[k] > 0 ? q[k] / n * log(q[k] / n) : 0;
	return exp(plogp / n - qlogq);
}

int inception_score(struct inception_score *out, const float *logits, int64_t n, int c, int splits,
                    const int64_t *order, struct err *e)
{
	if (n < splits)
		return err_code(e, EXIT_USAGE, "the Inception Score over %d splits needs at least as many images, not %lld",
		                splits, (long long)n);
	for (int64_t i = 0; i < n * c; i++)
		if (!isfinite(logits[i]))
			return err_set(e, "class score %lld of image %lld is not finite", (long long)(i % c), (long long)(i / c));
	SCOPED(free) double *p = xmalloc(sizeof *p * (size_t)c);
	SCOPED(free) double *q = xmalloc(sizeof *q * (size_t)c);
	SCOPED(free) double *value = xmalloc(sizeof *value * (size_t)splits);
	struct inception_score r = { .splits = splits };
	for (int s = 0; s < splits; s++) {
		value[s] = split_score(logits, c, order, n * s / splits, n * (s + 1) / splits, p, q);
		r.mean += value[s] / splits;
	}
	for (int s = 0; s < splits; s++)
		r.std += (value[s] - r.mean) * (value[s] - r.mean) / splits;
	r.std = sqrt(r.std);
	*out = r;
	return 0;
}
