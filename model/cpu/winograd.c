/* winograd.c - see winograd.h. Tiles go in blocks that stay in the second-level cache: transform the inputs of a block
 * to 16 planes (fewer for lines), one matrix product per plane, transform back. The data gradient is the forward pass
 * with flipped, transposed weights; the weights gradient accumulates its 16 products over all tiles before it is
 * transformed back once. */
#include "model/cpu/winograd.h"

#include "model/base/mem.h"
#include "model/base/cpu.h"

#include <stdlib.h>
#include <string.h>

/* TILES and BLOCK: tiles that go together, of products and of the weights gradient. WIDE: channels of a panel of
 * weights. */
enum {
	TAPS = 9,
	PLANES = 16,
	WIDE = 64,
	TILES = 24,
	BLOCK = 48,
	MIN_PIXELS = 512,
	MIN_FROZEN_PIXELS = 64,
	MIN_UNITS = 16,
	SKEW = 16
};

/* How a tile is computed: 3x3 taps, or a line of 7 or 3. ORDER kernels' input and output, ways. */
enum way { SQUARE, LINE7, LINE3, WAYS };

struct kernels {
	void (*gemm)(int64_t m, int64_t n, int64_t k, const float *a, int64_t row, int64_t step, const float *b,
	             int64_t ldb, float *c, int64_t ldc, bool add);
	void (*input[WAYS])(float *out, size_t plane, const float *const *px, int64_t c);
	void (*output[WAYS])(float *const *y, const float *m, size_t plane, const float *bias, bool relu, int64_t c);
	void (*gradient_tile)(float *out, size_t plane, const float *const *px, int64_t c);
	void (*weights)(float *u, size_t plane, int64_t ldu, const float *w, int64_t in, int64_t out, bool flip, int64_t n);
	void (*taps)(float *dw, int64_t out, const float *s, size_t plane, int64_t n);
};

static const struct {
	int64_t taps, planes;
} ways[WAYS] = { { TAPS, PLANES }, { 7, 9 }, { 3, 4 } };

#if defined(__x86_64__) && defined(__GNUC__)
#define NAME(x) x##_v4
#ifdef __clang__ /* which keeps vectors as wide as they are written */
#define TARGET __attribute__((target("arch=x86-64-v4")))
#else
#define TARGET __attribute__((target("arch=x86-64-v4,prefer-vector-width=512")))
#endif
#define LANES  16
#define NV_MAX 4
#include "model/cpu/winograd_kernel.h"
#define NAME(x) x##_v3
#define TARGET  __attribute__((target("arch=x86-64-v3")))
#define LANES   8
#define NV_MAX  2
#include "model/cpu/winograd_kernel.h"

static const struct kernels *kernels(void)
{
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd"))
		return &kernels_v4;
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")
	           ? &kernels_v3
	           : NULL;
}
#else
static const struct kernels *kernels(void)
{
	return NULL;
}
#endif

/* ---- one pass: a grid of tiles over an output of oh x ow, from an input whose row 0 is tile row 0 minus pad --- */

struct winograd {
	enum dnn_pass pass;
	const struct kernels *k;
	enum way way;
	int64_t n, h, w, c, oh, ow, oc, pad_h, pad_w, tiles_w, tiles, per_image, parts;
	int64_t planes, in_h, in_w, step_h, step_w; /* a tile: products per channel, input pixels, outputs made */
	int64_t in_blocks, out_blocks, chunks;      /* of the weights gradient: 64 channels each way, and runs of tiles */
	size_t zeros, shared,
		each; /* floats of scratch: a row of zeros, transformed weights or sums, then each part's own */
	bool relu;
	float *frozen; /* transformed weights that never change, or NULL */
	/* of one run */
	int64_t y_step; /* floats from pixel to pixel of y */
	const float *x, *bias, *zero, *u;
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
	return (size_t)(rows * c + SKEW); /* not a power of two apart: 16 planes would compete for one set of the cache */
}

/* Where a tile's outputs begin: image, row, column. */
struct place {
	int64_t tile, image, i, j;
};

static struct place place_of(const struct winograd *p, int64_t tile)
{
	int64_t in = tile % p->per_image;
	return (struct place){ tile, tile / p->per_image, in / p->tiles_w * p->step_h, in % p->tiles_w * p->step_w };
}

