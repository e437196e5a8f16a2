/* winograd_product.c - the forward pass and the data gradient, see winograd.c. As a rule the weights are transformed
 * first, and each thread takes blocks of tiles. Where tiles are few and weights many (deep levels, small batches), the
 * tiles are transformed first, and each thread takes panels of output channels, whose weights it transforms a part at a
 * time, so that they never leave its cache. Either way a number is the same terms in the same order. */
#include "model/cpu/winograd_private.h"

#include "model/base/cpu.h"
#include "model/base/cpu_clock.h"

#include <stddef.h>

/* ROWS: tiles that a product takes at once. BLOCK_WORDS: what a block of tiles may take of the second-level cache.
 * PANEL_TILES: up to so many tiles go by panels, of PANEL outputs and DEPTH inputs at a time, if they have more than
 * PANEL_WEIGHTS transformed weights. */
enum {
	ROWS = 6,
	MIN_BLOCK = 12,
	MAX_BLOCK = 48,
	BLOCK_WORDS = 200000,
	PANEL_TILES = 96,
	PANEL_WEIGHTS = 300000,
	PANEL = 32,
	DEPTH = 128
};

/* ---- weights --------------------------------------------------------------------------------- */

/* Weight (i, o) of a pass begins at w[i * in + o * out]. */
struct transform {
	const struct winograd *p;
	const float *w;
	float *u;
	int64_t in, out;
	bool flip;
};

static struct transform transform_of(const struct winograd *p, const float *w, float *u)
{
	bool data = p->pass == DNN_BACKWARD_DATA;
	int64_t taps = winograd_ways[p->way].taps, near = taps, far = taps * (data ? p->oc : p->c);
	return (struct transform){ p, w, u, data ? far : near, data ? near : far, data };
}

/* Where output channel o lies in a plane of transformed weights, which are in the panels that a product reads. */
static int64_t panel_width(const struct winograd *p, int64_t o)
{
	return at_most(WIDE, p->oc - o / WIDE * WIDE);
}

static int64_t panel_at(const struct winograd *p, int64_t o)
{
	return o / WIDE * WIDE * words(p, p->c) + o % WIDE;
}

static void transform_range(void *ctx, int64_t first, int64_t last)
{
	struct transform *t = ctx;
	const struct winograd *p = t->p;
	for (int64_t o = first * 16; o < last * 16; o += 16)
		p->k->weights[p->way](t->u + panel_at(p, o), plane_of(words(p, p->c), p->oc), panel_width(p, o),
		                      t->w + o * t->out, t->in, t->out, t->flip, p->c);
}

/* Of ways that are of frozen weights only, in double, since it is done once per network: `g` maps `taps` along a line
 * to `planes`, and a square's both ways. A point's row are its powers, times what its differences from the others
 * make. */
struct frozen_way {
	int64_t taps, planes;
	bool square;
	double g[9][7];
};

#define POWERS(scale, p) \
	{ \
		(scale), (scale) * (p), (scale) * (p) * (p), (scale) * (p) * (p) * (p), (scale) * (p) * (p) * (p) * (p) \
	}
static const struct frozen_way frozen_ways[WAYS] = {
	[FIVE] = { 5,
	           6,
	           true,
	           { { SCALE_ZERO },
	             POWERS((double)SCALE_NEAR, (double)NEAR),
	             POWERS((double)SCALE_NEAR, -(double)NEAR),
	             POWERS((double)SCALE_FAR, (double)FAR),
	             POWERS((double)SCALE_FAR, -(double)FAR),
	             { 0, 0, 0, 0, 1 } } },
	[LINE7] = { 7,
	            9,
	            false,
	            { { 1.0 / 2 },
	              { -1.0 / 2, -1.0 / 2, -1.0 / 2, -1.0 / 2 },
	              { -1.0 / 6, 1.0 / 6, -1.0 / 6, 1.0 / 6 },
	              { 1.0 / 6, 1.0 / 3, 2.0 / 3, 4.0 / 3 },
	              { 0, 0, 0, 1 },
	              { 0, 0, 0, 0, 1 },
	              { 0, 0, 0, 0, 0.5, 0.5, 0.5 },
	              { 0, 0, 0, 0, 0.5, -0.5, 0.5 },
	              { 0, 0, 0, 0, 0, 0, 1 } } },
	[LINE3] = { 3, 4, false, { { 1 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 }, { 0, 0, 1 } } },
};
#undef POWERS

