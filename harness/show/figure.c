/* figure.c - the drawing itself: panels, axes, series, legend, on any cairo context. */
#include "harness/show/figure.h"

#include "harness/show/figure_axis.h"
#include "harness/show/figure_draw.h"
#include "harness/show/figure_legend.h"
#include "harness/show/figure_text.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TITLE_H = 26, NOTE_LINE = 11, NOTE_PAD = 7, LEFT = 58, RIGHT = 14, TOP = 24, BOTTOM = 44, FONT = 10 };

/* Okabe and Ito's palette without its yellow, which is hard to see on paper; neighbours differ in lightness, too. */
static const double palette[][3] = {
	{ 0.00, 0.45, 0.70 }, { 0.84, 0.37, 0.00 }, { 0.00, 0.62, 0.45 }, { 0.80, 0.47, 0.65 },
	{ 0.34, 0.71, 0.91 }, { 0.90, 0.62, 0.00 }, { 0.00, 0.00, 0.00 },
};
enum { N_COLORS = sizeof palette / sizeof *palette, N_DASHES = 4, N_MARKERS = 5 };

/* The place of a series in the palette: its own, or that of the one it belongs to. */
static int look_of(const struct figure_series *r, int s)
{
	return r->as ? r->as - 1 : s;
}

static void use_color(cairo_t *c, int series, double alpha)
{
	const double *rgb = palette[series % N_COLORS];
	cairo_set_source_rgba(c, rgb[0], rgb[1], rgb[2], alpha);
}

static void use_dash(cairo_t *c, int series)
{
	static const double dashes[N_DASHES][4] = { { 0 }, { 6, 2.5, 0, 0 }, { 1.6, 2, 0, 0 }, { 6, 2, 1.6, 2 } };
	static const int lengths[N_DASHES] = { 0, 2, 2, 4 };
	cairo_set_dash(c, dashes[series % N_DASHES], lengths[series % N_DASHES], 0);
}

static void ink(cairo_t *c, double grey)
{
	cairo_set_source_rgb(c, grey, grey, grey);
}

bool figure_has_font(void)
{
	figure_find_fonts();
	cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
	cairo_t *c = cairo_create(surface);
	text_begin(c, "", NULL);
	text_font(c, FONT, false);
	bool found = cairo_scaled_font_get_type(cairo_get_scaled_font(c)) ==
	             CAIRO_FONT_TYPE_FT; /* cairo's own strokes are a user font */
	cairo_destroy(c);
	cairo_surface_destroy(surface);
	return found;
}

struct frame {
	double x, y, w, h;
	struct axis ax, ay;
}; /* the plotting area of a panel and its two axes */

static double at_x(const struct frame *f, double v)
{
	return f->x + f->w * axis_place(&f->ax, v);
}

static double at_y(const struct frame *f, double v)
{
	double p = axis_place(&f->ay, v);
	return f->y + f->h * (1 - fmin(fmax(p, -0.5), 1.5)); /* fmin and fmax ignore a NaN: see visible() */
}

static bool visible(const struct frame *f, double x, double y)
{
	return isfinite(axis_place(&f->ax, x)) && isfinite(axis_place(&f->ay, y));
}

static void scale(struct frame *f, const struct figure_panel *p)
{
	double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
	bool bars = false;
	for (int s = 0; s < p->n_series; s++) {
		const struct figure_series *r = &p->series[s];
		bars = bars || r->mark == FIGURE_BARS;
		for (int i = 0; i < r->n; i++) {
			axis_extend(&x0, &x1, r->x[i], p->x.log);
			axis_extend(&y0, &y1, r->y[i], p->y.log);
			if (r->lo)
				axis_extend(&y0, &y1, r->lo[i], p->y.log);
			if (r->hi)
				axis_extend(&y0, &y1, r->hi[i], p->y.log);
			if (r->mark_y)
				axis_extend(&y0, &y1, r->mark_y[i], p->y.log);
		}
	}
	if (bars && !p->y.log)
		axis_extend(&y0, &y1, 0, false);
	bool given_x = p->x.min < p->x.max, given_y = p->y.min < p->y.max;
	struct axis_range x = {
		.min = given_x ? p->x.min : x0, .max = given_x ? p->x.max : x1, .log = p->x.log, .exact = true
	};
	struct axis_range y = {
		.min = given_y ? p->y.min : y0, .max = given_y ? p->y.max : y1, .log = p->y.log, .exact = given_y
	};
	if (p->x.names)
		axis_init(&f->ax, (struct axis_range){ .min = -0.6, .max = p->x.n_names - 0.4, .exact = true }, 8);
	else
		axis_init(&f->ax, x, (int)(f->w / 48));
	axis_init(&f->ay, y, (int)(f->h / 32));
}

