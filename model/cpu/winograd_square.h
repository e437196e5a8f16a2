/* winograd_square.h - part of winograd_kernel.h: the transforms of 3x3 taps, F(m x m, 3x3) for m = 2 and 4 (Lavin and
 * Gray, arXiv:1509.09308, section 4), and of 5x5 frozen ones, F(2x2,5x5), which take their inputs as m = 4 does. Each
 * is a transform along a line, done down the columns and then along the rows; with Y = A^T [(G g G^T) . (B^T d B)] A in
 * that paper's letters. For the weights gradient the same matrices change their parts:
 * dw = G^T [(B^T d B) . (A dy A^T)] G.
 *
 * m = 2 has the points 0, 1, -1 and infinity: its factors are halves, and it is more accurate than a direct sum. m = 4
 * has 0, +-5/8, +-3/2 and infinity instead of that paper's 0, +-1, +-2 and infinity: of points that floats hold exactly
 * with their squares, those with the least error (a root mean square of 1.05e-6 of the result's over 128 channels of
 * random numbers, summed one by one in float; 0, +-1, +-2 have 2.3e-6, a direct sum 6.2e-7, m = 2 3.5e-7). */

/* A transform along a line: so many vectors `from` become so many `to`. */
#define LINE(name) TARGET ALWAYS_INLINE void NAME(name)(VEC * to, const VEC *from)

LINE(line1) /* of one tap: nothing to do */
{
	to[0] = from[0];
}

LINE(input_line2)
{
	to[0] = from[0] - from[2];
	to[1] = from[1] + from[2];
	to[2] = from[2] - from[1];
	to[3] = from[1] - from[3];
}

LINE(output_line2)
{
	to[0] = from[0] + from[1] + from[2];
	to[1] = from[1] - from[2] - from[3];
}

LINE(gradient_line2)
{
	to[0] = from[0];
	to[1] = from[0] + from[1];
	to[2] = from[0] - from[1];
	to[3] = -from[1];
}

LINE(weights_line2)
{
	to[0] = from[0];
	to[1] = (from[0] + from[2] + from[1]) * 0.5f;
	to[2] = (from[0] + from[2] - from[1]) * 0.5f;
	to[3] = from[2];
}

LINE(taps_line2)
{
	to[0] = from[0] + (from[1] + from[2]) * 0.5f;
	to[1] = (from[1] - from[2]) * 0.5f;
	to[2] = from[3] + (from[1] + from[2]) * 0.5f;
}

/* The values at a point and at its opposite: what is the same at both, and what has the point's sign. The factor is
 * multiplied here, so that a compiler that fuses only within an expression does it. */
TARGET ALWAYS_INLINE void NAME(opposites)(VEC *to, VEC even, const float factor, VEC odd)
{
	to[0] = even + factor * odd;
	to[1] = even - factor * odd;
}

LINE(input_line4)
{
	VEC odd_near = from[3] - FAR_2 * from[1], odd_far = from[3] - NEAR_2 * from[1];
	VEC even_near = from[4] - FAR_2 * from[2], even_far = from[4] - NEAR_2 * from[2];
	to[0] = NEAR_2 * FAR_2 * from[0] + (from[4] - (NEAR_2 + FAR_2) * from[2]);
	NAME(opposites)(to + 1, even_near, NEAR, odd_near);
	NAME(opposites)(to + 3, even_far, FAR, odd_far);
	to[5] = NEAR_2 * FAR_2 * from[1] + (from[5] - (NEAR_2 + FAR_2) * from[3]);
}

LINE(output_line4)
{
	VEC odd_near = from[1] - from[2], odd_far = from[3] - from[4];
	VEC even_near = from[1] + from[2], even_far = from[3] + from[4];
	to[0] = from[0] + even_near + even_far;
	to[1] = NEAR * odd_near + FAR * odd_far;
	to[2] = NEAR_2 * even_near + FAR_2 * even_far;
	to[3] = NEAR * NEAR_2 * odd_near + (FAR * FAR_2 * odd_far + from[5]);
}

LINE(output_line5)
{
	to[0] = from[0] + (from[1] + from[2]) + (from[3] + from[4]);
	to[1] = NEAR * (from[1] - from[2]) + (FAR * (from[3] - from[4]) + from[5]);
}

