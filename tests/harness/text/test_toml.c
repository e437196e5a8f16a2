/* test_toml.c - the TOML parser: what it reads, what it refuses, and where it says things are. */
#include "harness/text/toml.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* The tree as one line: {a=1 b=[true "x"]}; strings in quotes, bytes below 0x20 as <XX>. */
static void dump(struct str *out, const struct toml_value *v)
{
	char buf[48];
	switch (v->type) {
	case TOML_STRING:
		str_addc(out, '"');
		for (size_t i = 0; i < v->str.len; i++)
			if ((unsigned char)v->str.data[i] < 0x20)
				str_addf(out, "<%02X>", (unsigned)(unsigned char)v->str.data[i]);
			else
				str_addc(out, v->str.data[i]);
		str_addc(out, '"');
		break;
	case TOML_INTEGER: str_addf(out, "%lld", (long long)v->i); break;
	case TOML_FLOAT: str_addf(out, "%sf", str_double(buf, v->f)); break;
	case TOML_BOOL: str_add(out, v->b ? "true" : "false"); break;
	case TOML_ARRAY:
		str_addc(out, '[');
		for (size_t i = 0; i < toml_len(v); i++) {
			str_add(out, i ? " " : "");
			dump(out, toml_at(v, i));
		}
		str_addc(out, ']');
		break;
	case TOML_TABLE:
		str_addc(out, '{');
		for (size_t i = 0; i < toml_len(v); i++) {
			str_addf(out, "%s%s=", i ? " " : "", toml_entry(v, i)->key);
			dump(out, toml_entry(v, i)->value);
		}
		str_addc(out, '}');
		break;
	default: str_add(out, toml_time_text(buf, v));
	}
}

static void expect(const char *text, const char *want)
{
	struct err e = ERR_INIT;
	SCOPED(toml) struct toml *doc = NULL;
	cr_assert_eq(toml_parse(&doc, text, strlen(text), "t", &e), 0, "%s\nrefused: %s", text, e.msg);
	SCOPED(str) struct str got = { 0 };
	dump(&got, toml_root(doc));
	cr_assert_str_eq(str_text(&got), want, "%s\ngave %s\nwant %s", text, str_text(&got), want);
}

static void refuse_bytes(const char *text, size_t n, const char *where)
{
	struct err e = ERR_INIT;
	SCOPED(toml) struct toml *doc = NULL;
	cr_assert_eq(toml_parse(&doc, text, n, "t", &e), -1, "accepted: %s", text);
	cr_assert_null(doc);
	cr_assert_eq(e.code, EXIT_USAGE);
	cr_assert_eq(strncmp(e.msg, where, strlen(where)), 0, "%s\nsaid %s, want it at %s", text, e.msg, where);
	cr_expect_null(strchr(e.msg, '\n'), "one line: %s", e.msg);
}

struct valid {
	const char *text, *want;
};
struct invalid {
	const char *text, *where;
};

static void expect_all(const struct valid *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect(cases[i].text, cases[i].want);
}

static void refuse_all(const struct invalid *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		refuse_bytes(cases[i].text, strlen(cases[i].text), cases[i].where);
}

#define ALL(cases) cases, sizeof(cases) / sizeof *(cases)

Test(toml, keys)
{
	static const struct valid cases[] = {
		{ "", "{}" },
		{ "\n \t\n# only this", "{}" },
		{ "a=1", "{a=1}" },
		{ "a = 1 # c\r\nb = 2", "{a=1 b=2}" },
		{ "1234 = 1\n-_ = 2", "{1234=1 -_=2}" },
		{ "\"\" = 1", "{=1}" },
		{ "'' = 1", "{=1}" },
		{ "\"a b\" = 1\n'c\"d' = 2", "{a b=1 c\"d=2}" },
		{ "\"\\u00e9\" = 1\n\"\xC3\xA8\" = 2", "{\xC3\xA9=1 \xC3\xA8=2}" },
		{ "a.b.c = 1\na.b.d = 2\na.e=3", "{a={b={c=1 d=2} e=3}}" },
		{ "a . 'b' . \"c.d\" = 1", "{a={b={c.d=1}}}" },
		{ "3.14159 = 'pi'", "{3={14159=\"pi\"}}" },
		{ "true = 1\ninf = 2", "{true=1 inf=2}" },
		{ "apple.type='f'\norange.type='g'\napple.skin='t'", "{apple={type=\"f\" skin=\"t\"} orange={type=\"g\"}}" },
		{ "\xEF\xBB\xBF"
		  "a = 1",
		  "{a=1}" },
	};
	expect_all(ALL(cases));
}

