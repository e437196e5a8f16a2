/* ranges.h - n elements cut into ranges of one length, to within one: for sums that are added up range by range, which
 * round less than one long sum, and for parts of a random order. Not for blocks of a set as it was given, which may be
 * sorted: those are dealt (jackknife.h). */
#ifndef ABLATE_RANGES_H
#define ABLATE_RANGES_H

#include <stdint.h>

/* Range k of n elements is [range_bound(n, k, ranges), range_bound(n, k + 1, ranges)). */
static inline int64_t range_bound(int64_t n, int k, int ranges)
{
	return n * k / ranges;
}

/* The range that element i of n is in. */
static inline int range_of(int64_t i, int64_t n, int ranges)
{
	return (int)(((i + 1) * ranges - 1) / n);
}

#endif
