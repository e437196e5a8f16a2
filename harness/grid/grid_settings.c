/* grid_settings.c - the small reads that every section of a grid file is made of: closed tables, names, choices, and
 * settings of cells checked against the knob table at the place where they were written. */
#include "harness/grid/grid_private.h"

#include "harness/text/escape.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

int grid_err(struct err *e, struct grid_place at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)toml_place_err(e, at.file, at.line, at.col, fmt, ap); /* line 0: the command line */
	va_end(ap);
	return -1;
}

struct grid_place grid_at(const struct toml_value *v)
{
	return (struct grid_place){ v->file, v->line, v->col };
}

struct grid_place grid_at_key(const struct toml_entry *en)
{
	return (struct grid_place){ en->value->file, en->line, en->col };
}

/* ---- closed tables ---------------------------------------------------------------------------------------------- */

/* Is `key` the whole or the first part of a knob's key? */
static bool is_setting(const char *key)
{
	return config_find(key) || config_is_group(key) || strcmp(key, "preset") == 0;
}

static int misplaced(const struct toml_entry *en, const struct grid_keys *keys, struct err *e)
{
	if (*keys->header && grid_key(&grid_keys[KEYS_TOP], en->key))
		return toml_key_err(e, en,
		                    "%s belongs to the top level, and a key written after a header belongs to that header; "
		                    "move it above %s",
		                    en->key, keys->header);
	if (is_setting(en->key))
		return toml_key_err(e, en, "%s is a setting of a cell; move it below [base]", en->key);
	if (!*keys->header && (!strcmp(en->key, "name") || !strcmp(en->key, "seeds")))
		return toml_key_err(e, en, "%s belongs to the study; move it below [grid]", en->key);
	SCOPED(str) struct str near = { 0 };
	SCOPED(free) const char **names = xcalloc(keys->n, sizeof *names);
	for (size_t i = 0; i < keys->n; i++)
		names[i] = keys->v[i].name;
	str_suggest(&near, en->key, names, keys->n);
	if (!near.len) {
		str_add(&near, "; known are");
		for (size_t i = 0; i < keys->n; i++)
			str_addf(&near, "%s %s", i ? "," : "", names[i]);
	}
	return toml_key_err(e, en, "unknown key '%s'%s%s%s", en->key, *keys->header ? " in " : "", keys->header,
	                    str_text(&near));
}

int grid_closed(const struct toml_value *table, const struct grid_keys *keys, struct err *e)
{
	for (size_t i = 0; i < toml_len(table); i++)
		if (!grid_key(keys, toml_entry(table, i)->key))
			return misplaced(toml_entry(table, i), keys, e);
	return 0;
}

static int missing(const struct toml_value *table, const char *key, struct err *e)
{
	return toml_err(e, table, "%s is missing here", key);
}

/* Reading a key without a row is a mistake of ours. */
static const struct grid_key *row_of(const struct grid_keys *keys, const char *key)
{
	const struct grid_key *row = grid_key(keys, key);
	REQUIRE(row);
	return row;
}

int grid_string(const char **out, const struct toml_value *table, const struct grid_keys *keys, const char *key,
                struct err *e)
{
	int rc = toml_string(out, table, key, e);
	return rc == 1 && row_of(keys, key)->required ? missing(table, key, e) : rc;
}

int grid_array(const struct toml_value **out, const struct toml_value *table, const struct grid_keys *keys,
               const char *key, struct err *e)
{
	int rc = toml_typed(out, table, key, TOML_ARRAY, e);
	const struct grid_key *row = row_of(keys, key);
	return rc == 1 && row->required ? missing(table, key, e) : rc;
}

