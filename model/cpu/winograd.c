/* winograd.c - see winograd.h. Here: which shapes go this way, and the plan of one. Tiles go in blocks that stay in the
 * second-level cache: transform the inputs of a block to planes, one matrix product per plane, transform back
 * (winograd_product.c). The data gradient is the forward pass with flipped, transposed weights; the weights gradient
 * (winograd_sum.c) adds up its products over all tiles before they are transformed back once. */
#include "model/cpu/winograd_private.h"

#include "model/base/cpu.h"
#include "model/base/cpu_clock.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { MIN_TILES = 4, MIN_FROZEN_PIXELS = 64 };

/* ---- plans ----------------------------------------------------------------------------------- */

static bool fits(const struct dnn_shape *s, const struct kernels *k)
{
	return k && s->stride == 1 && s->pad_h < s->kh && s->pad_w < s->kw && s->ic % 16 == 0 && s->oc % 16 == 0;
}

static int64_t tiles_of(int64_t n, int64_t h, int64_t w, int64_t step)
{
	return n * (round_up(h, step) / step) * (round_up(w, step) / step);
}

bool winograd_has_bf16(void)
{
	return winograd_kernels_bf16() != NULL;
}

static enum winograd_choice allowed;

void winograd_allow(enum winograd_choice choice)
{
	allowed = choice;
}

/* The square that takes fewer products over h x w outputs: 36 of 16, but 16 of 4 where a side is 2, 5 or 6. */
static enum way square_of(int64_t h, int64_t w)
{
	int64_t small = tiles_of(1, h, w, 2) * winograd_ways[SQUARE2].planes,
			large = tiles_of(1, h, w, 4) * winograd_ways[SQUARE4].planes;
	return large < small && allowed == WINOGRAD_EITHER ? SQUARE4 : SQUARE2;
}

static struct winograd *plan(const struct dnn_shape *s, enum dnn_pass pass, const struct kernels *k, bool relu,
                             enum way way, bool frozen)
{
	int64_t step = winograd_ways[way].step;
	struct winograd *p = xcalloc(1, sizeof *p);
	*p = (struct winograd){ .k = k,
		                    .pass = pass,
		                    .way = way,
		                    .planes = winograd_ways[way].planes,
		                    .step_h = s->kh > 1 ? step : 1,
		                    .step_w = s->kw > 1 ? step : 1,
		                    .n = s->n,
		                    .h = s->h,
		                    .w = s->w,
		                    .c = s->ic,
		                    .oh = s->oh,
		                    .ow = s->ow,
		                    .oc = s->oc,
		                    .pad_h = s->pad_h,
		                    .pad_w = s->pad_w,
		                    .rooms = frozen ? 1 : cpu_threads(),
		                    .relu = relu && pass == DNN_FORWARD };
	p->in_h = s->kh + p->step_h - 1;
	p->in_w = s->kw + p->step_w - 1;
	if (pass == DNN_BACKWARD_DATA) {
		p->h = s->oh, p->w = s->ow, p->c = s->oc;
		p->oh = s->h, p->ow = s->w, p->oc = s->ic;
		p->pad_h = s->kh - 1 - s->pad_h, p->pad_w = s->kw - 1 - s->pad_w;
	}
	p->tiles_w = round_up(p->ow, p->step_w) / p->step_w;
	p->per_image = p->tiles_w * (round_up(p->oh, p->step_h) / p->step_h);
	p->tiles = p->n * p->per_image;
	p->zeros = (size_t)round_up(p->c > p->oc ? p->c : p->oc, 16);
	if (pass == DNN_BACKWARD_WEIGHTS)
		winograd_plan_sum(p);
	else
		winograd_plan_product(p, frozen);
	return p;
}

