/* figure_file.c - figures as SVG, PDF and PNG bytes. */
#include "harness/show/figure.h"

#include "harness/show/figure_draw.h"
#include "harness/show/figure_text.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PNG_SCALE = 2, PNG_SIDE_MAX = 20000, ROOM_W = 60, ROOM_H = 40 };

static cairo_status_t append(void *out, const unsigned char *data, unsigned n)
{
	str_addn(out, data, n);
	return CAIRO_STATUS_SUCCESS;
}

bool figure_format_known(const char *format)
{
	return strcasecmp(format, "svg") == 0 || strcasecmp(format, "pdf") == 0 || strcasecmp(format, "png") == 0;
}

static int check(const struct figure *f, const char *format, struct err *e)
{
	if (!figure_format_known(format))
		return err_code(e, EXIT_USAGE, "a figure cannot be written as \"%s\": choose svg, pdf or png", format);
	if (f->n_panels < 1 || f->n_panels > FIGURE_PANELS_MAX)
		return err_code(e, EXIT_USAGE, "a figure of %d panels: 1 to %d are possible", f->n_panels, FIGURE_PANELS_MAX);
	for (int i = 0; i < f->n_panels; i++)
		if (f->panels[i].n_series > FIGURE_SERIES_MAX)
			return err_code(e, EXIT_USAGE,
			                "panel %d has %d series: at most %d can be distinguished; choose arms with --only", i + 1,
			                f->panels[i].n_series, FIGURE_SERIES_MAX);
	return 0;
}

/* The size of the layout. Exit 2 for one that leaves no room for axes. */
static int measure(const struct figure *f, double *w, double *h, struct err *e)
{
	double room_w, room_h, zoom = figure_zoom(f);
	figure_find_fonts();
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
	cairo_t *c = cairo_create(s);
	text_begin(c, f->font, NULL);
	figure_size(f, c, w, h);
	figure_room(f, c, &room_w, &room_h);
	cairo_destroy(c);
	cairo_surface_destroy(s);
	if ((f->width <= 0 || room_w >= ROOM_W) && (f->height <= 0 || room_h >= ROOM_H))
		return 0;
	return err_code(
		e, EXIT_USAGE,
		"a figure of %.0f x %.0f points has %.0f x %.0f for each of its axes, and needs %.0f x %.0f: make it "
		"larger, the font smaller, or choose fewer arms",
		*w * zoom, *h * zoom, fmax(0, room_w * zoom), fmax(0, room_h * zoom), ROOM_W * zoom, ROOM_H * zoom);
}

/* At `s`, is there an id that cairo made from its count of surfaces in this process? Its length without the number. */
static size_t counted_id(const char *s)
{
	static const char *const ids[] = { "id=\"surface", "id=\"image",   "\"#surface",
		                               "\"#image",     "id=\"source-", "\"#source-" }; /* the last two since 1.18 */
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		if (strncmp(s, ids[i], strlen(ids[i])) == 0)
			return strlen(ids[i]);
	return 0;
}

/* Counts these ids from 0, so that the bytes do not depend on what was drawn before. */
static void renumber(struct str *svg)
{
	unsigned long least = ULONG_MAX;
	for (const char *s = str_text(svg); *s; s++) {
		size_t n = counted_id(s);
		unsigned long k = n ? strtoul(s + n, NULL, 10) : least;
		least = k < least ? k : least;
	}
	struct str out = { 0 };
	for (const char *s = str_text(svg); *s;) {
		size_t n = counted_id(s);
		if (!n) {
			str_addc(&out, *s++);
			continue;
		}
		char *end;
		str_addn(&out, s, n);
		str_addf(&out, "%lu", strtoul(s + n, &end, 10) - least);
		s = end;
	}
	str_release(svg);
	*svg = out;
}

/* The texts behind the drawing, before its end: nothing covers them. */
static void add_texts(struct str *svg, const struct str *texts)
{
	static const char end[] = "</svg>\n";
	size_t n = strlen(end);
	if (svg->len < n || memcmp(svg->data + svg->len - n, end, n) != 0)
		return; /* cairo failed, which its status says */
	svg->len -= n;
	str_add(svg, str_text(texts));
	str_add(svg, end);
}

int figure_render(struct str *out, const struct figure *f, const char *format, struct err *e)
{
	if (check(f, format, e))
		return -1;
	double w, h;
	if (measure(f, &w, &h, e))
		return -1;
	double zoom = figure_zoom(f), dots = zoom * (strcasecmp(format, "png") == 0 ? PNG_SCALE : 1);
	bool png = strcasecmp(format, "png") == 0, pdf = strcasecmp(format, "pdf") == 0;
	if (w * zoom * PNG_SCALE > PNG_SIDE_MAX || h * zoom * PNG_SCALE > PNG_SIDE_MAX)
		return err_code(e, EXIT_USAGE,
		                "a figure of %.0f x %.0f points is too large: choose fewer panels or more columns", w * zoom,
		                h * zoom);
	SCOPED(str) struct str texts = { 0 };
	cairo_surface_t *s = png ? cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)ceil(w * dots), (int)ceil(h * dots))
	                     : pdf ? cairo_pdf_surface_create_for_stream(append, out, w * zoom, h * zoom)
	                           : cairo_svg_surface_create_for_stream(append, out, w * zoom, h * zoom);
	if (pdf) { /* cairo would write the time of day */
		cairo_pdf_surface_set_metadata(s, CAIRO_PDF_METADATA_CREATE_DATE, "2000-01-01T00:00:00Z");
		cairo_pdf_surface_set_metadata(s, CAIRO_PDF_METADATA_TITLE, f->title ? f->title : "");
	}
	cairo_t *c = cairo_create(s);
	cairo_scale(c, dots, dots);
	text_begin(c, f->font, png || pdf ? NULL : &texts);
	figure_draw(f, c, w, h);
	cairo_show_page(c);
	cairo_status_t status = cairo_status(c);
	cairo_destroy(c);
	if (status == CAIRO_STATUS_SUCCESS && png)
		status = cairo_surface_write_to_png_stream(s, append, out);
	cairo_surface_finish(s);
	if (status == CAIRO_STATUS_SUCCESS)
		status = cairo_surface_status(s);
	cairo_surface_destroy(s);
	if (!png && !pdf) {
		renumber(out);
		add_texts(out, &texts);
	}
	return status == CAIRO_STATUS_SUCCESS
	           ? 0
	           : err_set(e, "cairo cannot draw the figure: %s", cairo_status_to_string(status));
}

int figure_write(const struct figure *f, const char *path, struct err *e)
{
	const char *dot = strrchr(path, '.');
	SCOPED(str) struct str bytes = { 0 };
	if (figure_render(&bytes, f, dot && !strchr(dot, '/') ? dot + 1 : "", e))
		return err_in(e, "%s", path);
	return io_write_atomic(path, bytes.data, bytes.len, e);
}
