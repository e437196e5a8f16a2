/* class_match.c - see class_match.h. Every class of either side gets a number that both share; then pictures are
 * counted and put into their places. */
#include "metrics/sources/class_match.h"

#include "model/base/mem.h"
#include "model/data/label_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A side while its classes get their shared numbers. */
struct side {
	const struct class_labels *labels;
	const char *origin;
	int32_t *shared; /* [n_names], of each name; NULL: labels are the shared numbers */
	int64_t *count;  /* [shared numbers] */
};

void class_match_release(struct class_match *m)
{
	for (int k = 0; k < m->n; k++)
		free(m->name[k]);
	free(m->name);
	for (int i = 0; i < 2; i++) {
		free(m->side[i].at);
		free(m->side[i].which);
	}
	str_release(&m->notes);
	*m = (struct class_match){ 0 };
}

void scoped_class_match(struct class_match *m)
{
	class_match_release(m);
}

int64_t class_match_count(const struct class_match *m, int side, int k)
{
	return m->side[side].at[k + 1] - m->side[side].at[k];
}

/* ---- shared numbers --------------------------------------------------------------------------------------------- */

/* Both have names: their places in the union of both, which is returned. Heap, of borrowed texts. */
static char **merge_names(int *n, struct side *x, struct side *y)
{
	const struct class_labels *a = x->labels, *b = y->labels;
	char **all = xmalloc(sizeof *all * (size_t)(a->n_names + b->n_names + 1));
	int i = 0, j = 0;
	for (*n = 0; i < a->n_names || j < b->n_names; ++*n) {
		int order = i == a->n_names ? 1 : j == b->n_names ? -1 : strcmp(a->name[i], b->name[j]);
		all[*n] = order <= 0 ? a->name[i] : b->name[j];
		if (order <= 0)
			x->shared[i++] = *n;
		if (order >= 0)
			y->shared[j++] = *n;
	}
	return all;
}

/* The number that a name of digits is, 0 to LABEL_MAX; -1: it is none. */
static int32_t number_of(const char *name)
{
	size_t n = strlen(name);
	long v = n && n <= 9 && strspn(name, "0123456789") == n ? strtol(name, NULL, 10) : -1;
	return v <= LABEL_MAX ? (int32_t)v : -1;
}

int class_names_to_numbers(int32_t *number, const struct class_labels *l, const char *origin, struct str *notes,
                           struct err *e)
{
	bool numbers = true, in_order = true;
	for (int k = 0; k < l->n_names; k++) {
		number[k] = number_of(l->name[k]);
		numbers &= number[k] >= 0;
		in_order &= number[k] == k;
	}
	SCOPED(free) int *seen = xcalloc(LABEL_MAX + 1, sizeof *seen); /* 1 + place of the name */
	for (int k = 0; k < l->n_names && numbers; k++) {
		int *before = &seen[number[k]];
		if (*before)
			return err_set(e, "%s: the folders %s and %s are one number: which is class %d?", origin,
			               l->name[*before - 1], l->name[k], number[k]);
		*before = k + 1;
	}
	if (numbers && !in_order)
		str_addf(
			notes,
			"%s: its folders are numbers and count as these; torchvision and `ablate data import` would count them "
			"from 0 in the order of their names (%s first)\n",
			origin, l->name[0]);
	for (int k = 0; k < l->n_names && !numbers; k++)
		number[k] = k;
	if (!numbers)
		str_addf(notes, "%s: its folders count as classes 0 to %d in the order of their names (%s is 0)\n", origin,
		         l->n_names - 1, l->name[0]);
	return 0;
}

static int32_t shared_of(const struct side *s, int64_t i)
{
	int32_t own = s->labels->of[i];
	return s->shared ? s->shared[own] : own;
}

/* ---- pictures --------------------------------------------------------------------------------------------------- */

