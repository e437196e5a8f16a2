/* escape.c - one loop over the code points of a text, and per target format a table of what is written instead. */
#include "harness/text/escape.h"

#include "model/base/utf8.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

/* The next code point's bytes: *n = its length, 1 for a byte that is not UTF-8 (then false). */
static bool next(const char *text, size_t *n)
{
	size_t len = utf8_len(text, 4);
	*n = len ? len : 1;
	return len != 0;
}

/* The code point of a control character (C0, DEL, C1) or one that changes the direction of writing; 0 = any other. n
 * bytes of UTF-8. */
static unsigned control(const char *text, size_t n)
{
	const uint8_t *s = (const uint8_t *)text;
	unsigned c = n == 1   ? s[0]
	             : n == 2 ? (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu)
	             : n == 3 ? (s[0] & 0xfu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu)
	                      : 0x10000;
	bool is = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
	          (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
	return is ? c : 0;
}

struct rule {
	const char *from, *to;
};

static void escape_by(struct str *out, const char *text, const struct rule *rules, bool visible)
{
	size_t n;
	for (; *text; text += n) {
		n = 0;
		while (isalnum((unsigned char)text[n])) /* no rule applies to letters or digits, and most text is */
			n++;
		if (n) {
			str_addn(out, text, n);
			continue;
		}
		if (!next(text, &n)) {
			str_add(out, REPLACEMENT);
			continue;
		}
		const struct rule *r = rules;
		while (r->from && (strlen(r->from) != n || strncmp(text, r->from, n) != 0))
			r++;
		if (r->from)
			str_add(out, r->to);
		else if (*text != '\n' && *text != '\t' && control(text, n))
			visible ? str_addf(out, n == 1 ? "\\x%02x" : "\\u%04x", control(text, n)) : str_add(out, REPLACEMENT);
		else
			str_addn(out, text, n);
	}
}

static void escape(struct str *out, const char *text, const struct rule *rules)
{
	escape_by(out, text, rules, false);
}

void escape_html(struct str *out, const char *text)
{
	static const struct rule rules[] = { { "&", "&amp;" },
		                                 { "<", "&lt;" },
		                                 { ">", "&gt;" },
		                                 { "\"", "&quot;" },
		                                 { "'", "&#39;" },
		                                 { "\xef\xbf\xbe", REPLACEMENT },
		                                 { "\xef\xbf\xbf", REPLACEMENT },
		                                 { NULL, NULL } };
	escape(out, text, rules);
}

void escape_latex(struct str *out, const char *text)
{
	static const struct rule rules[] = { { "\\", "\\textbackslash{}" },
		                                 { "{", "\\{" },
		                                 { "}", "\\}" },
		                                 { "$", "\\$" },
		                                 { "&", "\\&" },
		                                 { "#", "\\#" },
		                                 { "_", "\\_" },
		                                 { "%", "\\%" },
		                                 { "~", "\\textasciitilde{}" },
		                                 { "^", "\\textasciicircum{}" },
		                                 { "<", "\\textless{}" },
		                                 { ">", "\\textgreater{}" },
		                                 { "|", "\\textbar{}" },
		                                 { "\"", "\\char34{}" },
		                                 { "-", "-{}" },
		                                 { "`", "\\textasciigrave{}" },
		                                 { "'", "'{}" },
		                                 { "\n", " " },
		                                 { "\t", " " },
		                                 { "\xc2\xb1", "$\\pm$" },
		                                 { "\xe2\x88\x92", "$-$" },
		                                 { "\xe2\x80\xa0", "$\\dagger$" },
		                                 { "\xe2\x80\x94", "---" },
		                                 { "\xe2\x80\x93", "--" },
		                                 { "\xce\xbc", "$\\mu$" },
		                                 { "\xcf\x83", "$\\sigma$" },
		                                 { "\xc3\x97", "$\\times$" },
		                                 { "\xe2\x89\xa4", "$\\le$" },
		                                 { "\xe2\x89\xa5", "$\\ge$" },
		                                 { REPLACEMENT, "?" },
		                                 { NULL, NULL } };
	escape(out, text, rules);
}

void escape_markdown(struct str *out, const char *text)
{
	static const struct rule rules[] = { { "&", "&amp;" }, { "<", "&lt;" }, { ">", "&gt;" }, { "|", "\\|" },
		                                 { "\\", "\\\\" }, { "`", "\\`" },  { "*", "\\*" },  { "_", "\\_" },
		                                 { "[", "\\[" },   { "]", "\\]" },  { "#", "\\#" },  { "~", "\\~" },
		                                 { "$", "\\$" },   { "!", "\\!" },  { "\n", " " },   { "\t", " " },
		                                 { NULL, NULL } };
	escape(out, text, rules);
}

static bool plain_number(const char *s)
{
	if (*s == '+' || *s == '-')
		s++;
	size_t digits = strspn(s, "0123456789"), fraction = 0;
	s += digits;
	if (*s == '.')
		fraction = strspn(++s, "0123456789"), s += fraction;
	if (digits + fraction == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		if (*s == '+' || *s == '-')
			s++;
		if (!isdigit((unsigned char)*s))
			return false;
		s += strspn(s, "0123456789");
	}
	return !*s;
}

void escape_csv(struct str *out, const char *text)
{
	static const struct rule rules[] = { { "\"", "\"\"" }, { "\r", "\n" }, { NULL, NULL } };
	bool formula = *text && strchr("=+-@\t\r\n", *text) && !plain_number(text);
	bool quote = formula || strpbrk(text, ",\"\r\n;") || *text == ' ' || (*text && text[strlen(text) - 1] == ' ');
	if (quote)
		str_addc(out, '"');
	if (formula)
		str_addc(out, '\'');
	escape(out, text, rules);
	if (quote)
		str_addc(out, '"');
}

void escape_json(struct str *out, const char *text)
{
	static const struct rule rules[] = { { "\"", "\\\"" },
		                                 { "\\", "\\\\" },
		                                 { "\n", "\\n" },
		                                 { "\t", "\\t" },
		                                 { "<", "\\u003c" },
		                                 { ">", "\\u003e" },
		                                 { "&", "\\u0026" },
		                                 { "\xe2\x80\xa8", "\\u2028" },
		                                 { "\xe2\x80\xa9", "\\u2029" },
		                                 { NULL, NULL } };
	str_addc(out, '"');
	escape(out, text, rules);
	str_addc(out, '"');
}

void escape_plain(struct str *out, const char *text)
{
	static const struct rule rules[] = { { "\n", " " }, { "\t", " " }, { NULL, NULL } };
	escape_by(out, text, rules, true);
}

void escape_lines(struct str *out, const char *text)
{
	static const struct rule none[] = { { NULL, NULL } };
	escape_by(out, text, none, true);
}

bool escape_has_control(const char *text)
{
	for (size_t n; *text; text += n)
		if (next(text, &n) && control(text, n))
			return true;
	return false;
}

size_t escape_width(const char *text)
{
	size_t width = 0, n;
	for (; *text; text += n, width++)
		(void)next(text, &n);
	return width;
}
