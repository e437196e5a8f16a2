/* mann_whitney.c - see mann_whitney.h: one walk through both sorted samples. */
#include "metrics/math/mann_whitney.h"

#include "metrics/math/sort.h"

double mann_whitney_u(double *x, int64_t n, double *y, int64_t m)
{
	int64_t below = 0, up_to = 0, twice = 0; /* of y: smaller than x_i, not larger than x_i */
	sort_doubles(x, n);
	sort_doubles(y, m);
	for (int64_t i = 0; i < n; i++) {
		while (below < m && y[below] < x[i])
			below++;
		while (up_to < m && y[up_to] <= x[i])
			up_to++;
		twice += below + up_to;
	}
	return (double)twice / 2;
}
