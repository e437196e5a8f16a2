/* figure_draw.h - what figure.c offers to figure_file.c: a figure's size and its drawing on any cairo context. */
#ifndef ABLATE_FIGURE_DRAW_H
#define ABLATE_FIGURE_DRAW_H

#include "figure.h"

#include <cairo.h>

/* Width and height in points; c only measures text. */
void figure_size(const struct figure *f, cairo_t *c, double *w, double *h);
/* Fills w x h points from the origin. */
void figure_draw(const struct figure *f, cairo_t *c, double w, double h);

#endif
