/* figure_draw.h - what figure.c and figure_font.c offer to figure_file.c: a figure's size, its drawing on any cairo
 * context, fonts. */
#ifndef ABLATE_FIGURE_DRAW_H
#define ABLATE_FIGURE_DRAW_H

#include "harness/show/figure.h"

#include <cairo.h>

/* Text is laid out for a font of 10 points; everything grows with it. */
double figure_zoom(const struct figure *f);
/* Width and height of the layout, in points before the zoom; c only measures text, after text_begin(). */
void figure_size(const struct figure *f, cairo_t *c, double *w, double *h);
/* What is left of that for the axes of a panel. */
void figure_room(const struct figure *f, cairo_t *c, double *w, double *h);
/* Fills w x h points from the origin. */
void figure_draw(const struct figure *f, cairo_t *c, double w, double h);

/* Before the first text: shows fontconfig where there are fonts. */
void figure_find_fonts(void);
/* Heap text: the configuration of the fonts that come with this program ("fonts/fonts.conf", as in the Python wheel);
 * NULL where there is none, or where the environment or the file `system` configures fonts already. */
char *figure_own_fonts(const char *system);

#endif