Test(toml, keys_refused)
{
	static const struct invalid cases[] = {
		{ "a = 1\na = 2", "t:2:1: a is already defined at line 1" },
		{ "a = 1\n\"a\" = 2", "t:2:1" },
		{ "= 1", "t:1:1" },
		{ "a", "t:1:2" },
		{ "a =", "t:1:4" },
		{ "a = # c", "t:1:5" },
		{ "a = 1 b = 2", "t:1:7" },
		{ "a b = 1", "t:1:3" },
		{ "a. = 1", "t:1:4" },
		{ ".a = 1", "t:1:1" },
		{ "a..b = 1", "t:1:3" },
		{ "\"\"\"a\"\"\" = 1", "t:1:1: a key cannot be a multi-line" },
		{ "'''a''' = 1", "t:1:1" },
		{ "\"a\nb\" = 1", "t:1:1" },
		{ "\xC3\xA9 = 1", "t:1:1" },
		{ "a\n= 1", "t:1:2" },
		{ "a = 1\na.b = 2", "t:2:1: a is an integer since line 1" },
		{ "a.b = 1\na = 2", "t:2:1" },
		{ "a = = 1", "t:1:5" },
		{ "a! = 1", "t:1:2" },
		{ "a == 1", "t:1:4" },
		{ "\"a\"b = 1", "t:1:4" },
		{ "\"\\x\" = 1", "t:1:2" },
		{ "a = 1\n\xEF\xBB\xBF"
		  "b = 1",
		  "t:2:1" },
		{ "a = 1,", "t:1:6" },
		{ "[a]]\n", "t:1:4" },
		{ "{a=1}", "t:1:1" },
	};
	refuse_all(ALL(cases));
}

Test(toml, strings)
{
	static const struct valid cases[] = {
		{ "a = \"\\b\\t\\n\\f\\r\\\"\\\\ \\u00e9 \\U0001F600 \\u0000\"",
		  "{a=\"<08><09><0A><0C><0D>\"\\ \xC3\xA9 \xF0\x9F\x98\x80 <00>\"}" },
		{ "a = '\\n \"'", "{a=\"\\n \"\"}" },
		{ "a = \"\"\nb = ''", "{a=\"\" b=\"\"}" },
		{ "a = \"# no\"", "{a=\"# no\"}" },
		{ "a = \"\"\"\nx\ny\"\"\"", "{a=\"x<0A>y\"}" },
		{ "a = \"\"\"\r\nx\r\ny\"\"\"", "{a=\"x<0D><0A>y\"}" },
		{ "a = \"\"\"x \\\n   \n\t y\"\"\"", "{a=\"x y\"}" },
		{ "a = \"\"\"x\\  \t\r\n y\"\"\"", "{a=\"xy\"}" },
		{ "a = \"\"\"\\\n\"\"\"", "{a=\"\"}" },
		{ "a = \"\"\"\"x\"\"\"\"\"", "{a=\"\"x\"\"\"}" },
		{ "a = \"\"\"a \"\" b\"\"\"", "{a=\"a \"\" b\"}" },
		{ "a = '''\n'x'''''", "{a=\"'x''\"}" },
		{ "a = '''\\\n'''", "{a=\"\\<0A>\"}" },
		{ "a = \"\"\"\"\"\"", "{a=\"\"}" },
		{ "a = \"\"\"\"\"\"\"\"", "{a=\"\"\"\"}" },
		{ "a = \"\"\"\\\"\"\"\\\"\"\"\"", "{a=\"\"\"\"\"\"}" },
		{ "a = \"tab\there\"", "{a=\"tab<09>here\"}" },
	};
	expect_all(ALL(cases));
}

