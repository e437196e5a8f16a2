/* chart.c - from a study to figures; one function per kind, listed at the end. */
#include "harness/show/chart_private.h"
#include "harness/record/query_attempt.h"
#include "harness/show/tiles.h"

#include "harness/judge/stats.h"
#include "harness/record/score_curve.h"
#include "metrics/features/extractor.h"

#include "model/base/io.h"
#include "model/base/str.h"
#include "model/consistency/schedule.h"
#include "model/data/dataset.h"

#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS_MAX = 4000, SIGMA_BINS = 48 };

/* --- rows --- */

struct lines {
	const struct plan_row *row[FIGURE_SERIES_MAX];
	const char *label[FIGURE_SERIES_MAX]; /* no two alike */
	int n, hidden;
};

/* Rows of several chains may share a label, "base" say: then with the chain's name, and, alike even so, the arm's
 * hash. */
static void tell_apart(struct lines *l, struct arena *a, const struct plan *p)
{
	SCOPED(free) bool *twice = xcalloc((size_t)l->n + 1, sizeof *twice);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < l->n; i++) {
			twice[i] = false;
			for (int k = 0; k < l->n; k++)
				twice[i] = twice[i] || (k != i && strcmp(l->label[k], l->label[i]) == 0);
		}
		for (int i = 0; i < l->n; i++)
			if (twice[i])
				l->label[i] = pass == 0 ? l->row[i]->name
				                        : arena_strfmt(a, "%s (%.8s)", l->label[i], p->arms[l->row[i]->arm].hash);
	}
}

/* The rows to draw: of the chain, one per arm, at most `max`. */
static int choose(struct lines *out, struct chart *c, const struct study *s, const struct chart_ask *ask, int max,
                  struct err *e)
{
	SCOPED(free) const struct plan_row **rows = NULL;
	int n;
	*out = (struct lines){ .n = 0 };
	if (chart_rows(&rows, &n, s->plan, ask, e))
		return -1;
	out->n = n < max ? n : max;
	out->hidden = n - out->n;
	for (int i = 0; i < out->n; i++)
		out->row[i] = rows[i], out->label[i] = rows[i]->label;
	tell_apart(out, &c->arena, s->plan);
	return 0;
}

/* With the mark of the builds that made it, where there are several. */
static const char *marked_label(struct chart *c, const struct study *s, const struct lines *l, int i)
{
	const char *mark = study_arm_mark(s, &c->arena, l->row[i]->arm);
	return *mark ? arena_strfmt(&c->arena, "%s%s", l->label[i], mark) : l->label[i];
}

/* What the marks mean. */
static void add_mark_notes(struct chart *c, const struct study *s)
{
	const char *text;
	for (int i = 0; (text = study_mark_note(s, &c->arena, i)); i++)
		chart_note(c, text);
}

static void tell_hidden(struct chart *c, const struct lines *lines)
{
	if (lines->hidden)
		chart_note(c, arena_strfmt(&c->arena, "%d more arm%s not drawn: choose a chain or --only", lines->hidden,
		                           str_plural(lines->hidden)));
}

/* At most POINTS_MAX of a curve: a picture has no room for more. */
static int thin(double *x, double *y, int n)
{
	int every = (n + POINTS_MAX - 1) / POINTS_MAX, kept = 0;
	for (int i = 0; i < n && every > 1; i += every, kept++)
		x[kept] = x[i], y[kept] = y[i];
	return every > 1 ? kept : n;
}

int chart_curve(double **x, double **y, int *n, struct arena *arena, struct db *db, const char *attempt,
                const char *name, struct err *e)
{
	SCOPED(free) struct point *v = NULL;
	int count = 0, cap = 0;
	struct db_rows rows;
	*n = 0, *x = *y = NULL;
	struct curve_row row;
	if (query_curve(&rows, db, attempt, name, e))
		return -1;
	while (query_curve_next(&row, &rows))
		VEC_PUSH(v, count, cap) = (struct point){ (double)row.step, row.value };
	if (db_done(&rows, e))
		return -1;
	*x = arena_alloc(arena, (size_t)(count + 1) * sizeof **x);
	*y = arena_alloc(arena, (size_t)(count + 1) * sizeof **y);
	for (int i = 0; i < count; i++)
		(*x)[i] = v[i].x, (*y)[i] = v[i].y;
	*n = thin(*x, *y, count);
	return 0;
}

/* --- kinds --- */

