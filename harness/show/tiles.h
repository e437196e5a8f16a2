/* tiles.h - the first images of a data set side by side, laid out as workers draw samples, so that both can stand
 * beside each other. */
#ifndef ABLATE_TILES_H
#define ABLATE_TILES_H

#include "model/data/dataset.h"

/* Heap pixels (*h, *w, channels) of at most 64 images, on white; channels: 1 for grey sets, or 3. */
uint8_t *tiles_of(int *w, int *h, const struct dataset *d, int channels);

#endif