static void line_at(cairo_t *c, double x0, double y0, double x1, double y1)
{
	cairo_move_to(c, x0, y0);
	cairo_line_to(c, x1, y1);
	cairo_stroke(c);
}

static void draw_axes(cairo_t *c, const struct frame *f, const struct figure_panel *p)
{
	text_font(c, FONT - 1, false);
	cairo_set_line_width(c, 0.6);
	cairo_set_dash(c, NULL, 0, 0);
	for (int i = 0; i < f->ay.n_ticks; i++) {
		double y = at_y(f, f->ay.tick[i]);
		bool major = *f->ay.text[i];
		ink(c, major ? 0.86 : 0.93);
		line_at(c, f->x, y, f->x + f->w, y);
		ink(c, 0.2);
		text_at(c, f->ay.text[i], f->x - 5, y + 3.2, 1, LEFT);
	}
	if (p->x.names) {
		double room = f->w / p->x.n_names;
		enum names_fit fit = legend_names(c, p, f->w);
		ink(c, 0.2);
		for (int i = 0; i < p->x.n_names; i++) {
			char number[16];
			(void)snprintf(number, sizeof number, "%d", i + 1);
			if (fit != NAMES_STEEP) {
				text_at(c, fit == NAMES_KEYED ? number : p->x.names[i], at_x(f, i), f->y + f->h + 13, 0.5, room);
				continue;
			}
			cairo_save(c);
			cairo_translate(c, at_x(f, i) + 3, f->y + f->h + 9);
			cairo_rotate(c, -0.5);
			text_at(c, p->x.names[i], 0, 0, 1, INFINITY);
			cairo_restore(c);
		}
	} else {
		for (int i = 0; i < f->ax.n_ticks; i++) {
			double x = at_x(f, f->ax.tick[i]);
			ink(c, 0.2);
			line_at(c, x, f->y + f->h, x, f->y + f->h + (*f->ax.text[i] ? 4 : 2));
			text_at(c, f->ax.text[i], x, f->y + f->h + 14, 0.5, 60);
		}
	}
	ink(c, 0.2);
	cairo_set_line_width(c, 0.9);
	cairo_move_to(c, f->x, f->y);
	cairo_line_to(c, f->x, f->y + f->h);
	cairo_line_to(c, f->x + f->w, f->y + f->h);
	cairo_stroke(c);
	text_font(c, FONT, false);
	text_at(c, p->x.label, f->x + f->w / 2, f->y + f->h + BOTTOM - 15, 0.5, f->w);
	cairo_save(c);
	cairo_translate(c, f->x - LEFT + 13, f->y + f->h / 2);
	cairo_rotate(c, -M_PI / 2);
	text_at(c, p->y.label, 0, 0, 0.5, f->h);
	cairo_restore(c);
	text_font(c, FONT + 1, true);
	text_at(c, p->title, f->x, f->y - 8, 0, f->w);
}

static void marker(cairo_t *c, int series, double x, double y, double r)
{
	cairo_new_sub_path(c);
	switch (series % N_MARKERS) {
	case 0: cairo_arc(c, x, y, r, 0, 2 * M_PI); break;
	case 1: cairo_rectangle(c, x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r); break;
	case 2:
		cairo_move_to(c, x, y - 1.2 * r), cairo_line_to(c, x + 1.1 * r, y + 0.9 * r),
			cairo_line_to(c, x - 1.1 * r, y + 0.9 * r);
		break;
	case 3:
		cairo_move_to(c, x, y - 1.3 * r), cairo_line_to(c, x + 1.3 * r, y), cairo_line_to(c, x, y + 1.3 * r);
		cairo_line_to(c, x - 1.3 * r, y);
		break;
	default:
		cairo_move_to(c, x, y + 1.2 * r), cairo_line_to(c, x + 1.1 * r, y - 0.9 * r),
			cairo_line_to(c, x - 1.1 * r, y - 0.9 * r);
	}
	cairo_close_path(c);
	cairo_fill(c);
}

