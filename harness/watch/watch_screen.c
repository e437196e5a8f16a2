/* watch_screen.c - see watch_screen.h. From top to bottom: the study, its bar, GPUs, a table of cells, the last failure
 * in a line of its own, who runs it, the last samples, and what the keys do. On a low screen the table goes before all
 * but the study. */
#include "harness/watch/watch_screen.h"

#include "harness/text/columns.h"
#include "harness/watch/spark.h"
#include "model/base/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_WIDE = 8, RATE_WIDE = 8, ETA_WIDE = 7, LOSS_WIDE = 9, CURVE_LEAST = 6, CURVE_MOST = 60, LABEL_LEAST = 8 };

#define RED   "\033[31m"
#define GREEN "\033[32m"
#define CYAN  "\033[36m"
#define DIM   "\033[2m"
#define PLAIN "\033[0m"

void watch_lines_release(struct watch_lines *l)
{
	for (int i = 0; i < l->n; i++)
		str_release(&l->v[i]);
	free(l->v);
	*l = (struct watch_lines){ 0 };
}

static struct str *line_of(struct watch_lines *l)
{
	struct str *s = &VEC_PUSH(l->v, l->n, l->cap);
	*s = (struct str){ 0 };
	return s;
}

/* One of text that is cut where the screen ends. */
static void text_line(struct watch_lines *l, const char *text, const struct watch_view *view)
{
	int has = columns_wide(text);
	columns_add(line_of(l), text, has < view->width ? has : view->width, false, view->utf8);
}

const char *watch_word(const struct watch_cell *c)
{
	return c->gone ? "gone" : record_state_name(c->state);
}

void watch_summary(struct str *out, const struct watch *w)
{
	str_addf(out, "%s: %d cell%s", w->title, w->n, str_plural(w->n));
	const struct {
		int n;
		const char *what;
	} counts[] = { { w->done, "done" }, { w->running, "running" }, { w->failed, "failed" }, { w->waiting, "to come" } };
	const char *before = ": ";
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		if (counts[i].n) {
			str_addf(out, "%s%d %s", before, counts[i].n, counts[i].what);
			before = ", ";
		}
}

static void study_line(struct watch_lines *l, const struct watch *w, const struct watch_view *view)
{
	SCOPED(str) struct str left = { 0 };
	char eta[32], right[64] = "";
	watch_summary(&left, w);
	if (!isnan(w->eta_s))
		(void)snprintf(right, sizeof right, "about %s left", duration_text(eta, w->eta_s));
	int room = view->width - (int)strlen(right) - 2;
	if (!*right || columns_wide(str_text(&left)) > room) {
		text_line(l, str_text(&left), view);
		return;
	}
	struct str *s = line_of(l);
	columns_add(s, str_text(&left), room + 2, false, view->utf8);
	str_add(s, right);
}

static void bar_line(struct watch_lines *l, const struct watch *w, const struct watch_view *view)
{
	SCOPED(str) struct str text = { 0 };
	int width = view->width - 9, full = (int)(w->share * width);
	if (width < 4)
		return;
	for (int i = 0; i < width; i++)
		str_add(&text, view->utf8 ? i < full ? "\xe2\x96\x88" : "\xe2\x96\x91" : i < full ? "#" : ".");
	str_addf(&text, " %3d %%", (int)(100 * w->share));
	text_line(l, str_text(&text), view);
}

