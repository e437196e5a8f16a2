/* winograd_private.h - what the files of Winograd's convolutions (winograd.h) share: how a tile is computed, the inner
 * loops of an instruction set, a plan, and where a tile's pixels are. */
#ifndef ABLATE_WINOGRAD_PRIVATE_H
#define ABLATE_WINOGRAD_PRIVATE_H

#include "model/base/cpu.h"
#include "model/cpu/winograd.h"

/* How a tile is computed: 3x3 taps to 2x2 or 4x4 outputs, one tap to one output, 5x5 taps to 2x2 outputs, or a line of
 * 7 or 3 taps to 2. Those from FIVE on are of frozen weights only. */
enum way { SQUARE2, SQUARE4, POINT, FIVE, LINE7, LINE3, WAYS, TRAINED = FIVE };

/* How a transform writes its numbers where planes hold words of two bf16: as they come, two channels a word, or one
 * channel a word, in its lower half or, besides what is there, in its upper one. Planes of floats take them as they
 * come. */
enum half { BOTH_HALVES, LOWER_HALF, UPPER_HALF };

/* taps, products per channel of a tile (planes), and outputs along an axis that has taps (step). */
struct way_row {
	int64_t taps, planes, step;
};
extern const struct way_row winograd_ways[WAYS];

/* The points +-NEAR and +-FAR of tiles with 6 pixels a side (winograd_square.h), and their squares. */
#define NEAR   0.625f
#define FAR    1.5f
#define NEAR_2 (NEAR * NEAR)
#define FAR_2  (FAR * FAR)
/* 1 / the product of a point's differences from the others: of 0, of +-NEAR, of +-FAR. */
#define SCALE_ZERO (1.0f / (NEAR_2 * FAR_2))
#define SCALE_NEAR (1.0f / (2.0f * NEAR_2 * (NEAR_2 - FAR_2)))
#define SCALE_FAR  (1.0f / (2.0f * FAR_2 * (FAR_2 - NEAR_2)))

enum {
	WIDE = 64, /* channels of a panel of weights, and of a block of the weights gradient */
	SKEW = 16, /* planes are not a power of two apart: they would compete for one set of the cache */
	MOST_INPUTS = 36,
	MOST_OUTPUTS = 16,
};

/* The inner loops, by winograd_kernel.h. `plane`: words from one plane of a tile to the next; `px`, `y`: a tile's
 * pixels, row by row. A word is a float, or a pair of bf16 that follow each other along the sum of the product: `pair`
 * numbers, the first in the lower half. `k` and what is in a and b count words. */
struct kernels {
	int64_t pair;
	void (*gemm)(int64_t m, int64_t n, int64_t k, const float *a, int64_t row, int64_t step, const float *b,
	             int64_t ldb, float *c, int64_t ldc, bool add);
	void (*input[WAYS])(enum half half, float *out, size_t plane, const float *const *px, const float *const *next,
	                    int64_t c);
	void (*output[WAYS])(float *const *y, const float *m, size_t plane, const float *bias, bool relu, int64_t c);
	void (*gradient[TRAINED])(enum half half, float *out, size_t plane, const float *const *px,
	                          const float *const *next, int64_t c);
	void (*weights[TRAINED])(float *u, size_t plane, int64_t ldu, const float *w, int64_t in, int64_t out, bool flip,
	                         int64_t n);
	void (*taps[TRAINED])(float *dw, int64_t out, const float *s, size_t plane, int64_t n);
};
/* NULL: this processor has neither AVX2 nor AVX-512, or, of those on words of bf16, no products of them. */
const struct kernels *winograd_kernels(void);
const struct kernels *winograd_kernels_bf16(void);

/* One pass: a grid of tiles over an output of oh x ow, from an input whose row 0 is tile row 0 minus pad. */
struct winograd {
	enum dnn_pass pass;
	const struct kernels *k;
	enum way way;
	int64_t n, h, w, c, oh, ow, oc, pad_h, pad_w, tiles_w, tiles, per_image;
	int64_t rooms;                              /* of scratch, one a thread */
	int64_t planes, in_h, in_w, step_h, step_w; /* a tile: products per channel, input pixels, outputs made */
	int64_t block;                              /* tiles that go together */
	bool by_panels;                             /* few tiles: see winograd_product.c */
	/* of the weights gradient: WIDE channels each way; runs of tiles; are all tiles one block? */
	int64_t in_blocks, out_blocks, chunks;
	bool whole;
	size_t zeros, shared, each; /* words of scratch: a row of zeros, transformed weights or sums, each thread's own */
	bool relu;
	float *frozen; /* transformed weights that never change, or NULL */
	/* of one run */
	int64_t y_step; /* floats from pixel to pixel of y */
	const float *x, *weights, *bias, *zero, *u;
	float *y, *dw, *shared_at, *scratch;
};

static inline int64_t round_up(int64_t n, int64_t to)
{
	return (n + to - 1) / to * to;
}

static inline int64_t at_most(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Words that n numbers along a product's sum take; n is even, or the last word's upper half is 0. */
static inline int64_t words(const struct winograd *p, int64_t n)
{
	return (n + p->k->pair - 1) / p->k->pair;
}

static inline size_t plane_of(int64_t rows, int64_t c)
{
	return (size_t)(rows * c + SKEW);
}

/* The calling thread's own `each` words. */
static inline float *winograd_room(const struct winograd *p)
{
	return p->scratch + (size_t)cpu_thread() * p->each;
}

/* Where a tile's outputs begin: image, row, column. */
struct place {
	int64_t tile, image, i, j;
};
struct place winograd_place(const struct winograd *p, int64_t tile);
void winograd_advance(const struct winograd *p, struct place *at);
/* The input pixels of a tile, row by row; those outside, and all of a tile past the end, point to zeros. */
void winograd_inputs(const struct winograd *p, const struct place *at, int64_t channel, const float **px);
/* The output pixels of a tile, row by row; those outside are `outside`. */
void winograd_outputs(const struct winograd *p, const struct place *at, int64_t channel, float *outside, float **px);

/* ---- forward pass and data gradient ---------------------------------------------------------- */

void winograd_plan_product(struct winograd *p, bool frozen);
void winograd_transform(const struct winograd *p, const float *w, float *u); /* all weights, on this thread */
void winograd_run_product(struct winograd *p);

/* ---- weights gradient ------------------------------------------------------------------------ */

void winograd_plan_sum(struct winograd *p);
void winograd_run_sum(struct winograd *p);

#endif
