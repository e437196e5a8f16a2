/* test_toml_suite.c - the public toml-test suite, where a copy of it is installed (Debian's package
 * golang-github-burntsushi-toml-dev, or $TOML_TEST_DIR): every valid document gives the tagged JSON beside it, every
 * invalid one is refused. */
#include "harness/text/toml.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEBIAN "/usr/share/gocode/src/github.com/BurntSushi/toml/internal/toml-test/tests"

static const char *suite(void)
{
	const char *dir = getenv("TOML_TEST_DIR");
	return dir ? dir : DEBIAN;
}

/* Documents of drafts later than 1.0, and one with NUL in keys, whose JSON jansson does not read. */
static bool is_left_out(const char *path)
{
	static const char *const names[] = { "/valid/string/escape-esc.toml",   "/valid/string/hex-escape.toml",
		                                 "/valid/key/unicode.toml",         "/valid/inline-table/newline.toml",
		                                 "/valid/datetime/no-seconds.toml", "/valid/key/quoted-unicode.toml" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strstr(path, names[i]))
			return true;
	return false;
}

/* Moments compare by the milliseconds that every implementation keeps, T for the space, Z for +00:00. */
static char *normal_time(const char *text)
{
	struct str s = { 0 };
	for (const char *p = text; *p; p++) {
		if (*p == '.') {
			size_t digits = strspn(p + 1, "0123456789"), kept = digits < 3 ? digits : 3;
			while (kept && p[kept] == '0')
				kept--;
			if (kept)
				str_addn(&s, p, kept + 1);
			p += digits;
		} else if (!strcmp(p, "+00:00") || !strcmp(p, "-00:00")) {
			str_addc(&s, 'Z');
			break;
		} else {
			str_addc(&s, *p == ' ' || *p == 't' ? 'T' : *p == 'z' ? 'Z' : *p);
		}
	}
	return str_detach(&s);
}

static bool same_scalar(const struct toml_value *v, const char *type, const char *want, size_t n)
{
	static const char *const tags[] = {
		[TOML_STRING] = "string",
		[TOML_INTEGER] = "integer",
		[TOML_FLOAT] = "float",
		[TOML_BOOL] = "bool",
		[TOML_DATETIME] = "datetime",
		[TOML_DATETIME_LOCAL] = "datetime-local",
		[TOML_DATE_LOCAL] = "date-local",
		[TOML_TIME_LOCAL] = "time-local",
		[TOML_ARRAY] = "",
		[TOML_TABLE] = "",
	};
	char buf[48];
	if (strcmp(tags[v->type], type) != 0)
		return false;
	switch (v->type) {
	case TOML_STRING: return v->str.len == n && memcmp(v->str.data, want, n) == 0;
	case TOML_INTEGER: return v->i == strtoll(want, NULL, 10);
	case TOML_FLOAT: return strstr(want, "nan") ? isnan(v->f) : v->f == strtod(want, NULL);
	case TOML_BOOL: return v->b == !strcmp(want, "true");
	default: {
		SCOPED(free) char *a = normal_time(toml_time_text(buf, v));
		SCOPED(free) char *b = normal_time(want);
		return !strcmp(a, b);
	}
	}
}

static bool same(const struct toml_value *v, const json_t *want)
{
	const json_t *type = json_object_get(want, "type"), *value = json_object_get(want, "value");
	if (json_is_string(type) && json_is_string(value) && json_object_size(want) == 2)
		return same_scalar(v, json_string_value(type), json_string_value(value), json_string_length(value));
	if (json_is_array(want)) {
		bool equal = v->type == TOML_ARRAY && toml_len(v) == json_array_size(want);
		for (size_t i = 0; equal && i < toml_len(v); i++)
			equal = same(toml_at(v, i), json_array_get(want, i));
		return equal;
	}
	bool equal = v->type == TOML_TABLE && toml_len(v) == json_object_size(want);
	for (size_t i = 0; equal && i < toml_len(v); i++) {
		const struct toml_entry *en = toml_entry(v, i);
		const json_t *other = json_object_getn(want, en->key, en->key_len);
		equal = other && same(en->value, other);
	}
	return equal;
}

static bool valid_case(const char *path)
{
	struct err e = ERR_INIT;
	SCOPED(toml) struct toml *doc = NULL;
	SCOPED(str) struct str text = { 0 };
	SCOPED(free) char *json = xstrfmt("%.*s.json", (int)(strlen(path) - strlen(".toml")), path);
	cr_assert_eq(io_read(&text, json, 1 << 24, &e), 0, "%s", e.msg);
	if (toml_read(&doc, path, &e)) {
		(void)fprintf(stderr, "refused: %s\n", e.msg);
		return false;
	}
	json_t *want = json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);
	bool equal = want && same(toml_root(doc), want);
	json_decref(want);
	if (!equal)
		(void)fprintf(stderr, "other values: %s\n", path);
	return equal;
}

static bool invalid_case(const char *path)
{
	struct err e = ERR_INIT;
	SCOPED(toml) struct toml *doc = NULL;
	if (toml_read(&doc, path, &e) && e.code == EXIT_USAGE && strstr(e.msg, path))
		return true;
	(void)fprintf(stderr, "accepted: %s\n", path);
	return false;
}

/* Runs every .toml below dir; *n of them. Returns how many failed. */
static int walk(const char *dir, bool (*one)(const char *), int *n)
{
	int bad = 0;
	DIR *d = opendir(dir);
	cr_assert(d, "%s", dir);
	for (struct dirent *entry; (entry = readdir(d));) {
		SCOPED(free) char *path = xstrfmt("%s/%s", dir, entry->d_name);
		size_t len = strlen(entry->d_name);
		if (entry->d_name[0] == '.')
			continue;
		if (io_is_dir(path))
			bad += walk(path, one, n);
		else if (len > 5 && !strcmp(entry->d_name + len - 5, ".toml") && !is_left_out(path)) {
			++*n;
			bad += !one(path);
		}
	}
	(void)closedir(d);
	return bad;
}

static void run(const char *part, bool (*one)(const char *), int least)
{
	int n = 0;
	SCOPED(free) char *dir = xstrfmt("%s/%s", suite(), part);
	if (!io_is_dir(dir))
		cr_skip_test("no suite in %s: install golang-github-burntsushi-toml-dev or set TOML_TEST_DIR", suite());
	cr_assert_eq(walk(dir, one, &n), 0);
	cr_assert_geq(n, least, "only %d documents in %s", n, dir);
}

Test(toml_suite, valid_documents_give_their_values)
{
	run("valid", valid_case, 90);
}

Test(toml_suite, invalid_documents_are_refused)
{
	run("invalid", invalid_case, 200);
}
