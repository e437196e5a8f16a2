/* authpct.c - see authpct.h. */
#include "metrics/distances/authpct.h"

double authpct(const int64_t *nearest, const double *distance, int64_t n, const double *own)
{
	int64_t authentic = 0;
	for (int64_t i = 0; i < n; i++)
		authentic += own[nearest[i]] < distance[i];
	return 100 * (double)authentic / (double)n;
}
