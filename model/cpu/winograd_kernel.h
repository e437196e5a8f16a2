/* winograd_kernel.h - the inner loops of Winograd's convolutions, written once on vectors of LANES floats and included
 * once per instruction set (TARGET, and NAME() for unique names) by winograd_kernels.c: the product, and the transforms
 * of each way (the squares' and the point's in winograd_square.h, the lines' here). A word holds PAIR numbers.
 * Registers: an R x NV block of the product stays in them, so NV_MAX is 4 of 32 registers with AVX-512 and 2 of 16 with
 * AVX2. */

typedef float NAME(vec) __attribute__((vector_size(4 * LANES)));
typedef float NAME(loose)
	__attribute__((vector_size(4 * LANES), aligned(4), may_alias)); /* as it may be placed in memory */
typedef int NAME(bits) __attribute__((vector_size(4 * LANES)));
#define VEC     NAME(vec)
#define BITS    NAME(bits)
#define AT(p)   (*(NAME(loose) *)(p))
#define READ(p) ((VEC) * (const NAME(loose) *)(p))

/* sum + s w, of numbers that a word holds, for each lane; put() writes channels [i, i + LANES) at
 * out, put_words() words of two numbers. */
#if PAIR == 1
#define ADD_PRODUCT(sum, s, w) ((sum) + (s) * (w))

TARGET ALWAYS_INLINE void NAME(put)(const enum half half, float *out, int64_t i, VEC v)
{
	(void)half;
	AT(out + i) = v;
}

TARGET ALWAYS_INLINE void NAME(put_words)(float *out, VEC low, VEC high)
{
	(void)high;
	AT(out) = low;
}
#else
#define ADD_PRODUCT(sum, s, w) ((VEC)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)_mm512_set1_ps(s), (__m512bh)(w)))

TARGET ALWAYS_INLINE void NAME(put)(const enum half half, float *out, int64_t i, VEC v)
{
	__m256i bits = (__m256i)_mm512_cvtneps_pbh((__m512)v);
	if (half == BOTH_HALVES) {
		_mm256_storeu_si256((__m256i_u *)(out + i / 2), bits);
		return;
	}
	__m512i words = _mm512_cvtepu16_epi32(bits);
	if (half == UPPER_HALF)
		words = _mm512_or_si512(_mm512_slli_epi32(words, 16), _mm512_loadu_si512(out + i));
	_mm512_storeu_si512(out + i, words);
}

TARGET ALWAYS_INLINE void NAME(put_words)(float *out, VEC low, VEC high)
{
	const __m512i in_turn = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
	                                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
	__m512i bits = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
	_mm512_storeu_si512(out, _mm512_permutexvar_epi16(in_turn, bits));
}
#endif

/* c (R x NV vectors) = or += a (R x k, element [r][i] at a[r * row + i * step]) times b (k x NV vectors, rows ldb
 * apart). */
TARGET ALWAYS_INLINE void NAME(block)(const int R, const int NV, int64_t k, const float *a, int64_t row, int64_t step,
                                      const float *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
	VEC sum[6][4];
#pragma GCC unroll 6
	for (int r = 0; r < R; r++)
#pragma GCC unroll 4
		for (int v = 0; v < NV; v++)
			sum[r][v] = add ? READ(c + r * ldc + v * LANES) : (VEC){ 0 };
	for (int64_t i = 0; i < k; i++) {
		VEC w[4];
#pragma GCC unroll 4
		for (int v = 0; v < NV; v++)
			w[v] = READ(b + i * ldb + v * LANES);
#pragma GCC unroll 6
		for (int r = 0; r < R; r++) {
			float s = a[r * row + i * step];
#pragma GCC unroll 4
			for (int v = 0; v < NV; v++)
				sum[r][v] = ADD_PRODUCT(sum[r][v], s, w[v]);
		}
	}
#pragma GCC unroll 6
	for (int r = 0; r < R; r++)
#pragma GCC unroll 4
		for (int v = 0; v < NV; v++)
			AT(c + r * ldc + v * LANES) = sum[r][v];
}

TARGET ALWAYS_INLINE void NAME(rows)(const int NV, int64_t m, int64_t k, const float *a, int64_t row, int64_t step,
                                     const float *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
	int64_t i = 0;
	for (; i + 6 <= m; i += 6)
		NAME(block)(6, NV, k, a + i * row, row, step, b, ldb, c + i * ldc, ldc, add);
	for (; i + 4 <= m; i += 4)
		NAME(block)(4, NV, k, a + i * row, row, step, b, ldb, c + i * ldc, ldc, add);
	for (; i < m; i++)
		NAME(block)(1, NV, k, a + i * row, row, step, b, ldb, c + i * ldc, ldc, add);
}

/* c (m x n) = or += a (m x k) b (k x n); n is a multiple of 16. ldb = 0: b lies in panels of WIDE columns (a last one
 * is narrower), each k rows without a gap, so that it streams. */
