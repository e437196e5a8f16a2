/* assignment.h - the linear assignment problem: pairs of n rows and n columns with the least sum of costs. */
#ifndef ABLATE_ASSIGNMENT_H
#define ABLATE_ASSIGNMENT_H

#include <stdint.h>

/* column[i] of row i, a permutation of 0 .. n-1 with the least sum of cost[i * n + column[i]]; cost: (n, n), finite.
 * Exact, by shortest augmenting paths (Jonker and Volgenant 1987, without their initialisation), in steps of the order
 * of n^3 at most. Of several least permutations the same one every time. */
void assignment(int64_t *column, const double *cost, int64_t n);

#endif
