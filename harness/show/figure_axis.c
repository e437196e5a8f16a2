/* figure_axis.c - ticks at 1, 2, 5 times powers of ten; decades on log axes. */
#include "harness/show/figure_axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void axis_extend(double *min, double *max, double value, bool log)
{
	if (!isfinite(value) || (log && !(value > 0)))
		return;
	*min = fmin(*min, value);
	*max = fmax(*max, value);
}

static void add(struct axis *a, double value, const char *text)
{
	double slack = a->log ? 1e-9 * fabs(value) : 1e-9 * (a->max - a->min);
	if (a->n_ticks == AXIS_TICKS_MAX || value < a->min - slack || value > a->max + slack)
		return;
	a->tick[a->n_ticks] = value;
	snprintf(a->text[a->n_ticks++], sizeof a->text[0], "%s", text);
}

/* "0.002", "1500", "20k", "3M", "1e-07": short, and exact for the values that ticks have. */
static void number_text(char text[16], double v, double step)
{
	double size = fabs(v);
	if (size < step * 1e-6)
		snprintf(text, 16, "0");
	else if (size >= 1e12 || size < 1e-4)
		snprintf(text, 16, "%.3g", v);
	else if (size >= 1e6 && step >= 1e4)
		snprintf(text, 16, "%.4gM", v / 1e6);
	else if (size >= 1e4 && step >= 10)
		snprintf(text, 16, "%.5gk", v / 1e3);
	else
		snprintf(text, 16, "%.6g", v);
}

static void linear_ticks(struct axis *a, int at_most, bool exact)
{
	double raw = (a->max - a->min) / at_most, power = pow(10, floor(log10(raw))), step = power;
	static const double steps[] = { 1, 2, 5, 10 };
	for (int i = 0; i < 4; i++) {
		step = steps[i] * power;
		if (step >= raw * (1 - 1e-9))
			break;
	}
	if (!exact) {
		a->min = floor(a->min / step + 1e-9) * step;
		a->max = ceil(a->max / step - 1e-9) * step;
	}
	double first = ceil(a->min / step - 1e-9);
	for (int i = 0; i < AXIS_TICKS_MAX && (first + i) * step <= a->max + step * 1e-9; i++) {
		char text[16];
		number_text(text, (first + i) * step, step);
		add(a, (first + i) * step, text);
	}
}

static void log_ticks(struct axis *a, int at_most, bool exact)
{
	double lo = log10(a->min), hi = log10(a->max);
	int decades = (int)ceil(hi) - (int)floor(lo), every = 1 + (decades - 1) / at_most;
	/* Over a decade or two the 2 and the 5 are labelled as well. */
	static const double within[] = { 1, 2, 5 };
	if (!exact && decades > 2) {
		a->min = pow(10, floor(lo + 1e-9));
		a->max = pow(10, ceil(hi - 1e-9));
	} else if (!exact) {
		a->min = pow(10, lo - 0.04);
		a->max = pow(10, hi + 0.04);
	}
	for (int d = (int)floor(log10(a->min) + 1e-9); d <= (int)ceil(log10(a->max) - 1e-9); d++) {
		for (int k = 0; k < 3; k++) {
			double v = within[k] * pow(10, d);
			char text[16] = "";
			if (decades <= 2 || (k == 0 && d % every == 0))
				number_text(text, v, v);
			if (k == 0 || decades <= 4)
				add(a, v, text);
		}
	}
}

/* Within less than a decade powers of ten may give one label or none: then it has the ticks of a linear axis, at their
 * log positions. */
static void few_labels(struct axis *a, int at_most)
{
	int labels = 0;
	for (int i = 0; i < a->n_ticks; i++)
		labels += a->text[i][0] != '\0';
	if (labels >= 3 || a->max / a->min > 10)
		return;
	a->n_ticks = 0;
	linear_ticks(a, at_most, true);
}

void axis_init(struct axis *a, struct axis_range of, int at_most)
{
	double min = of.min, max = of.max;
	bool log = of.log, exact = of.exact;
	memset(a, 0, sizeof *a);
	a->log = log;
	if (!(min <= max)) /* nothing to show */
		min = log ? 0.1 : 0, max = 1, exact = false;
	if (log && !(min > 0))
		min = max > 0 ? max / 10 : 0.1, max = fmax(max, 1);
	if (log ? max / min < 1 + 1e-9 : max - min <= 1e-12 * fmax(fabs(min), fabs(max))) {
		double room = log ? 0 : fmax(fabs(min) * 0.05, 1e-12);
		min = log ? min / 1.3 : min - room, max = log ? max * 1.3 : max + room;
		exact = false;
	}
	a->min = min, a->max = max;
	if (log) {
		log_ticks(a, at_most, exact);
		few_labels(a, at_most);
	} else {
		linear_ticks(a, at_most, exact);
	}
}

double axis_place(const struct axis *a, double v)
{
	if (!isfinite(v) || (a->log && !(v > 0)))
		return NAN;
	return a->log ? (log(v) - log(a->min)) / (log(a->max) - log(a->min)) : (v - a->min) / (a->max - a->min);
}