TARGET static void NAME(gemm)(int64_t m, int64_t n, int64_t k, const float *a, int64_t row, int64_t step,
                              const float *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
	for (int64_t panel = 0; panel < n; panel += WIDE) {
		int64_t wide = n - panel < WIDE ? n - panel : WIDE, ld = ldb ? ldb : wide, j = 0;
		const float *from = ldb ? b + panel : b + panel * k;
		for (; NV_MAX == 4 && j + 4 * LANES <= wide; j += 4 * LANES)
			NAME(rows)(NV_MAX, m, k, a, row, step, from + j, ld, c + panel + j, ldc, add);
		for (; NV_MAX == 4 && j + 3 * LANES <= wide; j += 3 * LANES)
			NAME(rows)(NV_MAX - 1, m, k, a, row, step, from + j, ld, c + panel + j, ldc, add);
		for (; j + 2 * LANES <= wide; j += 2 * LANES)
			NAME(rows)(2, m, k, a, row, step, from + j, ld, c + panel + j, ldc, add);
		for (; j < wide; j += LANES)
			NAME(rows)(1, m, k, a, row, step, from + j, ld, c + panel + j, ldc, add);
	}
}

#include "model/cpu/winograd_square.h"

/* F(2,3) along a line: B^T d of 4 pixels. */
TARGET ALWAYS_INLINE void NAME(line3)(float *out, size_t plane, VEC d0, VEC d1, VEC d2, VEC d3)
{
	AT(out) = d0 - d2;
	AT(out + plane) = d1 + d2;
	AT(out + 2 * plane) = d2 - d1;
	AT(out + 3 * plane) = d1 - d3;
}

TARGET static void NAME(line3_input)(enum half half, float *out, size_t plane, const float *const *px,
                                     const float *const *next, int64_t c)
{
	(void)half, (void)next;
	for (int64_t i = 0; i < c; i += LANES)
		NAME(line3)(out + i, plane, READ(px[0] + i), READ(px[1] + i), READ(px[2] + i), READ(px[3] + i));
}

/* Seven taps are four, by F(2,4) at the points 0, 1, -1, 2 and infinity, and three, by F(2,3), each over its part of 8
 * pixels. */
TARGET static void NAME(line7_input)(enum half half, float *out, size_t plane, const float *const *px,
                                     const float *const *next, int64_t c)
{
	(void)half, (void)next;
	for (int64_t i = 0; i < c; i += LANES) {
		VEC d0 = READ(px[0] + i), d1 = READ(px[1] + i), d2 = READ(px[2] + i), d3 = READ(px[3] + i),
			d4 = READ(px[4] + i);
		float *o = out + i;
		AT(o) = 2.0f * (d0 - d2) + (d3 - d1);
		AT(o + plane) = (d3 - d2) - 2.0f * d1;
		AT(o + 2 * plane) = (d3 - d2) - 2.0f * (d2 - d1);
		AT(o + 3 * plane) = d3 - d1;
		AT(o + 4 * plane) = 2.0f * (d1 - d3) + (d4 - d2);
		NAME(line3)(o + 5 * plane, plane, d4, READ(px[5] + i), READ(px[6] + i), READ(px[7] + i));
	}
}

/* y[2] = A^T m, plus bias; `taps` 3 or 7, as above. */
TARGET ALWAYS_INLINE void NAME(line_output)(const int taps, float *const *y, const float *m, size_t plane,
                                            const float *bias, bool relu, int64_t c)
{
	for (int64_t i = 0; i < c; i += LANES) {
		const float *n = m + (taps == 7 ? 5 * plane : 0) + i;
		VEC zero = { 0 }, n1 = READ(n + plane), n2 = READ(n + 2 * plane), b = bias ? READ(bias + i) : zero;
		VEC r0 = READ(n) + n1 + n2, r1 = n1 - n2 - READ(n + 3 * plane);
		if (taps == 7) {
			VEC m1 = READ(m + plane + i), m2 = READ(m + 2 * plane + i), m3 = READ(m + 3 * plane + i);
			r0 += READ(m + i) + m1 + m2 + m3;
			r1 += m1 - m2 + 2.0f * m3 + READ(m + 4 * plane + i);
		}
		r0 += b;
		r1 += b;
		if (relu) {
			r0 = (VEC)((BITS)r0 & (r0 > zero));
			r1 = (VEC)((BITS)r1 & (r1 > zero));
		}
		AT(y[0] + i) = r0;
		if (y[1])
			AT(y[1] + i) = r1;
	}
}

TARGET static void NAME(line3_output)(float *const *y, const float *m, size_t plane, const float *bias, bool relu,
                                      int64_t c)
{
	NAME(line_output)(3, y, m, plane, bias, relu, c);
}

TARGET static void NAME(line7_output)(float *const *y, const float *m, size_t plane, const float *bias, bool relu,
                                      int64_t c)
{
	NAME(line_output)(7, y, m, plane, bias, relu, c);
}

static const struct kernels NAME(kernels) = {
	.pair = PAIR,
	.gemm = NAME(gemm),
	.input = { NAME(input2), NAME(input4), NAME(input1), NAME(input5), NAME(line7_input), NAME(line3_input) },
	.output = { NAME(output2), NAME(output4), NAME(output1), NAME(output5), NAME(line7_output), NAME(line3_output) },
	.gradient = { NAME(gradient2), NAME(gradient4), NAME(input1) },
	.weights = { NAME(weights2), NAME(weights4), NAME(weights1) },
	.taps = { NAME(taps2), NAME(taps4), NAME(taps1) },
};

#undef VEC
#undef BITS
#undef AT
#undef READ
#undef NAME
#undef TARGET
#undef LANES
#undef NV_MAX
#undef PAIR
#undef ADD_PRODUCT
