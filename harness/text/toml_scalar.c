/* toml_scalar.c - TOML strings, numbers, booleans and moments. The text has been checked before: it is valid UTF-8,
 * holds no control character but tab and newlines, every CR stands before an LF, and a NUL follows its end. */
#include "harness/text/toml_tree.h"

#include "model/base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- strings ---------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int scan_unicode(struct toml_parser *s, struct str *out, int digits)
{
	const char *escape = s->p - 2;
	uint32_t c = 0;
	for (int i = 0; i < digits; i++, s->p++) {
		int d = hex_digit(*s->p);
		if (d < 0)
			return toml_fail(s, toml_place_of(s, escape), "\\%c needs %d hex digits", escape[1], digits);
		c = c << 4 | (uint32_t)d;
	}
	if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		return toml_fail(s, toml_place_of(s, escape), "\\%c%.*s is not a Unicode character", escape[1], digits,
		                 escape + 2);
	utf8_add(out, c);
	return 0;
}

/* A backslash before the end of the line: the newline and all white space after it vanish. */
static int scan_continuation(struct toml_parser *s, const char *escape)
{
	while (*s->p == ' ' || *s->p == '\t')
		s->p++;
	if (*s->p != '\n' && *s->p != '\r')
		return toml_fail(s, toml_place_of(s, escape), "a backslash needs an escape character or the end of the line");
	while (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')
		if (*s->p == ' ' || *s->p == '\t')
			s->p++;
		else
			toml_newline(s);
	return 0;
}

static int scan_escape(struct toml_parser *s, struct str *out, bool multiline)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	const char *escape = s->p++;
	char c = *s->p;
	const char *known = c ? strchr(from, c) : NULL;
	if (known) {
		str_addc(out, to[known - from]);
		s->p++;
		return 0;
	}
	if (c == 'u' || c == 'U') {
		s->p++;
		return scan_unicode(s, out, c == 'u' ? 4 : 8);
	}
	if (multiline && c && strchr(" \t\r\n", c))
		return scan_continuation(s, escape);
	if (c > ' ' && c < 0x7F)
		return toml_fail(s, toml_place_of(s, escape),
		                 "\\%c is not an escape; use \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX "
		                 "\\UXXXXXXXX, or a 'literal string'",
		                 c);
	return toml_fail(s, toml_place_of(s, escape), "a backslash needs an escape character; write \\\\ for a backslash");
}

