/* published.c - see published.h. */
#include "harness/study/published.h"

#include "harness/text/toml.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct published {
	struct toml *doc; /* holds the texts */
	struct arena arena;
	struct published_paper *papers;
	struct published_value *values;
	size_t n_papers, n_values;
};

void published_free(struct published *p)
{
	if (!p)
		return;
	toml_free(p->doc);
	arena_release(&p->arena);
	free(p);
}

void scoped_published(struct published **p)
{
	published_free(*p);
}

static int only_keys(const struct toml_value *t, const char *const *known, struct err *e)
{
	for (size_t i = 0; i < toml_len(t); i++) {
		const struct toml_entry *en = toml_entry(t, i);
		const char *const *k = known;
		while (*k && strcmp(*k, en->key) != 0)
			k++;
		if (!*k)
			return toml_key_err(e, en, "unknown key %s", en->key);
	}
	return 0;
}

static int text(const char **out, const struct toml_value *t, const char *key, struct err *e)
{
	int rc = toml_string(out, t, key, e);
	if (rc > 0 || (rc == 0 && !**out))
		return toml_err(e, t, "%s is missing here", key);
	return rc;
}

static int read_paper(struct published_paper *out, const struct toml_value *t, struct err *e)
{
	static const char *const keys[] = { "id", "cite", NULL };
	return t->type != TOML_TABLE ? toml_err(e, t, "paper must be [[paper]] tables")
	       : only_keys(t, keys, e) || text(&out->id, t, "id", e) || text(&out->cite, t, "cite", e) ? -1
	                                                                                               : 0;
}

static int read_aliases(struct published_value *out, struct arena *a, const struct toml_value *t, struct err *e)
{
	const struct toml_value *list;
	int rc = toml_typed(&list, t, "aliases", TOML_ARRAY, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	size_t n = toml_len(list);
	const char **names = arena_alloc(a, (n + 1) * sizeof *names);
	for (size_t i = 0; i < n; i++) {
		const struct toml_value *v = toml_at(list, i);
		if (v->type != TOML_STRING || !v->str.len)
			return toml_err(e, v, "aliases must be strings");
		names[i] = v->str.data;
	}
	out->aliases = names;
	out->n_aliases = n;
	return 0;
}

static int read_value(struct published_value *out, struct published *p, const struct toml_value *t, struct err *e)
{
	static const char *const keys[] = { "paper", "label", "aliases",   "data",      "metric", "nfe",
		                                "value", "from",  "read_from", "confirmed", NULL };
	int64_t nfe = 0;
	if (t->type != TOML_TABLE)
		return toml_err(e, t, "value must be [[value]] tables");
	if (only_keys(t, keys, e) || text(&out->paper, t, "paper", e) || text(&out->label, t, "label", e) ||
	    text(&out->data, t, "data", e) || text(&out->metric, t, "metric", e) || text(&out->from, t, "from", e) ||
	    text(&out->read_from, t, "read_from", e) || read_aliases(out, &p->arena, t, e))
		return -1;
	int rc = toml_integer(&nfe, t, "nfe", e), rv = rc < 0 ? -1 : toml_float(&out->value, t, "value", e);
	int rb = rv < 0 ? -1 : toml_boolean(&out->confirmed, t, "confirmed", e);
	if (rc < 0 || rv < 0 || rb < 0)
		return -1;
	if (rc || rv || rb || nfe < 0 || nfe > 100000 || !isfinite(out->value))
		return toml_err(e, t, "nfe (0 to 100000), value (a number) and confirmed (true or false) are needed here");
	if (strcmp(out->read_from, "table") != 0 && strcmp(out->read_from, "text") != 0 &&
	    strcmp(out->read_from, "figure") != 0)
		return toml_err(e, t, "read_from = \"%s\" must be table, text or figure", out->read_from);
	out->nfe = (int)nfe;
	if (!published_cite(p, out->paper))
		return toml_err(e, t, "paper %s is not declared as a [[paper]]", out->paper);
	return 0;
}

static int read_tree(struct published *p, struct err *e)
{
	static const char *const keys[] = { "schema", "paper", "value", NULL };
	const struct toml_value *root = toml_root(p->doc), *papers, *values;
	int64_t schema = 0;
	if (only_keys(root, keys, e) || toml_integer(&schema, root, "schema", e) < 0)
		return -1;
	if (schema != 1)
		return toml_err(e, root, "schema = %lld: this version reads schema 1", (long long)schema);
	int a = toml_typed(&papers, root, "paper", TOML_ARRAY, e),
		b = a < 0 ? a : toml_typed(&values, root, "value", TOML_ARRAY, e);
	if (a || b)
		return a < 0 || b < 0 ? -1 : toml_err(e, root, "[[paper]] and [[value]] are needed");
	p->papers = arena_alloc(&p->arena, (toml_len(papers) + 1) * sizeof *p->papers);
	p->values = arena_alloc(&p->arena, (toml_len(values) + 1) * sizeof *p->values);
	for (; p->n_papers < toml_len(papers); p->n_papers++)
		if (read_paper(&p->papers[p->n_papers], toml_at(papers, p->n_papers), e))
			return -1;
	for (; p->n_values < toml_len(values); p->n_values++) {
		struct published_value *v = &p->values[p->n_values];
		if (read_value(v, p, toml_at(values, p->n_values), e))
			return -1;
		for (size_t i = 0; i < p->n_values; i++) {
			const struct published_value *o = &p->values[i];
			if (!strcmp(o->paper, v->paper) && !strcmp(o->label, v->label) && !strcmp(o->data, v->data) &&
			    !strcmp(o->metric, v->metric) && o->nfe == v->nfe)
				return toml_err(e, toml_at(values, p->n_values), "%s of %s on %s with %d NFE is given twice", v->metric,
				                v->label, v->data, v->nfe);
		}
	}
	return 0;
}

int published_read(struct published **out, const char *path, struct err *e)
{
	SCOPED(free) char *own = NULL;
	if (!path && own_data_need(&own, "results/published.toml", e))
		return -1;
	struct published *p = xcalloc(1, sizeof *p);
	if (toml_read(&p->doc, path ? path : own, e) || read_tree(p, e)) {
		published_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

size_t published_papers(const struct published_paper **out, const struct published *p)
{
	*out = p->papers;
	return p->n_papers;
}

size_t published_values(const struct published_value **out, const struct published *p)
{
	*out = p->values;
	return p->n_values;
}

const struct published_value *published_find(const struct published *p, const char *paper, const char *label,
                                             const char *data, const char *metric, int nfe)
{
	for (size_t i = 0; i < p->n_values; i++) {
		const struct published_value *v = &p->values[i];
		if ((paper && *paper && strcmp(paper, v->paper) != 0) || strcmp(data, v->data) != 0 ||
		    strcmp(metric, v->metric) != 0 || nfe != v->nfe)
			continue;
		bool same = strcasecmp(label, v->label) == 0;
		for (size_t k = 0; k < v->n_aliases; k++)
			same = same || strcasecmp(label, v->aliases[k]) == 0;
		if (same)
			return v;
	}
	return NULL;
}

const char *published_cite(const struct published *p, const char *paper)
{
	for (size_t i = 0; i < p->n_papers; i++)
		if (strcmp(p->papers[i].id, paper) == 0)
			return p->papers[i].cite;
	return NULL;
}
