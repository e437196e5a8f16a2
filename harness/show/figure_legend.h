/* figure_legend.h - what is written below a panel: which line is which arm, or, where the names of bars have no room
 * under them, which number is which name. No label is cut: those that are too wide go on on the next line. Used by
 * figure.c. */
#ifndef ABLATE_FIGURE_LEGEND_H
#define ABLATE_FIGURE_LEGEND_H

#include "harness/show/figure.h"

#include <cairo.h>

/* Draws the sign of a series at the left of its label, whose baseline is at y. */
typedef void legend_sign(cairo_t *c, const struct figure_series *r, int series, double x, double y);

/* How the names of an axis of categories are written: side by side, slanted, or as numbers with a list below. */
enum names_fit { NAMES_FLAT, NAMES_STEEP, NAMES_KEYED };
enum names_fit legend_names(cairo_t *c, const struct figure_panel *p, double w);

/* Height in user units for a panel whose axes are w wide; 0 = no legend. */
double legend_height(cairo_t *c, const struct figure_panel *p, double w);
void legend_draw(cairo_t *c, const struct figure_panel *p, double x, double y, double w, legend_sign *sign);

#endif