Test(toml, strings_refused)
{
	static const struct invalid cases[] = {
		{ "a = \"x", "t:1:5: this string is never closed" },
		{ "a = 'x", "t:1:5" },
		{ "a = \"\"\"x\"\"", "t:1:5" },
		{ "a = '''x''", "t:1:5" },
		{ "a = \"x\ny\"", "t:1:5" },
		{ "a = 'x\r\ny'", "t:1:5" },
		{ "a = \"\\e\"", "t:1:6" },
		{ "a = \"\\x41\"", "t:1:6" },
		{ "a = \"\\u12\"", "t:1:6" },
		{ "a = \"\\uD800\"", "t:1:6" },
		{ "a = \"\\U00110000\"", "t:1:6" },
		{ "a = \"\\uFFFG\"", "t:1:6" },
		{ "a = \"\\ \"", "t:1:6" },
		{ "a = \"\"\"\\ x\"\"\"", "t:1:8" },
		{ "a = \"x\\", "t:1:7" },
		{ "a = \"\"\"\"\"\"\"\"\"", "t:1:8" },
		{ "a = ''''x''''''", "t:1:10" },
		{ "a = x", "t:1:5" },
		{ "a = \"x\" y", "t:1:9" },
		{ "a = \"x\"'y'", "t:1:8" },
		{ "a = \"\x7F\"", "t:1:6" },
		{ "a = '\x01'", "t:1:6" },
		{ "a = '''\x0B'''", "t:1:8" },
		{ "# \x02", "t:1:3" },
		{ "# a\rb", "t:1:4" },
		{ "a = '''x\ry'''", "t:1:9" },
		{ "a = 1\r", "t:1:6" },
		{ "a = \"\"\"\xFF\"\"\"", "t:1:8" },
		{ "# \xC0\x80", "t:1:3" },
		{ "# \xED\xA0\x80", "t:1:3" },
		{ "# \xF4\x90\x80\x80", "t:1:3" },
		{ "# \xE2\x82", "t:1:3" },
		{ "\xFE\xFF", "t:1:1" },
		{ "a = \"\xC3\xA9\" \xC3\xA9", "t:1:9" },
		{ "\f", "t:1:1" },
	};
	refuse_all(ALL(cases));
	refuse_bytes("a = 1\n\0", 7, "t:2:1: control character U+0000");
	refuse_bytes("a = '\0'", 7, "t:1:6");
	refuse_bytes("a\0\n\0=\0 \0", 8, "t:1:2");
}

Test(toml, numbers)
{
	static const struct valid cases[] = {
		{ "a = [0, +0, -0, 42, +7, -17, 1_000, 1_2_3]", "{a=[0 0 0 42 7 -17 1000 123]}" },
		{ "a = [0xDEAD_beef, 0x00ff, 0o755, 0o01, 0b1101, 0b0]", "{a=[3735928559 255 493 1 13 0]}" },
		{ "a = [9223372036854775807, -9223372036854775808, 0x7fffffffffffffff]",
		  "{a=[9223372036854775807 -9223372036854775808 9223372036854775807]}" },
		{ "a = [1.0, +1.5, -0.01, 5e+22, 1e06, -2E-2, 6.626e-34, 224_617.445_991, 1e1_0]",
		  "{a=[1f 1.5f -0.01f 5e+22f 1000000f -0.02f 6.626e-34f 224617.445991f 10000000000f]}" },
		{ "a = [inf, +inf, -inf, 0.0, -0.0]", "{a=[inff inff -inff 0f -0f]}" },
		{ "a = true\nb = false", "{a=true b=false}" },
	};
	expect_all(ALL(cases));
	struct err e = ERR_INIT;
	SCOPED(toml) struct toml *doc = NULL;
	cr_assert_eq(toml_parse(&doc, "a = [nan, +nan, -nan]", 21, "t", &e), 0);
	for (size_t i = 0; i < 3; i++)
		cr_assert(isnan(toml_at(toml_get(toml_root(doc), "a"), i)->f));
}

