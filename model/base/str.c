/* str.c - see str.h. */
#include "model/base/str.h"

#include "model/base/mem.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void str_release(struct str *s)
{
	free(s->data);
	*s = (struct str){ 0 };
}

void scoped_str(struct str *s)
{
	str_release(s);
}

static void reserve(struct str *s, size_t more)
{
	if (more > STR_MAX - 1 || s->len > STR_MAX - 1 - more)
		BUG("string of %zu + %zu bytes", s->len, more);
	size_t need = s->len + more + 1;
	if (need <= s->cap)
		return;
	size_t cap = s->cap ? s->cap : 64;
	while (cap < need)
		cap *= 2;
	s->data = xrealloc(s->data, cap, 1);
	s->cap = cap;
}

void str_addn(struct str *s, const void *bytes, size_t n)
{
	reserve(s, n);
	if (n)
		memcpy(s->data + s->len, bytes, n);
	s->len += n;
	s->data[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
	str_addn(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
	str_addn(s, &c, 1);
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	reserve(s, 32); /* most pieces are short: they are formatted once */
	size_t room = s->cap - s->len;
	int n = vsnprintf(s->data + s->len, room, fmt, ap);
	va_end(ap);
	REQUIRE(n >= 0);
	if ((size_t)n >= room) {
		reserve(s, (size_t)n);
		(void)vsnprintf(s->data + s->len, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	s->len += (size_t)n;
}

const char *str_text(const struct str *s)
{
	return s->data ? s->data : "";
}

char *str_detach(struct str *s)
{
	char *p = s->data ? s->data : xstrdup("");
	*s = (struct str){ 0 };
	return p;
}

const char *str_plural(long long n)
{
	return n == 1 ? "" : "s";
}

char *str_double(char *buf, double x)
{
	if (fabs(x) < 1e15 && x == trunc(x) &&
	    (x != 0 || !signbit(x))) { /* an integer: by far the most common, without trying */
		int64_t i = (int64_t)x;
		char digits[20], *p = digits + sizeof digits, *out = buf;
		for (uint64_t left = i < 0 ? (uint64_t)-i : (uint64_t)i; p == digits + sizeof digits || left; left /= 10)
			*--p = (char)('0' + left % 10);
		if (i < 0)
			*out++ = '-';
		memcpy(out, p, (size_t)(digits + sizeof digits - p));
		out[digits + sizeof digits - p] = '\0';
		return buf;
	}
	/* %g drops trailing zeros, so 15 digits show the shortest text of every normal double that up to 15 digits can
	 * name. */
	for (int digits = fabs(x) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
		(void)snprintf(buf, 32, "%.*g", digits, x);
		if (strtod(buf, NULL) == x)
			break;
	}
	if (strchr(buf, 'e') && fabs(x) >= 1 && fabs(x) < 1e16)
		(void)snprintf(buf, 32, "%.0f", x); /* "80", not "8e+01" */
	return buf;
}

int str_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int str_distance(const char *a, const char *b)
{
	enum { MAX = 127 };
	size_t n = strlen(a), m = strlen(b);
	if (n > MAX || m > MAX)
		return MAX;
	int row[MAX + 1];
	for (size_t j = 0; j <= m; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		int diagonal = row[0];
		row[0] = (int)i;
		for (size_t j = 1; j <= m; j++) {
			int up = row[j];
			int same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
			int best = diagonal + !same;
			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = up;
			row[j] = best;
		}
	}
	return row[m];
}

static const char *last_segment(const char *dotted)
{
	const char *dot = strrchr(dotted, '.');
	return dot ? dot + 1 : dotted;
}

void str_suggest(struct str *s, const char *wrong, const char *const *names, size_t n)
{
	int found = 0;
	for (int want = 0; want <= 3 && found < 3; want++) /* nearest first; 3 means "same last segment" */
		for (size_t i = 0; i < n && found < 3; i++) {
			int d = str_distance(wrong, names[i]);
			int tail = d > 2 && str_distance(last_segment(wrong), last_segment(names[i])) <= 1;
			if (want < 3 ? d == want : tail) {
				str_addf(s, "%s%s", found ? ", " : "; did you mean ", names[i]);
				found++;
			}
		}
	if (found)
		str_addc(s, '?');
}
