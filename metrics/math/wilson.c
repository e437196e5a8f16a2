/* wilson.c - see wilson.h. */
#include "metrics/math/wilson.h"

#include <math.h>

#define Z975 1.959963984540054

double wilson_half_width(double percent, int64_t n)
{
	double p = percent / 100, z2 = Z975 * Z975 / (double)n, middle = (p + z2 / 2) / (1 + z2);
	double side = Z975 * sqrt(p * (1 - p) / (double)n + z2 / (double)n / 4) / (1 + z2);
	return 100 * (side + fabs(middle - p));
}