static void gpu_lines(struct watch_lines *l, const struct watch *w, const struct watch_view *view, int most)
{
	for (int i = 0; i < w->n_gpus && i < most; i++) {
		const struct gpu *g = &w->gpus[i];
		SCOPED(str) struct str text = { 0 };
		if (i == most - 1 && w->n_gpus > most) {
			str_addf(&text, "and %d more GPUs", w->n_gpus - i);
			text_line(l, str_text(&text), view);
			return;
		}
		str_addf(&text, "GPU %d", i);
		if (g->use >= 0)
			str_addf(&text, "  %3d %%", g->use);
		if (!isnan(g->used))
			str_addf(&text, "  %.1f of %.1f GiB", g->used / 1073741824, g->memory / 1073741824);
		if (g->celsius >= 0)
			str_addf(&text, view->utf8 ? "  %d \xc2\xb0\x43" : "  %d C", g->celsius);
		if (!isnan(g->watts))
			str_addf(&text, "  %.0f W", g->watts);
		str_addf(&text, "  %s", g->name);
		text_line(l, str_text(&text), view);
	}
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* Widths of its columns; 0: there is no room for it. */
struct layout {
	int label, seed, step, rate, eta, loss, curve;
};

static int digits(int64_t x)
{
	char text[32];
	return snprintf(text, sizeof text, "%lld", (long long)x);
}

static int least(int a, int b)
{
	return a < b ? a : b;
}

static struct layout lay_out(const struct watch *w, int width)
{
	struct layout t = { .seed = 4, .step = 4, .eta = ETA_WIDE };
	int label = 5;
	for (int i = 0; i < w->n; i++) {
		const struct watch_cell *c = &w->cells[i];
		int seed = digits(c->seed), step = digits(c->step) + 1 + digits(c->steps), wide = columns_wide(c->label);
		t.seed = seed > t.seed ? seed : t.seed;
		t.step = step > t.step ? step : t.step;
		label = wide > label ? wide : label;
	}
	t.rate = width >= 80 ? RATE_WIDE : 0;
	t.loss = width >= 100 ? LOSS_WIDE : 0;
	int rest = width - STATE_WIDE - t.seed - t.step - t.eta - 4 - (t.rate ? t.rate + 1 : 0) - (t.loss ? t.loss + 1 : 0);
	t.label = least(label, rest - 1 - CURVE_LEAST > LABEL_LEAST ? rest - 1 - CURVE_LEAST : rest);
	if (t.label < 1)
		t.label = 1;
	t.curve = least(rest - t.label - 1, CURVE_MOST);
	if (t.curve < CURVE_LEAST)
		t.curve = 0;
	return t;
}

static void column(struct str *s, const char *text, int width, bool right, const struct watch_view *view)
{
	if (!width)
		return;
	str_addc(s, ' ');
	columns_add(s, text, width, right, view->utf8);
}

static void head_line(struct watch_lines *l, const struct layout *t, const struct watch_view *view)
{
	SCOPED(str) struct str s = { 0 };
	columns_add(&s, "state", STATE_WIDE, false, view->utf8);
	column(&s, "label", t->label, false, view);
	column(&s, "seed", t->seed, true, view);
	column(&s, "step", t->step, true, view);
	column(&s, "steps/s", t->rate, true, view);
	column(&s, "left", t->eta, true, view);
	column(&s, "loss", t->loss, true, view);
	column(&s, "curve", t->curve, false, view);
	text_line(l, str_text(&s), view);
}

/* What follows the step: how fast and how good a running one is, why another is not done. */
static void running_part(struct str *s, const struct watch_cell *c, const struct layout *t,
                         const struct watch_view *view)
{
	char rate[32] = "-", eta[32] = "-", loss[32] = "-";
	if (c->rate > 0)
		(void)snprintf(rate, sizeof rate, "%.3g", c->rate);
	if (c->steps && c->step >= c->steps)
		(void)snprintf(eta, sizeof eta, "scoring");
	else if (!isnan(c->eta_s))
		(void)duration_text(eta, c->eta_s);
	if (!isnan(c->loss))
		(void)snprintf(loss, sizeof loss, "%.4g", c->loss);
	column(s, rate, t->rate, true, view);
	column(s, eta, t->eta, true, view);
	column(s, loss, t->loss, true, view);
	if (t->curve && c->n_curve) {
		str_addc(s, ' ');
		(void)spark_add(s, c->curve, c->n_curve, t->curve, view->utf8);
	}
}

static const char *color_of(const struct watch_cell *c)
{
	switch (c->state) {
	case RECORD_RUNNING: return c->gone ? RED : CYAN;
	case RECORD_DONE: return GREEN;
	case RECORD_PENDING:
	case RECORD_STOPPED: return DIM;
	default: return RED;
	}
}

static void cell_line(struct watch_lines *l, const struct watch_cell *c, const struct layout *t,
                      const struct watch_view *view)
{
	SCOPED(str) struct str state = { 0 }, rest = { 0 };
	char text[64];
	columns_add(&state, watch_word(c), least(STATE_WIDE, view->width), false, view->utf8);
	column(&rest, c->label, t->label, false, view);
	(void)snprintf(text, sizeof text, "%lld", (long long)c->seed);
	column(&rest, text, t->seed, true, view);
	(void)snprintf(text, sizeof text, "%lld/%lld", (long long)c->step, (long long)c->steps);
	column(&rest, text, t->step, true, view);
	if (c->state == RECORD_RUNNING && !c->gone)
		running_part(&rest, c, t, view);
	else if (c->state == RECORD_DONE && !isnan(c->seconds)) {
		char took[32];
		str_addf(&rest, " took %s", duration_text(took, c->seconds));
	} else if (*c->reason)
		str_addf(&rest, " %s", c->reason);
	int room = view->width - STATE_WIDE, has = columns_wide(str_text(&rest));
	struct str *s = line_of(l);
	str_addf(s, "%s%s%s", view->color ? color_of(c) : "", str_text(&state), view->color ? PLAIN : "");
	if (room > 0)
		columns_add(s, str_text(&rest), least(has, room), false, view->utf8);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static void keys_line(struct watch_lines *l, const struct watch *w, const struct watch_view *view)
{
	SCOPED(str) struct str s = { 0 };
	if (l->rows < w->n)
		str_addf(&s, "cells %d to %d of %d, %d not shown; %s PgUp PgDn; ", l->first + 1, l->first + l->rows, w->n,
		         w->n - l->rows, view->utf8 ? "\xe2\x86\x91\xe2\x86\x93" : "j k");
	str_add(&s, "q leaves");
	text_line(l, str_text(&s), view);
}

/* The newest of those that need somebody; NULL = none. */
static const struct watch_cell *last_failure(const struct watch *w)
{
	return w->failed && w->running < w->n ? &w->cells[w->running] : NULL;
}

void watch_screen(struct watch_lines *out, const struct watch *w, const struct watch_view *view)
{
	*out = (struct watch_lines){ 0 };
	if (view->width < 1 || view->height < 1)
		return;
	const struct layout t = lay_out(w, view->width);
	const struct watch_cell *failed = last_failure(w);
	SCOPED(str) struct str picture = { 0 }, failure = { 0 };
	if (*w->picture)
		str_addf(&picture, "last samples: %s", w->picture);
	if (failed)
		str_addf(&failure, "last failure: %s seed %lld: %s", failed->label, (long long)failed->seed, failed->reason);
	/* below the table: keys, and where there is room the rest */
	int below = view->height >= 3;
	bool roomy = view->height >= 12;
	int others = roomy ? (failure.len > 0) + (picture.len > 0) + w->n_lines : 0;
	study_line(out, w, view);
	if (view->height >= 6)
		bar_line(out, w, view);
	if (roomy)
		gpu_lines(out, w, view, view->height / 4);
	int room = view->height - out->n - below - others - 1;
	if (room >= 1 && w->n)
		head_line(out, &t, view);
	else
		room = 0;
	out->rows = least(room, w->n);
	out->first = view->first > w->n - out->rows ? w->n - out->rows : view->first < 0 ? 0 : view->first;
	for (int i = 0; i < out->rows; i++)
		cell_line(out, &w->cells[out->first + i], &t, view);
	if (failure.len && roomy)
		text_line(out, str_text(&failure), view);
	for (int i = 0; i < w->n_lines && roomy; i++)
		text_line(out, w->lines[i], view);
	if (picture.len && roomy)
		text_line(out, str_text(&picture), view);
	if (below)
		keys_line(out, w, view);
}
