/* json_writer.c - see json_writer.h. */
#include "harness/text/json_writer.h"

#include "harness/text/escape.h"
#include "model/base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

static bool in_array(const struct json_writer *w)
{
	return w->arrays[(w->depth - 1) / 64] >> (w->depth - 1) % 64 & 1;
}

static void start_line(struct json_writer *w)
{
	if (w->line || w->indent)
		str_addc(w->to, '\n');
	for (int i = 0; i < w->indent * w->depth; i++)
		str_addc(w->to, ' ');
	w->line = false;
}

/* What stands before a value: a comma, a new line, its name. */
static void lead_in(struct json_writer *w, const char *name)
{
	if (!name != (w->depth == 0 || in_array(w)))
		BUG("JSON: %s at depth %d", name ? name : "a value without a name", w->depth);
	if (w->depth) {
		str_add(w->to, w->full ? "," : "");
		start_line(w);
	}
	if (name) {
		escape_json(w->to, name);
		str_add(w->to, w->indent ? ": " : ":");
	}
	w->full = true;
}

void json_begin(struct json_writer *w, const char *name, char bracket)
{
	REQUIRE((bracket == '{' || bracket == '[') && w->depth < JSON_WRITER_DEPTH);
	lead_in(w, name);
	str_addc(w->to, bracket);
	uint64_t bit = (uint64_t)1 << w->depth % 64, *word = &w->arrays[w->depth / 64];
	*word = bracket == '[' ? *word | bit : *word & ~bit;
	w->depth++;
	w->full = false;
}

void json_end(struct json_writer *w)
{
	REQUIRE(w->depth > 0);
	char bracket = in_array(w) ? ']' : '}';
	w->depth--;
	if (w->full)
		start_line(w);
	w->line = false;
	str_addc(w->to, bracket);
	w->full = true;
}

void json_add_text(struct json_writer *w, const char *name, const char *text)
{
	lead_in(w, name);
	escape_json(w->to, text ? text : "");
}

void json_add_int(struct json_writer *w, const char *name, int64_t x)
{
	json_add_format(w, name, "%" PRId64, x);
}

void json_add_number(struct json_writer *w, const char *name, double x)
{
	char buf[32];
	json_add_raw(w, name, isfinite(x) ? str_double(buf, x) : "null");
}

void json_add_bool(struct json_writer *w, const char *name, bool x)
{
	json_add_raw(w, name, x ? "true" : "false");
}

void json_add_null(struct json_writer *w, const char *name)
{
	json_add_raw(w, name, "null");
}

void json_add_raw(struct json_writer *w, const char *name, const char *json)
{
	lead_in(w, name);
	str_add(w->to, json);
}

void json_add_format(struct json_writer *w, const char *name, const char *fmt, ...)
{
	char text[400]; /* %f of the largest double has 309 digits */
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	REQUIRE(n > 0 && n < (int)sizeof text);
	json_add_raw(w, name, text);
}

void json_add_texts(struct json_writer *w, const char *name, const char *const *v, int n)
{
	json_begin(w, name, '[');
	for (int i = 0; i < n; i++)
		json_add_text(w, NULL, v[i]);
	json_end(w);
}

void json_line(struct json_writer *w)
{
	w->line = true;
}
