/* chart_parts.c - see chart_private.h. */
#include "harness/show/chart_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct figure_panel *chart_panel(struct chart *c, int n_series)
{
	struct figure_panel *p = arena_alloc(&c->arena, sizeof *p);
	p->series = arena_alloc(&c->arena, (size_t)(n_series ? n_series : 1) * sizeof *p->series);
	c->figure.panels = p;
	c->figure.n_panels = 1;
	c->figure.panel_w = 520, c->figure.panel_h = 320;
	return p;
}

struct figure_series *chart_series(const struct figure_panel *p, int i)
{
	return (struct figure_series *)(void *)(uintptr_t)&p->series[i]; /* ours until the figure is returned */
}

int chart_metric(struct metric_ref *ref, const struct study *s, const struct chart_ask *ask, struct err *e)
{
	const struct grid *g = s->plan->grid;
	if (*ask->metric ? grid_metric_ref(ref, g, ask->metric, e) : 0)
		return -1;
	if (!*ask->metric && !grid_metric_refs(ref, 1, g))
		return err_code(e, EXIT_USAGE, "%s declares no [[metric]]: choose one with --metric", g->path);
	ref->least = false; /* charts show means */
	return 0;
}

const char *chart_title(struct chart *c, const struct metric_ref *ref)
{
	SCOPED(free) char *t = metric_title(ref, ref->samples);
	return arena_strdup(&c->arena, t);
}

static int by_x(const void *a, const void *b)
{
	double x = ((const struct point *)a)->x, y = ((const struct point *)b)->x;
	return (x > y) - (x < y);
}

void chart_average(struct figure_series *out, struct arena *a, struct points *p)
{
	if (p->n)
		qsort(p->v, (size_t)p->n, sizeof *p->v, by_x);
	int distinct = 0;
	for (int i = 0; i < p->n; i++)
		distinct += i == 0 || p->v[i].x != p->v[i - 1].x;
	double *x = arena_alloc(a, (size_t)(distinct + 1) * sizeof *x),
		   *y = arena_alloc(a, (size_t)(distinct + 1) * sizeof *y);
	double *lo = arena_alloc(a, (size_t)(distinct + 1) * sizeof *lo),
		   *hi = arena_alloc(a, (size_t)(distinct + 1) * sizeof *hi);
	int *seeds = arena_alloc(a, (size_t)(distinct + 1) * sizeof *seeds), n = 0;
	for (int i = 0; i < p->n;) {
		int from = i;
		double sum = 0, squares = 0;
		for (; i < p->n && p->v[i].x == p->v[from].x; i++)
			sum += p->v[i].y;
		int count = i - from;
		for (int k = from; k < i; k++)
			squares += (p->v[k].y - sum / count) * (p->v[k].y - sum / count);
		double sd = count > 1 ? sqrt(squares / (count - 1)) : NAN;
		x[n] = p->v[from].x, y[n] = sum / count, lo[n] = y[n] - sd, hi[n] = y[n] + sd;
		seeds[n++] = count;
	}
	out->x = x, out->y = y, out->lo = lo, out->hi = hi, out->seeds = seeds, out->n = n;
}

int chart_rows(const struct plan_row ***out, int *n, const struct plan *p, const struct chart_ask *ask, struct err *e)
{
	SCOPED(free) bool *taken = xcalloc((size_t)p->n_arms + 1, sizeof *taken);
	const struct plan_row **v = xcalloc((size_t)p->n_rows + 1, sizeof *v);
	bool known = !*ask->chain;
	*n = 0;
	for (int i = 0; i < p->n_rows; i++) {
		const struct plan_row *r = &p->rows[i];
		if (*ask->chain && strcmp(r->chain, ask->chain) != 0)
			continue;
		known = true;
		if (!taken[r->arm])
			v[(*n)++] = r;
		taken[r->arm] = true;
	}
	*out = v;
	return known ? 0 : err_code(e, EXIT_USAGE, "no chain '%s' in %s", ask->chain, p->grid->path);
}
