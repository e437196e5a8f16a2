/* bench_median.c - see bench_median.h. */
#include "harness/bench/bench_median.h"

#include "metrics/math/sort.h"

double bench_median(double *v, int n)
{
	sort_doubles(v, n);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}
