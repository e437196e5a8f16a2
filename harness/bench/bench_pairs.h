/* bench_pairs.h - the time of density and coverage, as a multiple of one matrix product's: `ablate bench prdc`. */
#ifndef ABLATE_BENCH_PAIRS_H
#define ABLATE_BENCH_PAIRS_H

#include "model/base/err.h"

#include <jansson.h>
#include <stdint.h>

/* Appends to `out` (an array) one object: seconds of prdc of n against n vectors of d dimensions, k = 5, and of the
 * product of the two sets in double (n x n x d, of the same library), each the best of `rounds`, taken in turns, and
 * their ratio. The distances within two sets are two half products and those between them a whole one, so in double
 * the ratio would be 2 and more; products of floats, whose close calls are summed in double, bring it below. */
MUST_CHECK int bench_pairs(json_t *out, int64_t n, int d, int rounds, struct err *e);

#endif
