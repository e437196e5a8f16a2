/* json_out.c - see json_out.h. */
#include "harness/text/json_out.h"

#include "harness/text/json_writer.h"
#include "model/base/utf8.h"

#include <math.h>
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

/* A real keeps a point or an exponent, so that readers see a real. */
static void add_real(struct json_writer *w, const char *name, double x)
{
	char buf[40];
	str_double(buf, x);
	if (!strpbrk(buf, ".e"))
		(void)strncat(buf, ".0", 3);
	json_add_raw(w, name, buf);
}

static void add_value(struct json_writer *w, const char *name, const json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		json_begin(w, name, '{');
		json_object_foreach((json_t *)(uintptr_t)v, key, item) add_value(w, key, item);
		json_end(w);
		break;
	case JSON_ARRAY:
		json_begin(w, name, '[');
		json_array_foreach(v, i, item) add_value(w, NULL, item);
		json_end(w);
		break;
	case JSON_STRING: json_add_text(w, name, json_string_value(v)); break;
	case JSON_INTEGER: json_add_int(w, name, json_integer_value(v)); break;
	case JSON_REAL: add_real(w, name, json_real_value(v)); break;
	case JSON_TRUE:
	case JSON_FALSE: json_add_bool(w, name, json_is_true(v)); break;
	case JSON_NULL: json_add_null(w, name); break;
	}
}

void json_out(struct str *dst, const json_t *v, int indent)
{
	struct json_writer w = { .to = dst, .indent = indent };
	add_value(&w, NULL, v);
}

static int append(const char *bytes, size_t n, void *to)
{
	str_addn(to, bytes, n);
	return 0;
}

int json_record(struct str *dst, const json_t *v, size_t flags)
{
	size_t before = dst->len;
	if (v && !json_dump_callback(v, append, dst, flags | JSON_REAL_PRECISION(17)))
		return 0;
	dst->len = before;
	if (dst->data)
		dst->data[before] = 0;
	return -1;
}
