/* rng.h - counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011). A number is a function of (seed, stream, index) and of nothing else, so that
 *   - every purpose has a stream of its own, and an arm that draws fewer numbers shifts no other stream;
 *   - student and teacher share a dropout mask by naming the same (stream, index);
 *   - CPU and CUDA draw the same values, in any order and with any number of threads;
 *   - a resumed run needs the step counter only. */
#ifndef ABLATE_RNG_H
#define ABLATE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* ORDER rng_stream: stored in no file, but a change of a number changes every result: bump NUMERICS_VERSION. */
enum rng_stream {
	RNG_INIT = 1,      /* parameters; step = number of the parameter, index = position in it */
	RNG_ORDER,         /* permutation of the training set; step = epoch */
	RNG_FLIP,          /* horizontal flips; index = place in the batch */
	RNG_NOISE,         /* z of x + sigma z; index = place in the batch x values of an image (a multiple of 4) + value */
	RNG_SIGMA,         /* discretization index or continuous noise level; index = place in the batch */
	RNG_LATENT,        /* x_T of sampling, and the noise between sampling steps */
	RNG_EVAL,          /* metric subsets */
	RNG_LABEL,         /* class labels drawn for sampling */
	RNG_SYNTHETIC,     /* generated data sets */
	RNG_COUPLING = 10, /* which pictures a step's network makes itself; index = place in the batch */
	RNG_REFERENCES = 11, /* permutation of the training set, and flips; index = number of the reference */
	/* MeanFlow: the second of a sample's two noise levels, and whether it counts; index = place in the batch */
	RNG_SIGMA_LOWER = 13,
	RNG_SHARE = 14,
	RNG_DROPOUT = 64, /* + dropout layer number */
};

/* One Philox4x32-10 block: counter (4 words) and key (2 words) -> 4 words. */
void rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);
/* Block `index` of (seed, stream, step): counter (low, high word of index, step, stream), key (low, high of seed). */
void rng_block(uint32_t out[4], uint64_t seed, uint32_t stream, uint32_t step, uint64_t index);
/* u in [0, 1): the upper 24 bits of word index % 4 of block index / 4. */
float rng_uniform(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index);
/* u in (0, 1), the middles of 2^53 intervals: the upper 53 bits of the first two words of block `index`. For
 * inverse-CDF sampling in double. */
double rng_uniform_double(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index);
/* dst[i] = standard normal number first + i of (seed, stream, step): Box-Muller in float. A block has four, two from
 * its first and two from its last pair of words: radius from ((word >> 8) + 1) / 2^24 of a pair's first word, angle in
 * turns from (word >> 8) / 2^24 of its second; cosine, then sine. */
void rng_normal(float *dst, size_t n, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first);
/* A bijection of [0, n) chosen by (seed, stream, step): position i -> element. Feistel network with cycle walking, so
 * that any element of an epoch's permutation is found without storing it. It has six rounds over the least 4^b >= n:
 * round 1, 2, ... brings halves of b bits (left, right) to (right, left ^ f), f being the low bits of the first word of
 * block right + 2^40 round. */
uint64_t rng_permute(uint64_t i, uint64_t n, uint64_t seed, uint32_t stream, uint32_t step);

#endif
