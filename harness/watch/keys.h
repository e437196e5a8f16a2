/* keys.h - what a terminal sends for the keys of a screen. */
#ifndef ABLATE_KEYS_H
#define ABLATE_KEYS_H

#include <stddef.h>

enum key {
	KEY_NONE, /* one that means nothing here */
	KEY_LEAVE,
	KEY_UP,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_FIRST,
	KEY_LAST,
	KEY_REDRAW,
	KEY_PART, /* the beginning of a sequence whose rest has not come yet */
};

/* The first key of n > 0 bytes; *used: its bytes, 0 for KEY_PART. */
enum key key_of(size_t *used, const char *bytes, size_t n);
/* The first cell that is shown after the key, of `n` cells of which `rows` are shown from `first` on. */
int key_scrolls(enum key key, int first, int rows, int n);

#endif