struct winograd *winograd_new(const struct dnn_shape *s, enum dnn_pass pass, bool relu, bool bf16)
{
	const struct kernels *k = bf16 ? winograd_kernels_bf16() : winograd_kernels();
	bool point = bf16 && s->kh == 1 && s->kw == 1;
	if ((!point && (s->kh != 3 || s->kw != 3)) || !fits(s, k) || allowed == WINOGRAD_NONE)
		return NULL;
	bool data = pass == DNN_BACKWARD_DATA;
	int64_t h = data ? s->h : s->oh, w = data ? s->w : s->ow;
	enum way way = point ? POINT : square_of(h, w);
	return tiles_of(s->n, h, w, winograd_ways[way].step) >= MIN_TILES ? plan(s, pass, k, relu, way, false) : NULL;
}

/* Words of frozen weights that come from memory take as long as products with so many tiles. */
enum { WORD_TILES = 16 };

/* What one picture's tiles cost, and the weights' planes. */
static int64_t frozen_cost(int64_t h, int64_t w, enum way way)
{
	const struct way_row *r = &winograd_ways[way];
	return r->planes * (tiles_of(1, h, w, r->step) + WORD_TILES);
}

static enum way frozen_way(const struct dnn_shape *s, bool data)
{
	int64_t h = data ? s->h : s->oh, w = data ? s->w : s->ow;
	if (s->kh == 3 && s->kw == 3)
		return frozen_cost(h, w, SQUARE4) < frozen_cost(h, w, SQUARE2) ? SQUARE4 : SQUARE2;
	if (s->kh == 5 && s->kw == 5)
		return FIVE;
	if (s->kh != 1 && s->kw != 1)
		return WAYS;
	return s->kh * s->kw == 7 ? LINE7 : s->kh * s->kw == 3 ? LINE3 : WAYS;
}

struct winograd *winograd_new_frozen(const struct dnn_shape *s, enum dnn_pass pass, bool relu, const float *w)
{
	enum way way = frozen_way(s, pass == DNN_BACKWARD_DATA);
	const struct kernels *k = winograd_kernels();
	if (way == WAYS || !fits(s, k) || s->n * s->oh * s->ow < MIN_FROZEN_PIXELS)
		return NULL;
	struct winograd *p = plan(s, pass, k, relu, way, true);
	p->frozen = xaligned((size_t)p->planes * plane_of(p->c, p->oc) * sizeof *p->frozen);
	p->shared = 0;
	winograd_transform(p, w, p->frozen);
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
	return (p->zeros + p->shared + (size_t)p->rooms * p->each) * sizeof(float);
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

/* Products: those of whole blocks of tiles, not of a direct sum, of numbers in a cache. Transforms: what comes from
 * memory and goes there. */
static void count_work(const struct winograd *p)
{
	double c = (double)p->c, oc = (double)p->oc;
	cpu_clock_count(CPU_PRODUCTS, 2 * (double)(p->planes * p->tiles) * c * oc, 0);
	cpu_clock_count(CPU_TRANSFORMS, 0,
	                sizeof(float) * (c * (double)(p->n * p->h * p->w) + oc * (double)(p->n * p->oh * p->ow) +
	                                 (double)winograd_ways[p->way].taps * c * oc));
}

void winograd_run(const struct winograd *plan, float *x, float *w, const float *b, float *y, void *scratch)
{
	enum cpu_part before = cpu_clock_part(CPU_TRANSFORMS); /* but for the products, around which it is changed */
	struct winograd p = started(plan, x, y, scratch);
	count_work(&p);
	if (p.pass == DNN_BACKWARD_WEIGHTS) {
		p.dw = w;
		winograd_run_sum(&p);
	} else {
		p.weights = w;
		p.bias = b;
		winograd_run_product(&p);
	}
	(void)cpu_clock_part(before);
}

void winograd_run_frozen(const struct winograd *plan, float *x, const float *b, float *y, int64_t step, void *scratch)
{
	struct winograd p = started(plan, x, y, scratch);
	p.y_step = step;
	p.bias = b;
	p.u = p.frozen;
	winograd_run_product(&p);
}
