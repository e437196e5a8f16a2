/* mann_whitney.c - see mann_whitney.h: one walk through both sorted samples. */
#include "metrics/math/mann_whitney.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double mann_whitney_u(double *x, int64_t n, double *y, int64_t m)
{
	int64_t below = 0, up_to = 0, twice = 0; /* of y: smaller than x_i, not larger than x_i */
	qsort(x, (size_t)n, sizeof *x, ascending);
	qsort(y, (size_t)m, sizeof *y, ascending);
	for (int64_t i = 0; i < n; i++) {
		while (below < m && y[below] < x[i])
			below++;
		while (up_to < m && y[up_to] <= x[i])
			up_to++;
		twice += below + up_to;
	}
	return (double)twice / 2;
}
