/* kernel.cuh - what kernels share: values that are floats or bf16, eight at a time; sums over a block; sums and sweeps
 * over the pixels of an image by channel.
 *
 * A struct val is a tensor's memory with its type, known at run time: every thread of a launch takes the same branch,
 * and each op takes any mix of types. Arithmetic is in float. Eight values are one 16-byte access in bf16 and two in
 * float.
 *
 * Sums are made in two stages in an order that shapes and the device's size decide alone: no atomics on floats. */
#ifndef ABLATE_KERNEL_CUH
#define ABLATE_KERNEL_CUH

#include "model/cuda/cuda.h"

enum { VEC = 8, BLOCK = 256, WARP = 32 };

/* ---- values ---------------------------------------------------------------------------------- */

typedef unsigned short low16; /* bf16's bits */

struct val {
	void *p;       /* NULL: absent */
	int low, wide; /* bf16 and not float; p is 16-byte aligned */
};

static inline struct val val_at(const void *p, enum tensor_type type)
{
	union {
		const void *given;
		void *kept;
	} u = { p }; /* sources and destinations are passed alike */
	struct val v = { u.kept, type == TENSOR_BF16, (uintptr_t)p % 16 == 0 };
	return v;
}

static inline struct val val_of(const struct tensor *t)
{
	return val_at(t ? (const void *)t->data : NULL, t ? t->type : TENSOR_F32);
}

static inline size_t type_bytes(enum tensor_type type)
{
	return type == TENSOR_BF16 ? 2 : 4;
}

__device__ static inline float of_low(unsigned short x)
{
	union {
		unsigned u;
		float f;
	} v = { (unsigned)x << 16 };
	return v.f;
}

/* To nearest even; a NaN stays one. */
__device__ static inline unsigned short to_low(float x)
{
	union {
		float f;
		unsigned u;
	} v = { x };
	if (x != x)
		return (unsigned short)(v.u >> 16 | 0x40);
	return (unsigned short)((v.u + 0x7FFF + (v.u >> 16 & 1)) >> 16);
}

/* Both at once; low: the one at the lower address. */
__device__ static inline unsigned to_low_pair(float low, float high)
{
#ifdef ABLATE_CUDA_EMU
	return (unsigned)to_low(low) | (unsigned)to_low(high) << 16;
#else
	unsigned pair;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
	return pair;
#endif
}

/* Eight values at p, which is aligned for them. */
__device__ static inline void load_wide(float x[VEC], const float *p)
{
	float4 a = ((const float4 *)p)[0], b = ((const float4 *)p)[1];
	x[0] = a.x, x[1] = a.y, x[2] = a.z, x[3] = a.w;
	x[4] = b.x, x[5] = b.y, x[6] = b.z, x[7] = b.w;
}

__device__ static inline void load_wide(float x[VEC], const low16 *p)
{
	uint4 u = *(const uint4 *)p;
	const unsigned word[4] = { u.x, u.y, u.z, u.w };
#pragma unroll
	for (int k = 0; k < 4; k++) {
		x[2 * k] = of_low((unsigned short)word[k]);
		x[2 * k + 1] = of_low((unsigned short)(word[k] >> 16));
	}
}

__device__ static inline void store_wide(float *p, const float x[VEC])
{
	((float4 *)p)[0] = make_float4(x[0], x[1], x[2], x[3]);
	((float4 *)p)[1] = make_float4(x[4], x[5], x[6], x[7]);
}

__device__ static inline void store_wide(unsigned short *p, const float x[VEC])
{
	*(uint4 *)p = make_uint4(to_low_pair(x[0], x[1]), to_low_pair(x[2], x[3]), to_low_pair(x[4], x[5]),
	                         to_low_pair(x[6], x[7]));
}

__device__ static inline float val_get(struct val v, int64_t i)
{
	return v.low ? of_low(((const unsigned short *)v.p)[i]) : ((const float *)v.p)[i];
}

__device__ static inline void val_put(struct val v, int64_t i, float x)
{
	if (v.low)
		((unsigned short *)v.p)[i] = to_low(x);
	else
		((float *)v.p)[i] = x;
}

