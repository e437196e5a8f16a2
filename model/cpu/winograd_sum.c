/* winograd_sum.c - the weights gradient, see winograd.c: sums over tiles of WIDE x WIDE channels, a pair of blocks of
 * them. Of one pair, chunks of tiles are transformed and summed a block at a time, and the chunks added in their order.
 * Of several, whose channels would be transformed again for each, groups of tiles are transformed as a whole before any
 * pair is summed. What is added in which order is decided by the shape alone: the bits are the same on any number of
 * threads. */
#include "model/cpu/winograd_private.h"

#include "model/base/cpu.h"
#include "model/base/cpu_clock.h"

#include <stdint.h>
#include <string.h>

/* A block's tiles take so many words, at most MAX_BLOCK tiles, or POINTS of one number each. UNITS: as many chunks, a
 * power of two, as make that many units of work, if each has CHUNK tiles. A group takes GROUP_WORDS, and at least
 * MIN_GROUP tiles; where there are several, the planes of a pair are SLICES units of work. */
enum {
	BLOCK_WORDS = 150000,
	MAX_BLOCK = 48,
	POINTS = 384,
	UNITS = 16,
	CHUNK = 48,
	GROUP_WORDS = 1 << 20,
	MIN_GROUP = 64,
	SLICES = 4
};

struct pair {
	int64_t ic, oc, wide, tall; /* first channels, and how many */
};

static struct pair pair_of(const struct winograd *p, int64_t pair)
{
	int64_t ic = pair / p->out_blocks * WIDE, oc = pair % p->out_blocks * WIDE;
	return (struct pair){ ic, oc, at_most(WIDE, p->c - ic), at_most(WIDE, p->oc - oc) };
}

static int64_t pairs_of(const struct winograd *p)
{
	return p->in_blocks * p->out_blocks;
}

/* Floats of one pair's sums; a plane of it. */
static size_t sum_plane(const struct winograd *p)
{
	return plane_of(at_most(WIDE, p->c), at_most(WIDE, p->oc));
}

static size_t sum_floats(const struct winograd *p)
{
	return (size_t)p->planes * sum_plane(p);
}

/* Words of the planes of `tiles` tiles and one block of channels, of which there are c in all. */
static size_t planes_words(const struct winograd *p, int64_t tiles, int64_t c)
{
	return (size_t)p->planes * plane_of(words(p, tiles), at_most(WIDE, c));
}

/* Rows [from, to) of a pair's sums become taps. */
static void finish(const struct winograd *p, const struct pair *b, const float *sums, int64_t from, int64_t to)
{
	int64_t taps = winograd_ways[p->way].taps;
	for (int64_t i = from; i < to; i++)
		p->k->taps[p->way](p->dw + (b->oc * p->c + b->ic + i) * taps, p->c * taps, sums + i * b->tall, sum_plane(p),
		                   b->tall);
}

/* Rows [first, last) of all pairs, WIDE of each: its chunks, added in their order, become taps. */
static void rows_range(void *ctx, int64_t first, int64_t last)
{
	struct winograd *p = ctx;
	for (int64_t row = first; row < last; row++) {
		struct pair b = pair_of(p, row / WIDE);
		int64_t i = row % WIDE;
		if (i >= b.wide)
			continue;
		float *sums = p->shared_at + (size_t)(row / WIDE * p->chunks) * sum_floats(p);
		for (size_t plane = 0; plane < (size_t)p->planes; plane++) {
			float *to = sums + plane * sum_plane(p) + i * b.tall;
			for (int64_t chunk = 1; chunk < p->chunks; chunk++)
				for (int64_t o = 0; o < b.tall; o++)
					to[o] += to[(size_t)chunk * sum_floats(p) + (size_t)o];
		}
		finish(p, &b, sums, i, i + 1);
	}
}

/* Sums of planes [first, last) = or += products over `tiles` tiles that lie at v and d, in planes for `room`. */
static void sum_planes(const struct winograd *p, const struct pair *b, int64_t first, int64_t last, const float *v,
                       const float *d, int64_t room, int64_t tiles, float *sums, bool add)
{
	size_t in = plane_of(words(p, room), b->wide), out = plane_of(words(p, room), b->tall), to = sum_plane(p);
	enum cpu_part before = cpu_clock_part(CPU_PRODUCTS);
	for (size_t i = (size_t)first; i < (size_t)last; i++)
		p->k->gemm(b->wide, b->tall, words(p, tiles), v + i * in, 1, b->wide, d + i * out, b->tall, sums + i * to,
		           b->tall, add);
	(void)cpu_clock_part(before);
}

