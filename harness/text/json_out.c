/* json_out.c - see json_out.h. */
#include "harness/text/json_out.h"

#include "harness/text/escape.h"
#include "model/base/utf8.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

json_t *json_out_real(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

json_t *json_out_text(const char *s)
{
	if (!s)
		return json_null();
	SCOPED(str) struct str t = { 0 };
	for (size_t i = 0, n = strlen(s); i < n;) {
		size_t len = utf8_len(s + i, n - i);
		if (len)
			str_addn(&t, s + i, len);
		else
			str_add(&t, "\xEF\xBF\xBD");
		i += len ? len : 1;
	}
	return json_stringn(str_text(&t), t.len);
}

static void newline(struct str *dst, int indent, int depth)
{
	if (indent <= 0)
		return;
	str_addc(dst, '\n');
	for (int i = 0; i < indent * depth; i++)
		str_addc(dst, ' ');
}

static void write_real(struct str *dst, double x)
{
	char buf[32];
	str_add(dst, str_double(buf, x));
	if (!strpbrk(buf, ".e"))
		str_add(dst, ".0"); /* stays a real for whoever reads it */
}

static void write_value(struct str *dst, const json_t *v, int indent, int depth)
{
	const char *key;
	json_t *item;
	size_t i;
	switch (json_typeof(v)) {
	case JSON_OBJECT: {
		bool first = true;
		str_addc(dst, '{');
		json_object_foreach((json_t *)(uintptr_t)v, key, item) {
			str_add(dst, first ? "" : indent > 0 ? "," : ", ");
			newline(dst, indent, depth + 1);
			escape_json(dst, key);
			str_add(dst, ": ");
			write_value(dst, item, indent, depth + 1);
			first = false;
		}
		if (!first)
			newline(dst, indent, depth);
		str_addc(dst, '}');
		break;
	}
	case JSON_ARRAY:
		str_addc(dst, '[');
		json_array_foreach(v, i, item) {
			str_add(dst, i == 0 ? "" : indent > 0 ? "," : ", ");
			newline(dst, indent, depth + 1);
			write_value(dst, item, indent, depth + 1);
		}
		if (json_array_size(v))
			newline(dst, indent, depth);
		str_addc(dst, ']');
		break;
	case JSON_STRING:
		escape_json(dst, json_string_value(v));
		break;
	case JSON_INTEGER:
		str_addf(dst, "%lld", (long long)json_integer_value(v));
		break;
	case JSON_REAL:
		write_real(dst, json_real_value(v));
		break;
	case JSON_TRUE:
		str_add(dst, "true");
		break;
	case JSON_FALSE:
		str_add(dst, "false");
		break;
	case JSON_NULL:
		str_add(dst, "null");
		break;
	}
}

void json_out(struct str *dst, const json_t *v, int indent)
{
	write_value(dst, v, indent, 0);
}
