/* chart_finish.c - what all kinds of charts have in common once their lines are there: notes, smoothing, title, limits,
 * and that nothing is drawn without values. */
#include "harness/show/chart_private.h"

#include "harness/record/query_attempt.h"
#include "model/base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void chart_note(struct chart *c, const char *text)
{
	const char *before = c->figure.note ? c->figure.note : "";
	if (!strstr(before, text))
		c->figure.note = arena_strfmt(&c->arena, "%s%s%s", before, *before ? "; " : "", text);
}

void chart_banded(struct chart *c, const struct figure_panel *p)
{
	for (int i = 0; i < p->n_series; i++)
		for (int k = 0; k < p->series[i].n && p->series[i].lo; k++)
			if (isfinite(p->series[i].lo[k])) {
				chart_note(c, "line: mean over seeds; band: one standard deviation on both sides");
				return;
			}
}

/* --- smoothing --- */

/* The exponentially weighted mean of what there is up to each point; values that are not finite are passed over. */
static void average(double *out, const double *y, int n, double weight)
{
	double sum = 0, of = 0;
	for (int i = 0; i < n; i++) {
		if (isfinite(y[i]))
			sum = weight * sum + (1 - weight) * y[i], of = weight * of + (1 - weight);
		out[i] = isfinite(y[i]) && of > 0 ? sum / of : NAN;
	}
}

void chart_smooth(struct chart *c, struct figure_panel *p, double weight)
{
	char buf[32];
	int n = p->n_series;
	for (int i = 0; i < n; i++) {
		struct figure_series *raw = chart_series(p, i), *smooth = chart_series(p, n + i);
		double *y = arena_alloc(&c->arena, (size_t)(raw->n + 1) * sizeof *y);
		average(y, raw->y, raw->n, weight);
		*smooth = *raw;
		smooth->y = y, smooth->lo = smooth->hi = NULL, smooth->as = i + 1;
		raw->faint = true, raw->label = NULL, raw->lo = raw->hi = NULL;
	}
	p->n_series = 2 * n;
	c->figure.note = arena_strfmt(
		&c->arena,
		"strong: mean over seeds, exponentially averaged with weight %s for what came before; "
		"light: as recorded",
		str_double(buf, weight));
}

/* --- what has values --- */

static bool has_values(const struct figure_series *r)
{
	for (int i = 0; i < r->n; i++)
		if (isfinite(r->x[i]) && isfinite(r->y[i]))
			return true;
	return false;
}

static bool within(const struct figure_axis *a, double v)
{
	return isfinite(v) && (!(a->min < a->max) || (v >= a->min && v <= a->max));
}

/* Does the frame that the limits leave show anything: a value, or a line that crosses it from one value to the next? */
static bool any_within(const struct figure_panel *p)
{
	for (int k = 0; k < p->n_series; k++) {
		const struct figure_series *r = &p->series[k];
		for (int i = 0; i < r->n; i++) {
			bool x = within(&p->x, r->x[i]), y = within(&p->y, r->y[i]);
			double foot = p->y.log ? p->y.min : 0; /* a bar reaches down to there */
			if (r->mark == FIGURE_BARS && x && isfinite(r->y[i]) &&
			    (!(p->y.min < p->y.max) || (fmin(r->y[i], foot) <= p->y.max && fmax(r->y[i], foot) >= p->y.min)))
				return true;
			if (x && (y || (r->mark_y && within(&p->y, r->mark_y[i]))))
				return true;
			if (i && r->mark != FIGURE_BARS && r->mark != FIGURE_POINTS && isfinite(r->y[i]) && isfinite(r->y[i - 1]) &&
			    !(p->x.min < p->x.max &&
			      (fmax(r->x[i], r->x[i - 1]) < p->x.min || fmin(r->x[i], r->x[i - 1]) > p->x.max)) &&
			    !(p->y.min < p->y.max &&
			      (fmax(r->y[i], r->y[i - 1]) < p->y.min || fmin(r->y[i], r->y[i - 1]) > p->y.max)))
				return true;
		}
	}
	return false;
}

/* The names of training curves that the study's cells have. */
static int known_curves(struct str *out, const struct study *s, struct err *e)
{
	struct db_rows rows;
	const char *name;
	if (!s->db)
		return 0;
	if (query_curve_names(&rows, s->db, s->plan->grid->name, e))
		return -1;
	while (query_text_next(&name, &rows))
		str_addf(out, "%s%s", out->len ? ", " : "", name);
	return db_done(&rows, e);
}