/* Values i .. i + count - 1, count <= VEC; the rest of x is 0. Wide accesses where i is a multiple of VEC and count is
 * VEC. */
__device__ static inline void val_load(float x[VEC], struct val v, int64_t i, int count)
{
	if (v.wide && count == VEC && v.low) {
		load_wide(x, (const unsigned short *)v.p + i);
	} else if (v.wide && count == VEC) {
		load_wide(x, (const float *)v.p + i);
	} else {
#pragma unroll
		for (int k = 0; k < VEC; k++)
			x[k] = k < count ? val_get(v, i + k) : 0;
	}
}

__device__ static inline void val_store(struct val v, int64_t i, int count, const float x[VEC])
{
	if (v.wide && count == VEC && v.low) {
		store_wide((unsigned short *)v.p + i, x);
	} else if (v.wide && count == VEC) {
		store_wide((float *)v.p + i, x);
	} else {
#pragma unroll
		for (int k = 0; k < VEC; k++)
			if (k < count)
				val_put(v, i + k, x[k]);
	}
}

__device__ static inline float sigmoid(float x)
{
	return 1.0f / (1.0f + expf(-x));
}

/* The same for a result that bf16 will hold: relative error below 2e-7 (3 + |x|), on the device two instructions of the
 * special unit (CUDA C Programming Guide, "Intrinsic Functions": __expf, __fdividef). */
__device__ static inline float sigmoid_near(float x)
{
	return __fdividef(1.0f, 1.0f + __expf(-x));
}

/* As precise as type T holds. */
template <class T> __device__ static inline float sigmoid_for(float x)
{
	return sizeof(T) == sizeof(float) ? sigmoid(x) : sigmoid_near(x);
}

/* ---- one pass over flat tensors -------------------------------------------------------------- */

/* dst[i] = f(a[i], b[i]); b may be absent and is then 0. A thread takes VEC values; bandwidth is the ceiling. */
template <class F> static __global__ void map_kernel(F f, struct val dst, struct val a, struct val b, int64_t n)
{
	int64_t i = ((int64_t)blockIdx.x * BLOCK + threadIdx.x) * VEC;
	if (i >= n)
		return;
	int count = n - i < VEC ? (int)(n - i) : VEC;
	float x[VEC], y[VEC] = { 0 };
	val_load(x, a, i, count);
	if (b.p)
		val_load(y, b, i, count);
#pragma unroll
	for (int k = 0; k < VEC; k++)
		x[k] = f(x[k], y[k]);
	val_store(dst, i, count, x);
}

template <class F> static inline void map(struct cuda *cu, F f, struct val dst, struct val a, struct val b, size_t n)
{
	LAUNCH(cu, map_kernel<F>, blocks_for(n, BLOCK * VEC), BLOCK, 0, f, dst, a, b, (int64_t)n);
}

struct identity {
	__device__ float operator()(float a, float) const
	{
		return a;
	}
};

/* The same values as another type. */
static inline void convert(struct cuda *cu, struct val dst, struct val src, size_t n)
{
	struct val none = { NULL, 0, 0 };
	map(cu, identity(), dst, src, none, n);
}

/* ---- sums over a warp, over a block ---------------------------------------------------------- */

template <class T> __device__ static inline T warp_sum(T x)
{
	for (int lanes = WARP / 2; lanes > 0; lanes /= 2)
		x += __shfl_xor_sync(0xFFFFFFFFu, x, lanes);
	return x;
}

__device__ static inline float warp_max(float x)
{
	for (int lanes = WARP / 2; lanes > 0; lanes /= 2) {
		float other = __shfl_xor_sync(0xFFFFFFFFu, x, lanes);
		x = other > x ? other : x;
	}
	return x;
}

