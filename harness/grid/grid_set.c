/* grid_set.c - `--set KEY=VALUE`: a setting of every row, or a value of the study itself (seeds, budget, metrics,
 * name). A value of the study is read by the same functions as in a file, from a document that holds this one key. */
#include "harness/text/escape.h"
#include "harness/grid/grid_private.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

static bool is_word(const char *text)
{
	const char *p = text;
	while (isalnum((unsigned char)*p) || (*p && strchr("_.:/+-", *p)))
		p++;
	return p > text && !*p;
}

/* "KEY = VALUE" as a document; a bare word is a string. */
static int parse_study(struct toml **out, const char *key, const char *value, const char *file, struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	struct toml *lone = NULL;
	struct err why = ERR_INIT;
	bool bad = toml_parse_value(&lone, value, "value", &why);
	bool text_value = !bad && toml_root(lone)->type == TOML_STRING;
	if (bad && !is_word(value))
		return err_code(e, EXIT_USAGE, "%s: %s", file, why.msg);
	str_addf(&text, "%s = ", key);
	if (bad)
		str_addf(&text, "\"%s\"", value); /* 2h, stop-after:3 */
	else if (text_value)
		escape_json(&text, toml_root(lone)->str.data);
	else
		str_add(&text, value);
	toml_free(lone);
	str_addc(&text, '\n');
	return toml_parse(out, str_text(&text), text.len, file, e);
}

/* seeds = N: so many, from the first one on. */
static int count_seeds(struct grid *g, const struct toml_value *v, struct err *e)
{
	int64_t first = g->seeds.train[0], n = v->i;
	if (n < 1 || n > GRID_CELLS_MAX || first > INT64_MAX - n)
		return toml_err(e, v, "%" PRId64 " seeds: at least 1 and at most %d", n, GRID_CELLS_MAX);
	g->seeds.train = arena_alloc(&g->arena, (size_t)n * sizeof *g->seeds.train);
	g->seeds.n_train = (int)n;
	for (int64_t i = 0; i < n; i++)
		g->seeds.train[i] = first + i;
	return 0;
}

static int set_seeds(struct grid *g, const struct toml_value *v, const char *file, struct err *e)
{
	bool whole = v->type == TOML_ARRAY || (v->type == TOML_TABLE && toml_find(v, "count"));
	if (v->type == TOML_INTEGER) {
		if (count_seeds(g, v, e))
			return -1;
	} else if (!whole && v->type != TOML_TABLE) {
		return toml_err(e, v, "seeds are a number, a list [1, 2, 3] or { start = 1, count = 3 }");
	} else if (whole ? grid_read_seed_list(&g->seeds.train, &g->seeds.n_train, g, v, e) : grid_read_seeds(g, v, e)) {
		return -1;
	}
	for (int i = 0; i < g->n_gates; i++)
		g->gates[i].rule.paired = g->seeds.paired;
	struct err why = ERR_INIT;
	return grid_check_size(g, &why) ? err_code(e, EXIT_USAGE, "%s: %s", file, why.msg) : 0;
}

static int set_named(struct grid *g, const struct toml_value *t, const char *file, struct err *e)
{
	struct grid_keys keys = { .header = "grid", .v = grid_keys[KEYS_GRID].v, .n = grid_keys[KEYS_GRID].n };
	if (grid_closed(t, &keys, e) || toml_string(&g->name, t, "name", e) < 0 ||
	    toml_string(&g->text, t, "text", e) < 0 || (toml_find(t, "like") && grid_read_like(g, t, e)) ||
	    grid_name_ok(g->name, grid_at(t), "the name", e))
		return -1;
	return toml_find(t, "seeds") ? set_seeds(g, toml_find(t, "seeds")->value, file, e) : 0;
}

static int set_metrics(struct grid *g, const struct toml_value *t, struct err *e)
{
	const struct toml_entry *en = toml_entry(t, 0);
	return en->value->type == TOML_TABLE ? grid_override_metrics(g, en->key, en->value, e)
	                                     : grid_override_metrics(g, "", t, e);
}