/* Planes of `wide` channels from ic on, or of the gradients of those from oc on, of tiles [from, from + count), in
 * planes for `room`. */
static void transform_inputs(const struct winograd *p, int64_t ic, int64_t from, int64_t count, int64_t room, float *v)
{
	int64_t wide = at_most(WIDE, p->c - ic);
	struct place at = winograd_place(p, from);
	const float *px[2][MOST_INPUTS];
	winograd_inputs(p, &at, ic, px[0]);
	for (int64_t t = 0; t < count; t++) {
		winograd_advance(p, &at);
		winograd_inputs(p, &at, ic, px[(t + 1) % 2]);
		p->k->input[p->way](t % 2 ? UPPER_HALF : LOWER_HALF, v + t / p->k->pair * wide, plane_of(words(p, room), wide),
		                    px[t % 2], px[(t + 1) % 2], wide);
	}
}

static void transform_gradients(const struct winograd *p, int64_t oc, int64_t from, int64_t count, int64_t room,
                                float *d)
{
	int64_t tall = at_most(WIDE, p->oc - oc);
	struct place at = winograd_place(p, from);
	float *px[2][MOST_OUTPUTS], *outside = (float *)(uintptr_t)p->zero;
	winograd_outputs(p, &at, oc, outside, px[0]);
	for (int64_t t = 0; t < count; t++) {
		winograd_advance(p, &at);
		winograd_outputs(p, &at, oc, outside, px[(t + 1) % 2]);
		p->k->gradient[p->way](t % 2 ? UPPER_HALF : LOWER_HALF, d + t / p->k->pair * tall,
		                       plane_of(words(p, room), tall), (const float *const *)px[t % 2],
		                       (const float *const *)px[(t + 1) % 2], tall);
	}
}

/* ---- one pair -------------------------------------------------------------------------------- */

static void chunks_range(void *ctx, int64_t first, int64_t last)
{
	const struct winograd *p = ctx;
	struct pair b = pair_of(p, 0);
	int64_t blocks = (p->tiles + p->block - 1) / p->block;
	float *v = winograd_room(p), *d = v + planes_words(p, p->block, p->c);
	for (int64_t chunk = first; chunk < last; chunk++) {
		float *sums = p->shared_at + (size_t)chunk * sum_floats(p);
		int64_t begin = blocks * chunk / p->chunks, end = blocks * (chunk + 1) / p->chunks;
		for (int64_t block = begin; block < end; block++) {
			int64_t from = block * p->block, count = at_most(p->block, p->tiles - from);
			transform_inputs(p, 0, from, count, p->block, v);
			transform_gradients(p, 0, from, count, p->block, d);
			sum_planes(p, &b, 0, p->planes, v, d, p->block, count, sums, block > begin);
		}
		if (begin == end)
			memset(sums, 0, sum_floats(p) * sizeof *sums);
	}
}

/* ---- several pairs --------------------------------------------------------------------------- */

/* Tiles [from, from + count): planes of all blocks of inputs at v, of all blocks of gradients at d. */
struct group {
	const struct winograd *p;
	float *v, *d, *sums;
	int64_t from, count;
};

enum { PIECE = 16 }; /* tiles that a thread transforms at once; even, as a word is written by one thread */

static int64_t pieces_of(const struct group *g)
{
	return (g->count + PIECE - 1) / PIECE;
}

static void group_range(void *ctx, int64_t first, int64_t last)
{
	const struct group *g = ctx;
	const struct winograd *p = g->p;
	for (int64_t unit = first; unit < last; unit++) {
		int64_t block = unit / pieces_of(g), at = unit % pieces_of(g) * PIECE, count = at_most(PIECE, g->count - at);
		if (block < p->in_blocks) {
			int64_t ic = block * WIDE;
			float *v = g->v + (size_t)block * planes_words(p, p->block, p->c);
			transform_inputs(p, ic, g->from + at, count, p->block, v + words(p, at) * at_most(WIDE, p->c - ic));
		} else {
			int64_t oc = (block - p->in_blocks) * WIDE;
			float *d = g->d + (size_t)(block - p->in_blocks) * planes_words(p, p->block, p->oc);
			transform_gradients(p, oc, g->from + at, count, p->block, d + words(p, at) * at_most(WIDE, p->oc - oc));
		}
	}
}

