/* figure.h - charts: one description, drawn with cairo to SVG, PDF or PNG.
 *
 * A figure is a grid of panels; a panel has two axes and series (lines with bands, steps, points, bars), or holds a
 * picture. Series are distinguished by colour (the Okabe-Ito palette, safe for colour-blind eyes), by dash and by
 * marker, so that a grey copy is readable. Values that are not finite, and values <= 0 on a log axis, leave a gap and
 * stretch no axis. The same description gives the same bytes on one machine: no dates, no random ids. Sizes are in
 * points. */
#ifndef ABLATE_FIGURE_H
#define ABLATE_FIGURE_H

#include "model/base/err.h"
#include "model/base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum figure_mark { FIGURE_LINE, FIGURE_STEP, FIGURE_POINTS, FIGURE_BARS };

struct figure_series {
	const char *label; /* in the legend; NULL or "" = not listed */
	enum figure_mark mark;
	int n;
	const double *x, *y;   /* (n); bars are at x = 0, 1, 2, ... with an axis of names, or fill [x_i, x_i+1) */
	const double *lo, *hi; /* (n) or NULL: a band around a line, a whisker on points and bars */
	const double *mark_y;  /* (n) or NULL: a small diamond at this height (a published value) */
	const int *seeds;      /* (n) or NULL: of how many seeds each point is the mean; told, not drawn */
	int as;                /* 1 + the series whose colour and dash it has; 0 = its own */
	bool faint;            /* a thin light line without band and markers, behind one that sums it up */
};

struct figure_axis {
	const char *label;
	bool log;
	double min, max;          /* min == max: from the data */
	const char *const *names; /* n_names texts at 0, 1, 2, ...: an axis of categories */
	int n_names;
};

struct figure_panel {
	const char *title;
	struct figure_axis x, y;
	const struct figure_series *series;
	int n_series;
	const uint8_t *pixels; /* a picture instead of series: (h, w, 3) */
	int w, h;
};

struct figure {
	const char *title, *note; /* above and below all panels; may be NULL */
	const struct figure_panel *panels;
	int n_panels, cols;      /* cols 0 = one row */
	double panel_w, panel_h; /* points; 0 = 300 x 210 */
	double width, height;    /* points of the whole; 0 = as the panels come */
	double font_size;        /* points of a label; 0 = 10. Lines and margins grow with it */
	const char *font;        /* family; NULL or "" = sans-serif */
};

enum { FIGURE_PANELS_MAX = 256, FIGURE_SERIES_MAX = 64 };

/* Draws to a file in the format of its extension: .svg, .pdf, .png (144 dpi). Anything else, a figure without panels or
 * one too large is exit 2. The file appears whole or not at all. */
MUST_CHECK int figure_write(const struct figure *f, const char *path, struct err *e);
/* The same into memory; format "svg", "pdf" or "png". */
MUST_CHECK int figure_render(struct str *out, const struct figure *f, const char *format, struct err *e);
bool figure_format_known(const char *format);
/* Is there a font? Without one, text is drawn with the simple strokes that cairo has built in. */
bool figure_has_font(void);

#endif
