/* chart_sweep.c - a metric against a numeric setting. Arms that share a value of it are different experiments, so each
 * has a line of its own: a line joins arms that are alike in all settings but the swept one and those that go with it,
 * as disc.s1 does with disc.s0 in a zip of both. */
#include "harness/show/chart_private.h"

#include "harness/plan/row_label.h"
#include "model/base/str.h"

#include <stdlib.h>
#include <string.h>

struct swept {
	const struct plan_row *row;
	double x;
	int line;
};

struct sweep {
	struct swept *arm; /* by x */
	int n, cap;
	bool *apart; /* (knobs) differs between arms of one x: such settings tell lines apart */
	int n_lines;
};

static void scoped_sweep(struct sweep *w)
{
	free(w->arm);
	free(w->apart);
}

static int by_value(const void *pa, const void *pb)
{
	const struct swept *a = pa, *b = pb;
	return a->x != b->x ? (a->x > b->x) - (a->x < b->x) : (a->row > b->row) - (a->row < b->row);
}

/* The arms of the chain with a number for the setting; a named value ("schedule") has no place on the axis. */
static int collect(struct sweep *w, const struct plan *p, const struct chart_ask *ask, const struct knob *k,
                   struct err *e)
{
	SCOPED(free) const struct plan_row **rows = NULL;
	int n;
	if (chart_rows(&rows, &n, p, ask, e))
		return -1;
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *text = config_value_text(&p->arms[rows[i]->arm].config, k);
		char *end;
		double x = strtod(text, &end);
		if (!*end && end != text)
			VEC_PUSH(w->arm, w->n, w->cap) = (struct swept){ .row = rows[i], .x = x };
	}
	if (w->n)
		qsort(w->arm, (size_t)w->n, sizeof *w->arm, by_value);
	return 0;
}

static bool same_value(const struct plan *p, const struct swept *a, const struct swept *b, const struct knob *k)
{
	SCOPED(free) char *x = config_value_text(&p->arms[a->row->arm].config, k);
	SCOPED(free) char *y = config_value_text(&p->arms[b->row->arm].config, k);
	return strcmp(x, y) == 0;
}

static bool alike(const struct sweep *w, const struct plan *p, int i, int j)
{
	int n_knobs;
	const struct knob *knobs = config_knobs(&n_knobs);
	for (int k = 0; k < n_knobs; k++)
		if (w->apart[k] && !same_value(p, &w->arm[i], &w->arm[j], &knobs[k]))
			return false;
	return true;
}

/* One line more than there is room for: given up. */
static void find_lines(struct sweep *w, const struct plan *p)
{
	int n_knobs;
	const struct knob *knobs = config_knobs(&n_knobs);
	w->apart = xcalloc((size_t)n_knobs, sizeof *w->apart);
	for (int k = 0; k < n_knobs; k++)
		for (int i = 1; i < w->n && !w->apart[k]; i++)
			w->apart[k] = w->arm[i].x == w->arm[i - 1].x && !same_value(p, &w->arm[i], &w->arm[i - 1], &knobs[k]);
	int first[CHART_SERIES_MAX];   /* arm of each line */
	double last[CHART_SERIES_MAX]; /* and where it has come to: no two arms are one point */
	for (int i = 0; i < w->n && w->n_lines <= CHART_SERIES_MAX; i++) {
		int line = 0;
		while (line < w->n_lines && (w->arm[i].x == last[line] || !alike(w, p, i, first[line])))
			line++;
		if (line == w->n_lines && w->n_lines++ < CHART_SERIES_MAX)
			first[line] = i;
		if (line < CHART_SERIES_MAX)
			last[line] = w->arm[i].x;
		w->arm[i].line = line;
	}
}

/* The settings that tell the arm's line apart. */
static void add_settings(struct str *out, const struct sweep *w, const struct plan *p, const struct swept *arm)
{
	int n_knobs, told = 0;
	const struct knob *knobs = config_knobs(&n_knobs);
	for (int k = 0; k < n_knobs; k++) {
		SCOPED(free) char *value = config_value_text(&p->arms[arm->row->arm].config, &knobs[k]);
		if (w->apart[k])
			str_addf(out, "%s%s = %s", told++ ? ", " : "", knobs[k].key, value);
	}
}

