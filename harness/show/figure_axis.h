/* figure_axis.h - the range of an axis and its ticks. Used by figure.c only; separate so that it can be tested
 * alone. */
#ifndef ABLATE_FIGURE_AXIS_H
#define ABLATE_FIGURE_AXIS_H

#include <stdbool.h>

enum { AXIS_TICKS_MAX = 24 };

struct axis {
	bool log;
	double min, max; /* min < max; both > 0 if log */
	int n_ticks;
	double tick[AXIS_TICKS_MAX];   /* inside [min, max], ascending */
	char text[AXIS_TICKS_MAX][16]; /* "" = a minor tick */
};

/* Widens *min..*max by a finite value (a positive one when log). Start with min = INFINITY, max = -INFINITY. */
void axis_extend(double *min, double *max, double value, bool log);
/* What is to be shown. exact: from min to max as they are, else rounded to ticks. */
struct axis_range {
	double min, max;
	bool log, exact;
};
/* An empty or single-valued range is given room. at_most: labelled ticks. */
void axis_init(struct axis *a, struct axis_range of, int at_most);
/* 0 at min, 1 at max. NAN for what the axis cannot show. */
double axis_place(const struct axis *a, double value);

#endif
