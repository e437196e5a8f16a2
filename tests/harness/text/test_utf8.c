/* test_utf8.c - the one judge of UTF-8, and that all who take foreign text ask it: TOML, escaping, JSON. */
#include "harness/text/escape.h"
#include "harness/text/json_out.h"
#include "harness/text/toml.h"
#include "model/base/utf8.h"

#include <criterion/criterion.h>
#include <string.h>

#define BAD "\xef\xbf\xbd"

/* Each begins with a byte that is not the start of UTF-8. `shown`: the same with U+FFFD for each byte that is none. */
static const struct {
	const char *text, *why, *shown;
} bad[] = {
	{ "\x80", "a continuation byte alone", BAD },
	{ "\xbf", "the last continuation byte alone", BAD },
	{ "\xc0\x80", "NUL in two bytes", BAD BAD },
	{ "\xc0\xaf", "\"/\" in two bytes", BAD BAD },
	{ "\xc1\xbf", "U+007F in two bytes", BAD BAD },
	{ "\xe0\x80\xaf", "\"/\" in three bytes", BAD BAD BAD },
	{ "\xe0\x9f\xbf", "U+07FF in three bytes", BAD BAD BAD },
	{ "\xf0\x80\x80\xaf", "\"/\" in four bytes", BAD BAD BAD BAD },
	{ "\xf0\x8f\xbf\xbf", "U+FFFF in four bytes", BAD BAD BAD BAD },
	{ "\xed\xa0\x80", "U+D800, the first surrogate", BAD BAD BAD },
	{ "\xed\xbf\xbf", "U+DFFF, the last surrogate", BAD BAD BAD },
	{ "\xf4\x90\x80\x80", "U+110000", BAD BAD BAD BAD },
	{ "\xf5\x80\x80\x80", "a lead byte for more than U+13FFFF", BAD BAD BAD BAD },
	{ "\xf8\x88\x80\x80\x80", "five bytes", BAD BAD BAD BAD BAD },
	{ "\xfc\x84\x80\x80\x80\x80", "six bytes", BAD BAD BAD BAD BAD BAD },
	{ "\xfe", "a byte that UTF-8 never has", BAD },
	{ "\xff", "the other one", BAD },
	{ "\xc3", "cut after the first of two", BAD },
	{ "\xe2\x82", "cut after the second of three", BAD BAD },
	{ "\xf0\x9f\x98", "cut after the third of four", BAD BAD BAD },
	{ "\xc3(", "no continuation after the first of two", BAD "(" },
	{ "\xe2(\xa1", "no continuation after the first of three", BAD "(" BAD },
	{ "\xe2\x82(", "no continuation after the second of three", BAD BAD "(" },
	{ "\xf0\x9f\x98(", "no continuation after the third of four", BAD BAD BAD "(" },
};
enum { N_BAD = sizeof bad / sizeof *bad };

Test(utf8, bad_sequences_have_no_length)
{
	for (size_t i = 0; i < N_BAD; i++) {
		cr_expect_eq(utf8_len(bad[i].text, strlen(bad[i].text)), 0, "%s", bad[i].why);
		cr_expect_eq(utf8_len(bad[i].text, 4), 0, "%s, ended by a NUL", bad[i].why);
	}
	cr_assert_eq(utf8_len("\xf0\x9f\x98\x80", 3), 0, "a good one of which 3 bytes are left");
}

/* Every code point there is, written and read; and each of its beginnings is cut. */
Test(utf8, every_code_point_has_its_length)
{
	SCOPED(str) struct str s = { 0 };
	for (uint32_t c = 0; c <= 0x10FFFF; c++) {
		if (c == 0xD800)
			c = 0xE000;
		s.len = 0;
		utf8_add(&s, c);
		cr_assert_eq(s.len, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, "U+%04X", c);
		cr_assert_eq(utf8_len(s.data, s.len), s.len, "U+%04X", c);
		for (size_t n = 1; n < s.len; n++)
			cr_assert(utf8_len(s.data, n) == 0 && utf8_continues(s.data[n]), "U+%04X", c);
	}
	s.len = 0;
	utf8_add(&s, 0x20AC);
	cr_assert_str_eq(s.data, "\xe2\x82\xac");
}

Test(utf8, foreign_text_is_judged_alike_everywhere)
{
	for (size_t i = 0; i < N_BAD; i++) {
		SCOPED(str) struct str toml = { 0 }, html = { 0 };
		struct toml *doc = NULL;
		struct err e = ERR_INIT;
		str_addf(&toml, "a = \"%s\"\n", bad[i].text);
		cr_expect(toml_parse(&doc, toml.data, toml.len, "t", &e) && strstr(e.msg, "not valid UTF-8"), "%s: %s",
		          bad[i].why, e.msg);
		escape_html(&html, bad[i].text);
		cr_expect_str_eq(str_text(&html), bad[i].shown, "%s", bad[i].why);
		json_t *json = json_out_text(bad[i].text);
		cr_expect_str_eq(json_string_value(json), bad[i].shown, "%s", bad[i].why);
		json_decref(json);
		cr_expect_eq(escape_width(bad[i].text), strlen(bad[i].shown) - 2 * (strlen(bad[i].shown) / 3), "%s",
		             bad[i].why);
	}
}
