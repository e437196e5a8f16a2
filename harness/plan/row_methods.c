/* row_methods.c - see row_methods.h. */
#include "harness/plan/row_methods.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

static bool same_place(const struct grid_place *a, const struct grid_place *b)
{
	return a->line == b->line && a->col == b->col && !strcmp(a->file, b->file);
}

static struct row_method *find(struct row_methods *m, const struct setting *s)
{
	for (int i = 0; i < m->n; i++)
		if (same_place(&m->v[i].set.at, &s->at) && !strcmp(m->v[i].set.key, s->key))
			return &m->v[i];
	return NULL;
}

void row_methods_add(struct row_methods *m, const struct settings *s, const struct run_config *c, const char *preset)
{
	for (int i = 0; i < s->n; i++) {
		const struct knob *k = config_find(s->v[i].key);
		if (!k || !k->methods)
			continue;
		struct row_method *known = find(m, &s->v[i]);
		if (!known) {
			known = &VEC_PUSH(m->v, m->n, m->cap);
			*known = (struct row_method){ .set = s->v[i], .preset = preset, .method = c->method.kind };
		}
		known->used |= config_method_has(c->method.kind, k);
	}
}

/* "ct|ect" as "ct" or "ect". */
static void add_methods(struct str *out, const char *methods)
{
	for (const char *p = methods; *p; p += p[strcspn(p, "|")] ? strcspn(p, "|") + 1 : strcspn(p, "|"))
		str_addf(out, "%s\"%.*s\"", p == methods ? "" : " or ", (int)strcspn(p, "|"), p);
}

static void add_knobs_of(struct str *out, int method)
{
	int n, found = 0;
	const struct knob *knobs = config_knobs(&n);
	for (int i = 0; i < n; i++)
		if (knobs[i].methods && config_method_has(method, &knobs[i]))
			str_addf(out, "%s%s", found++ ? ", " : "", knobs[i].key);
	if (!found)
		str_add(out, "none of its own");
}

/* Is it the value of the preset, or the one that takes back what a preset or a base has? */
static bool says_nothing(const struct row_method *m)
{
	struct run_config none, without, with;
	struct err ignored = ERR_INIT;
	const struct knob *k = config_find(m->set.key);
	config_defaults(&none);
	without = none;
	if (*m->preset && config_preset(&without, m->preset, &ignored))
		return false;
	with = without;
	if (config_set(&with, m->set.key, &m->set.value, &ignored))
		return false;
	SCOPED(free)
	char *a = config_value_text(&none, k), *b = config_value_text(&without, k), *c = config_value_text(&with, k);
	return !strcmp(a, c) || !strcmp(b, c);
}

int row_methods_check(const struct row_methods *m, struct err *e)
{
	for (int i = 0; i < m->n; i++) {
		if (m->v[i].used || says_nothing(&m->v[i]))
			continue;
		SCOPED(str) struct str whose = { 0 }, has = { 0 };
		SCOPED(free) char *method = config_method_name(m->v[i].method);
		add_methods(&whose, config_find(m->v[i].set.key)->methods);
		add_knobs_of(&has, m->v[i].method);
		return grid_err(e, m->v[i].set.at, "%s is a setting of method.kind = %s; \"%s\" has %s", m->v[i].set.key,
		                str_text(&whose), method, str_text(&has));
	}
	return 0;
}

void row_methods_release(struct row_methods *m)
{
	free(m->v);
	*m = (struct row_methods){ 0 };
}