static int build_curves(struct chart *c, struct study *s, const struct chart_ask *ask, struct err *e)
{
	struct lines lines;
	const char *name = *ask->curve ? ask->curve : "loss";
	if (choose(&lines, c, s, ask, CHART_SERIES_MAX, e))
		return -1;
	struct figure_panel *p = chart_panel(c, 2 * lines.n);
	bool positive = true;
	for (int i = 0; i < lines.n; i++) {
		struct points all = { 0 };
		for (int k = 0; k < s->plan->n_cells && s->db; k++) {
			double *x, *y;
			int n;
			if (s->cells[k].arm != lines.row[i]->arm || !*s->cells[k].attempt)
				continue;
			if (chart_curve(&x, &y, &n, &c->arena, s->db, s->cells[k].attempt, name, e)) {
				free(all.v);
				return -1;
			}
			for (int j = 0; j < n; j++) {
				positive = positive && !(y[j] <= 0);
				VEC_PUSH(all.v, all.n, all.cap) = (struct point){ x[j], y[j] };
			}
		}
		chart_average(chart_series(p, i), &c->arena, &all);
		free(all.v);
		chart_series(p, i)->label = marked_label(c, s, &lines, i);
	}
	p->n_series = lines.n;
	chart_banded(c, p);
	if (ask->smooth > 0)
		chart_smooth(c, p, ask->smooth);
	p->title = arena_strfmt(&c->arena, "%s", name);
	p->x.label = "training step";
	p->y = (struct figure_axis){ .label = arena_strdup(&c->arena, name), .log = positive && !ask->linear };
	tell_hidden(c, &lines);
	return 0;
}

/* The score over the training of one cell: the points of its curve, and the score at its end. */
static int add_training(struct points *all, struct chart *c, const struct study *s, int k, const struct metric_ref *ref,
                        struct err *e)
{
	const struct run_config *config = &s->plan->arms[s->cells[k].arm].config;
	const char *extractor = *ref->extractor ? ref->extractor : extractor_default(config->data.name);
	SCOPED(free) char *name = score_curve_name(ref->name, extractor, ref->nfe, ref->samples);
	double *x, *y;
	int n;
	if (chart_curve(&x, &y, &n, &c->arena, s->db, s->cells[k].attempt, name, e))
		return -1;
	for (int j = 0; j < n; j++)
		VEC_PUSH(all->v, all->n, all->cap) = (struct point){ x[j], y[j] };
	return 0;
}

static int build_metric(struct chart *c, struct study *s, const struct chart_ask *ask, struct err *e)
{
	struct lines lines;
	struct metric_ref ref;
	if (choose(&lines, c, s, ask, CHART_SERIES_MAX, e) || chart_metric(&ref, s, ask, e))
		return -1;
	struct figure_panel *p = chart_panel(c, lines.n);
	int on_the_way = 0;
	for (int i = 0; i < lines.n; i++) {
		struct points all = { 0 };
		struct study_stat end;
		int rc = study_stat(&end, s, lines.row[i]->arm, &ref, e);
		for (int k = 0; k < s->plan->n_cells && !rc && s->db; k++)
			if (s->cells[k].arm == lines.row[i]->arm && *s->cells[k].attempt)
				rc = add_training(&all, c, s, k, &ref, e);
		on_the_way += all.n;
		for (int j = 0; j < end.n && !rc; j++)
			VEC_PUSH(all.v, all.n, all.cap) =
				(struct point){ (double)s->plan->arms[lines.row[i]->arm].config.train.steps, end.value[j] };
		if (!rc)
			chart_average(chart_series(p, i), &c->arena, &all);
		free(all.v);
		if (rc)
			return -1;
		chart_series(p, i)->label = marked_label(c, s, &lines, i);
	}
	if (!on_the_way)
		return err_code(
			e, EXIT_INCOMPLETE,
			"%s was measured at the end of trainings alone: eval.every = N in [base] measures it each N steps, "
			"in trainings to come",
			chart_title(c, &ref));
	p->n_series = lines.n;
	chart_banded(c, p);
	p->title = chart_title(c, &ref);
	p->x.label = "training step";
	p->y = (struct figure_axis){ .label = p->title };
	tell_hidden(c, &lines);
	return 0;
}

