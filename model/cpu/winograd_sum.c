/* winograd_sum.c - the weights gradient, see winograd.c: WIDE x WIDE channels at a time, over chunks of tiles that are
 * added in their order. Chunks are decided by the shape alone: the bits are the same on any number of threads. */
#include "model/cpu/winograd_private.h"

#include "model/base/cpu.h"
#include "model/base/cpu_clock.h"

#include <stdint.h>
#include <string.h>

/* A block's tiles take so many floats, at most MAX_BLOCK tiles. UNITS: as many chunks, a power of two, as make that
 * many units of work, if each has CHUNK tiles. */
enum { BLOCK_FLOATS = 150000, MAX_BLOCK = 48, UNITS = 16, CHUNK = 48 };

struct pair {
	int64_t ic, oc, wide, tall; /* first channels, and how many */
};

static struct pair pair_of(const struct winograd *p, int64_t pair)
{
	int64_t ic = pair / p->out_blocks * WIDE, oc = pair % p->out_blocks * WIDE;
	return (struct pair){ ic, oc, at_most(WIDE, p->c - ic), at_most(WIDE, p->oc - oc) };
}

/* Floats of one unit's sums; a plane of it. */
static size_t sum_plane(const struct winograd *p)
{
	return plane_of(at_most(WIDE, p->c), at_most(WIDE, p->oc));
}

static size_t sum_floats(const struct winograd *p)
{
	return (size_t)p->planes * sum_plane(p);
}

/* Floats of a block's two sets of planes. */
static size_t block_floats(const struct winograd *p)
{
	return (size_t)p->planes * (plane_of(p->block, at_most(WIDE, p->c)) + plane_of(p->block, at_most(WIDE, p->oc)));
}

static void pixels(const struct winograd *p, const struct place *at, const struct pair *b, const float **px, float **py)
{
	winograd_inputs(p, at, b->ic, px);
	winograd_outputs(p, at, b->oc, (float *)(uintptr_t)p->zero, py);
}

static void sum_unit(const struct winograd *p, int64_t unit, float *v, float *sums)
{
	struct pair b = pair_of(p, unit / p->chunks);
	int64_t chunk = unit % p->chunks, blocks = (p->tiles + p->block - 1) / p->block;
	size_t in_plane = plane_of(p->block, b.wide), out_plane = plane_of(p->block, b.tall), to = sum_plane(p);
	float *d = v + (size_t)p->planes * in_plane;
	bool add = false;
	for (int64_t block = blocks * chunk / p->chunks; block < blocks * (chunk + 1) / p->chunks; block++, add = true) {
		int64_t from = block * p->block, count = at_most(p->block, p->tiles - from);
		struct place at = winograd_place(p, from);
		const float *px[2][MOST_INPUTS];
		float *py[2][MOST_OUTPUTS];
		pixels(p, &at, &b, px[0], py[0]);
		for (int64_t t = 0; t < count; t++) {
			int64_t here = t % 2, next = 1 - here;
			winograd_advance(p, &at);
			pixels(p, &at, &b, px[next], py[next]);
			p->k->input[p->way](v + t * b.wide, in_plane, px[here], px[next], b.wide);
			p->k->gradient[p->way](d + t * b.tall, out_plane, (const float *const *)py[here],
			                       (const float *const *)py[next], b.tall);
		}
		enum cpu_part before = cpu_clock_part(CPU_PRODUCTS);
		for (size_t i = 0; i < (size_t)p->planes; i++)
			p->k->gemm(b.wide, b.tall, count, v + i * in_plane, 1, b.wide, d + i * out_plane, b.tall, sums + i * to,
			           b.tall, add);
		(void)cpu_clock_part(before);
	}
	if (!add)
		memset(sums, 0, sum_floats(p) * sizeof *sums);
}

/* Rows [from, to) of a pair's sums become taps. */
static void finish(const struct winograd *p, const struct pair *b, const float *sums, int64_t from, int64_t to)
{
	for (int64_t i = from; i < to; i++)
		p->k->taps[p->way](p->dw + (b->oc * p->c + b->ic + i) * TAPS, p->c * TAPS, sums + i * b->tall, sum_plane(p),
		                   b->tall);
}

static void sum_part(void *ctx, int64_t first, int64_t last)
{
	struct winograd *p = ctx;
	int64_t units = p->in_blocks * p->out_blocks * p->chunks;
	for (int64_t part = first; part < last; part++) {
		float *v = p->scratch + (size_t)part * p->each, *own = v + block_floats(p);
		for (int64_t unit = units * part / p->parts; unit < units * (part + 1) / p->parts; unit++) {
			struct pair b = pair_of(p, unit / p->chunks);
			bool whole = p->chunks == 1;
			float *sums = whole ? own : p->shared_at + (size_t)unit * sum_floats(p);
			sum_unit(p, unit, v, sums);
			if (whole)
				finish(p, &b, sums, 0, b.wide);
		}
	}
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

void winograd_plan_sum(struct winograd *p)
{
	p->in_blocks = (p->c + WIDE - 1) / WIDE;
	p->out_blocks = (p->oc + WIDE - 1) / WIDE;
	int64_t pairs = p->in_blocks * p->out_blocks;
	p->chunks = 1;
	while (2 * p->chunks * pairs <= UNITS && 2 * p->chunks * CHUNK <= p->tiles)
		p->chunks *= 2;
	p->block = at_most(BLOCK_FLOATS / (p->planes * (at_most(WIDE, p->c) + at_most(WIDE, p->oc))), MAX_BLOCK);
	p->each = block_floats(p) + (p->chunks == 1 ? sum_floats(p) : 0);
	p->shared = p->chunks == 1 ? 0 : (size_t)(pairs * p->chunks) * sum_floats(p);
}

void winograd_run_sum(struct winograd *p)
{
	cpu_split(p->parts, 1, sum_part, p);
	if (p->chunks > 1)
		cpu_split(p->in_blocks * p->out_blocks * WIDE, 16, rows_range, p);
}
