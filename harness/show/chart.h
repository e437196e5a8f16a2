/* chart.h - what to draw of a study: curves, bars, schedules, sample pictures, as descriptions for figure.h.
 *
 * One row of the table (chart_kinds) per kind; `ablate figure` and the report go through it. Rows of the plan that
 * share an arm are drawn once, under the first label. */
#ifndef ABLATE_CHART_H
#define ABLATE_CHART_H

#include "harness/show/figure.h"
#include "harness/study/published.h"
#include "harness/study/study.h"

struct chart_ask {
	const char *kind;           /* of chart_kinds */
	const char *chain;          /* rows of this chain only; "" = all */
	const char *metric;         /* "fid@1", "fid/pixels@1"; "" = the first declared. Of bars, metric, sweep */
	const char *const *metrics; /* (n_metrics) a panel for each; n_metrics 0 = `metric` alone */
	int n_metrics;
	const char *curve;           /* a training curve's name; "" = loss. Of curves */
	const char *knob;            /* a numeric setting, as loss.c. Of sweep */
	const char *runs;            /* folder of the attempts' files (struct store). Of samples */
	const struct published *pub; /* published values as diamonds; may be NULL. Of bars */
	bool linear;                 /* no logarithmic axes */
	double smooth;               /* of curves: weight of what came before, in [0, 1); 0 = as recorded */
	const char *title;           /* in place of the panel's own; "" = none; NULL = its own */
	double xlim[2], ylim[2];     /* equal = from the data */
};

struct chart {
	struct arena arena;
	struct figure figure;
};

/* What it is drawn of: what trainings left, a metric (then each of several has a panel), or settings alone. */
enum chart_of { OF_TRAINING, OF_METRIC, OF_SETTINGS };
struct chart_kind {
	const char *name, *text;
	int (*build)(struct chart *c, struct study *s, const struct chart_ask *ask, struct err *e);
	enum chart_of of;
};
const struct chart_kind *chart_kinds(int *n);

/* Exit 2 for an unknown kind, chain, metric, curve or knob, and for limits that the axes cannot have; exit 1 where
 * there is nothing to draw yet: axes are never empty. */
MUST_CHECK int chart_build(struct chart **out, struct study *s, const struct chart_ask *ask, struct err *e);
void chart_free(struct chart *c);
void scoped_chart(struct chart **c);

/* A training curve of one attempt through the lives it resumed from: *x, *y in the arena, *n points. */
MUST_CHECK int chart_curve(double **x, double **y, int *n, struct arena *arena, struct db *db, const char *attempt,
                           const char *name, struct err *e);
/* Heap path of a picture that an attempt made ("picture@1", any steps when nfe < 0); NULL when there is none. */
char *chart_picture(const struct study *s, const struct study_cell *c, const char *runs, int nfe);

#endif