static int build_bars(struct chart *c, struct study *s, const struct chart_ask *ask, struct err *e)
{
	struct lines lines;
	struct metric_ref ref;
	if (choose(&lines, c, s, ask, 40, e) || chart_metric(&ref, s, ask, e))
		return -1;
	struct figure_panel *p = chart_panel(c, 1);
	size_t n = (size_t)lines.n + 1;
	double *v[5];
	const char **names = arena_alloc(&c->arena, n * sizeof *names);
	for (int k = 0; k < 5; k++)
		v[k] = arena_alloc(&c->arena, n * sizeof **v);
	int *seeds = arena_alloc(&c->arena, n * sizeof *seeds);
	bool published = false;
	for (int i = 0; i < lines.n; i++) {
		struct study_stat t;
		if (study_stat(&t, s, lines.row[i]->arm, &ref, e))
			return -1;
		const char *data = s->plan->arms[lines.row[i]->arm].config.data.name;
		const struct published_value *theirs = ask->pub && metric_ref_in_papers(&ref)
		                                           ? published_find(ask->pub, "", lines.row[i]->label, data, ref.name,
		                                                            ref.nfe)
		                                           : NULL;
		v[0][i] = i, v[1][i] = t.mean, v[2][i] = t.mean - t.sd, v[3][i] = t.mean + t.sd,
		v[4][i] = theirs ? theirs->value : NAN, seeds[i] = t.n;
		published = published || theirs;
		names[i] = arena_strfmt(&c->arena, "%s%s", lines.label[i], study_mark(s, &c->arena, t.builds, t.n_builds));
	}
	*chart_series(p, 0) = (struct figure_series){ .mark = FIGURE_BARS,
		                                          .n = lines.n,
		                                          .x = v[0],
		                                          .y = v[1],
		                                          .lo = v[2],
		                                          .hi = v[3],
		                                          .seeds = seeds,
		                                          .mark_y = published ? v[4] : NULL };
	p->n_series = 1;
	p->x = (struct figure_axis){ .names = names, .n_names = lines.n };
	p->y = (struct figure_axis){ .label = chart_title(c, &ref) };
	p->title = p->y.label;
	chart_note(c, published ? "bars: mean; whiskers: standard deviation over seeds; diamonds: published"
	                        : "bars: mean; whiskers: standard deviation over seeds");
	tell_hidden(c, &lines);
	return 0;
}

static bool same_curve(const struct figure_series *a, const struct figure_series *b)
{
	return a->n == b->n && !memcmp(a->x, b->x, (size_t)a->n * sizeof *a->x) &&
	       !memcmp(a->y, b->y, (size_t)a->n * sizeof *a->y);
}

/* Arms whose schedules are the same are one line with all their names. */
static void join_same(struct chart *c, struct figure_panel *p)
{
	int kept = 0;
	for (int i = 0; i < p->n_series; i++) {
		int k = 0;
		while (k < kept && !same_curve(chart_series(p, k), chart_series(p, i)))
			k++;
		if (k < kept)
			chart_series(p, k)->label = arena_strfmt(&c->arena, "%s, %s", p->series[k].label, p->series[i].label);
		else
			*chart_series(p, kept++) = p->series[i];
	}
	p->n_series = kept;
}

/* One curve of each arm that follows from its settings alone. `curve` fills x and y (arena memory) and n; n = 0:
 * none. */
static struct figure_panel *of_settings(
	struct chart *c, struct study *s, const struct chart_ask *ask, const char *title,
	void (*curve)(struct figure_series *out, struct arena *a, const struct run_config *cfg), struct err *e)
{
	struct lines lines;
	if (choose(&lines, c, s, ask, CHART_SERIES_MAX, e))
		return NULL;
	struct figure_panel *p = chart_panel(c, lines.n);
	for (int i = 0; i < lines.n; i++) {
		struct figure_series one = { .label = lines.label[i], .mark = FIGURE_STEP };
		curve(&one, &c->arena, &s->plan->arms[lines.row[i]->arm].config);
		if (one.n)
			*chart_series(p, p->n_series++) = one;
	}
	join_same(c, p);
	p->title = title;
	tell_hidden(c, &lines);
	return p;
}

/* Interval j covers [sigma_j, sigma_j+1); its probability is spread evenly in ln sigma over the bins it meets. */
static void sigma_curve(struct figure_series *out, struct arena *a, const struct run_config *cfg)
{
	int64_t n = schedule_n(cfg, cfg->train.steps > 0 ? cfg->train.steps - 1 : 0);
	if (n < 2 || n > 1000000)
		return;
	SCOPED(free) double *cdf = xcalloc((size_t)n, sizeof *cdf);
	index_cdf(cdf, cfg, n);
	double lo = log(cfg->sigma.min), hi = log(cfg->sigma.max), width = (hi - lo) / SIGMA_BINS;
	double *x = arena_alloc(a, (SIGMA_BINS + 1) * sizeof *x), *y = arena_alloc(a, (SIGMA_BINS + 1) * sizeof *y);
	for (int k = 0; k <= SIGMA_BINS; k++)
		x[k] = exp(lo + k * width);
	for (int64_t j = 0; j + 1 < n; j++) {
		double from = log(sigma_at(cfg, n, j)), to = log(sigma_at(cfg, n, j + 1)), mass = cdf[j] - (j ? cdf[j - 1] : 0);
		for (int k = 0; k < SIGMA_BINS && to > from; k++) {
			double overlap = fmin(to, lo + (k + 1) * width) - fmax(from, lo + k * width);
			if (overlap > 0)
				y[k] += mass * overlap / (to - from) / width;
		}
	}
	y[SIGMA_BINS] = 0;
	out->n = SIGMA_BINS + 1, out->x = x, out->y = y;
}