int toml_scan_string(struct toml_parser *s, const char **data, size_t *len, bool multiline_allowed)
{
	struct toml_place start = toml_place_of(s, s->p);
	char quote = *s->p;
	bool multiline = s->p[1] == quote && s->p[2] == quote;
	if (multiline && !multiline_allowed)
		return toml_fail(s, start, "a key cannot be a multi-line string");
	s->p += multiline ? 3 : 1;
	if (multiline && (*s->p == '\n' || *s->p == '\r'))
		toml_newline(s);
	SCOPED(str) struct str out = { 0 };
	for (;;) {
		if (s->p == s->end)
			return toml_fail(s, start, "this string is never closed");
		if (*s->p == quote) {
			size_t run = strspn(s->p, (char[]){ quote, '\0' });
			if (!multiline || run >= 3) {
				size_t content = multiline ? run - 3 : 0;
				if (content > 2)
					return toml_fail(s, toml_place_of(s, s->p), "%zu quotes in a row end the string early", run);
				str_addn(&out, s->p, content);
				s->p += multiline ? run : 1;
				break;
			}
			str_addn(&out, s->p, run);
			s->p += run;
		} else if (*s->p == '\\' && quote == '"') {
			if (scan_escape(s, &out, multiline))
				return -1;
		} else if (*s->p == '\n' || *s->p == '\r') {
			if (!multiline)
				return toml_fail(s, start, "this string does not end on its line; use %s for several lines",
				                 quote == '"' ? "\"\"\"" : "'''");
			const char *newline = s->p;
			toml_newline(s);
			str_addn(&out, newline, (size_t)(s->p - newline));
		} else {
			str_addc(&out, *s->p++);
		}
	}
	char *copy = arena_alloc(&s->doc->arena, out.len + 1);
	memcpy(copy, str_text(&out), out.len);
	*data = copy;
	*len = out.len;
	return 0;
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static int digit_of(char c, int base)
{
	int d = hex_digit(c);
	return d >= 0 && d < base ? d : -1;
}

/* The end of a run of digits with single underscores between them; NULL if it does not begin or end with a digit. */
static const char *digits_end(const char *p, int base)
{
	if (digit_of(*p, base) < 0)
		return NULL;
	for (;; p++) {
		if (*p == '_') {
			if (digit_of(p[1], base) < 0)
				return NULL;
		} else if (digit_of(*p, base) < 0) {
			return p;
		}
	}
}

/* The magnitude of the digits in [p, end); -1 if it is over `limit`. */
static int magnitude(uint64_t *out, const char *p, const char *end, int base, uint64_t limit)
{
	uint64_t m = 0;
	for (; p < end; p++) {
		if (*p == '_')
			continue;
		uint64_t d = (uint64_t)digit_of(*p, base);
		if (m > (limit - d) / (uint64_t)base)
			return -1;
		m = m * (uint64_t)base + d;
	}
	*out = m;
	return 0;
}

static int scan_integer(struct toml_parser *s, struct toml_value *v, const char *p, const char *end, int base,
                        bool minus)
{
	uint64_t m, limit = (uint64_t)INT64_MAX + minus;
	if (magnitude(&m, p, end, base, limit))
		return toml_fail(s, (struct toml_place){ v->line, v->col }, "%.*s does not fit into 64 bits",
		                 (int)(end - p < 60 ? end - p : 60), p);
	v->type = TOML_INTEGER;
	v->i = minus ? (int64_t)(0 - m) : (int64_t)m;
	return 0;
}

static void scan_float(struct toml_value *v, const char *p, const char *end)
{
	SCOPED(str) struct str plain = { 0 };
	for (; p < end; p++)
		if (*p != '_')
			str_addc(&plain, *p);
	v->type = TOML_FLOAT;
	v->f = strtod(str_text(&plain), NULL);
}

/* A decimal integer or a float. 0, or -1 with *why. `tok` is NUL-terminated. */
static int decimal(struct toml_parser *s, struct toml_value *v, const char *tok, const char **why)
{
	const char *p = tok + (*tok == '+' || *tok == '-'), *whole = p;
	const char *end = digits_end(p, 10);
	*why = "an underscore needs a digit on both sides";
	if (!end)
		return -1;
	*why = "a number must not have leading zeros";
	if (*p == '0' && end > p + 1)
		return -1;
	if (!*end)
		return scan_integer(s, v, whole, end, 10, *tok == '-');
	if (*end == '.') {
		*why = "a point needs a digit on both sides";
		if (!(end = digits_end(end + 1, 10)))
			return -1;
	}
	if (*end == 'e' || *end == 'E') {
		*why = "an exponent needs digits";
		end += 1 + (end[1] == '+' || end[1] == '-');
		if (!(end = digits_end(end, 10)))
			return -1;
	}
	*why = "that is not a number; a string needs quotes";
	if (*end)
		return -1;
	scan_float(v, tok, end);
	return 0;
}

static int scan_number(struct toml_parser *s, struct toml_value *v, const char *tok)
{
	const char *p = tok + (*tok == '+' || *tok == '-'), *why = NULL;
	int base = p[0] != '0' ? 0 : p[1] == 'x' ? 16 : p[1] == 'o' ? 8 : p[1] == 'b' ? 2 : 0;
	s->e->msg[0] = '\0';
	if (!strcmp(p, "inf") || !strcmp(p, "nan")) {
		v->type = TOML_FLOAT;
		v->f = *p == 'n' ? (double)NAN : *tok == '-' ? -HUGE_VAL : HUGE_VAL;
		return 0;
	}
	if (base) {
		const char *end = digits_end(p + 2, base);
		if (p == tok && end && !*end)
			return scan_integer(s, v, p + 2, end, base, false);
		why = p != tok ? "a sign is not allowed before 0x, 0o or 0b" : "malformed digits";
	} else if (hex_digit(*p) >= 0 && *p <= '9') {
		if (!decimal(s, v, tok, &why))
			return 0;
		if (s->e->msg[0])
			return -1; /* reported already: out of range */
	} else {
		why = *p == '.'   ? "a point needs a digit on both sides"
		      : *p == '_' ? "an underscore needs a digit on both sides"
		                  : "not a TOML value; a string needs quotes";
	}
	return toml_fail(s, (struct toml_place){ v->line, v->col }, "%.60s: %s", tok, why);
}

/* ---- moments ---------------------------------------------------------------------------------------------------- */

/* n decimal digits at *p; -1 if they are not there. */
static int fixed(const char **p, int n)
{
	int x = 0;
	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		x = 10 * x + (**p - '0');
	}
	return x;
}

