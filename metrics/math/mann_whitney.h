/* mann_whitney.h - the U statistic of two samples (Mann and Whitney 1947). */
#ifndef ABLATE_MANN_WHITNEY_H
#define ABLATE_MANN_WHITNEY_H

#include <stdint.h>

/* The number of pairs (i, j) with x_i > y_j, plus half of those with x_i = y_j; exact. x [n] and y [m] hold no NaN and
 * are left sorted. */
double mann_whitney_u(double *x, int64_t n, double *y, int64_t m);

#endif
