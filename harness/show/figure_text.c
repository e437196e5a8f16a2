/* figure_text.c - see figure_text.h. */
#include "harness/show/figure_text.h"

#include "harness/text/escape.h"
#include "model/base/mem.h"
#include "model/base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cairo_user_data_key_t svg_key;

void text_begin(cairo_t *c, const char *family, struct str *svg)
{
	cairo_select_font_face(c, family && *family ? family : "sans-serif", CAIRO_FONT_SLANT_NORMAL,
	                       CAIRO_FONT_WEIGHT_NORMAL);
	(void)cairo_set_user_data(c, &svg_key, svg, NULL);
}

void text_font(cairo_t *c, double size, bool bold)
{
	SCOPED(free) char *family = xstrdup(cairo_toy_font_face_get_family(cairo_get_font_face(c)));
	cairo_select_font_face(c, family, CAIRO_FONT_SLANT_NORMAL,
	                       bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
	cairo_set_font_size(c, size);
}

double text_width(cairo_t *c, const char *s)
{
	cairo_text_extents_t t;
	cairo_text_extents(c, s, &t);
	return t.x_advance;
}

/* The element that looks like what cairo would draw: font and colour are read from the context. Its width is told, so
 * that a reader's other font fits the drawing. */
static void add_element(struct str *svg, cairo_t *c, const char *s, double x, double y)
{
	cairo_matrix_t m, f;
	double r = 0, g = 0, b = 0, a;
	cairo_get_matrix(c, &m);
	cairo_get_font_matrix(c, &f);
	(void)cairo_pattern_get_rgba(cairo_get_source(c), &r, &g, &b, &a);
	cairo_font_face_t *face = cairo_get_font_face(c);
	double zoom = hypot(m.xx, m.yx), turn = atan2(m.yx, m.xx) * 180 / M_PI, w = text_width(c, s);
	cairo_user_to_device(c, &x, &y);
	str_addf(svg, "<text transform=\"translate(%.2f %.2f)", x, y);
	if (fabs(turn) > 0.01)
		str_addf(svg, " rotate(%.2f)", turn);
	str_add(svg, "\" font-family=\"");
	escape_html(svg, cairo_toy_font_face_get_family(face));
	str_addf(svg, "\" font-size=\"%.2f\"%s fill=\"#%02x%02x%02x\" textLength=\"%.2f\">", f.xx * zoom,
	         cairo_toy_font_face_get_weight(face) == CAIRO_FONT_WEIGHT_BOLD ? " font-weight=\"bold\"" : "",
	         (unsigned)lround(r * 255), (unsigned)lround(g * 255), (unsigned)lround(b * 255), w * zoom);
	escape_html(svg, s);
	str_add(svg, "</text>\n");
}

static void put(cairo_t *c, const char *s, double x, double y)
{
	struct str *svg = cairo_get_user_data(c, &svg_key);
	if (svg) {
		add_element(svg, c, s, x, y);
		return;
	}
	cairo_move_to(c, x, y);
	cairo_show_text(c, s);
}

void text_at(cairo_t *c, const char *s, double x, double y, double ax, double room)
{
	if (!s || !*s)
		return;
	SCOPED(free) char *cut = xstrdup(s);
	for (size_t n = strlen(cut); text_width(c, cut) > room && n > 1;) {
		while (n > 1 && utf8_continues(cut[n - 1]))
			n--;
		n--;
		free(cut);
		cut = xstrfmt("%.*s\xe2\x80\xa6", (int)n, s);
	}
	put(c, cut, x - ax * text_width(c, cut), y);
}

void text_lines_release(struct text_lines *l)
{
	for (int i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct text_lines){ 0 };
}

void scoped_text_lines(struct text_lines *l)
{
	text_lines_release(l);
}

/* As many bytes of s as fit: whole words, or of a word that does not fit by itself whole characters, at least one. */
static size_t fitting(cairo_t *c, const char *s, double room)
{
	size_t fits = 0, words = 0;
	for (size_t n = 1; n <= strlen(s); n++) {
		if (utf8_continues(s[n]))
			continue;
		SCOPED(free) char *head = xstrndup(s, n);
		if (text_width(c, head) > room && fits)
			break;
		fits = n;
		if (!s[n] || s[n] == ' ')
			words = n;
	}
	return words ? words : fits;
}

void text_wrap(struct text_lines *out, cairo_t *c, const char *s, double room)
{
	while (*s) {
		size_t n = fitting(c, s, room);
		VEC_PUSH(out->v, out->n, out->cap) = xstrndup(s, n);
		s += n;
		s += strspn(s, " ");
	}
}
