/* keys.c - see keys.h. Sequences of VT100's family: ESC, then [ or O, parameters, and a final byte. */
#include "harness/watch/keys.h"

#include <string.h>

static enum key of_byte(char c)
{
	switch (c) {
	case 'q':
	case 'Q': return KEY_LEAVE;
	case 'k': return KEY_UP;
	case 'j': return KEY_DOWN;
	case 'b': return KEY_PAGE_UP;
	case ' ':
	case 'f': return KEY_PAGE_DOWN;
	case 'g': return KEY_FIRST;
	case 'G': return KEY_LAST;
	case '\f': return KEY_REDRAW;
	default: return KEY_NONE;
	}
}

static enum key of_sequence(char first, char final)
{
	switch (final) {
	case 'A': return KEY_UP;
	case 'B': return KEY_DOWN;
	case 'H': return KEY_FIRST;
	case 'F': return KEY_LAST;
	case '~':
		return first == '5'                   ? KEY_PAGE_UP
		       : first == '6'                 ? KEY_PAGE_DOWN
		       : first == '1' || first == '7' ? KEY_FIRST
		       : first == '4' || first == '8' ? KEY_LAST
		                                      : KEY_NONE;
	default: return KEY_NONE;
	}
}

enum key key_of(size_t *used, const char *bytes, size_t n)
{
	*used = 1;
	if (bytes[0] != '\033')
		return of_byte(bytes[0]);
	*used = 0;
	if (n < 2)
		return KEY_PART;
	if (bytes[1] != '[' && bytes[1] != 'O') { /* Esc, or Alt with a key */
		*used = 1;
		return KEY_NONE;
	}
	for (size_t i = 2; i < n; i++)
		if (!strchr("0123456789;", bytes[i]) || !bytes[i]) {
			*used = i + 1;
			return of_sequence(bytes[2], bytes[i]);
		}
	return KEY_PART;
}

int key_scrolls(enum key key, int first, int rows, int n)
{
	int page = rows > 1 ? rows - 1 : 1, last = n > rows ? n - rows : 0;
	int to = key == KEY_UP          ? first - 1
	         : key == KEY_DOWN      ? first + 1
	         : key == KEY_PAGE_UP   ? first - page
	         : key == KEY_PAGE_DOWN ? first + page
	         : key == KEY_FIRST     ? 0
	         : key == KEY_LAST      ? last
	                                : first;
	return to > last ? last : to < 0 ? 0 : to;
}
