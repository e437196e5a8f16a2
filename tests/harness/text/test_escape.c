/* test_escape.c - names from outside cannot become markup, macros or formulas. */
#include "harness/text/escape.h"

#include <criterion/criterion.h>

#define IS(function, text, want) \
	do { \
		struct str s_ = { 0 }; \
		function(&s_, text); \
		cr_assert_str_eq(str_text(&s_), want); \
		str_release(&s_); \
	} while (0)

#define BAD "\xef\xbf\xbd"

Test(escape, html)
{
	IS(escape_html, "<script>alert('x')</script> & \"q\"",
	   "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;q&quot;");
	IS(escape_html, "µ ± σ 中", "µ ± σ 中");
	IS(escape_html,
	   "a\x01"
	   "b\x7f",
	   "a" BAD "b" BAD);
}

Test(escape, bytes_that_are_not_utf8_are_replaced)
{
	IS(escape_html,
	   "\xff"
	   "a\xc3",
	   BAD "a" BAD);
	IS(escape_html, "\xc0\xaf", BAD BAD);                 /* overlong "/" */
	IS(escape_html, "\xed\xa0\x80", BAD BAD BAD);         /* a surrogate */
	IS(escape_html, "\xf4\x90\x80\x80", BAD BAD BAD BAD); /* above U+10FFFF */
	IS(escape_html, "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
	cr_assert_eq(escape_width("µ ±"), 3);
}

/* Names that act on a terminal, or read as others do: ESC, the CSI of C1, what turns the direction of writing. */
Test(escape, what_acts_on_a_terminal_is_shown_not_sent)
{
	IS(escape_plain,
	   "a\x1b[31mb\xc2\x9b"
	   "c\x7f",
	   "a\\x1b[31mb\\u009bc\\x7f");
	IS(escape_plain, "nome\xe2\x80\xaegpj.exe\xe2\x81\xa6", "nome\\u202egpj.exe\\u2066");
	IS(escape_plain, "two\nlines\tand more", "two lines and more");
	IS(escape_lines, "two\nlines\tand\x08", "two\nlines\tand\\x08");
	IS(escape_html,
	   "a\xe2\x80\xae"
	   "b\xc2\x9b",
	   "a" BAD "b" BAD);
	cr_assert(escape_has_control("a\nb") && escape_has_control("\xe2\x81\xa9") && escape_has_control("\xc2\x85"));
	cr_assert(!escape_has_control("\xc2\xa0 \xc3\xa9 \xe2\x80\x94 \xe4\xb8\xad \xf0\x9f\x98\x80 \xff"));
}

Test(escape, latex)
{
	IS(escape_latex, "50% of $x_1 & #2 {a} ~^\\",
	   "50\\% of \\$x\\_1 \\& \\#2 \\{a\\} \\textasciitilde{}\\textasciicircum{}\\textbackslash{}");
	IS(escape_latex, "\\input{/etc/passwd}", "\\textbackslash{}input\\{/etc/passwd\\}");
	IS(escape_latex, "1 ± 2", "1 $\\pm$ 2");
	IS(escape_latex, "a<b>c|d\"`'", "a\\textless{}b\\textgreater{}c\\textbar{}d\\char34{}\\textasciigrave{}'{}");
	IS(escape_latex, "a--b\nc", "a-{}-{}b c");
}

Test(escape, markdown)
{
	IS(escape_markdown, "`$x$ _y_ #1 ~2 !3 & \\", "\\`\\$x\\$ \\_y\\_ \\#1 \\~2 \\!3 &amp; \\\\");
	IS(escape_markdown, "a|b\n*c* <b> [x](y)", "a\\|b \\*c\\* &lt;b&gt; \\[x\\](y)");
}

Test(escape, csv_neutralises_formulas_but_not_numbers)
{
	IS(escape_csv, "plain", "plain");
	IS(escape_csv, "a,b", "\"a,b\"");
	IS(escape_csv, "say \"hi\"", "\"say \"\"hi\"\"\"");
	IS(escape_csv, "=1+1", "\"'=1+1\"");
	IS(escape_csv, "@SUM(A1)", "\"'@SUM(A1)\"");
	IS(escape_csv, "+cmd|' /C calc'!A0", "\"'+cmd|' /C calc'!A0\"");
	IS(escape_csv, "\t=1", "\"'\t=1\"");
	IS(escape_csv, "\r=1", "\"'\n=1\"");
	IS(escape_csv, "\n=1", "\"'\n=1\"");
	IS(escape_csv, "-", "\"'-\"");
	IS(escape_csv, "-1.5e-3", "-1.5e-3");
	IS(escape_csv, "+0.25", "+0.25");
	IS(escape_csv, "-1+1", "\"'-1+1\"");
	IS(escape_csv, "two\nlines", "\"two\nlines\"");
	IS(escape_csv, "a;b", "\"a;b\""); /* which divides columns where the comma is for decimals */
	IS(escape_csv, " a", "\" a\"");
	IS(escape_csv, "a ", "\"a \"");
	IS(escape_csv, "", "");
}

Test(escape, json_is_safe_inside_a_script_element)
{
	IS(escape_json, "</script><!-- \"\\ \n\t\xe2\x80\xa8",
	   "\"\\u003c/script\\u003e\\u003c!-- \\\"\\\\ \\n\\t\\u2028\"");
	IS(escape_json, "&lt;", "\"\\u0026lt;\"");
	IS(escape_json, "\x02", "\"" BAD "\"");
}
