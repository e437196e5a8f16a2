/* rng.c - see rng.h. */
#include "model/base/rng.h"

#include "model/base/err.h"

#include <math.h>

static void round_once(uint32_t c[4], const uint32_t k[2])
{
	uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
	uint32_t out[4] = { (uint32_t)(p1 >> 32) ^ c[1] ^ k[0], (uint32_t)p1, (uint32_t)(p0 >> 32) ^ c[3] ^ k[1],
		                (uint32_t)p0 };
	for (int i = 0; i < 4; i++)
		c[i] = out[i];
}

void rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
	uint32_t k[2] = { key[0], key[1] };
	for (int i = 0; i < 4; i++)
		out[i] = counter[i];
	for (int i = 0; i < 10; i++) {
		round_once(out, k);
		k[0] += 0x9E3779B9u;
		k[1] += 0xBB67AE85u;
	}
}

void rng_block(uint32_t out[4], uint64_t seed, uint32_t stream, uint32_t step, uint64_t index)
{
	const uint32_t counter[4] = { (uint32_t)index, (uint32_t)(index >> 32), step, stream };
	const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
	rng_philox(out, counter, key);
}

float rng_uniform(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index)
{
	uint32_t r[4];
	rng_block(r, seed, stream, step, index / 4);
	return (float)(r[index % 4] >> 8) * 0x1p-24f;
}

double rng_uniform_double(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index)
{
	uint32_t r[4];
	rng_block(r, seed, stream, step, index);
	uint64_t bits = ((uint64_t)r[0] << 32 | r[1]) >> 11;
	return ((double)bits + 0.5) * 0x1p-53;
}

/* Two normals from two words: radius from (0, 1], angle from [0, 1). */
static void box_muller(float out[2], uint32_t a, uint32_t b)
{
	float u = ((float)(a >> 8) + 1.0f) * 0x1p-24f, v = (float)(b >> 8) * 0x1p-24f;
	float radius = sqrtf(-2.0f * logf(u)), angle = 6.283185307179586f * v;
	out[0] = radius * cosf(angle);
	out[1] = radius * sinf(angle);
}

void rng_normal(float *dst, size_t n, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first)
{
	for (size_t i = 0; i < n;) {
		uint64_t at = first + i;
		uint32_t r[4];
		float z[4];
		rng_block(r, seed, stream, step, at / 4);
		box_muller(z, r[0], r[1]);
		box_muller(z + 2, r[2], r[3]);
		for (unsigned j = at % 4; j < 4 && i < n; j++, i++)
			dst[i] = z[j];
	}
}

uint64_t rng_permute(uint64_t i, uint64_t n, uint64_t seed, uint32_t stream, uint32_t step)
{
	if (i >= n)
		BUG("permute %llu of %llu", (unsigned long long)i, (unsigned long long)n);
	unsigned half = 1;
	while (half < 32 && (UINT64_C(1) << (2 * half)) < n)
		half++;
	uint64_t mask = (UINT64_C(1) << half) - 1;
	do {
		uint64_t left = i >> half, right = i & mask;
		for (uint32_t round = 0; round < 6; round++) {
			uint32_t r[4];
			rng_block(r, seed, stream, step, right | (uint64_t)(round + 1) << 40);
			uint64_t mixed = left ^ (r[0] & mask);
			left = right;
			right = mixed;
		}
		i = left << half | right;
	} while (i >= n);
	return i;
}