/* What the labels of its arms have in common; without that, the settings that tell the line apart. */
static const char *label_of(struct chart *c, const struct sweep *w, const struct plan *p, int line)
{
	SCOPED(str) struct str label = { 0 };
	const struct swept *first = w->arm;
	while (first->line != line)
		first++;
	size_t n;
	for (const char *at = first->row->label, *part; (part = row_label_next(&n, &at));) {
		bool common = true;
		for (int i = 0; i < w->n; i++)
			common = common && (w->arm[i].line != line || row_label_has(w->arm[i].row->label, part, n));
		if (common)
			str_addf(&label, "%s%.*s", label.len ? ", " : "", (int)n, part);
	}
	if (!label.len)
		add_settings(&label, w, p, first);
	return arena_strdup(&c->arena, str_text(&label));
}

/* Lines whose arms are labelled alike have their settings behind that, or else a hash. */
static void tell_apart(struct chart *c, struct figure_panel *p, const struct sweep *w, const struct plan *plan)
{
	bool shared[CHART_SERIES_MAX] = { false };
	for (int i = 0; i < p->n_series; i++)
		for (int j = 0; j < p->n_series && !shared[i]; j++)
			shared[i] = j != i && strcmp(p->series[j].label, p->series[i].label) == 0;
	for (int i = 0; i < p->n_series; i++) {
		SCOPED(str) struct str settings = { 0 };
		if (!shared[i])
			continue;
		const struct swept *first = w->arm;
		while (first->line != i)
			first++;
		add_settings(&settings, w, plan, first);
		const char *label = p->series[i].label, *hash = plan->arms[first->row->arm].hash;
		chart_series(p, i)->label = !settings.len || strcmp(label, str_text(&settings)) == 0
		                                ? arena_strfmt(&c->arena, "%s (%.8s)", label, hash)
		                                : arena_strfmt(&c->arena, "%s (%s)", label, str_text(&settings));
	}
}

static int fill_line(struct figure_series *out, struct chart *c, struct study *s, const struct sweep *w, int line,
                     const struct metric_ref *ref, struct err *e)
{
	struct points mean = { 0 };
	int rc = 0;
	for (int i = 0; i < w->n && !rc; i++) {
		struct study_stat t;
		if (w->arm[i].line != line)
			continue;
		rc = study_stat(&t, s, w->arm[i].row->arm, ref, e);
		for (int j = 0; !rc && j < t.n; j++)
			VEC_PUSH(mean.v, mean.n, mean.cap) = (struct point){ w->arm[i].x, t.value[j] };
	}
	if (!rc)
		chart_average(out, &c->arena, &mean);
	free(mean.v);
	return rc;
}

int chart_sweep(struct chart *c, struct study *s, const struct chart_ask *ask, struct err *e)
{
	struct metric_ref ref;
	const struct knob *k = config_find(ask->knob);
	if (!k)
		return *ask->knob ? config_unknown(ask->knob, e)
		                  : err_code(e, EXIT_USAGE, "a sweep needs --knob KEY, such as loss.c");
	SCOPED(sweep) struct sweep w = { 0 };
	if (chart_metric(&ref, s, ask, e) || collect(&w, s->plan, ask, k, e))
		return -1;
	if (w.n > 1 && w.arm[0].x >= w.arm[w.n - 1].x)
		return err_code(e, EXIT_USAGE, "%s is the same in all of these arms: there is nothing to sweep", k->key);
	find_lines(&w, s->plan);
	if (w.n_lines > CHART_SERIES_MAX)
		return err_code(e, EXIT_USAGE,
		                "arms that differ in more than %s make over %d lines: choose with --chain or --only", k->key,
		                CHART_SERIES_MAX);
	struct figure_panel *p = chart_panel(c, w.n_lines);
	for (int i = 0; i < w.n_lines; i++) {
		if (fill_line(chart_series(p, i), c, s, &w, i, &ref, e))
			return -1;
		if (w.n_lines > 1)
			chart_series(p, i)->label = label_of(c, &w, s->plan, i);
	}
	p->n_series = w.n_lines;
	if (w.n_lines > 1)
		tell_apart(c, p, &w, s->plan);
	chart_banded(c, p);
	p->title = arena_strfmt(&c->arena, "%s against %s", chart_title(c, &ref), k->key);
	p->x = (struct figure_axis){ .label = k->key, .log = w.n && w.arm[0].x > 0 && !ask->linear };
	p->y = (struct figure_axis){ .label = chart_title(c, &ref) };
	return 0;
}
