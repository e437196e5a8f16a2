/* product_tile.cuh - one block's tile of a matrix product, TILE x TILE sums over a range of depth, and where its
 * operands come from.
 *
 * An operand is a matrix of lines of neighbours in memory: a plain one, or an image that a convolution looks at, whose
 * line is a pixel and whose values along it are those under each tap of the kernel (an implicit GEMM: the matrix is
 * never written). Both parts of a tile are fetched 16 bytes at a time where memory allows it, one step of depth ahead
 * of the sums, into two stages of shared memory.
 *
 * Sums: floats by multiply-adds, 8 x 8 in a thread's registers; TF32 and bf16 by tensor cores (wmma), 64 x 32 in a
 * warp's, in float. */
#ifndef ABLATE_PRODUCT_TILE_CUH
#define ABLATE_PRODUCT_TILE_CUH

#include "model/cuda/kernel.cuh"

#include <mma.h>

enum { TILE = 128, PART_BYTES = 10240, FRAGMENT = 16, WARP_ROWS = 64, WARP_COLS = 32, WARPS = BLOCK / WARP };

/* ---- division by a number known before launch ------------------------------------------------ */

struct divider {
	unsigned by, factor, shift;
};

/* q = (high word of x * factor, + x) >> shift, for x < 2^31 (Granlund and Montgomery 1994). */
static inline struct divider divider_of(int64_t by)
{
	struct divider d = { (unsigned)by, 0, 0 };
	while ((int64_t)1 << d.shift < by)
		d.shift++;
	d.factor = (unsigned)((((uint64_t)1 << 32) * (((uint64_t)1 << d.shift) - (uint64_t)by)) / (uint64_t)by + 1);
	return d;
}

__device__ static inline unsigned divide(struct divider d, unsigned x)
{
	return ((unsigned)((uint64_t)x * d.factor >> 32) + x) >> d.shift;
}

/* ---- operands -------------------------------------------------------------------------------- */

enum lines { LINES_PLAIN, LINES_BY_TAP, LINES_OF_PIXELS };

/* Value u of line v. PLAIN: at v ld + u. BY_TAP: v is (tap, o) and its line the (o taps + tap)-th. OF_PIXELS: v is a
 * pixel (n,i,j) of one image, u is (tap, c) of the other, whose pixel is (i mul + p dir + off_h) / div, and so on,
 * where that is whole and inside. */
struct operand {
	const void *p;
	int64_t ld, step;       /* values from line to line, from matrix to matrix of a batch */
	unsigned lines, length; /* beyond them all is 0 */
	int rows_inner;         /* neighbours are rows of the tile; else they go along depth */
	int wide;               /* 16-byte accesses */
	enum lines kind;
	struct divider channels, area, width, columns; /* of c or o; of a line's pixels; of taps per kernel row */
	int taps, mul, dir, div, off_h, off_w, h, w;
};

/* Where in p, or -1 for a 0. */
__device__ static inline int64_t operand_at(const struct operand &s, unsigned v, unsigned u)
{
	if (s.kind == LINES_PLAIN)
		return (int64_t)v * s.ld + u;
	if (s.kind == LINES_BY_TAP) {
		unsigned tap = divide(s.channels, v), o = v - tap * s.channels.by;
		return ((int64_t)o * s.taps + tap) * s.ld + u;
	}
	unsigned n = divide(s.area, v), rest = v - n * s.area.by, i = divide(s.width, rest), j = rest - i * s.width.by;
	unsigned tap = divide(s.channels, u), c = u - tap * s.channels.by, row = divide(s.columns, tap),
			 col = tap - row * s.columns.by;
	int h = (int)i * s.mul + (int)row * s.dir + s.off_h, w = (int)j * s.mul + (int)col * s.dir + s.off_w;
	if (s.div > 1) {
		if (h < 0 || w < 0 || h % s.div || w % s.div)
			return -1;
		h /= s.div;
		w /= s.div;
	}
	if (h < 0 || h >= s.h || w < 0 || w >= s.w)
		return -1;
	return (((int64_t)n * s.h + h) * s.w + w) * s.channels.by + c;
}