/* The band of one unbroken stretch [from, to). */
static void band(cairo_t *c, const struct frame *f, const struct figure_series *r, int from, int to)
{
	for (int i = from; i < to; i++)
		cairo_line_to(c, at_x(f, r->x[i]), at_y(f, r->lo[i]));
	for (int i = to - 1; i >= from; i--)
		cairo_line_to(c, at_x(f, r->x[i]), at_y(f, r->hi[i]));
	cairo_close_path(c);
	cairo_fill(c);
}

static bool has_band(const struct frame *f, const struct figure_series *r, int i)
{
	return r->lo && r->hi && visible(f, r->x[i], r->lo[i]) && visible(f, r->x[i], r->hi[i]);
}

static void draw_line(cairo_t *c, const struct frame *f, const struct figure_series *r, int s)
{
	s = look_of(r, s);
	use_color(c, s, 0.18);
	for (int i = 0; i < r->n && !r->faint;) {
		int from = i;
		while (i < r->n && has_band(f, r, i))
			i++;
		if (i - from > 1)
			band(c, f, r, from, i);
		i += i == from;
	}
	use_color(c, s, r->faint ? 0.3 : 1);
	if (!r->faint)
		use_dash(c, s);
	cairo_set_line_width(c, r->faint ? 0.8 : 1.6);
	bool pen = false;
	int alone = 0, drawn = 0;
	for (int i = 0; i < r->n; i++) {
		if (!visible(f, r->x[i], r->y[i])) {
			pen = false;
			continue;
		}
		double x = at_x(f, r->x[i]), y = at_y(f, r->y[i]);
		if (pen && r->mark == FIGURE_STEP)
			cairo_line_to(c, x, at_y(f, r->y[i - 1]));
		if (pen)
			cairo_line_to(c, x, y);
		else
			cairo_move_to(c, x, y), alone++;
		pen = true;
		drawn++;
	}
	cairo_stroke(c);
	cairo_set_dash(c, NULL, 0, 0);
	int every = r->mark == FIGURE_STEP || r->faint ? 0
	            : drawn <= 14                      ? 1
	                                               : drawn / 7; /* a few markers: the third way to distinguish lines */
	for (int i = 0; i < r->n; i++)
		if (visible(f, r->x[i], r->y[i]) && !r->faint &&
		    ((every && i % every == s % (every < 2 ? 1 : every)) || (alone == drawn)))
			marker(c, s, at_x(f, r->x[i]), at_y(f, r->y[i]), 2.6);
}

static void whisker(cairo_t *c, const struct frame *f, const struct figure_series *r, int i, double x)
{
	if (!has_band(f, r, i))
		return;
	double lo = at_y(f, r->lo[i]), hi = at_y(f, r->hi[i]);
	cairo_set_line_width(c, 1.1);
	ink(c, 0.15);
	line_at(c, x, lo, x, hi);
	line_at(c, x - 3, lo, x + 3, lo);
	line_at(c, x - 3, hi, x + 3, hi);
}

static void draw_points(cairo_t *c, const struct frame *f, const struct figure_series *r, int s)
{
	for (int i = 0; i < r->n; i++) {
		if (!visible(f, r->x[i], r->y[i]))
			continue;
		double x = at_x(f, r->x[i]);
		whisker(c, f, r, i, x);
		use_color(c, s, 1);
		marker(c, s, x, at_y(f, r->y[i]), 3.2);
	}
}

