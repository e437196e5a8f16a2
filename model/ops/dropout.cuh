/* dropout.cuh - dropout.c's masks in kernels: a thread draws the two or three Philox blocks of its eight values. Their
 * place is read from device memory, so that a recorded step draws new numbers at each replay. */
#ifndef ABLATE_DROPOUT_CUH
#define ABLATE_DROPOUT_CUH

#include "model/cuda/kernel.cuh"
#include "model/cuda/philox.cuh"

/* Values are drawn by their place in the whole batch, of which this process may have a part: `per` of them to a sample.
 * p = 0: all are kept, as they are. */
struct draw {
	const struct step_scalars *at;
	uint32_t stream;
	float p, scale;
	int64_t per;
};

static inline struct draw draw_of(const struct cuda *cu, struct drop drop, const struct tensor *x)
{
	struct draw d = { cu->step, RNG_DROPOUT + drop.layer, (float)drop.p, (float)(1 / (1 - drop.p)),
		              x->h * x->w * x->c };
	return d;
}

/* Bit k: is value i + k of this process kept? */
__device__ static inline unsigned kept_of(const struct draw &d, int64_t i, int count)
{
	unsigned bits = 0;
	uint64_t value = (uint64_t)d.at->first * (uint64_t)d.per + (uint64_t)i;
	int before = (int)(value % 4);
#pragma unroll 1 /* few registers: the kernels around it have many */
	for (int first = 0; first < before + count; first += 4) {
		struct philox_block b = philox_at(d.at, d.stream, value / 4 + (uint64_t)first / 4);
#pragma unroll
		for (int k = 0; k < 4; k++)
			bits |= (philox_uniform(b.word[k]) >= d.p ? 1u : 0u) << (first + k);
	}
	return bits >> before;
}

/* Applies the mask of values i .. i + count - 1. */
__device__ static inline void drop(float v[VEC], const struct draw &d, int64_t i, int count)
{
	if (!(d.p > 0))
		return;
	unsigned bits = kept_of(d, i, count);
#pragma unroll
	for (int k = 0; k < VEC; k++)
		v[k] = bits >> k & 1 ? v[k] * d.scale : 0;
}

#endif
