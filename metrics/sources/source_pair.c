/* source_pair.c - which picture of one source belongs to which of another; see sources.h. */
#include "metrics/sources/sources.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct stem {
	char *text;
	int64_t i;
};

char *source_stem(const struct source *s, int64_t i)
{
	SCOPED(free) char *item = source_item(s, i);
	size_t skip = strlen(s->path), n = strlen(item);
	if (n <= skip || strncmp(item, s->path, skip) != 0 || item[n - 1] == ']') /* "batch.npz[17]"; files end otherwise */
		return NULL;
	skip += strspn(item + skip, "/:");
	char *name = xstrdup(item + skip), *base = strrchr(name, '/'), *dot = strrchr(base ? base : name, '.');
	if (dot)
		*dot = '\0';
	return name;
}

static int by_text(const void *a, const void *b)
{
	const struct stem *x = a, *y = b;
	int order = strcmp(x->text, y->text);
	return order ? order : (x->i > y->i) - (x->i < y->i);
}

static void stems_free(struct stem *v, int64_t n)
{
	for (int64_t i = 0; v && i < n; i++)
		free(v[i].text);
	free(v);
}

/* Sorted by name; NULL where the pictures have none, or with an error where two have one. */
static struct stem *stems_of(const struct source *s, struct err *e)
{
	struct stem *v = xcalloc((size_t)s->n, sizeof *v);
	for (int64_t i = 0; i < s->n; i++) {
		v[i] = (struct stem){ source_stem(s, i), i };
		if (!v[i].text) {
			stems_free(v, s->n);
			return NULL;
		}
	}
	qsort(v, (size_t)s->n, sizeof *v, by_text);
	for (int64_t k = 1; k < s->n; k++) {
		if (strcmp(v[k - 1].text, v[k].text) != 0)
			continue;
		SCOPED(free) char *one = source_item(s, v[k - 1].i), *other = source_item(s, v[k].i);
		stems_free(v, s->n);
		(void)err_set(e, "%s and %s: two pictures of one name, so neither has a partner; rename one", one, other);
		return NULL;
	}
	return v;
}

/* The first name, in order, that only one of them has. */
static int alone(const struct source *a, const struct stem *x, const struct source *b, const struct stem *y,
                 struct err *e)
{
	int64_t i = 0, j = 0;
	while (i < a->n && j < b->n && strcmp(x[i].text, y[j].text) == 0)
		i++, j++;
	bool mine = i < a->n && (j == b->n || strcmp(x[i].text, y[j].text) < 0);
	if (!mine && j == b->n)
		return 0;
	SCOPED(free) char *lone = mine ? source_item(a, x[i].i) : source_item(b, y[j].i);
	return err_set(e,
	               "%s: there is no picture '%s' of any ending in %s (%lld pictures here, %lld there); "
	               "--by-order pairs without names",
	               lone, mine ? x[i].text : y[j].text, mine ? b->path : a->path, (long long)(mine ? a : b)->n,
	               (long long)(mine ? b : a)->n);
}

int source_pair(const struct source *a, struct source **b, bool *named, struct err *e)
{
	struct err why = ERR_INIT;
	struct stem *x = stems_of(a, &why), *y = why.msg[0] ? NULL : stems_of(*b, &why);
	int rc = why.msg[0] ? err_code(e, why.code, "%s", why.msg) : 0;
	*named = x && y;
	if (!rc && *named)
		rc = alone(a, x, *b, y, e);
	else if (!rc && a->n != (*b)->n)
		rc = err_set(e, "%s has %lld pictures and %s %lld: there are no names to pair them by", a->path,
		             (long long)a->n, (*b)->path, (long long)(*b)->n);
	int64_t n = (*b)->n;
	if (!rc && *named) {
		int64_t *index = xmalloc(sizeof *index * (size_t)n);
		for (int64_t k = 0; k < n; k++)
			index[x[k].i] = y[k].i;
		source_pick(b, index, n);
	}
	stems_free(x, a->n);
	stems_free(y, n);
	return rc;
}
