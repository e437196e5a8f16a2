/* test_toml_values.c - values read out of a parsed TOML text: by type, and alone, as `--set K=V` has them. */
#include "harness/text/toml.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <string.h>

Test(toml_values, typed_getters)
{
	static const char text[] = "s = 'x'\ni = 3\nf = 0.5\nb = true\nn = \"\\u0000\"";
	struct err e = ERR_INIT;
	SCOPED(toml) struct toml *doc = NULL;
	cr_assert_eq(toml_parse(&doc, text, strlen(text), "t", &e), 0);
	const struct toml_value *r = toml_root(doc);
	const char *s = NULL;
	int64_t i = 0;
	double f = 0;
	bool b = false;
	cr_assert(!toml_string(&s, r, "s", &e) && !strcmp(s, "x"));
	cr_assert(!toml_integer(&i, r, "i", &e) && i == 3);
	cr_assert(!toml_float(&f, r, "i", &e) && f == 3);
	cr_assert(!toml_float(&f, r, "f", &e) && f == 0.5);
	cr_assert(!toml_boolean(&b, r, "b", &e) && b);
	cr_assert_eq(toml_string(&s, r, "absent", &e), 1);
	cr_assert_eq(toml_string(&s, r, "i", &e), -1);
	cr_assert_str_eq(e.msg, "t:2:5: i must be a string, not an integer");
	cr_assert_eq(toml_integer(&i, r, "f", &e), -1);
	cr_assert_eq(toml_string(&s, r, "n", &e), -1);
}

Test(toml_values, lone_values)
{
	static const struct {
		const char *text;
		enum toml_type type;
	} cases[] = {
		{ "0.03", TOML_FLOAT },
		{ " 3 ", TOML_INTEGER },
		{ "true", TOML_BOOL },
		{ "pseudo-huber", TOML_STRING },
		{ "0.00054*sqrt(d)", TOML_STRING },
		{ "\"x\"", TOML_STRING },
		{ "[1, 2]", TOML_ARRAY },
		{ "{a = 1}", TOML_TABLE },
		{ "1979-05-27", TOML_DATE_LOCAL },
		{ "2h", TOML_STRING },
		{ "1 2", TOML_STRING },
		{ "a=b", TOML_STRING },
	};
	struct err e = ERR_INIT;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(toml) struct toml *doc = NULL;
		cr_assert_eq(toml_parse_value(&doc, cases[i].text, "--set", &e), 0, "%s", e.msg);
		cr_assert_eq(toml_root(doc)->type, cases[i].type, "%s", cases[i].text);
		if (cases[i].type == TOML_STRING && cases[i].text[0] != '"')
			cr_assert_str_eq(toml_root(doc)->str.data, cases[i].text);
		cr_assert_eq(e.msg[0], '\0');
	}
	static const char *const bad[] = { "", "  ", "[1", "\"x", "{a=1,}", "'x' y", "[1] 2", "a\xFF", "a\nb\x01" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		SCOPED(toml) struct toml *doc = NULL;
		cr_assert_eq(toml_parse_value(&doc, bad[i], "--set", &e), -1, "%s", bad[i]);
		cr_assert_eq(strncmp(e.msg, "--set:", 6), 0);
	}
}