/* The sum over the block's threads, for each of them; shared: WARP values. Every thread takes part; whole warps. */
template <class T> __device__ static inline T block_sum(T x, T *shared)
{
	unsigned warps = blockDim.x / WARP, lane = threadIdx.x % WARP;
	x = warp_sum(x);
	__syncthreads(); /* an earlier sum may still be read */
	if (lane == 0)
		shared[threadIdx.x / WARP] = x;
	__syncthreads();
	T sum = 0;
	for (unsigned i = 0; i < warps; i++)
		sum += shared[i];
	return sum;
}

/* ---- images by channel ----------------------------------------------------------------------- */

/* How the pixels and channels of (images, pixels, c) are cut over blocks of BLOCK threads: a block takes one image, one
 * run of pixels and one tile of channels; its threads are `rows` pixels by `cols` runs of `vec` neighbouring
 * channels. */
struct columns {
	int64_t images, pixels, c, tiles, chunks, per_chunk;
	int vec, cols, rows;
};

static inline struct columns columns_of(const struct cuda *cu, int64_t images, int64_t pixels, int64_t c,
                                        int64_t pixels_per_thread)
{
	struct columns p = { images, pixels, c, 1, 1, pixels, c % VEC == 0 ? VEC : 1, 1, BLOCK };
	int64_t runs = c / p.vec;
	while (p.cols < WARP && p.cols < runs)
		p.cols *= 2;
	p.rows = BLOCK / p.cols;
	p.tiles = (runs + p.cols - 1) / p.cols;
	int64_t most = (pixels + p.rows * pixels_per_thread - 1) /
	               (p.rows * pixels_per_thread); /* below that a block has too little to do */
	int64_t want = (8 * (int64_t)cu->processors + images * p.tiles - 1) / (images * p.tiles);
	p.chunks = most < want ? most : want;
	p.per_chunk = (pixels + p.chunks - 1) / p.chunks;
	p.chunks = (pixels + p.per_chunk - 1) / p.per_chunk;
	return p;
}

static inline unsigned columns_blocks(const struct columns *p)
{
	return (unsigned)(p->images * p->chunks * p->tiles);
}

/* The place of a thread: its image, its first channel and how many it has (0: none), its pixels first, first + rows, ..
 * last. */
struct place {
	int64_t n, chunk, c, first, last;
	int count, row, col;
};

__device__ static inline struct place place_of(const struct columns &p)
{
	struct place at;
	int64_t block = blockIdx.x, tile = block % p.tiles;
	at.chunk = block / p.tiles % p.chunks;
	at.n = block / p.tiles / p.chunks;
	at.col = (int)threadIdx.x % p.cols;
	at.row = (int)threadIdx.x / p.cols;
	at.c = (tile * p.cols + at.col) * p.vec;
	at.count = at.c < p.c ? p.vec : 0;
	at.first = at.chunk * p.per_chunk + at.row;
	at.last = (at.chunk + 1) * p.per_chunk < p.pixels ? (at.chunk + 1) * p.per_chunk : p.pixels;
	return at;
}

/* f.begin(n, c, count), then f.pixel(first element, count) for each pixel of the thread. F::RESIDENT: blocks that a
 * multiprocessor has room for by their registers; a thread has one load of each tensor under way, so it takes many
 * threads to keep memory busy. */
template <class F> static __global__ void __launch_bounds__(BLOCK, F::RESIDENT) sweep_kernel(F f, struct columns p)
{
	struct place at = place_of(p);
	if (at.count == 0)
		return;
	f.begin(at.n, at.c, at.count);
	for (int64_t i = at.first; i < at.last; i += p.rows)
		f.pixel((at.n * p.pixels + i) * p.c + at.c, at.count);
}

/* partial[(n * chunks + chunk) * K + k][c] = sum over the chunk's pixels of what f.pixel adds to sum[k][.]: each thread
 * over its own, then the block's rows in order. */