LINE(gradient_line4)
{
	VEC odd_near = from[1] + NEAR_2 * from[3], odd_far = from[1] + FAR_2 * from[3];
	VEC even_near = from[0] + NEAR_2 * from[2], even_far = from[0] + FAR_2 * from[2];
	to[0] = from[0];
	NAME(opposites)(to + 1, even_near, NEAR, odd_near);
	NAME(opposites)(to + 3, even_far, FAR, odd_far);
	to[5] = from[3];
}

LINE(weights_line4)
{
	VEC even_near = SCALE_NEAR * from[0] + NEAR_2 * SCALE_NEAR * from[2];
	VEC even_far = SCALE_FAR * from[0] + FAR_2 * SCALE_FAR * from[2];
	to[0] = SCALE_ZERO * from[0];
	NAME(opposites)(to + 1, even_near, NEAR * SCALE_NEAR, from[1]);
	NAME(opposites)(to + 3, even_far, FAR * SCALE_FAR, from[1]);
	to[5] = from[2];
}

LINE(taps_line4)
{
	VEC even_near = SCALE_NEAR * (from[1] + from[2]), even_far = SCALE_FAR * (from[3] + from[4]);
	to[0] = SCALE_ZERO * from[0] + (even_near + even_far);
	to[1] = NEAR * SCALE_NEAR * (from[1] - from[2]) + FAR * SCALE_FAR * (from[3] - from[4]);
	to[2] = NEAR_2 * even_near + (FAR_2 * even_far + from[5]);
}

/* ---- both ways ------------------------------------------------------------------------------- */

/* to (n_to x n_to) = `line` down the columns of from (n_from x n_from), then along the rows. */
TARGET ALWAYS_INLINE void NAME(both)(void (*line)(VEC *to, const VEC *from), const int n_to, const int n_from, VEC *to,
                                     const VEC *from)
{
	VEC half[6][6];
#pragma GCC unroll 6
	for (int q = 0; q < n_from; q++) {
		VEC column[6], made[6];
#pragma GCC unroll 6
		for (int r = 0; r < n_from; r++)
			column[r] = from[r * n_from + q];
		line(made, column);
#pragma GCC unroll 6
		for (int r = 0; r < n_to; r++)
			half[r][q] = made[r];
	}
#pragma GCC unroll 6
	for (int r = 0; r < n_to; r++)
		line(to + r * n_to, half[r]);
}

/* out[k] (`plane` floats apart), k < planes^2 = the transform of the pixels^2 pixels at px, for c channels. The pixels
 * of the next tile, but for `shared` columns that this one reads too, are asked for on the way: they come from far. */
TARGET ALWAYS_INLINE void NAME(written)(const enum half half, void (*line)(VEC *to, const VEC *from), const int planes,
                                        const int pixels, const int shared, float *out, size_t plane,
                                        const float *const *px, const float *const *next, int64_t c)
{
	for (int64_t i = 0; i < c; i += LANES) {
		VEC from[36], to[36];
#pragma GCC unroll 36
		for (int k = 0; k < pixels * pixels; k++) {
			from[k] = READ(px[k] + i);
			if (k % pixels >= shared)
				__builtin_prefetch(next[k] + i);
		}
		NAME(both)(line, planes, pixels, to, from);
#pragma GCC unroll 36
		for (int k = 0; k < planes * planes; k++)
			NAME(put)(half, out + (size_t)k * plane, i, to[k]);
	}
}

TARGET ALWAYS_INLINE void NAME(to_planes)(enum half half, void (*line)(VEC *to, const VEC *from), const int planes,
                                          const int pixels, const int shared, float *out, size_t plane,
                                          const float *const *px, const float *const *next, int64_t c)
{
	if (PAIR == 1 || half == BOTH_HALVES)
		NAME(written)(BOTH_HALVES, line, planes, pixels, shared, out, plane, px, next, c);
	else if (half == LOWER_HALF)
		NAME(written)(LOWER_HALF, line, planes, pixels, shared, out, plane, px, next, c);
	else
		NAME(written)(UPPER_HALF, line, planes, pixels, shared, out, plane, px, next, c);
}

#define TO_PLANES(name, line, planes, pixels, shared) \
	TARGET static void NAME(name)(enum half half, float *out, size_t plane, const float *const *px, \
	                              const float *const *next, int64_t c) \
	{ \
		NAME(to_planes)(half, NAME(line), planes, pixels, shared, out, plane, px, next, c); \
	}

