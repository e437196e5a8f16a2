/* test_keys.c - keys as terminals send them, whole, cut and in a row. */
#include "harness/watch/keys.h"

#include <criterion/criterion.h>
#include <string.h>

static void is(const char *bytes, enum key want, size_t want_used)
{
	size_t used;
	cr_assert_eq(key_of(&used, bytes, strlen(bytes)), want, "%s", bytes + (*bytes == '\033'));
	cr_assert_eq(used, want_used, "%s", bytes + (*bytes == '\033'));
}

Test(keys, letters_and_sequences)
{
	is("q", KEY_LEAVE, 1);
	is("jj", KEY_DOWN, 1);
	is("k", KEY_UP, 1);
	is("x", KEY_NONE, 1);
	is("\f", KEY_REDRAW, 1);
	is("\033[A", KEY_UP, 3);
	is("\033OB", KEY_DOWN, 3); /* of the application's keypad */
	is("\033[1;5Bq", KEY_DOWN, 6);
	is("\033[5~", KEY_PAGE_UP, 4);
	is("\033[6~j", KEY_PAGE_DOWN, 4);
	is("\033[H", KEY_FIRST, 3);
	is("\033[4~", KEY_LAST, 4);
	is("\033[200~q", KEY_NONE, 6); /* pasted text, which then reads as keys */
}

/* Over a slow line a sequence comes in parts: no part of it is a key of its own. */
Test(keys, a_part_waits_for_the_rest)
{
	is("\033", KEY_PART, 0);
	is("\033[", KEY_PART, 0);
	is("\033[1;", KEY_PART, 0);
	is("\033q", KEY_NONE, 1); /* Esc alone, and then q */
}

Test(keys, scrolling_stays_within_the_cells)
{
	cr_assert_eq(key_scrolls(KEY_DOWN, 0, 10, 30), 1);
	cr_assert_eq(key_scrolls(KEY_UP, 0, 10, 30), 0);
	cr_assert_eq(key_scrolls(KEY_PAGE_DOWN, 0, 10, 30), 9);
	cr_assert_eq(key_scrolls(KEY_PAGE_DOWN, 18, 10, 30), 20);
	cr_assert_eq(key_scrolls(KEY_PAGE_UP, 4, 10, 30), 0);
	cr_assert_eq(key_scrolls(KEY_LAST, 3, 10, 30), 20);
	cr_assert_eq(key_scrolls(KEY_FIRST, 3, 10, 30), 0);
	cr_assert_eq(key_scrolls(KEY_DOWN, 0, 10, 5), 0);
	cr_assert_eq(key_scrolls(KEY_NONE, 25, 10, 30), 20); /* the screen has grown */
}
