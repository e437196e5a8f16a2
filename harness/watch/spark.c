/* spark.c - see spark.h. */
#include "harness/watch/spark.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdint.h>

enum { HEIGHTS = 8 };
static const char *const blocks[HEIGHTS] = { "\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
	                                         "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88" };
static const char *const letters[HEIGHTS] = { "_", ".", "-", "~", "=", "+", "*", "#" };

/* NAN where there is none. */
static double mean_of(const double *v, int from, int to)
{
	double sum = 0;
	int finite = 0;
	for (int i = from; i < to; i++)
		if (isfinite(v[i])) {
			sum += v[i];
			finite++;
		}
	return finite ? sum / finite : NAN;
}

int spark_add(struct str *out, const double *v, int n, int width, bool utf8)
{
	int columns = n < width ? n : width;
	if (columns <= 0)
		return 0;
	SCOPED(free) double *mean = xcalloc((size_t)columns, sizeof *mean);
	double low = INFINITY, high = -INFINITY;
	for (int i = 0; i < columns; i++) {
		mean[i] = mean_of(v, (int)((int64_t)i * n / columns), (int)((int64_t)(i + 1) * n / columns));
		low = mean[i] < low ? mean[i] : low;
		high = mean[i] > high ? mean[i] : high;
	}
	bool ratios = low > 0;
	for (int i = 0; i < columns; i++) {
		double share = !(high > low) ? 0.5
		               : ratios      ? log(mean[i] / low) / log(high / low)
		                        : (mean[i] / 2 - low / 2) / (high / 2 - low / 2); /* whose difference is a number */
		int height = share >= 0 && share < 1 ? (int)(share * HEIGHTS) : share >= 1 ? HEIGHTS - 1 : HEIGHTS / 2;
		str_add(out, isnan(mean[i]) ? "x" : utf8 ? blocks[height] : letters[height]);
	}
	return columns;
}
