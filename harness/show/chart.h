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
	const char *kind;            /* of chart_kinds */
	const char *chain;           /* rows of this chain only; "" = all */
	const char *metric;          /* "fid@1", "fid/pixels@1"; "" = the first declared. Of bars, metric, sweep */
	const char *curve;           /* a training curve's name; "" = loss. Of curves */
	const char *knob;            /* a numeric setting, as loss.c. Of sweep */
	const char *runs;            /* folder of the attempts' files (struct store). Of samples */
	const struct published *pub; /* published values as diamonds; may be NULL. Of bars */
	bool linear;                 /* no logarithmic axes */
};

struct chart {
	struct arena arena;
	struct figure figure;
};

struct chart_kind {
	const char *name, *text;
	int (*build)(struct chart *c, struct study *s, const struct chart_ask *ask, struct err *e);
	bool of_settings; /* it shows nothing that was computed */
};
const struct chart_kind *chart_kinds(int *n);

/* Exit 2 for an unknown kind, chain, metric or knob; a study without values gives empty axes. */
MUST_CHECK int chart_build(struct chart **out, struct study *s, const struct chart_ask *ask, struct err *e);
void chart_free(struct chart *c);
void scoped_chart(struct chart **c);

/* A training curve of one attempt through the lives it resumed from: *x, *y in the arena, *n points. */
MUST_CHECK int chart_curve(double **x, double **y, int *n, struct arena *arena, struct db *db, const char *attempt,
                           const char *name, struct err *e);
/* Heap path of a picture that an attempt made ("picture@1", any steps when nfe < 0); NULL when there is none. */
char *chart_picture(const struct study *s, const struct study_cell *c, const char *runs, int nfe);

#endif