/* One plane of one input channel's weights to one output channel, `w`. */
static double frozen_weight(const struct frozen_way *f, const float *w, bool flip, int64_t plane)
{
	int64_t down = f->square ? f->taps : 1, count = down * f->taps;
	double sum = 0;
	for (int64_t k = 0; k < down; k++)
		for (int64_t l = 0; l < f->taps; l++) {
			int64_t at = k * f->taps + l;
			double g = f->square ? f->g[plane / f->planes][k] * f->g[plane % f->planes][l] : f->g[plane][l];
			sum += g * (double)w[flip ? count - 1 - at : at];
		}
	return sum;
}

static void transform_frozen(const struct transform *t)
{
	const struct winograd *p = t->p;
	for (int64_t i = 0; i < p->c; i++)
		for (int64_t o = 0; o < p->oc; o++)
			for (int64_t plane = 0; plane < p->planes; plane++)
				t->u[(size_t)plane * plane_of(p->c, p->oc) + (size_t)(panel_at(p, o) + i * panel_width(p, o))] =
					(float)frozen_weight(&frozen_ways[p->way], t->w + i * t->in + o * t->out, t->flip, plane);
}

void winograd_transform(const struct winograd *p, const float *w, float *u)
{
	struct transform t = transform_of(p, w, u);
	if (p->way < TRAINED)
		transform_range(&t, 0, p->oc / 16);
	else
		transform_frozen(&t);
}

/* ---- many tiles ------------------------------------------------------------------------------ */

/* Planes of tiles [from, from + count) at v, each `plane` floats; rows up to a multiple of ROWS are made, from
 * zeros. */
static void transform_tiles(const struct winograd *p, float *v, size_t plane, int64_t from, int64_t count)
{
	struct place at = winograd_place(p, from);
	const float *px[2][MOST_INPUTS];
	winograd_inputs(p, &at, 0, px[0]);
	for (int64_t t = 0; t < round_up(count, ROWS); t++) {
		winograd_advance(p, &at);
		winograd_inputs(p, &at, 0, px[(t + 1) % 2]);
		p->k->input[p->way](BOTH_HALVES, v + t * words(p, p->c), plane, px[t % 2], px[(t + 1) % 2], p->c);
	}
}

/* Outputs [o, o + n) of the tiles, from planes of n channels. */
static void transform_back(const struct winograd *p, const float *m, size_t plane, int64_t from, int64_t count,
                           int64_t o, int64_t n)
{
	struct place at = winograd_place(p, from);
	for (int64_t t = 0; t < count; t++, winograd_advance(p, &at)) {
		float *px[MOST_OUTPUTS];
		winograd_outputs(p, &at, o, NULL, px);
		p->k->output[p->way](px, m + t * n, plane, p->bias ? p->bias + o : NULL, p->relu, n);
	}
}

static int64_t blocks_of(const struct winograd *p, int64_t block)
{
	return (p->tiles + block - 1) / block;
}

static void blocks_range(void *ctx, int64_t first, int64_t last)
{
	const struct winograd *p = ctx;
	int64_t deep = words(p, p->c);
	size_t in_plane = plane_of(p->block, deep), out_plane = plane_of(p->block, p->oc);
	float *v = winograd_room(p), *m = v + (size_t)p->planes * in_plane;
	for (int64_t block = first; block < last; block++) {
		int64_t from = block * p->block, count = at_most(p->block, p->tiles - from);
		transform_tiles(p, v, in_plane, from, count);
		enum cpu_part before = cpu_clock_part(CPU_PRODUCTS);
		for (size_t i = 0; i < (size_t)p->planes; i++)
			p->k->gemm(round_up(count, ROWS), p->oc, deep, v + i * in_plane, deep, 1, p->u + i * plane_of(deep, p->oc),
			           0, m + i * out_plane, p->oc, false);
		(void)cpu_clock_part(before);
		transform_back(p, m, out_plane, from, count, 0, p->oc);
	}
}

