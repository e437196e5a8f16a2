/* row_label.c - see row_label.h. */
#include "harness/plan/row_label.h"

#include <fnmatch.h>
#include <string.h>

#define BETWEEN ", " /* as plan.c joins them */

const char *row_label_next(size_t *n, const char **at)
{
	const char *part = *at;
	if (!part)
		return NULL;
	const char *end = strstr(part, BETWEEN);
	*n = end ? (size_t)(end - part) : strlen(part);
	*at = end ? end + strlen(BETWEEN) : NULL;
	return part;
}

static bool same(const char *a, size_t n, const char *b, size_t m)
{
	return n == m && memcmp(a, b, n) == 0;
}

bool row_label_has(const char *label, const char *part, size_t n)
{
	size_t m;
	for (const char *at = label, *one; (one = row_label_next(&m, &at));)
		if (same(one, m, part, n))
			return true;
	return false;
}

bool row_label_swaps(const char *other, const char *label, const char *part)
{
	size_t n, m, whole = strlen(part);
	int swapped = 0;
	const char *a, *b;
	do {
		a = row_label_next(&n, &other);
		b = row_label_next(&m, &label);
		if (a && b && !same(a, n, b, m)) {
			swapped++;
			if (!same(a, n, part, whole))
				return false;
		}
	} while (a && b);
	return !a && !b && swapped <= 1;
}

bool row_name_meant(const char *name, const char *text)
{
	return strcmp(text, name) == 0 || fnmatch(text, name, 0) == 0;
}
