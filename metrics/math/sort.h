/* sort.h - numbers in ascending order. */
#ifndef ABLATE_SORT_H
#define ABLATE_SORT_H

#include <stdint.h>

/* x [n], without NaN. */
void sort_doubles(double *x, int64_t n);

#endif