__device__ static inline unsigned bits_at(const unsigned short *p, int64_t at)
{
	return p[at];
}
__device__ static inline unsigned bits_at(const float *p, int64_t at)
{
	return ((const unsigned *)(const void *)p)[at];
}

/* all, moved on by one value, with a first one. */
__device__ static inline uint4 before(const unsigned short *, uint4 all, unsigned first)
{
	return make_uint4(all.x << 16 | first, all.y << 16 | all.x >> 16, all.z << 16 | all.y >> 16,
	                  all.w << 16 | all.z >> 16);
}

__device__ static inline uint4 before(const float *, uint4 all, unsigned first)
{
	return make_uint4(first, all.x, all.y, all.z);
}

/* 16 bytes of line v from u on. */
template <class T>
__device__ static inline uint4 operand_fetch(const struct operand &s, const T *p, unsigned v, unsigned u)
{
	enum { COUNT = 16 / sizeof(T) };
	uint4 all = make_uint4(0, 0, 0, 0);
	if (v >= s.lines || u >= s.length)
		return all;
	if (s.wide && u + COUNT <= s.length) {
		int64_t at = operand_at(s, v, u);
		return at < 0 ? all : *(const uint4 *)(const void *)(p + at);
	}
#pragma unroll 1
	for (unsigned i = COUNT; i-- > 0;) {
		int64_t at = u + i < s.length ? operand_at(s, v, u + i) : -1;
		all = before(p, all, at < 0 ? 0 : bits_at(p, at));
	}
	return all;
}

/* ---- a part of shared memory: 128 rows of DEPTH values --------------------------------------- */

/* bf16: as in memory, (row, depth) with rows 40 apart or (depth, row) with 136. Floats: always (row, depth), 20 apart,
 * so that neither the reads of 8 neighbours nor writes across collide in banks. */
template <class T> struct part;

template <> struct part<unsigned short> {
	enum { DEPTH = 32, ALONG = 40, ACROSS = 136 };
	/* Piece `which` of 2 of this thread: the line's offset and the value's. */
	__device__ static void place(bool rows_inner, int which, unsigned *row, unsigned *depth)
	{
		unsigned i = threadIdx.x + (unsigned)which * BLOCK;
		*row = rows_inner ? i % 16 * 8 : i / 4;
		*depth = rows_inner ? i / 16 : i % 4 * 8;
	}
	__device__ static void put(unsigned short *to, bool rows_inner, unsigned row, unsigned depth, uint4 x)
	{
		*(uint4 *)(void *)(to + (rows_inner ? depth * ACROSS + row : row * ALONG + depth)) = x;
	}
};

template <> struct part<float> {
	enum { DEPTH = 16, ALONG = 20, ACROSS = 20 };
	__device__ static void place(bool rows_inner, int which, unsigned *row, unsigned *depth)
	{
		unsigned i = threadIdx.x + (unsigned)which * BLOCK;
		*row = rows_inner ? i / 16 * 4 : i / 4;
		*depth = rows_inner ? i % 16 : i % 4 * 4;
	}
	__device__ static void put(float *to, bool rows_inner, unsigned row, unsigned depth, uint4 x)
	{
		unsigned *words = (unsigned *)(void *)to;
		if (rows_inner) {
			words[(row + 0) * ALONG + depth] = x.x;
			words[(row + 1) * ALONG + depth] = x.y;
			words[(row + 2) * ALONG + depth] = x.z;
			words[(row + 3) * ALONG + depth] = x.w;
		} else {
			*(uint4 *)(void *)(words + row * ALONG + depth) = x;
		}
	}
};

