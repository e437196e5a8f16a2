/* test_columns.c - how wide text is: a line that is a column too long wraps, and a screen of such lines is a heap. */
#include "harness/text/columns.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>

#define BECOMES(text, width, right, utf8, want) \
	do { \
		struct str s_ = { 0 }; \
		columns_add(&s_, text, width, right, utf8); \
		cr_assert_str_eq(str_text(&s_), want); \
		str_release(&s_); \
	} while (0)

Test(columns, wide_and_combining_characters_count_as_terminals_show_them)
{
	cr_assert_eq(columns_wide(""), 0);
	cr_assert_eq(columns_wide("abc"), 3);
	cr_assert_eq(columns_wide("µ±"), 2);
	cr_assert_eq(columns_wide("中文"), 4);
	cr_assert_eq(columns_wide("한글"), 4);
	cr_assert_eq(columns_wide("e\xcc\x81x"), 2);       /* e and U+0301 */
	cr_assert_eq(columns_wide("\xf0\x9f\x98\x80"), 2); /* U+1F600 */
	cr_assert_eq(columns_wide("a\xe2\x80\x8d"), 1);    /* U+200D */
	cr_assert_eq(columns_wide("\xff\xfe"), 2);         /* bytes that are no characters */
	cr_assert_eq(columns_wide("\xe2\x96\x81\xe2\x96\x88"), 2);
}

Test(columns, text_is_cut_between_characters)
{
	cr_assert_eq(columns_fitting("中文", 3), 3);
	cr_assert_eq(columns_fitting("e\xcc\x81x", 1), 3); /* what combines stays with its letter */
	cr_assert_eq(columns_fitting("abc", 5), 3);
	cr_assert_eq(columns_fitting("abc", 0), 0);
}

Test(columns, text_fills_its_width)
{
	BECOMES("abc", 5, false, true, "abc  ");
	BECOMES("abc", 5, true, true, "  abc");
	BECOMES("abcdef", 4, false, true, "abc\xe2\x80\xa6");
	BECOMES("abcdef", 4, true, false, "abc~");
	BECOMES("中文字", 4, false, false, "中~ "); /* the second half of a wide character is a blank */
	BECOMES("中文字", 6, false, false, "中文字");
	BECOMES("abc", 0, false, true, "");
	BECOMES("中", 1, false, false, "~");
}
