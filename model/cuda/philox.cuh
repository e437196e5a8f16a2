/* philox.cuh - the counter-based random numbers of model/base/rng.h in kernels: the same blocks, uniforms and normals
 * of (seed, stream, step, index). Uniforms are equal bit for bit; normals differ by the device's logf, cosf and
 * sinf. */
#ifndef ABLATE_PHILOX_CUH
#define ABLATE_PHILOX_CUH

#include "model/cuda/cuda.h"

extern "C" {
#include "model/base/rng.h"
}

struct philox_block {
	uint32_t word[4];
};

__device__ static inline struct philox_block philox_at(const struct step_scalars *at, uint32_t stream, uint64_t index)
{
	uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = at->step, c3 = stream;
	uint32_t k0 = (uint32_t)at->seed, k1 = (uint32_t)(at->seed >> 32);
	for (int round = 0; round < 10; round++) {
		uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
		uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
		c1 = (uint32_t)p1;
		c3 = (uint32_t)p0;
		c0 = n0;
		c2 = n2;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	struct philox_block out = { { c0, c1, c2, c3 } };
	return out;
}

/* u in [0, 1) of one word, 24 bits. */
__device__ static inline float philox_uniform(uint32_t word)
{
	return (float)(word >> 8) * 5.9604644775390625e-08f;
}

/* Four normals of one block: Box-Muller on its pairs. */
__device__ static inline void philox_normals(float out[4], struct philox_block b)
{
	for (int i = 0; i < 4; i += 2) {
		float u = ((float)(b.word[i] >> 8) + 1.0f) * 5.9604644775390625e-08f, v = philox_uniform(b.word[i + 1]);
		float radius = sqrtf(-2.0f * logf(u)), angle = 6.283185307179586f * v;
		out[i] = radius * cosf(angle);
		out[i + 1] = radius * sinf(angle);
	}
}

#endif