/* Has every class two pictures on both sides? *n: how many classes there are. */
static int check(int *n, const struct side *x, const struct side *y, int shared, char *const *name, struct err *e)
{
	int lacking = 0, lonely = 0, first_lacking = -1, first_lonely = -1;
	*n = 0;
	for (int k = 0; k < shared; k++) {
		int64_t least = x->count[k] < y->count[k] ? x->count[k] : y->count[k];
		if (!x->count[k] && !y->count[k])
			continue;
		++*n;
		if (least == 0 && lacking++ == 0)
			first_lacking = k;
		if (least == 1 && lonely++ == 0)
			first_lonely = k;
	}
	int k = lacking ? first_lacking : first_lonely;
	if (k < 0)
		return 0;
	char number[16];
	(void)snprintf(number, sizeof number, "%d", k);
	const char *what = name ? name[k] : number;
	const struct side *less = x->count[k] < y->count[k] ? x : y, *more = less == x ? y : x;
	if (!lacking)
		return err_set(e, "%s: class '%s' has one image; a covariance needs at least 2 (%d of %d classes have one)",
		               less->origin, what, lonely, *n);
	return err_set(e,
	               "%s: no image of class '%s', of which %s has %" PRId64 "; %d of %d classes are on one side only "
	               "(folders match by name, numbers by number, folders against numbers in the order of their names)",
	               less->origin, what, more->origin, more->count[k], lacking, *n);
}

/* Pictures class by class; place[shared number] is the class's among those that there are. */
static void put(struct class_members *out, const struct side *s, const int32_t *place, int n)
{
	int64_t pictures = s->labels->n;
	out->at = xcalloc((size_t)n + 1, sizeof *out->at);
	out->which = xmalloc(sizeof *out->which * (size_t)pictures);
	SCOPED(free) int64_t *next = xcalloc((size_t)n + 1, sizeof *next);
	for (int64_t i = 0; i < pictures; i++)
		out->at[place[shared_of(s, i)] + 1]++;
	for (int k = 0; k < n; k++)
		next[k + 1] = out->at[k + 1] += out->at[k];
	for (int64_t i = 0; i < pictures; i++)
		out->which[next[place[shared_of(s, i)]]++] = i;
}

static int match(struct class_match *m, struct side *x, struct side *y, int shared, char *const *name, struct err *e)
{
	struct side *both[2] = { x, y };
	for (int s = 0; s < 2; s++) {
		both[s]->count = xcalloc((size_t)shared, sizeof *both[s]->count);
		for (int64_t i = 0; i < both[s]->labels->n; i++)
			both[s]->count[shared_of(both[s], i)]++;
	}
	int n;
	if (check(&n, x, y, shared, name, e))
		return -1;
	SCOPED(free) int32_t *place = xcalloc((size_t)shared, sizeof *place);
	m->name = xcalloc((size_t)n + 1, sizeof *m->name);
	for (int k = 0; k < shared; k++) {
		if (!x->count[k])
			continue;
		place[k] = m->n;
		m->name[m->n++] = name ? xstrdup(name[k]) : xstrfmt("%d", k);
	}
	put(&m->side[0], x, place, n);
	put(&m->side[1], y, place, n);
	return 0;
}

int class_match_find(struct class_match *out, const struct class_labels *a, const char *origin_a,
                     const struct class_labels *b, const char *origin_b, struct err *e)
{
	struct side x = { .labels = a, .origin = origin_a }, y = { .labels = b, .origin = origin_b };
	SCOPED(class_match) struct class_match m = { 0 };
	char **name = NULL;
	int shared = LABEL_MAX + 1, rc = 0;
	if (a->name)
		x.shared = xcalloc((size_t)a->n_names, sizeof *x.shared);
	if (b->name)
		y.shared = xcalloc((size_t)b->n_names, sizeof *y.shared);
	if (a->name && b->name)
		name = merge_names(&shared, &x, &y);
	else if (a->name)
		rc = class_names_to_numbers(x.shared, a, origin_a, &m.notes, e);
	else if (b->name)
		rc = class_names_to_numbers(y.shared, b, origin_b, &m.notes, e);
	shared = a->n_names > shared ? a->n_names : b->n_names > shared ? b->n_names : shared;
	rc = rc || match(&m, &x, &y, shared, name, e) ? -1 : 0;
	free(x.shared);
	free(y.shared);
	free(x.count);
	free(y.count);
	free(name);
	if (rc)
		return -1;
	*out = m;
	m = (struct class_match){ 0 };
	return 0;
}
