/* singular.h - the sum of the singular values of a tall column-major matrix; private to linalg.c. */
#ifndef ABLATE_SINGULAR_H
#define ABLATE_SINGULAR_H

/* a [m, n] with m >= n >= 1, column-major, leading dimension m; destroyed. */
double singular_sum(double *a, int m, int n);

#endif