Test(toml, numbers_refused)
{
	static const char *const bad[] = {
		"01",
		"-01",
		"+00",
		"_1",
		"1_",
		"1__2",
		"0x",
		"0xg",
		"0X1",
		"0O1",
		"0B1",
		"0b2",
		"0o8",
		"0x_1",
		"0x1_",
		"-0x1",
		"+0b1",
		"9223372036854775808",
		"-9223372036854775809",
		"0x8000000000000000",
		"99999999999999999999999",
		"1.",
		".1",
		"-.5",
		"1.e2",
		"1._2",
		"1_.2",
		"1.2_",
		"1.2.3",
		"01.5",
		"1e",
		"1e+",
		"1e_2",
		"1e2_",
		"1e2.5",
		"1ee2",
		"Inf",
		"inF",
		"NaN",
		"in",
		"na",
		"--1",
		"++1",
		"+-1",
		"1+1",
		"+",
		"-",
		"True",
		"FALSE",
		"tru",
		"truee",
		"falsey",
		"t",
		"1a",
		"0_1",
		"infinity",
		"+true",
		"0.0e",
		"e5",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		SCOPED(free) char *text = xstrfmt("\na =   %s\nb = 1", bad[i]);
		refuse_bytes(text, strlen(text), "t:2:7: ");
	}
}

Test(toml, moments)
{
	static const struct valid cases[] = {
		{ "a = 1979-05-27T07:32:00Z", "{a=1979-05-27T07:32:00Z}" },
		{ "a = 1979-05-27 07:32:00z", "{a=1979-05-27T07:32:00Z}" },
		{ "a = 1979-05-27t00:32:00.999999-07:00", "{a=1979-05-27T00:32:00.999999-07:00}" },
		{ "a = 1979-05-27T07:32:00+14:59", "{a=1979-05-27T07:32:00+14:59}" },
		{ "a = 1979-05-27T07:32:00-00:00", "{a=1979-05-27T07:32:00Z}" },
		{ "a = 1979-05-27T07:32:00.1234567891", "{a=1979-05-27T07:32:00.123456789}" },
		{ "a = [1979-05-27, 2000-02-29 , 2024-02-29 ]#", "{a=[1979-05-27 2000-02-29 2024-02-29]}" },
		{ "a = 07:32:00\nb = 00:32:00.50", "{a=07:32:00 b=00:32:00.50}" },
		{ "a = 1979-05-27 # c", "{a=1979-05-27}" },
	};
	expect_all(ALL(cases));
	static const char *const bad[] = {
		"1979-5-27",
		"1979-05-7",
		"79-05-27",
		"11979-05-27",
		"1979-00-01",
		"1979-13-01",
		"1979-01-00",
		"1979-01-32",
		"1979-04-31",
		"1979-02-29",
		"1900-02-29",
		"2100-02-29",
		"1979-05-27T",
		"1979-05-27 07",
		"1979-05-27T07:32",
		"1979-05-27T07:32Z",
		"07:32",
		"7:32:00",
		"24:00:00",
		"23:60:00",
		"23:59:60",
		"23:59:00.",
		"1979-05-27T07:32:00.Z",
		"1979-05-27T07:32:00+24:00",
		"1979-05-27T07:32:00+01:60",
		"1979-05-27T07:32:00+01",
		"1979-05-27T07:32:00+0100",
		"1979-05-27Z",
		"07:32:00Z",
		"1979-05-27T07:32:00Zx",
		"1979-05-27X07:32:00",
		"1979-05-2707:32:00",
		"1979-05-27T7:32:00",
		"07:3:00",
		"07:32:0",
		"1979/05/27",
		"1979-05-27 T07:32:00",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		SCOPED(free) char *text = xstrfmt("a = %s", bad[i]);
		refuse_bytes(text, strlen(text), "t:1:");
	}
}

