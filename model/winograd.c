/* winograd.c - see winograd.h. Tiles go in blocks that stay in the second-level cache: transform the inputs of a block to
 * 16 planes, one matrix product per plane, transform back. The data gradient is the forward pass with flipped, transposed
 * weights; the weights gradient accumulates its 16 products over all tiles before it is transformed back once. */
#include "model/winograd.h"

#include "model/base/mem.h"
#include "model/cpu.h"

#include <stdlib.h>
#include <string.h>

enum { TAPS = 9, PLANES = 16, WIDE = 64, BLOCK = 48, MIN_PIXELS = 512, MIN_UNITS = 16, SKEW = 16 };

struct kernels {
	void (*gemm)(int64_t m, int64_t n, int64_t k, const float *a, int64_t row, int64_t step, const float *b, int64_t ldb, float *c, int64_t ldc,
	             bool add);
	void (*input_tile)(float *out, size_t plane, const float *const *px, int64_t c);
	void (*output_tile)(float *const *y, const float *m, size_t plane, const float *bias, bool relu, int64_t c);
	void (*gradient_tile)(float *out, size_t plane, const float *const *px, int64_t c);
	void (*weights)(float *u, size_t plane, int64_t ldu, const float *w, int64_t in, int64_t out, bool flip, int64_t n);
	void (*taps)(float *dw, int64_t out, const float *s, size_t plane, int64_t n);
};

#if defined(__x86_64__) && defined(__GNUC__)
#define NAME(x) x##_v4
#ifdef __clang__ /* which takes vectors as wide as they are written */
#define TARGET __attribute__((target("arch=x86-64-v4")))
#else
#define TARGET __attribute__((target("arch=x86-64-v4,prefer-vector-width=512")))
#endif
#define LANES 16
#define NV_MAX 4
#include "model/winograd_kernel.h"
#define NAME(x) x##_v3
#define TARGET __attribute__((target("arch=x86-64-v3")))
#define LANES 8
#define NV_MAX 2
#include "model/winograd_kernel.h"

static const struct kernels *kernels(void)
{
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd"))
		return &kernels_v4;
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") ? &kernels_v3 : NULL;
}
#else
static const struct kernels *kernels(void)
{
	return NULL;
}
#endif

/* ---- one pass: a grid of tiles over an output of oh x ow, read from an input whose row 0 is tile row 0 minus pad -------- */

struct winograd {
	enum dnn_pass pass;
	const struct kernels *k;
	int64_t n, h, w, c, oh, ow, oc, pad_h, pad_w, tiles_w, tiles, per_image, parts;
	int64_t in_blocks, out_blocks, chunks; /* of the weights gradient: 64 channels each way, and runs of tiles */
	size_t zeros, shared, each;            /* floats of scratch: a row of zeros, transformed weights or sums, then each part's own */
	bool relu;
	/* of one run */
	const float *x, *bias, *zero;
	float *y, *dw, *shared_at, *scratch;
};

static int64_t up(int64_t n, int64_t to)
{
	return (n + to - 1) / to * to;
}