/* This thread's two pieces of an operand at a depth, on their way to shared memory. */
template <class T> struct pieces {
	uint4 x[2];
	__device__ void fetch(const struct operand &s, const T *p, unsigned first_row, unsigned first_depth)
	{
#pragma unroll
		for (int i = 0; i < 2; i++) {
			unsigned row, depth;
			part<T>::place(s.rows_inner, i, &row, &depth);
			row += first_row;
			depth += first_depth;
			x[i] = s.rows_inner ? operand_fetch(s, p, depth, row) : operand_fetch(s, p, row, depth);
		}
	}
	__device__ void put(T *to, bool rows_inner) const
	{
#pragma unroll
		for (int i = 0; i < 2; i++) {
			unsigned row, depth;
			part<T>::place(rows_inner, i, &row, &depth);
			part<T>::put(to, rows_inner, row, depth, x[i]);
		}
	}
};

/* ---- sums by multiply-adds: thread (y, x) of 16 x 16 has rows y + 16 i and columns x + 16 j --- */

struct sums_of_floats {
	typedef float value;
	float sum[8][8];
	__device__ void clear()
	{
#pragma unroll
		for (int i = 0; i < 64; i++)
			sum[i / 8][i % 8] = 0;
	}
	__device__ void add(const float *a, const float *b, unsigned, unsigned)
	{
		enum { LINE = part<float>::ALONG };
		const float *mine_a = a + threadIdx.x / 16 * LINE, *mine_b = b + threadIdx.x % 16 * LINE;
		/* four columns at a time: registers for two blocks per multiprocessor */
#pragma unroll 1
		for (int k = 0; k < part<float>::DEPTH; k += 4) {
#pragma unroll
			for (int first = 0; first < 8; first += 4) {
				float4 y[4];
#pragma unroll
				for (int j = 0; j < 4; j++)
					y[j] = *(const float4 *)(const void *)(mine_b + (first + j) * 16 * LINE + k);
#pragma unroll
				for (int i = 0; i < 8; i++) {
					float4 x = *(const float4 *)(const void *)(mine_a + i * 16 * LINE + k);
#pragma unroll
					for (int j = 0; j < 4; j++) {
						float &to = sum[i][first + j];
						to += x.x * y[j].x;
						to += x.y * y[j].y;
						to += x.z * y[j].z;
						to += x.w * y[j].w;
					}
				}
			}
		}
	}
	/* out(row, column, values) for every eight neighbours of a row, by way of shared memory; those beyond the edge
	 * too. */
	template <class F> __device__ void give(float *patches, unsigned, unsigned, F out) const
	{
		float *mine = patches + threadIdx.x / 16 * TILE;
#pragma unroll 1
		for (int now = 0; now < 8; now++) {
#pragma unroll
			for (int i = 0; i < 8; i++)
#pragma unroll
				for (int j = 0; j < 8; j++)
					if (i == now)
						mine[threadIdx.x % 16 + 16 * j] = sum[i][j];
			__syncthreads();
			out(threadIdx.x / 16 + 16u * (unsigned)now, threadIdx.x % 16 * VEC, mine + threadIdx.x % 16 * VEC);
			__syncthreads();
		}
	}
};

/* ---- sums by tensor cores: 2 x 4 warps ------------------------------------------------------- */

template <bool ROWS_INNER, class A, class B> struct choose_type {
	typedef A type;
};
template <class A, class B> struct choose_type<true, A, B> {
	typedef B type;
};

/* bf16 is what the cores take; floats are rounded to TF32 first. */
template <class F> __device__ static inline void round_factors(F &, const __nv_bfloat16 *)
{
}

template <class F> __device__ static inline void round_factors(F &f, const float *)
{
#pragma unroll
	for (int i = 0; i < f.num_elements; i++)
		f.x[i] = nvcuda::wmma::__float_to_tf32(f.x[i]);
}