int grid_int(int *out, const struct toml_value *table, const struct grid_keys *keys, const char *key, struct err *e)
{
	const struct grid_key *row = row_of(keys, key);
	int64_t i = 0;
	int rc = toml_integer(&i, table, key, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (i < row->min || i > row->max)
		return toml_err(e, toml_find(table, key)->value, "%s must be from %d to %d", key, row->min, row->max);
	*out = (int)i;
	return 0;
}

int grid_ints(int *v, int *n, const struct toml_value *table, const struct grid_keys *keys, const char *key,
              struct err *e)
{
	const struct grid_key *row = row_of(keys, key);
	const struct toml_value *array = NULL;
	int rc = grid_array(&array, table, keys, key, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	*n = 0;
	if (toml_len(array) == 0 || toml_len(array) > (size_t)row->most)
		return toml_err(e, array, "%s needs 1 to %d integers", key, row->most);
	for (size_t i = 0; i < toml_len(array); i++) {
		const struct toml_value *item = toml_at(array, i);
		if (item->type != TOML_INTEGER || item->i < row->min || item->i > row->max)
			return toml_err(e, item, "%s: integers from %d to %d", key, row->min, row->max);
		if (*n && item->i <= v[*n - 1])
			return toml_err(e, item, "%s must ascend", key);
		v[(*n)++] = (int)item->i;
	}
	return 0;
}

double grid_duration(const char *text)
{
	double total = 0, last = 1e9;
	if (!*text)
		return -1;
	while (*text) {
		const char *end = text + strspn(text, "0123456789.");
		double x = isdigit((unsigned char)*text) ? strtod(text, NULL) : -1;
		double unit = *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86400 : 0;
		if (unit == 0 || unit >= last || !(x >= 0 && x * unit <= 1e9))
			return -1;
		total += x * unit;
		last = unit;
		text = end + 1;
	}
	return total;
}

int grid_read_duration(double *out, const struct toml_value *t, const char *key, bool may_be_0, struct err *e)
{
	const char *text = NULL;
	int rc = toml_string(&text, t, key, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	*out = grid_duration(text);
	if (*out > 0 || (may_be_0 && *out == 0))
		return 0;
	return toml_err(e, toml_find(t, key)->value, "'%s' is not a duration; write \"90s\", \"20m\", \"1h30m\" or \"2d\"",
	                text);
}

/* The words of "a|b|c" in *copy, at most 16. Returns their number. */
static size_t split_choices(const char *names[16], char **copy, const char *choices)
{
	size_t n = 0;
	*copy = xstrdup(choices);
	for (char *p = *copy; p; n++) {
		REQUIRE(n < 16);
		names[n] = strsep(&p, "|");
	}
	return n;
}

bool grid_is_choice(const char *choices, const char *word)
{
	const char *names[16];
	SCOPED(free) char *copy = NULL;
	for (size_t n = split_choices(names, &copy, choices); n > 0; n--)
		if (!strcmp(names[n - 1], word))
			return true;
	return false;
}

int grid_choice(int *out, const struct toml_value *table, const struct grid_keys *keys, const char *key, struct err *e)
{
	const struct grid_key *row = row_of(keys, key);
	const char *given = NULL, *names[16];
	int rc = toml_string(&given, table, key, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	SCOPED(free) char *copy = NULL;
	size_t n = split_choices(names, &copy, row->choices);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], given)) {
			*out = (int)i;
			return 0;
		}
	SCOPED(str) struct str near = { 0 };
	str_suggest(&near, given, names, n);
	return toml_err(e, toml_find(table, key)->value, "%s: '%s' is not one of %s%s", key, given, row->choices,
	                str_text(&near));
}

int grid_tables(const struct toml_value **out, int *n, const struct toml_value *root, const char *key, struct err *e)
{
	*n = 0;
	const struct toml_entry *en = toml_find(root, key);
	if (!en)
		return 0;
	if (en->value->type != TOML_ARRAY)
		return toml_key_err(e, en, "%s must be an array of tables: write [[%s]], not [%s]", key, key, key);
	for (size_t i = 0; i < toml_len(en->value); i++)
		if (toml_at(en->value, i)->type != TOML_TABLE)
			return toml_err(e, toml_at(en->value, i), "each %s must be a table", key);
	*out = en->value;
	*n = (int)toml_len(en->value);
	return 0;
}

int grid_name_ok(const char *text, struct grid_place at, const char *what, struct err *e)
{
	if (!*text)
		return grid_err(e, at, "%s is empty", what);
	if (strlen(text) > 200)
		return grid_err(e, at, "%s is longer than 200 bytes", what);
	return escape_has_control(text) ? grid_err(e, at, "%s holds a control character", what) : 0;
}

int grid_strings(const char **v, int *n, int max, const struct toml_value *array, struct err *e)
{
	*n = 0;
	for (size_t i = 0; i < toml_len(array); i++) {
		const struct toml_value *item = toml_at(array, i);
		if (item->type != TOML_STRING)
			return toml_err(e, item, "this must be a string, not %s", toml_type_name(item->type));
		if (*n == max)
			return toml_err(e, item, "more than %d entries", max);
		if (strlen(item->str.data) != item->str.len)
			return toml_err(e, item, "this holds a NUL character");
		if (grid_name_ok(item->str.data, grid_at(item), "this string", e))
			return -1;
		v[(*n)++] = item->str.data;
	}
	return 0;
}

/* ---- settings --------------------------------------------------------------------------------------------------- */

void settings_add(struct grid *g, struct settings *s, const struct setting *one)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 8;
		struct setting *bigger = arena_alloc(&g->arena, (size_t)s->cap * sizeof *bigger);
		if (s->n)
			memcpy(bigger, s->v, (size_t)s->n * sizeof *bigger);
		s->v = bigger;
	}
	s->v[s->n++] = *one;
}

