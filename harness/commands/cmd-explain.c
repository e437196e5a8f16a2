/* cmd-explain.c - `ablate explain`: what a setting means, what it may be, what the papers used, where a grid sets
 * it. */
#include "harness/commands/plan_open.h"
#include "harness/grid/knob_help.h"
#include "harness/text/escape.h"

#include <stdio.h>
#include <string.h>

/* ---- where a grid sets it --------------------------------------------------------------------------------------- */

struct found {
	struct grid_place at;
	char *what, *value;
};
struct places {
	struct found *v;
	int n, cap;
};

static char *value_text(const struct knob_value *v)
{
	struct str s = { 0 };
	char buf[32];
	if (v->type == VALUE_BOOL)
		str_add(&s, v->b ? "true" : "false");
	else if (v->type == VALUE_INT)
		str_addf(&s, "%lld", (long long)v->i);
	else if (v->type == VALUE_DOUBLE)
		str_add(&s, str_double(buf, v->d));
	else if (v->type == VALUE_STRING)
		escape_json(&s, v->s);
	else
		for (int i = 0; i <= v->list.n; i++)
			if (i < v->list.n)
				str_addf(&s, "%s%d", i ? ", " : "[", v->list.v[i]);
			else
				str_add(&s, i ? "]" : "[]");
	return str_detach(&s);
}

static void look(struct places *out, const struct settings *s, const char *key, const char *what, const char *name)
{
	for (int i = 0; i < s->n; i++)
		if (!strcmp(s->v[i].key, key))
			VEC_PUSH(out->v, out->n, out->cap) = (struct found){ s->v[i].at, xstrfmt("%s%s", what, name),
				                                                 value_text(&s->v[i].value) };
}

/* An axis counts once, however many values it has. */
static void look_axis(struct places *out, const struct grid_axis *a, const char *key)
{
	enum { SHOWN = 8 };
	for (int j = 0; j < a->n_keys; j++) {
		if (strcmp(a->keys[j], key) != 0)
			continue;
		SCOPED(str) struct str values = { 0 };
		for (int i = 0; i < a->n_values && i < SHOWN; i++) {
			SCOPED(free) char *one = value_text(&a->values[i * a->n_keys + j].value);
			str_addf(&values, "%s%s", i ? ", " : "", one);
		}
		if (a->n_values > SHOWN)
			str_addf(&values, ", ... (%d values)", a->n_values);
		VEC_PUSH(out->v, out->n, out->cap) = (struct found){ a->at, xstrdup(a->n_keys > 1 ? "[[zip]]" : "[[axis]]"),
			                                                 str_detach(&values) };
	}
}

static void look_everywhere(struct places *out, const struct grid *g, const char *key)
{
	look(out, &g->base, key, "[base]", "");
	for (int i = 0; i < g->n_axes; i++)
		look_axis(out, &g->axes[i], key);
	for (int i = 0; i < g->n_includes; i++)
		look(out, &g->includes[i].set, key, "include ", g->includes[i].label);
	for (int i = 0; i < g->n_variants; i++)
		look(out, &g->variants[i].set, key, "variant ", g->variants[i].name);
}

static void places_release(struct places *p)
{
	for (int i = 0; i < p->n; i++) {
		free(p->v[i].what);
		free(p->v[i].value);
	}
	free(p->v);
}

/* ---- one knob --------------------------------------------------------------------------------------------------- */

static void print_presets(const struct knob *k)
{
	int n, m;
	const struct preset *lists[2] = { config_presets(&n), config_scalings(&m) };
	for (int l = 0; l < 2; l++)
		for (int i = 0; i < (l ? m : n); i++)
			for (const struct preset_value *v = lists[l][i].values; v->key; v++)
				if (!strcmp(v->key, k->key))
					printf("  %s%-20s %-14s %s\n", l ? "*" : "", lists[l][i].name, v->value, l ? "" : v->source);
}

/* What it takes part in: settings of sampling need no other training. */
static const char *stage_text(const struct knob *k)
{
	return k->placed                  ? "none: where a cell runs, not what it is"
	       : k->stage == STAGE_SAMPLE ? "sample: cells that differ in it alone share a training"
	                                  : "train";
}

static void print_knob(const struct knob *k, const struct places *where)
{
	char lo[32], hi[32];
	printf("%s: %s\n\n", k->key, k->text);
	printf("  type     %s%s%s\n", knob_type_name(k), k->choices ? ": " : "", k->choices ? k->choices : "");
	if (knob_has_range(k))
		printf("  range    %s to %s%s%s\n", str_double(lo, k->min), str_double(hi, k->max), *k->unit ? " " : "",
		       k->unit);
	printf("  default  %s\n", *k->def ? k->def : "\"\"");
	printf("  stage    %s\n", stage_text(k));
	if (k->methods)
		printf("  methods  %s: what method.kind has to be\n", k->methods);
	printf("  source   %s\n\npresets that set it:\n", *k->source ? k->source : "none: a setting of this program");
	print_presets(k);
	for (int i = 0; where && i < where->n; i++) {
		SCOPED(str) struct str what = { 0 };
		escape_plain(&what, where->v[i].what);
		printf("%s  %s:%d:%d  %s  %s\n", i ? "" : "\nthis grid sets it:\n", where->v[i].at.file, where->v[i].at.line,
		       where->v[i].at.col, where->v[i].value, str_text(&what));
	}
}