static int nothing_to_draw(const struct study *s, const struct chart_kind *kind, const struct chart_ask *ask,
                           struct err *e)
{
	SCOPED(str) struct str known = { 0 };
	const char *grid = s->plan->grid->name;
	if (strcmp(kind->name, "curves") == 0) {
		const char *curve = *ask->curve ? ask->curve : "loss";
		if (known_curves(&known, s, e))
			return -1;
		return known.len ? err_code(e, EXIT_USAGE, "no curve '%s' of these arms; there are %s", curve, str_text(&known))
		                 : err_code(e, EXIT_INCOMPLETE, "%s has no training curve yet: `ablate run` it first", grid);
	}
	if (kind->of != OF_METRIC)
		return err_code(e, EXIT_INCOMPLETE, "%s has nothing that a figure '%s' could show", grid, kind->name);
	const struct grid *g = s->plan->grid;
	const char *asked = ask->n_metrics ? ask->metrics[0] : ask->metric;
	if (asked && *asked && !grid_measures(g, asked)) {
		struct metric_ref all[METRIC_REFS_MAX];
		int n = grid_metric_refs(all, METRIC_REFS_MAX, g);
		for (int i = 0; i < n; i++) {
			SCOPED(free) char *one = metric_ref_text(&all[i]);
			str_addf(&known, "%s%s", i ? ", " : "", one);
		}
		return err_code(e, EXIT_USAGE, "%s has no '%s'; it declares %s", grid, asked,
		                known.len ? str_text(&known) : "no metric");
	}
	return err_code(e, EXIT_INCOMPLETE, "%s has no value of it yet: `ablate run` it first, or see `ablate status`",
	                grid);
}

/* Lines without a value are told: their colour is in the legend and nowhere else. */
static int count_values(struct chart *c, const struct study *s, const struct chart_kind *kind,
                        const struct chart_ask *ask, struct err *e)
{
	int with = 0, without = 0;
	for (int i = 0; i < c->figure.n_panels; i++) {
		const struct figure_panel *p = &c->figure.panels[i];
		bool any = p->pixels;
		for (int k = 0; k < p->n_series; k++) {
			const struct figure_series *r = &p->series[k];
			any = any || has_values(r);
			if (r->faint)
				continue;
			for (int j = 0; j < r->n && r->mark == FIGURE_BARS; j++)
				without += !isfinite(r->y[j]), with += isfinite(r->y[j]);
			if (r->mark != FIGURE_BARS)
				without += !has_values(r), with += has_values(r);
		}
		if (!any)
			return nothing_to_draw(s, kind, ask, e);
	}
	if (without && with)
		chart_note(c, arena_strfmt(&c->arena, "no value yet: %d of %d", without, with + without));
	return 0;
}

/* --- as it is asked for --- */

static int limit(struct figure_axis *a, const double lim[2], const char *option, struct err *e)
{
	if (lim[0] >= lim[1])
		return 0;
	if (a->names)
		return err_code(e, EXIT_USAGE, "%s: the axis has names and no limits", option);
	if (a->log && lim[0] <= 0)
		return err_code(e, EXIT_USAGE, "%s: a logarithmic axis begins above 0; see --linear", option);
	a->min = lim[0], a->max = lim[1];
	return 0;
}

int chart_finish(struct chart *c, struct study *s, const struct chart_kind *kind, const struct chart_ask *ask,
                 struct err *e)
{
	struct figure_panel *panels = arena_alloc(&c->arena, (size_t)(c->figure.n_panels + 1) * sizeof *panels);
	if (count_values(c, s, kind, ask, e))
		return -1;
	memcpy(panels, c->figure.panels, (size_t)c->figure.n_panels * sizeof *panels);
	for (int i = 0; i < c->figure.n_panels; i++) {
		if (!panels[i].pixels &&
		    (limit(&panels[i].x, ask->xlim, "--xlim", e) || limit(&panels[i].y, ask->ylim, "--ylim", e)))
			return -1;
		if (!panels[i].pixels && !any_within(&panels[i]))
			return err_code(e, EXIT_USAGE, "no value lies within --xlim and --ylim: widen them, or leave them out");
		if (ask->title && c->figure.n_panels == 1 && !c->figure.title)
			panels[i].title = ask->title;
	}
	if (ask->title && (c->figure.n_panels > 1 || c->figure.title))
		c->figure.title = ask->title;
	c->figure.panels = panels;
	return 0;
}
