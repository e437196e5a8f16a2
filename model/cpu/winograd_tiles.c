/* winograd_tiles.c - the ways that a tile is computed by, and where a plan's tiles and their pixels are. */
#include "model/cpu/winograd_private.h"

const struct way_row winograd_ways[WAYS] = {
	[SQUARE2] = { 9, 16, 2 }, [SQUARE4] = { 9, 36, 4 }, [POINT] = { 1, 1, 1 },
	[FIVE] = { 25, 36, 2 },   [LINE7] = { 7, 9, 2 },    [LINE3] = { 3, 4, 2 },
};

struct place winograd_place(const struct winograd *p, int64_t tile)
{
	int64_t in = tile % p->per_image;
	return (struct place){ tile, tile / p->per_image, in / p->tiles_w * p->step_h, in % p->tiles_w * p->step_w };
}

void winograd_advance(const struct winograd *p, struct place *at)
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

void winograd_inputs(const struct winograd *p, const struct place *at, int64_t channel, const float **px)
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

void winograd_outputs(const struct winograd *p, const struct place *at, int64_t channel, float *outside, float **px)
{
	float *first = p->y + ((at->image * p->oh + at->i) * p->ow + at->j) * p->y_step + channel;
	int64_t row = p->ow * p->y_step;
	for (int64_t a = 0; a < p->step_h; a++)
		for (int64_t b = 0; b < p->step_w; b++) {
			bool in = at->tile < p->tiles && at->i + a < p->oh && at->j + b < p->ow;
			px[p->step_w * a + b] = in ? first + a * row + b * p->y_step : outside;
		}
}