template <class F>
static __global__ void __launch_bounds__(BLOCK, F::RESIDENT) column_sums_kernel(F f, struct columns p, float *partial)
{
	enum { K = F::SUMS };
	SHARED(float, shared, (K * VEC * BLOCK));
	struct place at = place_of(p);
	float sum[K][VEC] = {};
	if (at.count) {
		f.begin(at.n, at.c, at.count);
		for (int64_t i = at.first; i < at.last; i += p.rows)
			f.pixel(sum, (at.n * p.pixels + i) * p.c + at.c, at.count);
	}
	int width = p.cols * p.vec; /* channels of this block */
#pragma unroll
	for (int k = 0; k < K; k++)
#pragma unroll
		for (int j = 0; j < VEC; j++)
			if (j < p.vec)
				shared[(k * p.rows + at.row) * width + at.col * p.vec + j] = sum[k][j];
	__syncthreads();
	int64_t first = at.c - (int64_t)at.col * p.vec;
	for (int t = (int)threadIdx.x; t < K * width; t += BLOCK) {
		int k = t / width, j = t % width;
		if (first + j >= p.c)
			continue;
		float total = 0;
		for (int row = 0; row < p.rows; row++)
			total += shared[(k * p.rows + row) * width + j];
		partial[((at.n * p.chunks + at.chunk) * K + k) * p.c + first + j] = total;
	}
}

/* Where sums of neighbouring columns go, `each` of them to one. */
struct sums_to {
	struct val dst[3];
	int64_t each;
};

/* dst[c] = scale * sum over rows of src[row][c], in double, for c channels of rows that are `stride` floats apart; a
 * block takes 32 channels, 8 threads each. Image blockIdx / tiles: rows and the only dst move on. */
static __global__ void rows_sum_kernel(struct sums_to to, const float *src, int64_t rows, int64_t stride, int64_t c,
                                       int64_t tiles, float scale)
{
	SHARED(double, shared, BLOCK);
	int64_t n = blockIdx.x / tiles, at = blockIdx.x % tiles * WARP + threadIdx.x % WARP;
	double sum = 0;
	for (int64_t i = threadIdx.x / WARP; i < rows && at < c; i += BLOCK / WARP)
		sum += (double)src[(n * rows + i) * stride + at];
	shared[threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.x >= WARP || at >= c)
		return;
	for (int i = 1; i < BLOCK / WARP; i++)
		sum += shared[i * WARP + threadIdx.x];
	int64_t which = at / to.each;
	struct val dst = which == 0 ? to.dst[0] : which == 1 ? to.dst[1] : to.dst[2];
	val_put(dst, n * c + at - which * to.each, (float)(sum * (double)scale));
}

static inline void rows_sum(struct cuda *cu, struct val dst, const float *src, int64_t images, int64_t rows,
                            int64_t stride, int64_t c, float scale)
{
	int64_t tiles = (c + WARP - 1) / WARP;
	struct sums_to to = { { dst }, c };
	LAUNCH(cu, rows_sum_kernel, (unsigned)(images * tiles), BLOCK, 0, to, src, rows, stride, c, tiles, scale);
}

/* Rows of three times c floats, the sums of each third to a tensor of its own; the last may be absent. */
static inline void rows_sum_thirds(struct cuda *cu, const struct val dst[3], const float *src, int64_t rows, int64_t c)
{
	int64_t columns = (dst[2].p ? 3 : 2) * c, tiles = (columns + WARP - 1) / WARP;
	struct sums_to to = { { dst[0], dst[1], dst[2] }, c };
	LAUNCH(cu, rows_sum_kernel, (unsigned)tiles, BLOCK, 0, to, src, rows, 3 * c, columns, tiles, 1);
}

/* The plain sum of x over pixels. */
struct sum_terms {
	enum { SUMS = 1, RESIDENT = 5 };
	struct val x;
	__device__ void begin(int64_t, int64_t, int)
	{
	}
	__device__ void pixel(float (&sum)[1][VEC], int64_t at, int count) const
	{
		float v[VEC];
		val_load(v, x, at, count);
#pragma unroll
		for (int k = 0; k < VEC; k++)
			sum[0][k] += v[k];
	}
};

/* Scratch is handed out in pieces of 256 bytes. */
static inline size_t piece(size_t bytes)
{
	return (bytes + 255) / 256 * 256;
}

#endif
