/* figure_legend.c - see figure_legend.h. */
#include "harness/show/figure_legend.h"

#include "harness/show/figure_text.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { SIGN = 25, KEY = 20, GAP = 9, LINE = 12, FONT = 9, STEEP_MAX = 96 };

struct item {
	const char *label;
	int series; /* -1: a name of the axis */
};

enum names_fit legend_names(cairo_t *c, const struct figure_panel *p, double w)
{
	double widest = 0;
	text_font(c, FONT, false);
	for (int i = 0; i < p->x.n_names; i++)
		widest = fmax(widest, text_width(c, p->x.names[i]));
	return widest <= w / (p->x.n_names + !p->x.n_names) - 4 ? NAMES_FLAT
	       : widest <= STEEP_MAX                            ? NAMES_STEEP
	                                                        : NAMES_KEYED;
}

/* Number k of what is listed; false behind the last. */
static bool item_at(struct item *out, const struct figure_panel *p, bool keyed, int k)
{
	if (keyed && k < p->x.n_names) {
		*out = (struct item){ p->x.names[k], -1 };
		return true;
	}
	k -= keyed ? p->x.n_names : 0;
	for (int s = 0; s < p->n_series; s++)
		if (p->series[s].label && *p->series[s].label && k-- == 0) {
			*out = (struct item){ p->series[s].label, s };
			return true;
		}
	return false;
}

static int columns(cairo_t *c, const struct figure_panel *p, bool keyed, double w)
{
	double widest = 0;
	struct item it;
	for (int k = 0; item_at(&it, p, keyed, k); k++)
		widest = fmax(widest, text_width(c, it.label));
	return (int)fmax(1, floor(w / (fmin(widest, w) + SIGN + GAP)));
}

/* Draws it, or, without `sign`, only measures. Returns the height. */
static double walk(cairo_t *c, const struct figure_panel *p, double x, double y, double w, legend_sign *sign)
{
	struct item it;
	bool keyed = p->x.names && legend_names(c, p, w) == NAMES_KEYED;
	text_font(c, FONT, false);
	if (!item_at(&it, p, keyed, keyed ? 0 : 1)) /* one line needs no legend */
		return 0;
	int cols = columns(c, p, keyed, w);
	double step = w / cols, top = 0, high = 0;
	for (int k = 0; item_at(&it, p, keyed, k); k++) {
		SCOPED(text_lines) struct text_lines lines = { 0 };
		double indent = it.series < 0 ? KEY : SIGN, lx = x + (k % cols) * step, ly = y + top;
		text_wrap(&lines, c, it.label, step - indent - 4);
		for (int i = 0; i < lines.n && sign; i++) {
			cairo_set_source_rgb(c, 0.1, 0.1, 0.1);
			text_at(c, lines.v[i], lx + indent, ly + i * LINE, 0, INFINITY);
		}
		if (sign && it.series < 0) {
			SCOPED(free) char *number = xstrfmt("%d", k + 1);
			text_at(c, number, lx + KEY - 6, ly, 1, INFINITY);
		} else if (sign) {
			sign(c, &p->series[it.series], it.series, lx, ly);
		}
		high = fmax(high, lines.n * LINE + 1);
		if (k % cols == cols - 1)
			top += high, high = 0;
	}
	return top + high;
}

double legend_height(cairo_t *c, const struct figure_panel *p, double w)
{
	return walk(c, p, 0, 0, w, NULL);
}

void legend_draw(cairo_t *c, const struct figure_panel *p, double x, double y, double w, legend_sign *sign)
{
	(void)walk(c, p, x, y, w, sign);
}
