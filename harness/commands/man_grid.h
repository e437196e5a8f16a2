/* man_grid.h - the manual page ablate-grid(5): all that is needed to write a grid, from the tables that the program
 * reads grids by (grid_keys.h, the knobs, presets, metrics, extractors, data sets and columns). */
#ifndef ABLATE_MAN_GRID_H
#define ABLATE_MAN_GRID_H

#include "model/base/str.h"

/* Appends the page as roff. */
void man_grid(struct str *s);

#endif
