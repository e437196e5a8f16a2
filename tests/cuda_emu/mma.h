/* mma.h - the part of nvcuda::wmma that the back end uses, on the host: a warp's product of 16 x 16 fragments. Lane l
 * has row l % 16 and eight columns of the sums, and of each factor what it needs for them; a real warp spreads them
 * otherwise: no kernel may rely on it.
 */
#ifndef ABLATE_CUDA_EMU_MMA_H
#define ABLATE_CUDA_EMU_MMA_H

#include <string.h>

struct __nv_bfloat16 {
	unsigned short bits;
};

namespace nvcuda
{
namespace wmma
{

struct matrix_a {
};
struct matrix_b {
};
struct accumulator {
};
struct row_major {
};
struct col_major {
};
namespace precision
{
struct tf32 {
};
} // namespace precision
enum layout_t { mem_row_major, mem_col_major };

template <class USE, int M, int N, int K, class T, class LAYOUT = void> struct fragment;
template <int M, int N, int K> struct fragment<accumulator, M, N, K, float> {
	float x[8];
};
template <int M, int N, int K, class T, class LAYOUT> struct fragment<matrix_a, M, N, K, T, LAYOUT> {
	enum { num_elements = K };
	float x[K];
};
template <int M, int N, int K, class T, class LAYOUT> struct fragment<matrix_b, M, N, K, T, LAYOUT> {
	enum { num_elements = 8 * K };
	float x[8 * K];
};

static inline float emu_of_bits(unsigned bits)
{
	float f;
	memcpy(&f, &bits, sizeof f);
	return f;
}

static inline float emu_factor(const __nv_bfloat16 *p)
{
	return emu_of_bits((unsigned)p->bits << 16);
}

static inline float emu_factor(const float *p)
{
	return *p;
}

/* Ten bits of mantissa, to nearest, a half away from 0. */
static inline float __float_to_tf32(float x)
{
	unsigned bits;
	memcpy(&bits, &x, sizeof bits);
	return x == x ? emu_of_bits((bits + 0x1000u) & 0xFFFFE000u) : x;
}

static inline unsigned emu_at(row_major *, unsigned i, unsigned j, unsigned ld)
{
	return i * ld + j;
}
static inline unsigned emu_at(col_major *, unsigned i, unsigned j, unsigned ld)
{
	return j * ld + i;
}

/* A fragment starts at a multiple of 32 bytes, and its lines are a multiple of 16 bytes apart. */
template <class V> static inline void emu_fits(const V *p, unsigned ld)
{
	if ((size_t)p % 32 || ld * sizeof *p % 16)
		emu_found("a fragment that is not aligned");
}

template <int M, int N, int K, class T, class L, class V>
void load_matrix_sync(fragment<matrix_a, M, N, K, T, L> &a, const V *p, unsigned ld)
{
	emu_fits(p, ld);
	for (int k = 0; k < K; k++)
		a.x[k] = emu_factor(p + emu_at((L *)0, emu_lane() % 16, (unsigned)k, ld));
}

template <int M, int N, int K, class T, class L, class V>
void load_matrix_sync(fragment<matrix_b, M, N, K, T, L> &b, const V *p, unsigned ld)
{
	emu_fits(p, ld);
	for (int k = 0; k < K; k++)
		for (unsigned j = 0; j < 8; j++)
			b.x[8 * k + (int)j] = emu_factor(p + emu_at((L *)0, (unsigned)k, emu_lane() / 16 * 8 + j, ld));
}

template <int M, int N, int K> void fill_fragment(fragment<accumulator, M, N, K, float> &c, float value)
{
	for (int j = 0; j < 8; j++)
		c.x[j] = value;
}

template <int M, int N, int K, class T, class LA, class LB>
void mma_sync(fragment<accumulator, M, N, K, float> &d, const fragment<matrix_a, M, N, K, T, LA> &a,
              const fragment<matrix_b, M, N, K, T, LB> &b, const fragment<accumulator, M, N, K, float> &c)
{
	float sum[8];
	memcpy(sum, c.x, sizeof sum);
	for (int k = 0; k < K; k++)
		for (int j = 0; j < 8; j++)
			sum[j] += a.x[k] * b.x[8 * k + j];
	memcpy(d.x, sum, sizeof sum);
}

template <int M, int N, int K>
void store_matrix_sync(float *p, const fragment<accumulator, M, N, K, float> &c, unsigned ld, layout_t)
{
	emu_fits(p, ld);
	for (unsigned j = 0; j < 8; j++)
		p[emu_lane() % 16 * ld + emu_lane() / 16 * 8 + j] = c.x[j];
}

} // namespace wmma
} // namespace nvcuda

#endif
