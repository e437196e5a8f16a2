/* figure_text.h - the text of figures: measured by cairo, and drawn by it or, for an SVG, kept as <text> elements that
 * a reader can select and search. */
#ifndef ABLATE_FIGURE_TEXT_H
#define ABLATE_FIGURE_TEXT_H

#include "model/base/str.h"

#include <cairo.h>
#include <stdbool.h>

/* Before any text on c: the family ("" = sans-serif). svg: receives the elements instead of c; NULL: c draws them. */
void text_begin(cairo_t *c, const char *family, struct str *svg);
/* The font of what follows; size in user units. */
void text_font(cairo_t *c, double size, bool bold);
double text_width(cairo_t *c, const char *s);
/* With its anchor: ax 0 left, .5 centre, 1 right; the baseline at y. What is wider than `room` is shortened, with an
 * ellipsis: for titles alone, as what tells two things apart must not be cut. */
void text_at(cairo_t *c, const char *s, double x, double y, double ax, double room);

/* A text on several lines, none wider than there is room for. */
struct text_lines {
	char **v; /* heap, each of them too */
	int n, cap;
};
void text_wrap(struct text_lines *out, cairo_t *c, const char *s, double room);
void text_lines_release(struct text_lines *l);
void scoped_text_lines(struct text_lines *l); /* SCOPED(text_lines) struct text_lines l = { 0 }; */

#endif
