/* tiles.c - see tiles.h. */
#include "harness/show/tiles.h"

#include "model/base/mem.h"

#include <string.h>

enum { SIDE = 8, MARGIN = 2 }; /* tiles each way, pixels between them */

uint8_t *tiles_of(int *w, int *h, const struct dataset *d, int channels)
{
	*w = SIDE * (d->w + MARGIN) + MARGIN, *h = SIDE * (d->h + MARGIN) + MARGIN;
	size_t bytes = (size_t)*w * (size_t)*h * (size_t)channels;
	uint8_t *pixels = xmalloc(bytes);
	memset(pixels, 255, bytes);
	for (int i = 0; i < SIDE * SIDE && i < d->n; i++)
		for (int y = 0; y < d->h; y++)
			for (int x = 0; x < d->w; x++)
				for (int k = 0; k < channels; k++) {
					int to = (MARGIN + i / SIDE * (d->h + MARGIN) + y) * *w + MARGIN + i % SIDE * (d->w + MARGIN) + x;
					int64_t from = (((int64_t)i * d->h + y) * d->w + x) * d->c + (d->c == 3 ? k : 0);
					pixels[(size_t)to * (size_t)channels + (size_t)k] = d->images[from];
				}
	return pixels;
}