static void advance(const struct winograd *p, struct place *at)
{
	at->tile++;
	at->j += p->step_w;
	if (at->j < p->ow)
		return;
	at->j = 0;
	at->i += p->step_h;
	if (at->i < p->oh)
		return;
	at->i = 0;
	at->image++;
}

/* The input pixels of a tile, row by row; those outside, and all of a tile past the end, point to zeros. */
static void input_pixels(const struct winograd *p, const struct place *at, int64_t channel, const float **px)
{
	int64_t i = at->i - p->pad_h, j = at->j - p->pad_w, row = p->w * p->c;
	const float *first = p->x + (at->image * p->h + i) * row + j * p->c + channel;
	if (at->tile < p->tiles && i >= 0 && j >= 0 && i + p->in_h <= p->h && j + p->in_w <= p->w) {
		for (int64_t a = 0; a < p->in_h; a++, first += row)
			for (int64_t b = 0; b < p->in_w; b++)
				px[p->in_w * a + b] = first + b * p->c;
		return;
	}
	for (int64_t a = 0; a < p->in_h; a++)
		for (int64_t b = 0; b < p->in_w; b++) {
			bool in = at->tile < p->tiles && i + a >= 0 && i + a < p->h && j + b >= 0 && j + b < p->w;
			px[p->in_w * a + b] = in ? first + a * row + b * p->c : p->zero;
		}
}

/* The output pixels of a tile, row by row; those outside are `outside`. */
static void output_pixels(const struct winograd *p, const struct place *at, int64_t channel, float *outside, float **px)
{
	float *first = p->y + ((at->image * p->oh + at->i) * p->ow + at->j) * p->y_step + channel;
	bool below = at->i + 1 < p->oh, right = at->j + 1 < p->ow;
	px[0] = first;
	if (p->way != SQUARE) {
		px[1] = p->step_w == 2 ? (right ? first + p->y_step : outside) : below ? first + p->ow * p->y_step : outside;
		return;
	}
	px[1] = right ? first + p->y_step : outside;
	px[2] = below ? first + p->ow * p->y_step : outside;
	px[3] = right && below ? first + (p->ow + 1) * p->y_step : outside;
}

static void product_part(void *ctx, int64_t first, int64_t last)
{
	struct winograd *p = ctx;
	size_t in_plane = plane_of(TILES, p->c), out_plane = plane_of(TILES, p->oc);
	int64_t blocks = (p->tiles + TILES - 1) / TILES;
	for (int64_t part = first; part < last; part++) {
		float *v = p->scratch + (size_t)part * p->each, *m = v + (size_t)p->planes * in_plane;
		for (int64_t block = blocks * part / p->parts; block < blocks * (part + 1) / p->parts; block++) {
			int64_t from = block * TILES, count = at_most(TILES, p->tiles - from);
			struct place at = place_of(p, from), back = at;
			for (int64_t t = 0; t < up(count, 6); t++, advance(p, &at)) {
				const float *px[16];
				input_pixels(p, &at, 0, px);
				p->k->input[p->way](v + t * p->c, in_plane, px, p->c);
			}
			for (size_t i = 0; i < (size_t)p->planes; i++)
				p->k->gemm(up(count, 6), p->oc, p->c, v + i * in_plane, p->c, 1, p->u + i * plane_of(p->c, p->oc), 0,
				           m + i * out_plane, p->oc, false);
			for (int64_t t = 0; t < count; t++, advance(p, &back)) {
				float *px[4];
				output_pixels(p, &back, 0, NULL, px);
				p->k->output[p->way](px, m + t * p->oc, out_plane, p->bias, p->relu, p->oc);
			}
		}
	}
}

struct transform {
	const struct winograd *p;
	const float *w;
	float *u;
	int64_t in, out;
	bool flip;
};

/* Where output channel o lies in a plane of transformed weights, which are in the panels that a product reads. */
static int64_t panel_width(const struct winograd *p, int64_t o)
{
	return at_most(WIDE, p->oc - o / WIDE * WIDE);
}

static int64_t panel_at(const struct winograd *p, int64_t o)
{
	return o / WIDE * WIDE * p->c + o % WIDE;
}

