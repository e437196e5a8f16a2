/* toml-decode.c - the decoder that the public toml-test suite drives: a TOML document on stdin becomes tagged JSON on
 * stdout, exit 0; an invalid document is a message on stderr and exit 1.
 *
 *     printf 'a = 1\n' | build/tests/toml-decode        # {"a":{"type":"integer","value":"1"}}
 *     toml-test build/tests/toml-decode                 # the suite itself */
#include "harness/text/toml.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdio.h>

static void add_json_string(struct str *out, const char *s, size_t n)
{
	str_addc(out, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c == '"' || c == '\\')
			str_addf(out, "\\%c", c);
		else if (c < 0x20)
			str_addf(out, "\\u%04x", c);
		else
			str_addc(out, (char)c);
	}
	str_addc(out, '"');
}

static void add_scalar(struct str *out, const struct toml_value *v)
{
	static const char *const tags[] = {
		[TOML_STRING] = "string",         [TOML_INTEGER] = "integer",
		[TOML_FLOAT] = "float",           [TOML_BOOL] = "bool",
		[TOML_DATETIME] = "datetime",     [TOML_DATETIME_LOCAL] = "datetime-local",
		[TOML_DATE_LOCAL] = "date-local", [TOML_TIME_LOCAL] = "time-local",
	};
	char buf[48];
	str_addf(out, "{\"type\":\"%s\",\"value\":", tags[v->type]);
	if (v->type == TOML_STRING)
		add_json_string(out, v->str.data, v->str.len);
	else if (v->type == TOML_INTEGER)
		str_addf(out, "\"%lld\"", (long long)v->i);
	else if (v->type == TOML_FLOAT)
		str_addf(out, "\"%s\"", isnan(v->f) ? "nan" : str_double(buf, v->f));
	else if (v->type == TOML_BOOL)
		str_addf(out, "\"%s\"", v->b ? "true" : "false");
	else
		str_addf(out, "\"%s\"", toml_time_text(buf, v));
	str_addc(out, '}');
}

static void add_value(struct str *out, const struct toml_value *v)
{
	if (v->type == TOML_TABLE) {
		str_addc(out, '{');
		for (size_t i = 0; i < toml_len(v); i++) {
			const struct toml_entry *en = toml_entry(v, i);
			str_add(out, i ? "," : "");
			add_json_string(out, en->key, en->key_len);
			str_addc(out, ':');
			add_value(out, en->value);
		}
		str_addc(out, '}');
	} else if (v->type == TOML_ARRAY) {
		str_addc(out, '[');
		for (size_t i = 0; i < toml_len(v); i++) {
			str_add(out, i ? "," : "");
			add_value(out, toml_at(v, i));
		}
		str_addc(out, ']');
	} else {
		add_scalar(out, v);
	}
}

int main(void)
{
	struct err e = ERR_INIT;
	SCOPED(toml) struct toml *doc = NULL;
	if (toml_read(&doc, "-", &e)) {
		(void)fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	SCOPED(str) struct str json = { 0 };
	add_value(&json, toml_root(doc));
	str_addc(&json, '\n');
	return fwrite(json.data, 1, json.len, stdout) == json.len && fflush(stdout) == 0 ? 0 : 1;
}
