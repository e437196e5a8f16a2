/* test_roff.c - manual pages: no word of a help text is a request or an escape of roff. */
#include "harness/text/roff.h"

#include <criterion/criterion.h>

#define IS(call, want) \
	do { \
		struct str s_ = { 0 }, *s = &s_; \
		call; \
		cr_expect_str_eq(str_text(s), want); \
		str_release(s); \
	} while (0)

/* A line that began with a point vanished from the page; `\x` was an escape. */
Test(roff, no_text_is_a_request_or_an_escape)
{
	IS(roff_text(s, ".TH is text\n'so is this. And"), "\\&.TH is text\n\\&'so is this. And");
	IS(roff_text(s, "C:\\x --json"), "C:\\ex \\-\\-json");
	IS(roff_text(s, "a|b"), "a|\\:b");
	IS(roff_item(s, "-o FILE", ".png"), ".TP\n.B \\-o FILE\n\\&.png\n");
}

Test(roff, paragraphs_and_lines_as_they_are)
{
	IS(roff_paragraphs(s, "one\n\ntwo\n    ablate run\nthree"),
	   "one\n.PP\ntwo\n.PP\n.RS 4\n.nf\nablate run\n.fi\n.RE\nthree\n");
	IS(roff_paragraphs(s, "  last"), ".PP\n.RS 4\n.nf\nlast\n.fi\n.RE\n");
}