/* B^T d B of the pixels at px; A dy A^T. */
TO_PLANES(input1, line1, 1, 1, 0)
TO_PLANES(input2, input_line2, 4, 4, 2)
TO_PLANES(input4, input_line4, 6, 6, 2)
TO_PLANES(input5, input_line4, 6, 6, 4)
TO_PLANES(gradient2, gradient_line2, 4, 2, 0)
TO_PLANES(gradient4, gradient_line4, 6, 4, 0)

/* y (pixels that lie outside are NULL) = A^T m A, plus bias. */
TARGET ALWAYS_INLINE void NAME(from_planes)(void (*line)(VEC *to, const VEC *from), const int pixels, const int planes,
                                            float *const *y, const float *m, size_t plane, const float *bias, bool relu,
                                            int64_t c)
{
	for (int64_t i = 0; i < c; i += LANES) {
		VEC from[36], to[16], zero = { 0 };
#pragma GCC unroll 36
		for (int k = 0; k < planes * planes; k++)
			from[k] = READ(m + (size_t)k * plane + i);
		NAME(both)(line, pixels, planes, to, from);
		VEC b = bias ? READ(bias + i) : zero;
#pragma GCC unroll 16
		for (int k = 0; k < pixels * pixels; k++) {
			VEC r = to[k] + b;
			if (relu)
				r = (VEC)((BITS)r & (r > zero));
			if (y[k])
				AT(y[k] + i) = r;
		}
	}
}

#define FROM_PLANES(name, line, pixels, planes) \
	TARGET static void NAME(name)(float *const *y, const float *m, size_t plane, const float *bias, bool relu, \
	                              int64_t c) \
	{ \
		NAME(from_planes)(NAME(line), pixels, planes, y, m, plane, bias, relu, c); \
	}

FROM_PLANES(output1, line1, 1, 1)
FROM_PLANES(output2, output_line2, 2, 4)
FROM_PLANES(output4, output_line4, 4, 6)
FROM_PLANES(output5, output_line5, 2, 6)

/* ---- weights --------------------------------------------------------------------------------- */

typedef float NAME(eight) __attribute__((vector_size(32)));
typedef float NAME(loose_eight) __attribute__((vector_size(32), aligned(4), may_alias));
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