Test(toml, arrays_and_inline_tables)
{
	static const struct valid cases[] = {
		{ "a = []", "{a=[]}" },
		{ "a = [ ]", "{a=[]}" },
		{ "a = [1,2,]", "{a=[1 2]}" },
		{ "a = [[1], ['x', [true]]]", "{a=[[1] [\"x\" [true]]]}" },
		{ "a = [ # c\n 1 # d\n , # e\n 2\r\n # f\n ]", "{a=[1 2]}" },
		{ "a = [{b=1},\n{c=2}]", "{a=[{b=1} {c=2}]}" },
		{ "a = {}", "{a={}}" },
		{ "a = { }", "{a={}}" },
		{ "a = {b=1,c.d='x',c.e=2}", "{a={b=1 c={d=\"x\" e=2}}}" },
		{ "a = { b = [\n1,\n2\n], c = \"\"\"\nx\"\"\" }", "{a={b=[1 2] c=\"x\"}}" },
		{ "a.b = {c.d = {e=1}}", "{a={b={c={d={e=1}}}}}" },
		{ "a = 1979-05-27\nb = [07:32:00]", "{a=1979-05-27 b=[07:32:00]}" },
		{ "a = [true]", "{a=[true]}" },
		{ "a = {b = true}", "{a={b=true}}" },
	};
	expect_all(ALL(cases));
	static const struct invalid bad[] = {
		{ "a = [", "t:1:5: this array is never closed" },
		{ "a = [1", "t:1:5" },
		{ "a = [1,", "t:1:5" },
		{ "a = [,]", "t:1:6" },
		{ "a = [1,,2]", "t:1:8" },
		{ "a = [1 2]", "t:1:8" },
		{ "a = [1] 2", "t:1:9" },
		{ "a = [1]]", "t:1:8" },
		{ "a = [x]", "t:1:6" },
		{ "a = [b=1]", "t:1:6" },
		{ "a = {", "t:1:6" },
		{ "a = {b=1", "t:1:9" },
		{ "a = {b=1,}", "t:1:10: no comma" },
		{ "a = {,}", "t:1:6" },
		{ "a = {b=1,,c=2}", "t:1:10" },
		{ "a = {b=1 c=2}", "t:1:10" },
		{ "a = {b=1\n}", "t:1:9" },
		{ "a = {\nb=1}", "t:1:6" },
		{ "a = {b=1,\nc=2}", "t:1:10" },
		{ "a = {b=1 # c\n}", "t:1:10" },
		{ "a = {b}", "t:1:7" },
		{ "a = {b=}", "t:1:8" },
		{ "a = {b=1,b=2}", "t:1:10" },
		{ "a = {b.c=1,b=2}", "t:1:12" },
		{ "a = {b=1,b.c=2}", "t:1:10" },
		{ "a = {b={c=1},b.d=2}", "t:1:14" },
		{ "a = {}\na.b = 1", "t:2:1" },
		{ "a = {b={}}\na.b.c = 1", "t:2:1" },
		{ "a = {}\n[a]", "t:2:2" },
		{ "a = {}\n[a.b]", "t:2:2" },
		{ "a = {b.c=1}\n[a.b]", "t:2:2" },
		{ "a = {}\n[[a]]", "t:2:3" },
		{ "a = {}\n[[a.b]]", "t:2:3" },
		{ "[t]\na = {}\n[t.a.b]", "t:3:4" },
		{ "a = []\n[[a]]", "t:2:3" },
		{ "a = [{}]\n[a.b]", "t:2:2" },
		{ "a = [{}]\n[[a]]", "t:2:3" },
		{ "a = [1]\na.b = 1", "t:2:1" },
		{ "a = {b=1}}", "t:1:10" },
		{ "a = [{b=1,\nc=2}]", "t:1:11" },
	};
	refuse_all(ALL(bad));
}