/* Bars of series k of n side by side around each name; on a number axis they fill the bins between the x values. */
static void draw_bars(cairo_t *c, const struct frame *f, const struct figure_panel *p, int s, int k, int n)
{
	const struct figure_series *r = &p->series[s];
	double zero = f->ay.log ? f->y + f->h : at_y(f, fmax(0, f->ay.min));
	for (int i = 0; i < r->n; i++) {
		if (!visible(f, r->x[i], r->y[i]))
			continue;
		double x0, x1, y = at_y(f, r->y[i]);
		if (p->x.names) {
			double width = 0.76 * f->w / p->x.n_names / n;
			x0 = at_x(f, r->x[i]) + (k - n / 2.0) * width, x1 = x0 + width;
		} else {
			double next = i + 1 < r->n ? r->x[i + 1]
			              : i          ? p->x.log ? r->x[i] * r->x[i] / r->x[i - 1] : 2 * r->x[i] - r->x[i - 1]
			                           : NAN;
			x0 = at_x(f, r->x[i]), x1 = isfinite(next) ? fmin(at_x(f, next), f->x + f->w) : x0 + 6;
		}
		use_color(c, s, 0.82);
		cairo_rectangle(c, x0, fmin(y, zero), fmax(x1 - x0 - (p->x.names ? 1 : 0.3), 0.5), fabs(zero - y));
		cairo_fill(c);
		whisker(c, f, r, i, (x0 + x1) / 2);
		if (r->mark_y && visible(f, r->x[i], r->mark_y[i])) {
			ink(c, 0);
			marker(c, 3, (x0 + x1) / 2, at_y(f, r->mark_y[i]), 3.4);
		}
	}
}

static void draw_series(cairo_t *c, const struct frame *f, const struct figure_panel *p)
{
	int bars = 0, bar = 0;
	for (int s = 0; s < p->n_series; s++)
		bars += p->series[s].mark == FIGURE_BARS;
	cairo_save(c);
	cairo_rectangle(c, f->x - 4, f->y - 4, f->w + 8, f->h + 4.5); /* markers on the axes are whole */
	cairo_clip(c);
	for (int s = 0; s < p->n_series; s++) {
		const struct figure_series *r = &p->series[s];
		if (r->mark == FIGURE_BARS)
			draw_bars(c, f, p, s, bar++, bars);
		else if (r->mark == FIGURE_POINTS)
			draw_points(c, f, r, s);
		else
			draw_line(c, f, r, s);
	}
	cairo_restore(c);
}

static void draw_sign(cairo_t *c, const struct figure_series *r, int s, double x, double y)
{
	s = look_of(r, s);
	use_color(c, s, 1);
	if (r->mark == FIGURE_BARS) {
		cairo_rectangle(c, x, y - 7, 20, 7);
		cairo_fill(c);
		return;
	}
	use_dash(c, s);
	cairo_set_line_width(c, 1.6);
	if (r->mark != FIGURE_POINTS)
		line_at(c, x, y - 3.5, x + 20, y - 3.5);
	cairo_set_dash(c, NULL, 0, 0);
	if (r->mark != FIGURE_STEP)
		marker(c, s, x + 10, y - 3.5, 2.6);
}

static void draw_pixels(cairo_t *c, const struct figure_panel *p, double x, double y, double w, double h)
{
	int stride = cairo_format_stride_for_width(CAIRO_FORMAT_RGB24, p->w);
	SCOPED(free) unsigned char *data = xcalloc((size_t)p->h, (size_t)stride);
	for (int r = 0; r < p->h; r++) {
		for (int k = 0; k < p->w; k++) {
			const uint8_t *s = p->pixels + 3 * ((size_t)r * (size_t)p->w + (size_t)k);
			uint32_t v = (uint32_t)s[0] << 16 | (uint32_t)s[1] << 8 | s[2];
			memcpy(data + (size_t)r * (size_t)stride + 4 * (size_t)k, &v, 4);
		}
	}
	cairo_surface_t *image = cairo_image_surface_create_for_data(data, CAIRO_FORMAT_RGB24, p->w, p->h, stride);
	double zoom = fmin(w / p->w, h / p->h);
	cairo_save(c);
	cairo_translate(c, x, y);
	cairo_scale(c, zoom, zoom);
	cairo_set_source_surface(c, image, 0, 0);
	cairo_pattern_set_filter(cairo_get_source(c), CAIRO_FILTER_NEAREST);
	cairo_paint(c);
	cairo_restore(c);
	cairo_surface_flush(image);
	cairo_surface_finish(image);
	cairo_surface_destroy(image);
}

