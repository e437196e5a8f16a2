/* randomstate.c - see randomstate.h. Matsumoto and Nishimura's generator (1998). */
#include "metrics/math/randomstate.h"

#include "model/base/err.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { N = 624, M = 397 };

void randomstate_seed(struct randomstate *r, uint32_t seed)
{
	r->key[0] = seed;
	for (uint32_t i = 1; i < N; i++)
		r->key[i] = 1812433253u * (r->key[i - 1] ^ r->key[i - 1] >> 30) + i;
	r->pos = N;
}

static void refill(struct randomstate *r)
{
	for (int i = 0; i < N; i++) {
		uint32_t y = (r->key[i] & 0x80000000u) | (r->key[(i + 1) % N] & 0x7fffffffu);
		r->key[i] = r->key[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
	}
	r->pos = 0;
}

uint32_t randomstate_next(struct randomstate *r)
{
	if (r->pos == N)
		refill(r);
	uint32_t y = r->key[r->pos++];
	y ^= y >> 11;
	y ^= y << 7 & 0x9d2c5680u;
	y ^= y << 15 & 0xefc60000u;
	return y ^ y >> 18;
}

uint64_t randomstate_interval(struct randomstate *r, uint64_t max)
{
	uint64_t mask = max, v;
	if (max == 0)
		return 0;
	for (int s = 1; s <= 32; s *= 2)
		mask |= mask >> s;
	do {
		v = randomstate_next(r);
		if (max > UINT32_MAX)
			v = v << 32 | randomstate_next(r);
		v &= mask;
	} while (v > max);
	return v;
}

void randomstate_permutation(struct randomstate *r, int64_t *out, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = i;
	for (int64_t i = n - 1; i > 0; i--) {
		int64_t j = (int64_t)randomstate_interval(r, (uint64_t)i), keep = out[i];
		out[i] = out[j];
		out[j] = keep;
	}
}

void randomstate_choice(struct randomstate *r, int64_t *out, int64_t n, int64_t size)
{
	REQUIRE(size <= n);
	int64_t *all = xmalloc(sizeof *all * (size_t)n);
	randomstate_permutation(r, all, n);
	memcpy(out, all, sizeof *out * (size_t)size);
	free(all);
}