/* The transpose of 8 x 8 floats: of pairs, of fours, of halves. */
TARGET ALWAYS_INLINE void NAME(transpose)(NAME(eight) * x)
{
	NAME(eight) pairs[8], fours[8];
#pragma GCC unroll 4
	for (int i = 0; i < 8; i += 2) {
		pairs[i] = SHUFFLE(x[i], x[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
		pairs[i + 1] = SHUFFLE(x[i], x[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
	}
#pragma GCC unroll 2
	for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
		for (int j = 0; j < 2; j++) {
			fours[i + 2 * j] = SHUFFLE(pairs[i + j], pairs[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
			fours[i + 2 * j + 1] = SHUFFLE(pairs[i + j], pairs[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
		}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		x[i] = SHUFFLE(fours[i], fours[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
		x[i + 4] = SHUFFLE(fours[i], fours[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
	}
}

/* taps[k], lane l = w[l * out + k]: nine floats at each of LANES places. */
TARGET ALWAYS_INLINE void NAME(gather_taps)(VEC *taps, const float *w, int64_t out)
{
	float lanes[9][LANES];
#pragma GCC unroll 2
	for (int at = 0; at < LANES; at += 8) {
		NAME(eight) x[8];
#pragma GCC unroll 8
		for (int l = 0; l < 8; l++) {
			x[l] = *(const NAME(loose_eight) *)(w + (at + l) * out);
			lanes[8][at + l] = w[(at + l) * out + 8];
		}
		NAME(transpose)(x);
#pragma GCC unroll 8
		for (int k = 0; k < 8; k++)
			*(NAME(loose_eight) *)(lanes[k] + at) = x[k];
	}
#pragma GCC unroll 9
	for (int k = 0; k < 9; k++)
		taps[k] = READ(lanes[k]);
}

/* u[k][i][o] = G g G^T of 16 outputs o and n input channels i, whose nine taps are at w[i * in + o * out], in the
 * opposite order if flip; PAIR channels a row. */
TARGET ALWAYS_INLINE void NAME(weights)(void (*line)(VEC *to, const VEC *from), const int planes, float *u,
                                        size_t plane, int64_t ldu, const float *w, int64_t in, int64_t out, bool flip,
                                        int64_t n)
{
	for (int64_t i = 0; i < n; i += PAIR)
		for (int64_t o = 0; o < 16; o += LANES) {
			VEC to[PAIR][36];
#pragma GCC unroll 2
			for (int at = 0; at < PAIR; at++) {
				VEC taps[9], from[9];
				NAME(gather_taps)(taps, w + (i + at) * in + o * out, out);
#pragma GCC unroll 9
				for (int k = 0; k < 9; k++)
					from[k] = flip ? taps[8 - k] : taps[k];
				NAME(both)(line, planes, 3, to[at], from);
			}
#pragma GCC unroll 36
			for (int k = 0; k < planes * planes; k++)
				NAME(put_words)(u + (size_t)k * plane + i / PAIR * ldu + o, to[0][k], to[PAIR - 1][k]);
		}
}

TARGET static void NAME(weights2)(float *u, size_t plane, int64_t ldu, const float *w, int64_t in, int64_t out,
                                  bool flip, int64_t n)
{
	NAME(weights)(NAME(weights_line2), 4, u, plane, ldu, w, in, out, flip, n);
}

TARGET static void NAME(weights4)(float *u, size_t plane, int64_t ldu, const float *w, int64_t in, int64_t out,
                                  bool flip, int64_t n)
{
	NAME(weights)(NAME(weights_line4), 6, u, plane, ldu, w, in, out, flip, n);
}

/* Of one tap: u[i][o] = w[i * in + o * out]. */
TARGET static void NAME(weights1)(float *u, size_t plane, int64_t ldu, const float *w, int64_t in, int64_t out,
                                  bool flip, int64_t n)
{
	(void)plane, (void)flip;
	for (int64_t i = 0; i < n; i++)
		for (int64_t o = 0; o < 16; o += LANES) {
			float lanes[LANES];
			for (int l = 0; l < LANES; l++)
				lanes[l] = w[i * in + (o + l) * out];
			NAME(put)(i % 2 ? UPPER_HALF : LOWER_HALF, u + i / PAIR * ldu, o, READ(lanes));
		}
}

/* The taps of outputs o (at dw[o * out], nine each) = G^T s G of one input channel's row of s. */
TARGET ALWAYS_INLINE void NAME(taps)(void (*line)(VEC *to, const VEC *from), const int planes, float *dw, int64_t out,
                                     const float *s, size_t plane, int64_t n)
{
	for (int64_t o = 0; o < n; o += LANES) {
		VEC from[36], to[9];
		float lanes[9][LANES];
#pragma GCC unroll 36
		for (int k = 0; k < planes * planes; k++)
			from[k] = READ(s + (size_t)k * plane + o);
		NAME(both)(line, 3, planes, to, from);
#pragma GCC unroll 9
		for (int k = 0; k < 9; k++)
			AT(lanes[k]) = to[k];
#pragma GCC unroll 2
		for (int at = 0; at < LANES; at += 8) {
			NAME(eight) x[8];
#pragma GCC unroll 8
			for (int k = 0; k < 8; k++)
				x[k] = *(const NAME(loose_eight) *)(lanes[k] + at);
			NAME(transpose)(x);
#pragma GCC unroll 8
			for (int l = 0; l < 8; l++) {
				*(NAME(loose_eight) *)(dw + (o + at + l) * out) = x[l];
				dw[(o + at + l) * out + 8] = lanes[8][at + l];
			}
		}
	}
}

TARGET static void NAME(taps2)(float *dw, int64_t out, const float *s, size_t plane, int64_t n)
{
	NAME(taps)(NAME(taps_line2), 4, dw, out, s, plane, n);
}

TARGET static void NAME(taps4)(float *dw, int64_t out, const float *s, size_t plane, int64_t n)
{
	NAME(taps)(NAME(taps_line4), 6, dw, out, s, plane, n);
}

TARGET static void NAME(taps1)(float *dw, int64_t out, const float *s, size_t plane, int64_t n)
{
	(void)plane;
	for (int64_t o = 0; o < n; o++)
		dw[o * out] = s[o];
}

#undef LINE
#undef TO_PLANES
#undef FROM_PLANES
#undef SHUFFLE
