/* utf8.h - what is UTF-8 and what is not: the one place that decides. By Unicode's table 3-7: overlong forms,
 * surrogates, code points above U+10FFFF and cut sequences are not. */
#ifndef ABLATE_UTF8_H
#define ABLATE_UTF8_H

#include "model/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at s, 1 to 4, of which n > 0 bytes are left; 0: they are not UTF-8. NUL is a character of one
 * byte. In a NUL-terminated text n may be 4 whatever is left: a sequence that the NUL cuts is seen before its end. */
size_t utf8_len(const char *s, size_t n);
/* A byte inside a character, not its first. */
bool utf8_continues(char c);
/* Appends the UTF-8 of a code point; the caller has checked that it is one (at most U+10FFFF, no surrogate). */
void utf8_add(struct str *out, uint32_t code);

#endif