Test(toml, headers)
{
	static const struct valid cases[] = {
		{ "[a]\nb=1\n[c]\n[a.d]\ne=2", "{a={b=1 d={e=2}} c={}}" },
		{ "[ a . 'b' ] # c", "{a={b={}}}" },
		{ "[a.b]\n[a]\nx=1", "{a={b={} x=1}}" },
		{ "[a.b.c]\n[a.b]\n[a]", "{a={b={c={}}}}" },
		{ "['']\n", "{={}}" },
		{ "[[a]]\nb=1\n[[a]]\nb=2", "{a=[{b=1} {b=2}]}" },
		{ "[[a]]\n[a.b]\nx=1\n[[a]]\n[a.b]\nx=2", "{a=[{b={x=1}} {b={x=2}}]}" },
		{ "[[a]]\n[[a.b]]\n[[a.b]]\n[[a]]\n[[a.b]]", "{a=[{b=[{} {}]} {b=[{}]}]}" },
		{ "[[a.b]]\nx=1\n[a]\ny=2", "{a={b=[{x=1}] y=2}}" },
		{ "[a]\nb.c=1\n[a.b.d]\ne=2", "{a={b={c=1 d={e=2}}}}" },
		{ "a.b=1\n[a.c]\nd=2", "{a={b=1 c={d=2}}}" },
		{ "[a.b.c]\nz=9\n[a]\nb.t=1", "{a={b={c={z=9} t=1}}}" },
		{ "a.x=1\n[[a.b]]\ny=2", "{a={x=1 b=[{y=2}]}}" },
	};
	expect_all(ALL(cases));
	static const struct invalid bad[] = {
		{ "[a]\n[a]", "t:2:2: a is already defined at line 1" },
		{ "[a.b]\n[a]\n[a]", "t:3:2" },
		{ "[a]\nb=1\n[a.b]", "t:3:4" },
		{ "[a]\nb=1\n[a.b.c]", "t:3:4" },
		{ "a=1\n[a]", "t:2:2" },
		{ "a.b=1\n[a]", "t:2:2" },
		{ "[a]\nb.c=1\n[a.b]", "t:3:4" },
		{ "[a]\nb.c=1\n[[a.b]]", "t:3:5" },
		{ "[a.b.c]\nz=9\n[a]\nb.c.t=1", "t:4:3" },
		{ "[a.b.c.d]\nz=9\n[a]\nb.c.d.k.t=1", "t:4:5" },
		{ "[[a.b]]\n[a]\nb.y=2", "t:3:1" },
		{ "[a.b]\n[a]\nb.x=1", "t:3:1: table b was completed" },
		{ "[a.b.c]\n[a]\nb.t=1\n[a.b]", "t:4:4" },
		{ "[[a]]\n[a]", "t:2:2: a is an array of tables" },
		{ "[a]\n[[a]]", "t:2:3" },
		{ "[a.b]\n[[a]]", "t:2:3" },
		{ "[[a.b]]\n[a.b]", "t:2:4" },
		{ "[a]\nb=[]\n[[a.b]]", "t:3:5" },
		{ "[a]\nb=1\n[[a.b]]", "t:3:5" },
		{ "[[a]]\n[a.b]\n[a.b]", "t:3:4" },
		{ "[[a]]\n[[a.b]]\n[a.b]", "t:3:4" },
		{ "[a]\nb.c=1\n[d]\n[a]", "t:4:2" },
		{ "[]", "t:1:2" },
		{ "[[]]", "t:1:3" },
		{ "[a", "t:1:3" },
		{ "[a.]", "t:1:4" },
		{ "[.a]", "t:1:2" },
		{ "[a..b]", "t:1:4" },
		{ "[[a]", "t:1:4" },
		{ "[[a] ]", "t:1:4" },
		{ "[ [a]]", "t:1:3" },
		{ "[a]]", "t:1:4" },
		{ "[a] b=1", "t:1:5" },
		{ "[a]b=1", "t:1:4" },
		{ "[a b]", "t:1:4" },
		{ "[a\n]", "t:1:3" },
		{ "[a=1]", "t:1:3" },
		{ "[a#b]", "t:1:3" },
		{ "[a.b]\n[a]\nb=1", "t:3:1" },
		{ "[[a]]\nb=1\n[a.b]", "t:3:4" },
	};
	refuse_all(ALL(bad));
}