static bool is_date(const char *p)
{
	return fixed(&p, 4) >= 0 && *p == '-';
}

static bool is_time(const char *p)
{
	return fixed(&p, 2) >= 0 && *p == ':';
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

/* The parts return NULL or what is wrong. */
static const char *scan_date(struct toml_time *t, const char **p)
{
	if ((t->year = fixed(p, 4)) < 0 || *(*p)++ != '-' || (t->month = fixed(p, 2)) < 0 || *(*p)++ != '-' ||
	    (t->day = fixed(p, 2)) < 0)
		return "a date is YYYY-MM-DD";
	if (t->month < 1 || t->month > 12)
		return "no such month";
	return t->day < 1 || t->day > days_in_month(t->year, t->month) ? "that month has no such day" : NULL;
}

static const char *scan_time(struct toml_time *t, const char **p)
{
	if ((t->hour = fixed(p, 2)) < 0 || *(*p)++ != ':' || (t->minute = fixed(p, 2)) < 0 || *(*p)++ != ':' ||
	    (t->second = fixed(p, 2)) < 0)
		return "a time is HH:MM:SS, with an optional fraction";
	if (t->hour > 23 || t->minute > 59 || t->second > 59)
		return "no such time of day";
	if (**p != '.')
		return NULL;
	if ((*p)[1] < '0' || (*p)[1] > '9')
		return "a point needs digits after it";
	int unit = 100000000;
	for (++*p; **p >= '0' && **p <= '9'; ++*p, unit /= 10)
		if (unit) {
			t->nanosecond += (**p - '0') * unit;
			t->digits++;
		}
	return NULL;
}

static const char *scan_offset(struct toml_time *t, const char **p)
{
	if (**p == 'Z' || **p == 'z') {
		++*p;
		return NULL;
	}
	int sign = *(*p)++ == '-' ? -1 : 1;
	int hour = fixed(p, 2);
	if (hour < 0 || *(*p)++ != ':')
		return "an offset is Z, +HH:MM or -HH:MM";
	int minute = fixed(p, 2);
	if (minute < 0)
		return "an offset is Z, +HH:MM or -HH:MM";
	t->offset_minutes = sign * (60 * hour + minute);
	return hour > 23 || minute > 59 ? "no such offset" : NULL;
}

static int scan_moment(struct toml_parser *s, struct toml_value *v, const char *tok)
{
	const char *p = tok, *why = NULL;
	struct toml_time t = { 0 };
	v->type = TOML_TIME_LOCAL;
	if (is_date(tok)) {
		v->type = TOML_DATE_LOCAL;
		why = scan_date(&t, &p);
		if (!why && (*p == 'T' || *p == 't' || *p == ' ')) {
			p++;
			v->type = TOML_DATETIME_LOCAL;
			why = scan_time(&t, &p);
		}
		if (!why && v->type == TOML_DATETIME_LOCAL && *p && strchr("Zz+-", *p)) {
			v->type = TOML_DATETIME;
			why = scan_offset(&t, &p);
		}
	} else {
		why = scan_time(&t, &p);
	}
	if (!why && *p)
		why = "this does not end like a date or a time";
	if (why)
		return toml_fail(s, (struct toml_place){ v->line, v->col }, "%.60s: %s", tok, why);
	v->time = t;
	return 0;
}

int toml_scan_token(struct toml_parser *s, struct toml_value *v)
{
	static const char stop[] = " \t\r\n,]}#=";
	const char *start = s->p;
	size_t n = strcspn(start, stop);
	if (n == 10 && is_date(start) && start[10] == ' ' && start[11] >= '0' && start[11] <= '9')
		n = 11 + strcspn(start + 11, stop);
	if (n == 0)
		return toml_fail(s, (struct toml_place){ v->line, v->col }, "a value is missing here");
	SCOPED(free) char *tok = xstrndup(start, n);
	s->p += n;
	v->src = start;
	v->src_len = n;
	if (!strcmp(tok, "true") || !strcmp(tok, "false")) {
		v->type = TOML_BOOL;
		v->b = *tok == 't';
		return 0;
	}
	return is_date(tok) || is_time(tok) ? scan_moment(s, v, tok) : scan_number(s, v, tok);
}
