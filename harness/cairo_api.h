/* cairo_api.h - cairo, loaded when the first figure is drawn. It brings a dozen libraries (X11, fonts) along, and a worker, which
 * draws nothing, would pay for them at every start. Callers include this instead of cairo's headers and call its functions as ever. */
#ifndef ABLATE_CAIRO_API_H
#define ABLATE_CAIRO_API_H

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <cairo.h>

struct cairo_api {
#define CAIRO(name) __typeof__(&name) name;
#include "cairo_api.def"
#undef CAIRO
};

/* The functions; ends the program with a word about the package where the library is missing. */
const struct cairo_api *cairo_api(void);

#ifndef CAIRO_API_ITSELF
#include "cairo_names.h"
#endif

#endif