static int64_t at_most(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static size_t plane_of(int64_t rows, int64_t c)
{
	return (size_t)(rows * c + SKEW); /* not a power of two apart: 16 planes would fight for one set of the cache */
}

/* Where a tile's outputs begin: image, row, column. */
struct place { int64_t tile, image, i, j; };

static struct place place_of(const struct winograd *p, int64_t tile)
{
	int64_t in = tile % p->per_image;
	return (struct place){ tile, tile / p->per_image, in / p->tiles_w * 2, in % p->tiles_w * 2 };
}

static void advance(const struct winograd *p, struct place *at)
{
	at->tile++;
	at->j += 2;
	if (at->j < p->ow)
		return;
	at->j = 0;
	at->i += 2;
	if (at->i < p->oh)
		return;
	at->i = 0;
	at->image++;
}

/* The 4x4 input pixels of a tile; those outside, and all of a tile past the end, point to zeros. */
static void input_pixels(const struct winograd *p, const struct place *at, int64_t channel, const float **px)
{
	int64_t i = at->i - p->pad_h, j = at->j - p->pad_w, row = p->w * p->c;
	const float *first = p->x + (at->image * p->h + i) * row + j * p->c + channel;
	if (at->tile < p->tiles && i >= 0 && j >= 0 && i + 4 <= p->h && j + 4 <= p->w) {
		for (int64_t a = 0; a < 4; a++, first += row)
			for (int64_t b = 0; b < 4; b++)
				px[4 * a + b] = first + b * p->c;
		return;
	}
	for (int64_t a = 0; a < 4; a++)
		for (int64_t b = 0; b < 4; b++) {
			bool in = at->tile < p->tiles && i + a >= 0 && i + a < p->h && j + b >= 0 && j + b < p->w;
			px[4 * a + b] = in ? first + a * row + b * p->c : p->zero;
		}
}

/* The 2x2 output pixels of a tile; those outside are `outside`. */
static void output_pixels(const struct winograd *p, const struct place *at, int64_t channel, float *outside, float **px)
{
	float *first = p->y + ((at->image * p->oh + at->i) * p->ow + at->j) * p->oc + channel;
	bool below = at->i + 1 < p->oh, right = at->j + 1 < p->ow;
	px[0] = first;
	px[1] = right ? first + p->oc : outside;
	px[2] = below ? first + p->ow * p->oc : outside;
	px[3] = right && below ? first + (p->ow + 1) * p->oc : outside;
}

static void product_part(void *ctx, int64_t first, int64_t last)
{
	struct winograd *p = ctx;
	size_t in_plane = plane_of(BLOCK, p->c), out_plane = plane_of(BLOCK, p->oc);
	int64_t blocks = (p->tiles + BLOCK - 1) / BLOCK;
	for (int64_t part = first; part < last; part++) {
		float *v = p->scratch + (size_t)part * p->each, *m = v + PLANES * in_plane;
		for (int64_t block = blocks * part / p->parts; block < blocks * (part + 1) / p->parts; block++) {
			int64_t from = block * BLOCK, count = at_most(BLOCK, p->tiles - from);
			struct place at = place_of(p, from), back = at;
			for (int64_t t = 0; t < up(count, 6); t++, advance(p, &at)) {
				const float *px[16];
				input_pixels(p, &at, 0, px);
				p->k->input_tile(v + t * p->c, in_plane, px, p->c);
			}
			for (size_t i = 0; i < PLANES; i++)
				p->k->gemm(up(count, 6), p->oc, p->c, v + i * in_plane, p->c, 1, p->shared_at + i * plane_of(p->c, p->oc), p->oc, m + i * out_plane, p->oc, false);
			for (int64_t t = 0; t < count; t++, advance(p, &back)) {
				float *px[4];
				output_pixels(p, &back, 0, NULL, px);
				p->k->output_tile(px, m + t * p->oc, out_plane, p->bias, p->relu, p->oc);
			}
		}
	}
}

struct transform { const struct winograd *p; const float *w; int64_t in, out; bool flip; };

static void transform_range(void *ctx, int64_t first, int64_t last)
{
	struct transform *t = ctx;
	const struct winograd *p = t->p;
	for (int64_t o = first * 16; o < last * 16; o += 16)
		p->k->weights(p->shared_at + o, plane_of(p->c, p->oc), p->oc, t->w + o * t->out, t->in, t->out, t->flip, p->c);
}

/* ---- the weights gradient: 64 x 64 channels at a time, over chunks of tiles ------------------------------------------ */

enum { SUM_PLANE = WIDE * WIDE + SKEW, SUM_FLOATS = PLANES * SUM_PLANE };

static void sum_unit(const struct winograd *p, int64_t unit, float *v, float *sums)
{
	int64_t pair = unit / p->chunks, chunk = unit % p->chunks, blocks = (p->tiles + BLOCK - 1) / BLOCK;
	int64_t ic = pair / p->out_blocks * WIDE, oc = pair % p->out_blocks * WIDE;
	int64_t wide = at_most(WIDE, p->c - ic), tall = at_most(WIDE, p->oc - oc);
	size_t plane = plane_of(BLOCK, WIDE);
	float *d = v + PLANES * plane;
	bool add = false;
	for (int64_t block = blocks * chunk / p->chunks; block < blocks * (chunk + 1) / p->chunks; block++, add = true) {
		int64_t from = block * BLOCK, count = at_most(BLOCK, p->tiles - from);
		struct place at = place_of(p, from);
		for (int64_t t = 0; t < count; t++, advance(p, &at)) {
			const float *px[16];
			float *py[4];
			input_pixels(p, &at, ic, px);
			p->k->input_tile(v + t * WIDE, plane, px, wide);
			output_pixels(p, &at, oc, (float *)(uintptr_t)p->zero, py);
			p->k->gradient_tile(d + t * WIDE, plane, (const float *const *)py, tall);
		}
		for (size_t i = 0; i < PLANES; i++)
			p->k->gemm(wide, tall, count, v + i * plane, 1, WIDE, d + i * plane, WIDE, sums + i * SUM_PLANE, WIDE, add);
	}
	if (!add)
		memset(sums, 0, SUM_FLOATS * sizeof *sums);
}

static void sum_part(void *ctx, int64_t first, int64_t last)
{
	struct winograd *p = ctx;
	int64_t units = p->in_blocks * p->out_blocks * p->chunks;
	for (int64_t part = first; part < last; part++)
		for (int64_t unit = units * part / p->parts; unit < units * (part + 1) / p->parts; unit++)
			sum_unit(p, unit, p->scratch + (size_t)part * p->each, p->shared_at + (size_t)unit * SUM_FLOATS);
}

/* The chunks of pairs [first, last), added in their order, become taps. */
static void finish_range(void *ctx, int64_t first, int64_t last)
{
	struct winograd *p = ctx;
	for (int64_t pair = first; pair < last; pair++) {
		int64_t ic = pair / p->out_blocks * WIDE, oc = pair % p->out_blocks * WIDE;
		float *sums = p->shared_at + (size_t)(pair * p->chunks) * SUM_FLOATS;
		for (int64_t chunk = 1; chunk < p->chunks; chunk++)
			for (size_t i = 0; i < SUM_FLOATS; i++)
				sums[i] += sums[(size_t)chunk * SUM_FLOATS + i];
		for (int64_t i = 0; i < at_most(WIDE, p->c - ic); i++)
			p->k->taps(p->dw + (oc * p->c + ic + i) * TAPS, p->c * TAPS, sums + i * WIDE, SUM_PLANE, at_most(WIDE, p->oc - oc));
	}
}

/* ---- putting it together ----------------------------------------------------------------------------------------------- */

static bool fits(const struct dnn_shape *s)
{
	return s->kh == 3 && s->kw == 3 && s->stride == 1 && s->pad_h <= 2 && s->pad_w <= 2 && s->ic % 16 == 0 && s->oc % 16 == 0 &&
	       s->n * s->oh * s->ow >= MIN_PIXELS && kernels();
}

struct winograd *winograd_new(const struct dnn_shape *s, enum dnn_pass pass, bool relu)
{
	if (!fits(s))
		return NULL;
	struct winograd *p = xcalloc(1, sizeof *p);
	*p = (struct winograd){ .k = kernels(), .pass = pass, .n = s->n, .h = s->h, .w = s->w, .c = s->ic, .oh = s->oh, .ow = s->ow, .oc = s->oc,
	                        .pad_h = s->pad_h, .pad_w = s->pad_w, .parts = cpu_threads(), .relu = relu && pass == DNN_FORWARD };
	if (pass == DNN_BACKWARD_DATA) {
		p->h = s->oh, p->w = s->ow, p->c = s->oc;
		p->oh = s->h, p->ow = s->w, p->oc = s->ic;
		p->pad_h = 2 - s->pad_h, p->pad_w = 2 - s->pad_w;
	}
	p->tiles_w = (p->ow + 1) / 2;
	p->per_image = p->tiles_w * ((p->oh + 1) / 2);
	p->tiles = p->n * p->per_image;
	if (pass == DNN_BACKWARD_WEIGHTS) {
		p->in_blocks = (p->c + WIDE - 1) / WIDE;
		p->out_blocks = (p->oc + WIDE - 1) / WIDE;
		int64_t pairs = p->in_blocks * p->out_blocks, chunks = at_most((MIN_UNITS + pairs - 1) / pairs, p->tiles / (8 * BLOCK));
		p->chunks = chunks > 1 ? chunks : 1; /* a matter of the shape alone: the bits are the same on any number of threads */
		p->each = 2 * PLANES * plane_of(BLOCK, WIDE);
		p->shared = (size_t)(p->in_blocks * p->out_blocks * p->chunks) * SUM_FLOATS;
	} else {
		p->each = PLANES * (plane_of(BLOCK, p->c) + plane_of(BLOCK, p->oc));
		p->shared = PLANES * plane_of(p->c, p->oc);
	}
	p->zeros = (size_t)up(p->c > p->oc ? p->c : p->oc, 16);
	return p;
}

void winograd_free(struct winograd *p)
{
	free(p);
}

size_t winograd_scratch(const struct winograd *p)
{
	return (p->zeros + p->shared + (size_t)p->parts * p->each) * sizeof(float);
}

void winograd_run(const struct winograd *plan, float *x, float *w, const float *b, float *y, void *scratch)
{
	struct winograd p = *plan;
	float *zero = scratch;
	memset(zero, 0, p.zeros * sizeof *zero);
	p.zero = zero;
	p.shared_at = zero + p.zeros;
	p.scratch = p.shared_at + p.shared;
	p.x = x, p.y = y;
	if (p.pass == DNN_BACKWARD_WEIGHTS) {
		p.dw = w;
		cpu_split(p.parts, 1, sum_part, &p);
		cpu_split(p.in_blocks * p.out_blocks, 1, finish_range, &p);
		return;
	}
	bool data = p.pass == DNN_BACKWARD_DATA;
	if (data)
		p.x = y, p.y = x;
	p.bias = b;
	int64_t near = TAPS, far = TAPS * (data ? p.oc : p.c); /* from one input channel of w to the next, from one output to the next */
	struct transform t = { &p, w, data ? far : near, data ? near : far, data };
	cpu_split(p.oc / 16, 1, transform_range, &t);
	cpu_split(p.parts, 1, product_part, &p);
}