static void draw_panel(cairo_t *c, const struct figure_panel *p, double x, double y, double w, double h, double legend)
{
	if (p->pixels) {
		draw_pixels(c, p, x + 6, y + TOP, w - 12, h - TOP - 6);
		ink(c, 0);
		text_font(c, FONT + 1, true);
		text_at(c, p->title, x + 6, y + TOP - 8, 0, w - 12);
		return;
	}
	struct frame f = { .x = x + LEFT, .y = y + TOP, .w = w - LEFT - RIGHT, .h = h - TOP - BOTTOM - legend };
	if (p->x.names && legend_names(c, p, f.w) == NAMES_STEEP)
		f.h -= 22;
	scale(&f, p);
	draw_axes(c, &f, p);
	draw_series(c, &f, p);
	legend_draw(c, p, f.x, y + h - legend + 4, f.w, draw_sign);
}

static int columns(const struct figure *f)
{
	return f->cols > 0 && f->cols < f->n_panels ? f->cols : f->n_panels;
}

static double usual_w(const struct figure *f)
{
	return f->panel_w > 0 ? f->panel_w : 300;
}

static double panel_w(const struct figure *f)
{
	return f->width > 0 ? f->width / figure_zoom(f) / columns(f) : usual_w(f);
}

/* Without the legend; in proportion to the width where that is given. */
static double panel_h(const struct figure *f)
{
	return (f->panel_h > 0 ? f->panel_h : 210) * panel_w(f) / usual_w(f);
}

/* All panels are as high as the one with the highest legend. */
static double highest_legend(cairo_t *c, const struct figure *f)
{
	double most = 0;
	for (int i = 0; i < f->n_panels; i++)
		if (!f->panels[i].pixels)
			most = fmax(most, legend_height(c, &f->panels[i], panel_w(f) - LEFT - RIGHT));
	return most;
}

static bool has(const char *s)
{
	return s && *s;
}

static void wrap_note(struct text_lines *out, cairo_t *c, const struct figure *f)
{
	text_font(c, FONT - 2, false);
	if (has(f->note))
		text_wrap(out, c, f->note, columns(f) * panel_w(f) - 24);
}

double figure_zoom(const struct figure *f)
{
	return f->font_size > 0 ? f->font_size / FONT : 1;
}

void figure_size(const struct figure *f, cairo_t *c, double *w, double *h)
{
	SCOPED(text_lines) struct text_lines note = { 0 };
	wrap_note(&note, c, f);
	double ph = panel_h(f) + highest_legend(c, f);
	int rows = (f->n_panels + columns(f) - 1) / columns(f);
	*w = columns(f) * panel_w(f);
	*h = f->height > 0 ? f->height / figure_zoom(f)
	                   : rows * ph + (has(f->title) ? TITLE_H : 0) + (note.n ? note.n * NOTE_LINE + NOTE_PAD : 0);
}

void figure_room(const struct figure *f, cairo_t *c, double *w, double *h)
{
	SCOPED(text_lines) struct text_lines note = { 0 };
	double all_w, all_h;
	int rows = (f->n_panels + columns(f) - 1) / columns(f);
	wrap_note(&note, c, f);
	figure_size(f, c, &all_w, &all_h);
	all_h -= (has(f->title) ? TITLE_H : 0) + (note.n ? note.n * NOTE_LINE + NOTE_PAD : 0);
	*w = panel_w(f) - LEFT - RIGHT;
	*h = all_h / rows - TOP - BOTTOM - highest_legend(c, f);
}

void figure_draw(const struct figure *f, cairo_t *c, double w, double h)
{
	SCOPED(text_lines) struct text_lines note = { 0 };
	wrap_note(&note, c, f);
	double top = has(f->title) ? TITLE_H : 0, bottom = note.n ? note.n * NOTE_LINE + NOTE_PAD : 0;
	cairo_set_source_rgb(c, 1, 1, 1);
	cairo_paint(c);
	ink(c, 0);
	text_font(c, FONT + 3, true);
	text_at(c, f->title, 12, 18, 0, w - 24);
	text_font(c, FONT - 2, false);
	ink(c, 0.35);
	for (int i = 0; i < note.n; i++)
		text_at(c, note.v[i], 12, h - bottom + 5 + (i + 1) * NOTE_LINE - 4, 0, INFINITY);
	int cols = columns(f), rows = (f->n_panels + cols - 1) / cols;
	double ph = (h - top - bottom) / rows, legend = highest_legend(c, f);
	for (int i = 0; i < f->n_panels; i++)
		draw_panel(c, &f->panels[i], (i % cols) * panel_w(f), top + (i / cols) * ph, panel_w(f), ph, legend);
}