static int build_sigma(struct chart *c, struct study *s, const struct chart_ask *ask, struct err *e)
{
	struct figure_panel *p = of_settings(c, s, ask, "noise levels in training", sigma_curve, e);
	if (!p)
		return -1;
	p->x = (struct figure_axis){ .label = "sigma", .log = true };
	p->y = (struct figure_axis){ .label = "density in ln sigma" };
	return 0;
}

static void steps_curve(struct figure_series *out, struct arena *a, const struct run_config *cfg)
{
	enum { N = 600 };
	double *x = arena_alloc(a, (N + 1) * sizeof *x), *y = arena_alloc(a, (N + 1) * sizeof *y);
	for (int k = 0; k <= N; k++) {
		int64_t step = (int64_t)((double)cfg->train.steps * k / N);
		x[k] = (double)step, y[k] = (double)schedule_n(cfg, step < cfg->train.steps ? step : cfg->train.steps);
	}
	out->n = N + 1, out->x = x, out->y = y;
}

static int build_steps(struct chart *c, struct study *s, const struct chart_ask *ask, struct err *e)
{
	struct figure_panel *p = of_settings(c, s, ask, "discretization steps N(k)", steps_curve, e);
	if (!p)
		return -1;
	p->x.label = "training step k";
	p->y = (struct figure_axis){ .label = "N(k)", .log = !ask->linear };
	return 0;
}

/* --- pictures --- */

char *chart_picture(const struct study *s, const struct study_cell *c, const char *runs, int nfe)
{
	if (!s->db || !*c->attempt || !runs || !*runs)
		return NULL;
	SCOPED(free) char *name = NULL;
	struct err e = ERR_INIT;
	if (query_picture(&name, s->db, c->attempt, nfe, &e) || !name || strchr(name, '/'))
		return NULL;
	char *path = xstrfmt("%s/%.12s/%s/%s", runs, c->hash, c->attempt, name);
	if (io_exists(path))
		return path;
	free(path);
	return NULL;
}

/* A PNG as RGB in the arena. Larger than 4096 on a side: refused. */
static int read_picture(struct figure_panel *p, struct arena *a, const char *path, struct err *e)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	if (!png_image_begin_read_from_file(&image, path))
		return err_set(e, "%s: %s", path, image.message);
	if (image.width > 4096 || image.height > 4096) {
		png_image_free(&image);
		return err_set(e, "%s: %u x %u pixels; a figure takes at most 4096 each way", path, image.width, image.height);
	}
	image.format = PNG_FORMAT_RGB;
	uint8_t *pixels = arena_alloc(a, PNG_IMAGE_SIZE(image));
	if (!png_image_finish_read(&image, NULL, pixels, 0, NULL))
		return err_set(e, "%s: %s", path, image.message);
	p->pixels = pixels, p->w = (int)image.width, p->h = (int)image.height;
	return 0;
}

/* The first 64 training images of the data set, laid out as a cell's sample picture is. */
static int real_images(struct figure_panel *p, struct arena *a, const char *data_name, struct err *e)
{
	struct dataset d;
	if (dataset_open(&d, data_name, SPLIT_TRAIN, e))
		return -1;
	SCOPED(free) uint8_t *tiles = tiles_of(&p->w, &p->h, &d, 3);
	size_t bytes = (size_t)p->w * (size_t)p->h * 3;
	p->pixels = memcpy(arena_alloc(a, bytes), tiles, bytes);
	p->title = "real images";
	dataset_release(&d);
	return 0;
}

