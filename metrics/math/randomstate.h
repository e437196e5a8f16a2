/* randomstate.h - numpy's legacy RandomState (MT19937), as far as the protocols of published scores need it: seeding,
 * permutation, choice without replacement. Equal to numpy bit for bit (tests/metrics/math/test_randomstate.c). */
#ifndef ABLATE_RANDOMSTATE_H
#define ABLATE_RANDOMSTATE_H

#include <stdint.h>

struct randomstate {
	uint32_t key[624];
	int pos;
};

void randomstate_seed(struct randomstate *r, uint32_t seed);
uint32_t randomstate_next(struct randomstate *r);                   /* 32 random bits */
uint64_t randomstate_interval(struct randomstate *r, uint64_t max); /* uniform in [0, max], by masked rejection */
void randomstate_permutation(struct randomstate *r, int64_t *out, int64_t n);
/* choice(n, size, replace=False): the first `size` of a permutation of n. size <= n. */
void randomstate_choice(struct randomstate *r, int64_t *out, int64_t n, int64_t size);

#endif
