/* table_labels.c - labels of rows for people: "optim.lr=0.00170997594668" is 0.00171 where no other row is so called.
 * See table_private.h. */
#include "harness/show/table_private.h"

#include "model/base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_FEW = 3, DIGITS_MOST = 8 };

static bool begins_number(const char *label, const char *p)
{
	return isdigit((unsigned char)*p) && (p == label || strchr("= (", p[-1]));
}

/* Fractions with more digits than that, rounded; whole numbers and names stay. */
static char *rounded(const char *label, int digits)
{
	struct str s = { 0 };
	for (const char *p = label; *p;) {
		if (!begins_number(label, p)) {
			str_addc(&s, *p++);
			continue;
		}
		char *end = NULL, brief[40];
		double x = strtod(p, &end);
		size_t n = (size_t)(end - p);
		snprintf(brief, sizeof brief, "%.*g", digits, x);
		bool fraction = memchr(p, '.', n) && x < 1000 && strchr(" ,)", *end);
		if (fraction && strlen(brief) < n)
			str_add(&s, brief);
		else
			str_addn(&s, p, n);
		p = end;
	}
	return str_detach(&s);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All different, within their sections? */
static bool all_differ(const struct table *t, char **labels)
{
	SCOPED(free) char **sorted = xcalloc((size_t)t->n_rows + 1, sizeof *sorted);
	bool differ = true;
	for (int r = 0; r < t->n_rows; r++)
		sorted[r] = xstrfmt("%s\n%s", t->sections[r], labels[r]);
	qsort(sorted, (size_t)t->n_rows, sizeof *sorted, by_text);
	for (int r = 1; r < t->n_rows; r++)
		differ = differ && strcmp(sorted[r - 1], sorted[r]) != 0;
	for (int r = 0; r < t->n_rows; r++)
		free(sorted[r]);
	return differ;
}

void table_shown_labels(struct table *t)
{
	SCOPED(free) char **labels = xcalloc((size_t)t->n_rows + 1, sizeof *labels);
	bool good = false;
	t->shown = t->labels;
	for (int digits = DIGITS_FEW; digits <= DIGITS_MOST && !good; digits++) {
		for (int r = 0; r < t->n_rows; r++)
			labels[r] = rounded(t->labels[r], digits);
		good = all_differ(t, labels);
		if (good)
			t->shown = arena_alloc(&t->arena, ((size_t)t->n_rows + 1) * sizeof *t->shown);
		for (int r = 0; r < t->n_rows; r++) {
			if (good)
				t->shown[r] = arena_strdup(&t->arena, labels[r]);
			free(labels[r]);
		}
	}
}