static int build_samples(struct chart *c, struct study *s, const struct chart_ask *ask, struct err *e)
{
	struct lines lines;
	struct metric_ref ref = { .nfe = -1 };
	if (choose(&lines, c, s, ask, CHART_SERIES_MAX, e) || (*ask->metric && metric_ref_parse(&ref, ask->metric, e)))
		return -1;
	struct figure_panel *panels = arena_alloc(&c->arena, (size_t)(lines.n + 2) * sizeof *panels);
	int n = 0;
	for (int i = 0; i < lines.n; i++) {
		SCOPED(free) char *path = NULL;
		for (int k = 0; k < s->plan->n_cells && !path; k++)
			if (s->cells[k].arm == lines.row[i]->arm)
				path = chart_picture(s, &s->cells[k], ask->runs, ref.nfe);
		if (!path)
			continue;
		if (read_picture(&panels[n], &c->arena, path, e))
			return -1;
		panels[n++].title = marked_label(c, s, &lines, i);
	}
	if (!n)
		return err_code(e, EXIT_INCOMPLETE,
		                "no arm of %s has a sample picture yet: run it first, or look for the folder %s",
		                s->plan->grid->name, ask->runs && *ask->runs ? ask->runs : "of its runs");
	if (real_images(&panels[n++], &c->arena, s->plan->arms[lines.row[0]->arm].config.data.name, e))
		return -1;
	c->figure = (struct figure){ .panels = panels,
		                         .n_panels = n,
		                         .cols = n < 4 ? n : 3,
		                         .panel_w = 260,
		                         .panel_h = 280,
		                         .title = "samples from the same latents, and real images" };
	tell_hidden(c, &lines);
	return 0;
}

static const struct chart_kind table[] = {
	{ "curves", "a training curve (--curve, default loss): mean and spread over seeds", build_curves, OF_TRAINING },
	{ "metric", "a metric against the training step, measured every eval.every steps: mean and spread over seeds",
	  build_metric, OF_METRIC },
	{ "bars", "a metric of each arm, with spread and published values", build_bars, OF_METRIC },
	{ "sweep", "a metric against a numeric setting (--knob loss.c), a line for arms that are otherwise alike",
	  chart_sweep, OF_METRIC },
	{ "sigma", "how often training sees each noise level", build_sigma, OF_SETTINGS },
	{ "steps", "the discretization curriculum N(k)", build_steps, OF_SETTINGS },
	{ "samples", "sample pictures of the arms side by side", build_samples, OF_TRAINING },
};

const struct chart_kind *chart_kinds(int *n)
{
	*n = sizeof table / sizeof *table;
	return table;
}

/* One panel, or one for each of several metrics. */
static int build_panels(struct chart *c, const struct chart_kind *kind, struct study *s, const struct chart_ask *ask,
                        struct err *e)
{
	if (ask->n_metrics < 2 || kind->of != OF_METRIC) {
		struct chart_ask one = *ask;
		one.metric = ask->n_metrics ? ask->metrics[0] : ask->metric ? ask->metric : "";
		return kind->build(c, s, &one, e);
	}
	if (ask->n_metrics > FIGURE_PANELS_MAX)
		return err_code(e, EXIT_USAGE, "%d metrics: at most %d", ask->n_metrics, FIGURE_PANELS_MAX);
	struct figure_panel *panels = arena_alloc(&c->arena, (size_t)ask->n_metrics * sizeof *panels);
	for (int i = 0; i < ask->n_metrics; i++) {
		struct chart_ask one = *ask;
		one.metric = ask->metrics[i];
		if (kind->build(c, s, &one, e))
			return -1;
		panels[i] = c->figure.panels[0];
	}
	c->figure.panels = panels, c->figure.n_panels = ask->n_metrics;
	c->figure.cols = ask->n_metrics < 3 ? ask->n_metrics : 2;
	c->figure.panel_w = 400, c->figure.panel_h = 280;
	return 0;
}

int chart_build(struct chart **out, struct study *s, const struct chart_ask *ask, struct err *e)
{
	const char *names[sizeof table / sizeof *table];
	size_t n = sizeof table / sizeof *table, i = 0;
	for (size_t k = 0; k < n; k++)
		names[k] = table[k].name;
	while (i < n && strcmp(names[i], ask->kind) != 0)
		i++;
	if (i == n) {
		SCOPED(str) struct str all = { 0 };
		for (size_t k = 0; k < n; k++)
			str_addf(&all, "%s%s", k ? ", " : "", names[k]);
		return err_code(e, EXIT_USAGE, "no figure '%s': %s", ask->kind, str_text(&all));
	}
	struct chart *c = xcalloc(1, sizeof *c);
	if (build_panels(c, &table[i], s, ask, e) || chart_finish(c, s, &table[i], ask, e)) {
		chart_free(c);
		return -1;
	}
	if (table[i].of != OF_SETTINGS)
		add_mark_notes(c, s);
	*out = c;
	return 0;
}

void chart_free(struct chart *c)
{
	if (!c)
		return;
	arena_release(&c->arena);
	free(c);
}

void scoped_chart(struct chart **c)
{
	chart_free(*c);
}