static int64_t slices_of(const struct winograd *p)
{
	return p->whole ? 1 : SLICES;
}

/* One group: a pair is summed and becomes taps at once. Several: its sums stay, SLICES of planes a pair. */
static void pairs_range(void *ctx, int64_t first, int64_t last)
{
	const struct group *g = ctx;
	const struct winograd *p = g->p;
	int64_t slices = slices_of(p);
	for (int64_t unit = first; unit < last; unit++) {
		int64_t slice = unit % slices;
		struct pair b = pair_of(p, unit / slices);
		const float *v = g->v + (size_t)(b.ic / WIDE) * planes_words(p, p->block, p->c),
					*d = g->d + (size_t)(b.oc / WIDE) * planes_words(p, p->block, p->oc);
		float *sums = p->whole ? winograd_room(p) : g->sums + (size_t)(unit / slices) * sum_floats(p);
		sum_planes(p, &b, p->planes * slice / slices, p->planes * (slice + 1) / slices, v, d, p->block, g->count, sums,
		           g->from > 0);
		if (p->whole)
			finish(p, &b, sums, 0, b.wide);
	}
}

/* Floats of the sums that stay from group to group. */
static size_t shared_sums(const struct winograd *p)
{
	return p->whole ? 0 : (size_t)pairs_of(p) * sum_floats(p);
}

static void run_groups(struct winograd *p)
{
	struct group g = { .p = p, .sums = p->shared_at };
	g.v = g.sums + shared_sums(p);
	g.d = g.v + (size_t)p->in_blocks * planes_words(p, p->block, p->c);
	for (; g.from < p->tiles; g.from += p->block) {
		g.count = at_most(p->block, p->tiles - g.from);
		cpu_split((p->in_blocks + p->out_blocks) * pieces_of(&g), 1, group_range, &g);
		cpu_split(pairs_of(p) * slices_of(p), 1, pairs_range, &g);
	}
}

/* ---- putting it together --------------------------------------------------------------------- */

static void plan_chunks(struct winograd *p)
{
	p->chunks = 1;
	while (2 * p->chunks <= UNITS && 2 * p->chunks * CHUNK <= p->tiles)
		p->chunks *= 2;
	p->block = at_most(BLOCK_WORDS / (p->planes * (p->c + p->oc)), p->way == POINT ? POINTS : MAX_BLOCK);
	p->each = planes_words(p, p->block, p->c) + planes_words(p, p->block, p->oc);
	p->shared = (size_t)p->chunks * sum_floats(p);
}

static void plan_groups(struct winograd *p)
{
	int64_t fit = GROUP_WORDS * p->k->pair / (p->planes * (p->c + p->oc)) / PIECE * PIECE;
	p->chunks = 1;
	p->block = at_most(fit < MIN_GROUP ? MIN_GROUP : fit, round_up(p->tiles, 2));
	p->whole = p->block >= p->tiles;
	p->each = p->whole ? sum_floats(p) : 0;
	p->shared = shared_sums(p) + (size_t)p->in_blocks * planes_words(p, p->block, p->c) +
	            (size_t)p->out_blocks * planes_words(p, p->block, p->oc);
}

void winograd_plan_sum(struct winograd *p)
{
	p->in_blocks = (p->c + WIDE - 1) / WIDE;
	p->out_blocks = (p->oc + WIDE - 1) / WIDE;
	if (pairs_of(p) == 1)
		plan_chunks(p);
	else
		plan_groups(p);
}

void winograd_run_sum(struct winograd *p)
{
	if (pairs_of(p) == 1)
		cpu_split(p->chunks, 1, chunks_range, p);
	else
		run_groups(p);
	if (!p->whole)
		cpu_split(pairs_of(p) * WIDE, 16, rows_range, p);
}