static void transform_range(void *ctx, int64_t first, int64_t last)
{
	struct transform *t = ctx;
	const struct winograd *p = t->p;
	for (int64_t o = first * 16; o < last * 16; o += 16)
		p->k->weights(t->u + panel_at(p, o), plane_of(p->c, p->oc), panel_width(p, o), t->w + o * t->out, t->in, t->out,
		              t->flip, p->c);
}

/* The same of a line, in double: made once per network. `g` maps taps to planes (winograd_kernel.h's line7 and
 * line3). */
static void transform_line(const struct transform *t, int64_t taps, int64_t planes)
{
	static const double g7[9][7] = { { 1.0 / 2 },
		                             { -1.0 / 2, -1.0 / 2, -1.0 / 2, -1.0 / 2 },
		                             { -1.0 / 6, 1.0 / 6, -1.0 / 6, 1.0 / 6 },
		                             { 1.0 / 6, 1.0 / 3, 2.0 / 3, 4.0 / 3 },
		                             { 0, 0, 0, 1 },
		                             { 0, 0, 0, 0, 1 },
		                             { 0, 0, 0, 0, 0.5, 0.5, 0.5 },
		                             { 0, 0, 0, 0, 0.5, -0.5, 0.5 },
		                             { 0, 0, 0, 0, 0, 0, 1 } };
	static const double g3[4][7] = { { 1 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 }, { 0, 0, 1 } };
	const struct winograd *p = t->p;
	const double(*g)[7] = taps == 7 ? g7 : g3;
	for (int64_t i = 0; i < p->c; i++)
		for (int64_t o = 0; o < p->oc; o++) {
			const float *w = t->w + i * t->in + o * t->out;
			for (int64_t plane = 0; plane < planes; plane++) {
				double sum = 0;
				for (int64_t k = 0; k < taps; k++)
					sum += g[plane][k] * (double)w[t->flip ? taps - 1 - k : k];
				t->u[(size_t)plane * plane_of(p->c, p->oc) + (size_t)(panel_at(p, o) + i * panel_width(p, o))] =
					(float)sum;
			}
		}
}

static struct transform transform_of(const struct winograd *p, const float *w, float *u)
{
	bool data = p->pass == DNN_BACKWARD_DATA;
	int64_t taps = ways[p->way].taps, near = taps,
			far = taps *
	              (data ? p->oc : p->c); /* from one input channel of w to the next, from one output to the next */
	return (struct transform){ p, w, u, data ? far : near, data ? near : far, data };
}

/* ---- the weights gradient: 64 x 64 channels at a time, over chunks of tiles ------------------ */

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
			p->k->input[SQUARE](v + t * WIDE, plane, px, wide);
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
			p->k->taps(p->dw + (oc * p->c + ic + i) * TAPS, p->c * TAPS, sums + i * WIDE, SUM_PLANE,
			           at_most(WIDE, p->oc - oc));
	}
}

/* ---- putting it together --------------------------------------------------------------------- */

static bool fits(const struct dnn_shape *s, int64_t min_pixels)
{
	return s->stride == 1 && s->pad_h < s->kh && s->pad_w < s->kw && s->ic % 16 == 0 && s->oc % 16 == 0 &&
	       s->n * s->oh * s->ow >= min_pixels && kernels();
}

