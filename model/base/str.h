/* str.h - a growable string of bytes with a maximum.
 *
 * Invariants: data is NUL-terminated whenever it is not NULL; len excludes the NUL. A zero-initialised struct str is
 * empty and valid. Appending beyond STR_MAX is BUG(): texts that come from outside are bounded by their reader. */
#ifndef ABLATE_STR_H
#define ABLATE_STR_H

#include "model/base/err.h"

#include <stddef.h>

#define STR_MAX ((size_t)1 << 31)

struct str {
	char *data;
	size_t len, cap;
};

void str_release(struct str *s);
void scoped_str(struct str *s); /* SCOPED(str) struct str s = { 0 }; */
void str_addn(struct str *s, const void *bytes, size_t n);
void str_add(struct str *s, const char *text);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *str_text(const struct str *s); /* never NULL */
char *str_detach(struct str *s);           /* the heap text; s is empty after */
const char *str_plural(long long n);       /* "" for 1, else "s": "%d row%s", n, str_plural(n) */

/* Shortest decimal text that reads back as exactly x ("0.1", "1e-07", "nan", "inf"); buf >= 32 bytes. Returns buf. */
char *str_double(char *buf, double x);

/* For qsort and bsearch over texts, char *[]: in the order of their bytes. */
int str_order(const void *a, const void *b);
/* Edit distance (Levenshtein, case-insensitive) for "did you mean". */
int str_distance(const char *a, const char *b);
/* Appends up to 3 of names[0..n) near to `wrong` (distance <= 2, or the same last dotted segment) as
 * "; did you mean A, B?". Adds nothing when none is near. */
void str_suggest(struct str *s, const char *wrong, const char *const *names, size_t n);

#endif
