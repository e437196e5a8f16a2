/* png_grid.h - one PNG of many small images, written as a stream.
 *
 * Images arrive one after the other, left to right and top to bottom; only one row of tiles is held in memory, so a
 * picture of 10,000 samples needs no more than one of 100. The file appears under its name when it is complete
 * (io_atomic); tiles that never arrived are background.
 *
 *     struct png_grid *g;
 *     if (png_grid_open(&g, "samples.png", 10, 10, 32, 32, 3, 2, e)) return -1;
 *     for (i = 0; i < 100; i++)
 *             if (png_grid_add(g, image[i], e)) { png_grid_free(g); return -1; }
 *     return png_grid_close(g, e);
 *
 * Missing tiles and margins are white. */
#ifndef ABLATE_PNG_GRID_H
#define ABLATE_PNG_GRID_H

#include "model/base/err.h"

#include <stdint.h>

struct png_grid; /* opaque */

#define PNG_GRID_MAX_SIDE 65500 /* pixels of the whole picture, each way: what common viewers still open */

/* A grid of cols x rows tiles (each 1..10000) of w x h pixels and c channels (1 grey, 3 RGB), `margin` pixels between
 * and around tiles. An error names the setting that is out of range, or the path. *out is untouched then. */
MUST_CHECK int png_grid_open(struct png_grid **out, const char *path, int cols, int rows, int w, int h, int c,
                             int margin, struct err *e);
/* The next tile: h*w*c bytes (H,W,C). More than cols*rows tiles is an error. */
MUST_CHECK int png_grid_add(struct png_grid *g, const uint8_t *image, struct err *e);
/* Completes the picture, gives it its name, and frees g in any case. */
MUST_CHECK int png_grid_close(struct png_grid *g, struct err *e);
/* Gives up and leaves nothing under the path. Accepts NULL. */
void png_grid_free(struct png_grid *g);

#endif