/* The words of "a|b|c". */
static json_t *words_json(const char *words)
{
	json_t *list = json_array();
	for (const char *p = words; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
		(void)json_array_append_new(list, json_stringn(p, strcspn(p, "|")));
	return list;
}

static json_t *presets_json(const struct knob *k)
{
	int n, m;
	const struct preset *lists[2] = { config_presets(&n), config_scalings(&m) };
	json_t *list = json_array();
	for (int l = 0; l < 2; l++)
		for (int i = 0; i < (l ? m : n); i++)
			for (const struct preset_value *v = lists[l][i].values; v->key; v++)
				if (!strcmp(v->key, k->key))
					(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "preset", lists[l][i].name, "value",
					                                            v->value, "source", v->source));
	return list;
}

static json_t *knob_json(const struct knob *k, const struct places *where)
{
	const char *stage = k->placed ? "none" : k->stage == STAGE_SAMPLE ? "sample" : "train";
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "key", k->key, "type", knob_type_name(k),
	                      "default", k->def, "unit", k->unit, "help", k->text, "source", k->source, "stage", stage,
	                      "presets", presets_json(k));
	if (k->choices)
		(void)json_object_set_new(o, "choices", words_json(k->choices));
	if (k->methods)
		(void)json_object_set_new(o, "methods", words_json(k->methods));
	if (knob_has_range(k)) {
		(void)json_object_set_new(o, "min", json_real(k->min));
		(void)json_object_set_new(o, "max", json_real(k->max));
	}
	json_t *list = json_array();
	for (int i = 0; where && i < where->n; i++)
		(void)json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:s, s:s}", "file", where->v[i].at.file, "line",
		                                            where->v[i].at.line, "col", where->v[i].at.col, "value",
		                                            where->v[i].value, "in", where->v[i].what));
	(void)json_object_set_new(o, "set", list);
	return o;
}

/* ---- lists ------------------------------------------------------------------------------------------------------ */

/* All knobs, or those of a group ("loss"). */
static int list_knobs(const struct cli *c, const char *group)
{
	int n;
	const struct knob *k = config_knobs(&n);
	size_t len = group ? strlen(group) : 0;
	json_t *list = json_array();
	for (int i = 0; i < n; i++) {
		if (len && (strncmp(k[i].key, group, len) != 0 || k[i].key[len] != '.'))
			continue;
		if (c->json)
			(void)json_array_append_new(list, knob_json(&k[i], NULL));
		else
			printf("%-24s%-16s%s\n", k[i].key, *k[i].def ? k[i].def : "\"\"", k[i].text);
	}
	if (c->json)
		return cli_print_json(c, json_pack("{s:o}", "settings", list));
	json_decref(list);
	return EXIT_OK;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	const char *key = c->n_args ? c->args[0] : NULL, *path = c->n_args > 1 ? c->args[1] : NULL;
	SCOPED(grid) struct grid *g = NULL;
	struct places where = { 0 };
	if (path && grid_read(&g, path, &e))
		return cli_fail(c, &e);
	if (!key || (!config_find(key) && config_is_group(key)))
		return list_knobs(c, key);
	const struct knob *k = config_find(key);
	if (!k) {
		(void)config_unknown(key, &e);
		return cli_fail(c, &e);
	}
	if (g)
		look_everywhere(&where, g, key);
	int rc = EXIT_OK;
	if (c->json)
		rc = cli_print_json(c, knob_json(k, &where));
	else
		print_knob(k, &where);
	places_release(&where);
	return rc;
}

static const struct json_key knob_keys[] = {
	JSON_KEY("key", "string", "its name"),
	JSON_KEY("type", "string", "what it may be, in words"),
	JSON_KEY("default", "string", "its default, as it would be written; empty for an empty text"),
	JSON_KEY("unit", "string", "its unit; empty without one"),
	JSON_KEY("help", "string", "what it means"),
	JSON_KEY("source", "string", "the place in a paper; empty for a setting of this program"),
	JSON_KEY("stage", "string", "what it takes part in: train, sample or none"),
	JSON_KEY("presets", "object[]", "presets and scalings that set it"),
	JSON_KEY("presets[].preset", "string", "the preset"),
	JSON_KEY("presets[].value", "string", "its value"),
	JSON_KEY("presets[].source", "string", "where the paper or its code gives it"),
	JSON_KEY("choices", "string[]", "what it may be", .absent = "where it is no choice"),
	JSON_KEY("methods", "string[]", "the values of method.kind that use it", .absent = "where every one does"),
	JSON_KEY("min", "number", "the least that it may be", .absent = "where there is no range"),
	JSON_KEY("max", "number", "the most that it may be", .absent = "where there is no range"),
	JSON_KEY("set", "object[]", "where GRID.toml, and what it inherits from, sets it"),
	JSON_KEY("set[].file", "string", "the file"),
	JSON_KEY("set[].line", "integer", "the line, from 1"),
	JSON_KEY("set[].col", "integer", "the column, from 1"),
	JSON_KEY("set[].value", "string", "the value, or the first of an axis"),
	JSON_KEY("set[].in", "string", "the table of the grid"),
	{ 0 },
};

static const struct json_key list_keys[] = {
	JSON_KEY("settings", "object[]", "the settings", .of = knob_keys),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("of one KEY", knob_keys),
	JSON_FORM("without KEY, or of a group", list_keys),
	{ 0 },
};

const struct cmd cmd_explain = {
	.name = "explain",
	.args = "[KEY] [GRID.toml]",
	.summary = "explain a setting: type, range, default, paper value, where it was set",
	.help =
		"Without KEY all settings with their defaults; with the name of a group (loss, net, ...) those of the group. "
		"With a grid file also every place that sets KEY, in it and in the files it inherits from. A * marks a "
		"scaling, which may follow the name of any preset.",
	.json = json,
	.run = run,
};