void settings_apply(struct run_config *c, const struct settings *s)
{
	for (int i = 0; i < s->n; i++) {
		struct err e = ERR_INIT;
		if (strcmp(s->v[i].key, "preset") != 0 && config_set(c, s->v[i].key, &s->v[i].value, &e))
			BUG("a setting that was checked: %s", e.msg);
	}
}

const char *settings_preset(const struct settings *s)
{
	const char *preset = NULL;
	for (int i = 0; i < s->n; i++)
		if (!strcmp(s->v[i].key, "preset"))
			preset = s->v[i].value.s;
	return preset;
}

static int value_of_toml(struct knob_value *out, const struct toml_value *v, struct err *e)
{
	*out = (struct knob_value){ 0 };
	switch (v->type) {
	case TOML_BOOL: *out = (struct knob_value){ .type = VALUE_BOOL, .b = v->b }; return 0;
	case TOML_INTEGER: *out = (struct knob_value){ .type = VALUE_INT, .i = v->i }; return 0;
	case TOML_FLOAT: *out = (struct knob_value){ .type = VALUE_DOUBLE, .d = v->f }; return 0;
	case TOML_STRING:
		if (strlen(v->str.data) != v->str.len)
			return toml_err(e, v, "this holds a NUL character");
		*out = (struct knob_value){ .type = VALUE_STRING, .s = v->str.data };
		return 0;
	case TOML_ARRAY:
		out->type = VALUE_INTS;
		for (size_t i = 0; i < toml_len(v); i++) {
			const struct toml_value *item = toml_at(v, i);
			if (item->type != TOML_INTEGER || item->i < INT_MIN || item->i > INT_MAX)
				return toml_err(e, item, "a list of a setting holds integers only");
			if (out->list.n == KNOB_LIST_MAX)
				return toml_err(e, item, "a list of a setting has at most %d integers", KNOB_LIST_MAX);
			out->list.v[out->list.n++] = (int)item->i;
		}
		return 0;
	default: return toml_err(e, v, "no setting takes %s", toml_type_name(v->type));
	}
}

int grid_setting(struct setting *out, struct grid *g, const char *key, const struct toml_value *v, struct err *e)
{
	struct err why = ERR_INIT;
	*out = (struct setting){ .key = key, .at = grid_at(v) };
	if (value_of_toml(&out->value, v, e))
		return -1;
	if (!strcmp(key, "preset") && out->value.type != VALUE_STRING)
		return grid_err(e, out->at, "preset must be a string, not %s", toml_type_name(v->type));
	if (!strcmp(key, "preset") ? config_preset(g->scratch, out->value.s, &why)
	                           : config_set(g->scratch, key, &out->value, &why))
		return grid_err(e, out->at, "%s", why.msg);
	const struct knob *k = config_find(key);
	out->key = k ? k->key : "preset";
	return 0;
}

static int add_checked(struct settings *out, int first, struct grid *g, const char *key, const struct toml_entry *en,
                       struct err *e)
{
	struct setting one;
	if (grid_setting(&one, g, key, en->value, e))
		return -1;
	one.at = grid_at_key(en);
	for (int i = first; i < out->n; i++)
		if (!strcmp(out->v[i].key, one.key))
			return toml_key_err(e, en, "%s is already set at line %d", key, out->v[i].at.line);
	settings_add(g, out, &one);
	return 0;
}

static int walk(struct settings *out, int first, struct grid *g, const struct toml_value *table, const char *prefix,
                const struct grid_keys *keys, struct err *e)
{
	for (size_t i = 0; i < toml_len(table); i++) {
		const struct toml_entry *en = toml_entry(table, i);
		if (strlen(en->key) != en->key_len || en->key_len > 100)
			return toml_key_err(e, en, "no setting has this key");
		SCOPED(free) char *key = xstrfmt("%s%s%s", prefix, *prefix ? "." : "", en->key);
		if (config_find(key) || !strcmp(key, "preset")) {
			if (add_checked(out, first, g, key, en, e))
				return -1;
		} else if (en->value->type == TOML_TABLE && is_setting(key)) {
			if (walk(out, first, g, en->value, key, keys, e))
				return -1;
		} else if (!*prefix && grid_key(&grid_keys[KEYS_TOP], key)) {
			return misplaced(en, keys, e);
		} else {
			struct err why = ERR_INIT;
			(void)config_unknown(key, &why);
			return toml_key_err(e, en, "%s", why.msg);
		}
	}
	return 0;
}

int grid_settings(struct settings *out, struct grid *g, const struct toml_value *table, const char *header,
                  struct err *e)
{
	struct grid_keys keys = { .header = header };
	return walk(out, out->n, g, table, "", &keys, e);
}