/* T: values in shared memory; C: what the cores take them for, K deep. */
template <class T, class C, class P, int K, bool A_ROWS, bool B_ROWS> struct sums_by_cores {
	typedef T value;
	typedef nvcuda::wmma::row_major along;
	typedef nvcuda::wmma::col_major across;
	nvcuda::wmma::fragment<nvcuda::wmma::accumulator, FRAGMENT, FRAGMENT, K, float> sum[WARP_ROWS / FRAGMENT]
																					   [WARP_COLS / FRAGMENT];

	__device__ static unsigned row()
	{
		return threadIdx.x / WARP / 4 * WARP_ROWS;
	}
	__device__ static unsigned col()
	{
		return threadIdx.x / WARP % 4 * WARP_COLS;
	}
	__device__ void clear()
	{
#pragma unroll
		for (int i = 0; i < WARP_ROWS / FRAGMENT; i++)
#pragma unroll
			for (int j = 0; j < WARP_COLS / FRAGMENT; j++)
				nvcuda::wmma::fill_fragment(sum[i][j], 0.0f);
	}
	/* rows, cols: how many of the tile there are; a fragment beyond them is left out, by the whole warp. */
	__device__ void add(const T *a, const T *b, unsigned rows, unsigned cols)
	{
		enum { ALONG = part<T>::ALONG, ACROSS = part<T>::ACROSS };
		nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, FRAGMENT, FRAGMENT, K, P,
		                       typename choose_type<A_ROWS, along, across>::type>
			x;
		nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, FRAGMENT, FRAGMENT, K, P,
		                       typename choose_type<B_ROWS, across, along>::type>
			y[WARP_COLS / FRAGMENT];
#pragma unroll
		for (int k = 0; k < part<T>::DEPTH; k += K) {
#pragma unroll
			for (int j = 0; j < WARP_COLS / FRAGMENT; j++) {
				unsigned at = col() + FRAGMENT * j;
				nvcuda::wmma::load_matrix_sync(
					y[j], (const C *)(const void *)(b + (B_ROWS ? k * ACROSS + at : at * ALONG + k)),
					B_ROWS ? ACROSS : ALONG);
				round_factors(y[j], (const C *)NULL);
			}
#pragma unroll
			for (int i = 0; i < WARP_ROWS / FRAGMENT; i++) {
				unsigned at = row() + FRAGMENT * i;
				if (at >= rows)
					continue;
				nvcuda::wmma::load_matrix_sync(
					x, (const C *)(const void *)(a + (A_ROWS ? k * ACROSS + at : at * ALONG + k)),
					A_ROWS ? ACROSS : ALONG);
				round_factors(x, (const C *)NULL);
#pragma unroll
				for (int j = 0; j < WARP_COLS / FRAGMENT; j++)
					if (col() + FRAGMENT * j < cols)
						nvcuda::wmma::mma_sync(sum[i][j], x, y[j], sum[i][j]);
			}
		}
	}
	/* Fragments go through a patch of shared memory, one per warp: which thread has which sum is the hardware's. */
	template <class F> __device__ void give(float *patches, unsigned rows, unsigned cols, F out) const
	{
		float *patch = patches + threadIdx.x / WARP * FRAGMENT * FRAGMENT;
		unsigned lane = threadIdx.x % WARP, r = lane / 2, c = lane % 2 * VEC;
#pragma unroll 1
		for (int now = 0; now < WARP_ROWS / FRAGMENT * (WARP_COLS / FRAGMENT); now++) {
			unsigned at_row = row() + FRAGMENT * (now / 2), at_col = col() + FRAGMENT * (now % 2);
			if (at_row >= rows || at_col >= cols)
				continue;
#pragma unroll
			for (int i = 0; i < WARP_ROWS / FRAGMENT; i++)
#pragma unroll
				for (int j = 0; j < WARP_COLS / FRAGMENT; j++)
					if (2 * i + j == now)
						nvcuda::wmma::store_matrix_sync(patch, sum[i][j], FRAGMENT, nvcuda::wmma::mem_row_major);
			__syncwarp();
			out(at_row + r, at_col + c, patch + r * FRAGMENT + c);
			__syncwarp();
		}
	}
};

#endif