/* What a document of one key says of the study. */
static int set_study(struct grid *g, const struct toml_value *root, const char *file, struct err *e)
{
	const struct toml_entry *en = toml_entry(root, 0);
	const struct toml_value *v = en->value;
	if (grid_closed(root, &grid_keys[KEYS_SET], e))
		return -1;
	if (!strcmp(en->key, "seeds"))
		return set_seeds(g, v, file, e);
	if (v->type != TOML_TABLE || !toml_len(v))
		return toml_err(e, v, "name a key of %s", en->key);
	return !strcmp(en->key, "grid")     ? set_named(g, v, file, e)
	       : !strcmp(en->key, "budget") ? grid_read_budget(g, root, e)
	                                    : set_metrics(g, v, e);
}

static bool is_study_key(const char *key)
{
	size_t n = strcspn(key, ".");
	SCOPED(free) char *first = xstrndup(key, n);
	return grid_key(&grid_keys[KEYS_SET], first) != NULL;
}

/* "--set K=V:1:5: message" -> "--set K=V: message": a place in a text of one line says nothing. */
static int without_place(const char *file, const char *message, struct err *e)
{
	const char *rest = strncmp(message, file, strlen(file)) ? message : message + strlen(file);
	if (rest > message && *rest == ':')
		rest += strspn(rest, "0123456789:");
	return err_code(e, EXIT_USAGE, "%s: %s", file, rest + strspn(rest, " "));
}

/* preset = ...-tiny: each row's own preset, scaled. */
static int scale_presets(struct grid *g, const char *scaling, const char *file, struct err *e)
{
	int n;
	const struct preset *known = config_scalings(&n);
	SCOPED(str) struct str names = { 0 };
	for (int i = 0; i < n; i++) {
		if (!strcmp(known[i].name, scaling)) {
			struct setting one = { .key = "preset",
				                   .value = { .type = VALUE_STRING,
				                              .s = arena_strfmt(&g->arena, PRESET_OWN "%s", scaling) },
				                   .at = { .file = file } };
			settings_add(g, &g->sets, &one);
			return 0;
		}
		str_addf(&names, " " PRESET_OWN "%s", known[i].name);
	}
	return err_code(e, EXIT_USAGE, "%s: no such scaling of presets; known are%s", file, str_text(&names));
}

static int set_cell(struct grid *g, const char *key, const char *value, const char *file, struct err *e)
{
	struct toml *doc = NULL;
	struct setting one = { 0 };
	struct err why = ERR_INIT;
	if (strcmp(key, "preset") != 0 && !config_find(key)) {
		(void)config_unknown(key, &why);
		return err_code(e, EXIT_USAGE, "%s: %s", file, why.msg);
	}
	if (!strcmp(key, "preset") && !strncmp(value, PRESET_OWN, strlen(PRESET_OWN)))
		return scale_presets(g, value + strlen(PRESET_OWN), file, e);
	if (toml_parse_value(&doc, value, "value", &why))
		return err_code(e, EXIT_USAGE, "%s: %s", file, why.msg);
	VEC_PUSH(g->set_docs, g->n_set_docs, g->cap_set_docs) = doc;
	if (grid_setting(&one, g, key, toml_root(doc), &why)) {
		const char *message = !strncmp(why.msg, "value:1:1: ", 11) ? why.msg + 11 : why.msg;
		return err_code(e, EXIT_USAGE, "%s: %s", file, message);
	}
	one.at = (struct grid_place){ .file = file };
	settings_add(g, &g->sets, &one);
	return 0;
}

int grid_set(struct grid *g, const char *assignment, struct err *e)
{
	const char *equals = strchr(assignment, '=');
	if (!equals || equals == assignment)
		return err_code(e, EXIT_USAGE, "--set %s: write --set KEY=VALUE", assignment);
	const char *file = arena_strfmt(&g->arena, "--set %s", assignment);
	SCOPED(free) char *key = xstrndup(assignment, (size_t)(equals - assignment));
	struct err why = ERR_INIT;
	if (!is_study_key(key)) {
		if (set_cell(g, key, equals + 1, file, e))
			return -1;
	} else {
		struct toml *doc = NULL;
		if (parse_study(&doc, key, equals + 1, file, &why))
			return without_place(file, why.msg, e);
		VEC_PUSH(g->set_docs, g->n_set_docs, g->cap_set_docs) = doc;
		if (set_study(g, toml_root(doc), file, &why))
			return without_place(file, why.msg, e);
	}
	VEC_PUSH(g->set_texts, g->n_set_texts, g->cap_set_texts) = arena_strdup(&g->arena, assignment);
	return 0;
}