/* ---- few tiles ------------------------------------------------------------------------------- */

static size_t tiles_plane(const struct winograd *p)
{
	return plane_of(round_up(p->tiles, ROWS), words(p, p->c));
}

static void tiles_range(void *ctx, int64_t first, int64_t last)
{
	struct winograd *p = ctx;
	int64_t from = first * ROWS, end = at_most(last * ROWS, p->tiles);
	transform_tiles(p, p->shared_at + from * words(p, p->c), tiles_plane(p), from, end - from);
}

static void one_panel(const struct winograd *p, const struct transform *t, int64_t o, int64_t wide)
{
	int64_t rows = round_up(p->tiles, ROWS);
	size_t u_plane = plane_of(DEPTH, PANEL), m_plane = plane_of(rows, PANEL);
	float *m = t->u + (size_t)p->planes * u_plane;
	for (int64_t i = 0; i < p->c; i += DEPTH) {
		int64_t deep = at_most(DEPTH, p->c - i);
		for (int64_t at = 0; at < wide; at += 16)
			p->k->weights[p->way](t->u + at, u_plane, wide, t->w + i * t->in + (o + at) * t->out, t->in, t->out,
			                      t->flip, deep);
		enum cpu_part before = cpu_clock_part(CPU_PRODUCTS);
		for (size_t plane = 0; plane < (size_t)p->planes; plane++)
			p->k->gemm(rows, wide, words(p, deep), p->shared_at + plane * tiles_plane(p) + words(p, i), words(p, p->c),
			           1, t->u + plane * u_plane, wide, m + plane * m_plane, wide, i > 0);
		(void)cpu_clock_part(before);
	}
	transform_back(p, m, m_plane, 0, p->tiles, o, wide);
}

static void panels_range(void *ctx, int64_t first, int64_t last)
{
	const struct winograd *p = ctx;
	struct transform t = transform_of(p, p->weights, winograd_room(p));
	for (int64_t i = first; i < last; i++)
		one_panel(p, &t, i * PANEL, at_most(PANEL, p->oc - i * PANEL));
}

/* ---- putting it together --------------------------------------------------------------------- */

void winograd_plan_product(struct winograd *p, bool frozen)
{
	int64_t fit = BLOCK_WORDS / (p->planes * (words(p, p->c) + p->oc)) / ROWS * ROWS;
	if (frozen && p->tiles <= MAX_BLOCK && p->planes * p->c * p->oc > PANEL_WEIGHTS)
		fit = MAX_BLOCK; /* weights that no cache holds are read once */
	int64_t blocks = round_up(blocks_of(p, fit < MIN_BLOCK ? MIN_BLOCK : at_most(fit, MAX_BLOCK)), p->rooms);
	p->block = round_up((p->tiles + blocks - 1) / blocks, ROWS); /* as many for each thread */
	p->by_panels = !frozen && p->tiles <= PANEL_TILES && p->planes * p->c * p->oc > PANEL_WEIGHTS;
	if (p->by_panels) {
		p->shared = (size_t)p->planes * tiles_plane(p);
		p->each = (size_t)p->planes * (plane_of(DEPTH, PANEL) + plane_of(round_up(p->tiles, ROWS), PANEL));
	} else {
		p->shared = (size_t)p->planes * plane_of(words(p, p->c), p->oc);
		p->each = (size_t)p->planes * (plane_of(p->block, words(p, p->c)) + plane_of(p->block, p->oc));
	}
}

void winograd_run_product(struct winograd *p)
{
	if (p->frozen) {
		cpu_split(blocks_of(p, p->block), blocks_of(p, p->block), blocks_range, p); /* on this thread */
		return;
	}
	if (p->by_panels) {
		cpu_split((p->tiles + ROWS - 1) / ROWS, 1, tiles_range, p);
		cpu_split((p->oc + PANEL - 1) / PANEL, 1, panels_range, p);
		return;
	}
	p->u = p->shared_at;
	struct transform t = transform_of(p, p->weights, p->shared_at);
	cpu_split(p->oc / 16, 1, transform_range, &t);
	cpu_split(blocks_of(p, p->block), 1, blocks_range, p);
}