/* Nesting is bounded in every way that a text can nest, and the bound itself is allowed. */
Test(toml, depth_is_bounded)
{
	static const char *const opening[] = { "[", "{a=", "" };
	for (int kind = 0; kind < 3; kind++)
		for (int over = 0; over < 2; over++) {
			SCOPED(str) struct str s = { 0 };
			str_add(&s, kind == 2 ? "[x" : "x = ");
			int n = TOML_DEPTH_MAX - (kind == 2) + over;
			for (int i = 0; i < n; i++)
				str_add(&s, kind == 2 ? ".x" : opening[kind]);
			str_add(&s, kind == 1 ? "1" : "");
			for (int i = 0; i < n; i++)
				str_add(&s, kind == 0 ? "]" : kind == 1 ? "}" : "");
			str_add(&s, kind == 2 ? "]" : "");
			struct err e = ERR_INIT;
			SCOPED(toml) struct toml *doc = NULL;
			cr_assert_eq(toml_parse(&doc, str_text(&s), s.len, "t", &e), over ? -1 : 0, "%s", e.msg);
		}
	SCOPED(str) struct str deep = { 0 };
	str_add(&deep, "x = ");
	for (int i = 0; i < 1000000; i++)
		str_add(&deep, "[");
	refuse_bytes(str_text(&deep), deep.len, "t:1:133: more than 128");
}

Test(toml, places_and_order)
{
	static const char text[] = "# head\nb = 1\n  \"\xC3\xA9\" = [ 1,\n   'two' ]\n[t.u]\nk . m = {x = 2}\n";
	struct err e = ERR_INIT;
	SCOPED(toml) struct toml *doc = NULL;
	cr_assert_eq(toml_parse(&doc, text, strlen(text), "dir/g.toml", &e), 0, "%s", e.msg);
	const struct toml_value *root = toml_root(doc);
	cr_assert_eq(toml_len(root), 3);
	const struct toml_entry *en = toml_entry(root, 1);
	cr_assert(en->line == 3 && en->col == 3);
	cr_assert_eq(en->spelling_len, 4);
	cr_assert_eq(memcmp(en->spelling, "\"\xC3\xA9\"", 4), 0);
	cr_assert(en->value->line == 3 && en->value->col == 9);
	const struct toml_value *two = toml_at(en->value, 1);
	cr_assert(two->line == 4 && two->col == 4 && two->src_len == 5);
	const struct toml_value *u = toml_get(root, "t.u");
	cr_assert(u->line == 5 && u->col == 4);
	const struct toml_entry *m = toml_find(toml_get(u, "k"), "m");
	cr_assert(m->line == 6 && m->col == 5 && m->value->col == 9);
	const struct toml_entry *x = toml_find(m->value, "x");
	cr_assert(x->line == 6 && x->col == 10 && x->value->col == 14);
	cr_assert_null(toml_get(root, "t.v"));
	cr_assert_null(toml_get(root, "b.c"));
	cr_assert_eq(toml_err(&e, two, "no %d", 5), -1);
	cr_assert_str_eq(e.msg, "dir/g.toml:4:4: no 5");
	cr_assert_eq(e.code, EXIT_USAGE);
}

/* Many keys in one table, and a long line: both must stay linear. A quadratic search takes minutes here. */
#ifdef ABLATE_SANITIZED
enum { MANY = 5000 }; /* the sanitizers look for undefined behaviour here, not for speed */
#else
enum { MANY = 100000 };
#endif
Test(toml, large_documents_take_linear_time, .timeout = 20)
{
	SCOPED(str) struct str s = { 0 };
	SCOPED(free) char *wanted = xstrfmt("t:%d:1: k77 is already defined at line 78", MANY + 2);
	for (int i = 0; i < MANY; i++)
		str_addf(&s, "k%d = %d\n", i, i);
	str_add(&s, "long = [");
	for (int i = 0; i < 3 * MANY; i++)
		str_add(&s, "1,");
	str_add(&s, "]\nk77 = 1\n");
	refuse_bytes(str_text(&s), s.len, wanted);
}
