/* standardise.c - see standardise.h. */
#include "metrics/distances/standardise.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void rows_release(struct rows *r)
{
	free(r->x);
	*r = (struct rows){ 0 };
}

void scoped_rows(struct rows *r)
{
	rows_release(r);
}

void rows_take(struct rows *out, const float *x, const int64_t *which, int64_t n, int d)
{
	out->n = n;
	out->x = xmalloc(sizeof *out->x * (size_t)(n ? n : 1) * (size_t)d);
	for (int64_t i = 0; i < n; i++)
		for (int64_t k = 0; k < d; k++)
			out->x[i * d + k] = x[(which ? which[i] : i) * d + k];
}

int standardise_fit(double *mean, double *deviation, const struct rows *sets, int n_sets, int d, const char *what,
                    struct err *e)
{
	int64_t n = 0;
	memset(mean, 0, sizeof *mean * (size_t)d);
	memset(deviation, 0, sizeof *deviation * (size_t)d);
	for (int s = 0; s < n_sets; s++)
		n += sets[s].n;
	if (n < 2)
		return err_set(e, "%s: %lld vectors have no deviation; it needs two or more", what, (long long)n);
	for (int s = 0; s < n_sets; s++)
		for (int64_t i = 0; i < sets[s].n; i++)
			for (int64_t k = 0; k < d; k++)
				mean[k] += sets[s].x[i * d + k] / (double)n;
	for (int s = 0; s < n_sets; s++)
		for (int64_t i = 0; i < sets[s].n; i++)
			for (int64_t k = 0; k < d; k++) {
				double v = sets[s].x[i * d + k] - mean[k];
				deviation[k] += v * v;
			}
	for (int k = 0; k < d; k++) {
		deviation[k] = sqrt(deviation[k] / (double)(n - 1));
		if (!(deviation[k] > 1e-12 * fabs(mean[k]))) /* the mean's own rounding */
			return err_set(
				e,
				"%s divides by the features' deviations, and feature %d is the same in all pictures; take an "
				"extractor without such features, or leave the score out",
				what, k);
	}
	return 0;
}

void standardise(struct rows *r, int d, const double *mean, const double *deviation)
{
	for (int64_t i = 0; i < r->n; i++)
		for (int64_t k = 0; k < d; k++)
			r->x[i * d + k] = (r->x[i * d + k] - mean[k]) / deviation[k];
}