static struct winograd *plan(const struct dnn_shape *s, enum dnn_pass pass, bool relu, enum way way, int64_t parts)
{
	struct winograd *p = xcalloc(1, sizeof *p);
	*p = (struct winograd){ .k = kernels(),
		                    .pass = pass,
		                    .way = way,
		                    .planes = ways[way].planes,
		                    .step_h = s->kh > 1 ? 2 : 1,
		                    .step_w = s->kw > 1 ? 2 : 1,
		                    .in_h = s->kh + (s->kh > 1),
		                    .in_w = s->kw + (s->kw > 1),
		                    .n = s->n,
		                    .h = s->h,
		                    .w = s->w,
		                    .c = s->ic,
		                    .oh = s->oh,
		                    .ow = s->ow,
		                    .oc = s->oc,
		                    .pad_h = s->pad_h,
		                    .pad_w = s->pad_w,
		                    .parts = parts,
		                    .relu = relu && pass == DNN_FORWARD };
	if (pass == DNN_BACKWARD_DATA) {
		p->h = s->oh, p->w = s->ow, p->c = s->oc;
		p->oh = s->h, p->ow = s->w, p->oc = s->ic;
		p->pad_h = s->kh - 1 - s->pad_h, p->pad_w = s->kw - 1 - s->pad_w;
	}
	p->tiles_w = up(p->ow, p->step_w) / p->step_w;
	p->per_image = p->tiles_w * (up(p->oh, p->step_h) / p->step_h);
	p->tiles = p->n * p->per_image;
	if (pass == DNN_BACKWARD_WEIGHTS) {
		p->in_blocks = (p->c + WIDE - 1) / WIDE;
		p->out_blocks = (p->oc + WIDE - 1) / WIDE;
		int64_t pairs = p->in_blocks * p->out_blocks,
				chunks = at_most((MIN_UNITS + pairs - 1) / pairs, p->tiles / (8 * BLOCK));
		p->chunks = chunks > 1 ? chunks
		                       : 1; /* decided by the shape alone: the bits are the same on any number of threads */
		p->each = 2 * PLANES * plane_of(BLOCK, WIDE);
		p->shared = (size_t)(p->in_blocks * p->out_blocks * p->chunks) * SUM_FLOATS;
	} else {
		p->each = (size_t)p->planes * (plane_of(TILES, p->c) + plane_of(TILES, p->oc));
		p->shared = (size_t)p->planes * plane_of(p->c, p->oc);
	}
	p->zeros = (size_t)up(p->c > p->oc ? p->c : p->oc, 16);
	return p;
}

struct winograd *winograd_new(const struct dnn_shape *s, enum dnn_pass pass, bool relu)
{
	return s->kh == 3 && s->kw == 3 && fits(s, MIN_PIXELS) ? plan(s, pass, relu, SQUARE, cpu_threads()) : NULL;
}

struct winograd *winograd_new_frozen(const struct dnn_shape *s, enum dnn_pass pass, bool relu, const float *w)
{
	enum way way = 0;
	while (way < WAYS &&
	       !(ways[way].taps == s->kh * s->kw && (way == SQUARE ? s->kh == s->kw : s->kh == 1 || s->kw == 1)))
		way++;
	if (way == WAYS || !fits(s, MIN_FROZEN_PIXELS))
		return NULL;
	struct winograd *p = plan(s, pass, relu, way, 1);
	p->frozen = xaligned(p->shared * sizeof *p->frozen);
	p->shared = 0;
	struct transform t = transform_of(p, w, p->frozen);
	if (way == SQUARE)
		transform_range(&t, 0, p->oc / 16);
	else
		transform_line(&t, ways[way].taps, p->planes);
	return p;
}

void winograd_free(struct winograd *p)
{
	if (p)
		free(p->frozen);
	free(p);
}

size_t winograd_scratch(const struct winograd *p)
{
	return (p->zeros + p->shared + (size_t)p->parts * p->each) * sizeof(float);
}

/* A plan about to run: where its scratch lies, and from where to where. */
static struct winograd started(const struct winograd *plan, float *x, float *y, void *scratch)
{
	struct winograd p = *plan;
	float *zero = scratch;
	memset(zero, 0, p.zeros * sizeof *zero);
	p.zero = zero;
	p.shared_at = zero + p.zeros;
	p.scratch = p.shared_at + p.shared;
	p.x = p.pass == DNN_BACKWARD_DATA ? y : x;
	p.y = p.pass == DNN_BACKWARD_DATA ? x : y;
	p.y_step = p.oc;
	return p;
}

void winograd_run(const struct winograd *plan, float *x, float *w, const float *b, float *y, void *scratch)
{
	struct winograd p = started(plan, x, y, scratch);
	if (p.pass == DNN_BACKWARD_WEIGHTS) {
		p.dw = w;
		cpu_split(p.parts, 1, sum_part, &p);
		cpu_split(p.in_blocks * p.out_blocks, 1, finish_range, &p);
		return;
	}
	p.bias = b;
	p.u = p.shared_at;
	struct transform t = transform_of(&p, w, p.shared_at);
	cpu_split(p.oc / 16, 1, transform_range, &t);
	cpu_split(p.parts, 1, product_part, &p);
}

void winograd_run_frozen(const struct winograd *plan, float *x, const float *b, float *y, int64_t step, void *scratch)
{
	struct winograd p = started(plan, x, y, scratch);
	p.y_step = step;
	p.bias = b;
	p.u = p.frozen;
	product_part(&p, 0, 1);
}
