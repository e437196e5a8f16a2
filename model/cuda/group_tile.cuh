/* group_tile.cuh - norms whose images are read once: a block takes all pixels of one image in a span of channels that
 * holds whole groups, keeps them in shared memory as they are stored, sums them there, and sweeps over them there.
 *
 * A thread has VEC neighbouring channels of every lanes-th pixel, copies these into shared memory itself and alone
 * reads them, so nothing but the sums needs a barrier. Blocks that are neighbours in memory have neighbouring
 * numbers, so a sector that two of them share is fetched once. How many threads share a run of channels follows from
 * the image's size, so sums are made in the same order on every device and with every span. */
#ifndef ABLATE_GROUP_TILE_CUH
#define ABLATE_GROUP_TILE_CUH

#include "model/cuda/kernel.cuh"

#include <cuda_pipeline_primitives.h>

enum { TILE_THREADS = 512, TILE_PARTS = 4, SECTOR_BYTES = 32, TILE_BYTES = 128 };

/* How (images, pixels, c) is cut over blocks. span: channels of one; lanes: threads of a run of VEC channels. */
struct tile {
	int pixels, c, tiles;                  /* tiles: of an image */
	int span, per, lanes, threads, shared; /* per: channels of a group; threads: 0 where no cut fits */
};

/* Of the arrays behind the kept values in shared memory, `sums` doubles and `lines` floats for each channel. */
static inline size_t tile_table_bytes(int span, int lanes, int sums, int lines)
{
	size_t per_channel = (size_t)(sums + TILE_PARTS) * sizeof(double) + (size_t)(lines + lanes) * sizeof(float);
	return (size_t)span * per_channel;
}

/* What an op keeps in a tile: bytes of the smallest of its values, of all values of a place; how many sums and lines
 * its channels have. */
struct tile_needs {
	int least, kept, sums, lines;
};

/* The widest span of at most TILE_BYTES with which two blocks have room on a multiprocessor and no multiprocessor is
 * left without two; else the narrowest that fills a sector and has room at all. */
static inline struct tile tile_of(const struct cuda *cu, const struct tensor *x, int groups, struct tile_needs needs)
{
	int per = (int)(x->c / groups), base = per;
	while (base % VEC)
		base += per;
	int lanes = 16;
	while (lanes < 64 && lanes * 16 <= x->h * x->w)
		lanes *= 2;
	while (lanes > TILE_PARTS && lanes * (base / VEC) > TILE_THREADS)
		lanes /= 2;
	struct tile best = { (int)(x->h * x->w), (int)x->c, 0, 0, per, lanes, 0, 0 };
	for (int span = base; x->c % VEC == 0 && span <= x->c; span += base) {
		int threads = (lanes * (span / VEC) + WARP - 1) / WARP * WARP;
		size_t shared = (size_t)best.pixels * (size_t)(span * needs.kept) +
		                tile_table_bytes(span, lanes, needs.sums, needs.lines);
		if (threads > TILE_THREADS || shared > (size_t)cu->shared_most)
			break;
		int tiles = best.c / span, resident = cu->shared_each / ((int)shared + cu->shared_own);
		bool narrow = best.span * needs.least < SECTOR_BYTES, roomy = resident >= 2 && span * needs.least <= TILE_BYTES;
		if (x->c % span || (best.threads && !narrow && !(roomy && x->n * tiles >= 2 * (int64_t)cu->processors)))
			continue;
		best.tiles = tiles;
		best.span = span;
		best.threads = threads;
		best.shared = (int)shared;
	}
	return best;
}

/* Lets a kernel have what its tile needs; where values are kept, the first-level cache may be small. */
static inline void tile_allow(struct cuda *cu, const void *kernel)
{
	CUDA_CALL(cu, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, cu->shared_most));
	CUDA_CALL(cu, cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
	                                   cudaSharedmemCarveoutMaxShared));
}

/* A thread's part: its image, its first channel in the tensor and in the tile, its lane; active: it has one. */
struct tile_place {
	int64_t n, c, first; /* first: element of its first pixel, of lane 0 */
	int at, lane;
	bool active;
};

__device__ static inline struct tile_place tile_place_of(const struct tile &t)
{
	int runs = t.span / VEC;
	struct tile_place p;
	p.n = blockIdx.x / (unsigned)t.tiles;
	p.at = (int)threadIdx.x % runs * VEC;
	p.c = (int)(blockIdx.x % (unsigned)t.tiles) * t.span + p.at;
	p.first = p.n * ((int64_t)t.pixels * t.c) + p.c;
	p.lane = (int)threadIdx.x / runs;
	p.active = p.lane < t.lanes;
	return p;
}

/* Begins to copy the thread's values of a tensor to their places in the tile. */
template <class T>
__device__ static inline void tile_fetch(T *kept, const T *from, const struct tile &t, const struct tile_place &p)
{
	for (int i = p.lane; p.active && i < t.pixels; i += t.lanes)
#pragma unroll
		for (int half = 0; half < (int)(VEC * sizeof(T)); half += 16)
			__pipeline_memcpy_async((char *)(kept + i * t.span + p.at) + half,
			                        (const char *)(from + p.first + i * t.c) + half, 16);
}

__device__ static inline void tile_wait(void)
{
	__pipeline_commit();
	__pipeline_wait_prior(0);
}

/* A tile's arrays, one number per channel of the span each: totals of sums and steps towards a group's, lines. */
struct tile_tables {
	double *total, *part;
	float *line, *scratch;
};

/* The arrays lie behind the kept values, whose size is a multiple of 16 bytes. */
__device__ static inline struct tile_tables tile_tables_of(void *behind, const struct tile &t, int sums, int lines)
{
	struct tile_tables s;
	s.total = (double *)behind;
	s.part = s.total + sums * t.span;
	s.line = (float *)(s.part + TILE_PARTS * t.span);
	s.scratch = s.line + lines * t.span;
	return s;
}

/* total[k * span + c] = the sum over the tile's pixels of what its threads have in sum[k], lanes in order, in double.
 * Whole blocks. Channel c's totals, and its places in `part`, are its thread's until the next barrier: c modulo the
 * block's threads. */
template <int K>
__device__ static inline void tile_sums(const struct tile_tables &s, const float (&sum)[K][VEC], const struct tile &t,
                                        const struct tile_place &p)
{
#pragma unroll
	for (int k = 0; k < K; k++) {
		if (p.active)
			store_wide(s.scratch + p.lane * t.span + p.at, sum[k]);
		__syncthreads();
		for (int i = (int)threadIdx.x; i < TILE_PARTS * t.span; i += (int)blockDim.x) {
			int c = i % t.span, first = i / t.span * (t.lanes / TILE_PARTS);
			double part = 0;
			for (int lane = first; lane < first + t.lanes / TILE_PARTS; lane++)
				part += (double)s.scratch[lane * t.span + c];
			s.part[i] = part;
		}
		__syncthreads();
		for (int c = (int)threadIdx.x; c < t.span; c += (int)blockDim.x) {
			double total = 0;
			for (int part = 0; part < TILE_PARTS; part++)
				total += s.part[part * t.span + c];
			s.total[k * t.span + c] = total;
		}
	}
}

/* The sum of a table over the channels of channel c's group. */
__device__ static inline double group_sum(const double *table, const struct tile &t, int c)
{
	double sum = 0;
	for (int i = c / t.per * t.per; i < (c / t.per + 1) * t.per; i++)
		sum += table[i];
	return sum;
}

#endif
