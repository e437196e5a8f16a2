/* chart_private.h - what the files that build charts share. */
#ifndef ABLATE_CHART_PRIVATE_H
#define ABLATE_CHART_PRIVATE_H

#include "harness/show/chart.h"

enum { CHART_SERIES_MAX = 12 };

/* Points (x, y) of several seeds. */
struct point {
	double x, y;
};
struct points {
	struct point *v; /* heap */
	int n, cap;
};

/* The first row of each arm, of the chain that is asked for or of all. Heap, also after an error. Exit 2: no such
 * chain. */
MUST_CHECK int chart_rows(const struct plan_row ***out, int *n, const struct plan *p, const struct chart_ask *ask,
                          struct err *e);
/* The chart's only panel, with room for so many lines. */
struct figure_panel *chart_panel(struct chart *c, int n_series);
/* Line i of it, to be filled. */
struct figure_series *chart_series(const struct figure_panel *p, int i);
/* The mean at each x, and one standard deviation on both sides; sorts the points. */
void chart_average(struct figure_series *out, struct arena *a, struct points *p);
/* The metric that is asked for, or the first one that the grid declares. */
MUST_CHECK int chart_metric(struct metric_ref *ref, const struct study *s, const struct chart_ask *ask, struct err *e);
/* Adds a sentence to the figure's note, once; in the arena. */
void chart_note(struct chart *c, const char *text);
/* Says what the bands are, where a line has one. */
void chart_banded(struct chart *c, const struct figure_panel *p);
/* Puts a moving average of each line in its place, and the line behind it, faint. p has room for as many again. */
void chart_smooth(struct chart *c, struct figure_panel *p, double weight);
/* Title and limits as asked; what has no value is told, or refused where that is all. */
MUST_CHECK int chart_finish(struct chart *c, struct study *s, const struct chart_kind *kind,
                            const struct chart_ask *ask, struct err *e);
const char *chart_title(struct chart *c, const struct metric_ref *ref);

/* A kind of its own file (chart_sweep.c). */
int chart_sweep(struct chart *c, struct study *s, const struct chart_ask *ask, struct err *e);

#endif
