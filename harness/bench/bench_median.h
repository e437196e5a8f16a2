/* bench_median.h - what counts of several rounds. */
#ifndef ABLATE_BENCH_MEDIAN_H
#define ABLATE_BENCH_MEDIAN_H

/* The middle of n > 0 numbers, or the mean of the two in the middle. They are sorted here, the least first. */
double bench_median(double *v, int n);

#endif
