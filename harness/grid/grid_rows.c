/* grid_rows.c - the sections of a grid file that make rows: axis, zip, exclude, include, variants, chain. */
#include "harness/grid/grid_private.h"
#include "harness/grid/need.h"

#include "model/base/str.h"

#include <math.h>
#include <string.h>

/* ---- axis and zip ----------------------------------------------------------------------------------------------- */

static int axis_labels(struct grid_axis *axis, struct grid *g, const struct toml_value *t, const struct grid_keys *keys,
                       struct err *e)
{
	const struct toml_value *labels = NULL;
	if (grid_array(&labels, t, keys, "labels", e) < 0)
		return -1;
	if (!labels)
		return 0;
	if (toml_len(labels) != (size_t)axis->n_values)
		return toml_err(e, labels, "%zu label%s for %d value%s", toml_len(labels),
		                str_plural((long long)toml_len(labels)), axis->n_values, str_plural(axis->n_values));
	int n;
	axis->labels = arena_alloc(&g->arena, (size_t)axis->n_values * sizeof *axis->labels);
	return grid_strings(axis->labels, &n, axis->n_values, labels, e);
}

/* A key that may be varied, at the place of its string. */
static int axis_key(const char **out, struct grid *g, const struct toml_value *v, struct err *e)
{
	struct err why = ERR_INIT;
	if (v->type != TOML_STRING || strlen(v->str.data) != v->str.len)
		return toml_err(e, v, "the key of a setting must be a string");
	if (strcmp(v->str.data, "preset") != 0 && !config_find(v->str.data)) {
		(void)config_unknown(v->str.data, &why);
		return toml_err(e, v, "%s", why.msg);
	}
	for (int i = 0; i < g->n_axes; i++)
		for (int j = 0; j < g->axes[i].n_keys; j++)
			if (g->axes[i].keys[j] && !strcmp(g->axes[i].keys[j], v->str.data))
				return toml_err(e, v, "%s is already varied by the axis at line %d", v->str.data, g->axes[i].at.line);
	*out = v->str.data;
	return 0;
}

static int need_number(double *out, bool *integer, const struct toml_value *t, const char *key, struct err *e)
{
	int rc = toml_float(out, t, key, e);
	if (rc == 1)
		return toml_err(e, t, "%s is missing here", key);
	if (rc < 0)
		return -1;
	if (!isfinite(*out) || fabs(*out) > 1e15)
		return toml_err(e, toml_find(t, key)->value, "%s is too large", key);
	*integer &= toml_find(t, key)->value->type == TOML_INTEGER;
	return 0;
}

/* Values made by a rule. Decimals are tidied to 12 digits, so that 0.1 + 2 * 0.1 is the 0.3 that was meant. */
static int made_values(struct grid_axis *axis, struct grid *g, const struct toml_value *t, const double *v,
                       bool integer, struct err *e)
{
	for (int i = 0; i < axis->n_values; i++) {
		char text[32];
		(void)snprintf(text, sizeof text, "%.12g", v[i]);
		struct toml_value one = {
			.type = integer ? TOML_INTEGER : TOML_FLOAT, .line = t->line, .col = t->col, .file = t->file
		};
		if (integer)
			one.i = llround(v[i]);
		else
			one.f = strtod(text, NULL);
		if (grid_setting(&axis->values[i], g, axis->keys[0], &one, e))
			return -1;
	}
	return 0;
}

static int room_for(struct grid_axis *axis, struct grid *g, const struct toml_value *t, double n, struct err *e)
{
	if (n < 1)
		return toml_err(e, t, "this axis is empty: it needs at least one value");
	if (n > GRID_CELLS_MAX)
		return toml_err(e, t, "this axis has %.0f values; a grid may have %d cells", n, GRID_CELLS_MAX);
	axis->n_values = (int)n;
	axis->values = arena_alloc(&g->arena, (size_t)axis->n_values * (size_t)axis->n_keys * sizeof *axis->values);
	return 0;
}

static int axis_range(struct grid_axis *axis, struct grid *g, const struct toml_value *t, struct err *e)
{
	double start, stop, step;
	bool integer = true;
	if (grid_closed(t, &grid_keys[KEYS_RANGE], e) || need_number(&start, &integer, t, "start", e) ||
	    need_number(&stop, &integer, t, "stop", e) || need_number(&step, &integer, t, "step", e))
		return -1;
	if (step == 0)
		return toml_err(e, t, "step is 0");
	if (room_for(axis, g, t, floor((stop - start) / step + 1e-6) + 1, e))
		return -1;
	SCOPED(free) double *v = xcalloc((size_t)axis->n_values, sizeof *v);
	for (int i = 0; i < axis->n_values; i++)
		v[i] = start + i * step;
	return made_values(axis, g, t, v, integer, e);
}

static int axis_log(struct grid_axis *axis, struct grid *g, const struct toml_value *t, struct err *e)
{
	double start, stop, num;
	bool integer = true, whole = true;
	if (grid_closed(t, &grid_keys[KEYS_LOG], e) || need_number(&start, &integer, t, "start", e) ||
	    need_number(&stop, &integer, t, "stop", e) || need_number(&num, &whole, t, "num", e))
		return -1;
	if (!(start > 0 && stop > 0))
		return toml_err(e, t, "a log axis needs positive ends");
	if (!whole || (num < 2 && start != stop))
		return toml_err(e, t, "num must be an integer of at least 2");
	if (room_for(axis, g, t, num, e))
		return -1;
	const struct knob *k = config_find(axis->keys[0]);
	SCOPED(free) double *v = xcalloc((size_t)axis->n_values, sizeof *v);
	for (int i = 0; i < axis->n_values; i++)
		v[i] = i == 0 ? start : i == axis->n_values - 1 ? stop : start * pow(stop / start, i / (num - 1));
	return made_values(axis, g, t, v, integer && k && k->type == KNOB_INT, e);
}

static int read_axis(struct grid_axis *axis, struct grid *g, const struct toml_value *t, struct err *e)
{
	const struct toml_value *values = NULL, *rule = NULL;
	const char *const forms[] = { "values", "range", "log" };
	const struct grid_keys *of = &grid_keys[KEYS_AXIS];
	int given = 0;
	if (grid_closed(t, of, e))
		return -1;
	const struct toml_entry *key = toml_find(t, "key");
	if (!key)
		return toml_err(e, t, "key is missing here: say which setting this axis varies");
	for (int i = 0; i < 3; i++)
		given += toml_find(t, forms[i]) != NULL;
	if (given != 1)
		return toml_err(e, t, "an axis needs exactly one of values, range and log");
	axis->keys = arena_alloc(&g->arena, sizeof *axis->keys);
	if (axis_key(&axis->keys[0], g, key->value, e))
		return -1;
	axis->n_keys = 1;
	if (toml_typed(&rule, t, "range", TOML_TABLE, e) < 0 || toml_typed(&rule, t, "log", TOML_TABLE, e) < 0 ||
	    toml_typed(&values, t, "values", TOML_ARRAY, e) < 0)
		return -1;
	if (rule)
		return (toml_find(t, "range") ? axis_range(axis, g, rule, e) : axis_log(axis, g, rule, e)) ||
		               axis_labels(axis, g, t, of, e)
		           ? -1
		           : 0;
	if (room_for(axis, g, values, (double)toml_len(values), e))
		return -1;
	for (int i = 0; i < axis->n_values; i++)
		if (grid_setting(&axis->values[i], g, axis->keys[0], toml_at(values, (size_t)i), e))
			return -1;
	return axis_labels(axis, g, t, of, e);
}

static int read_zip(struct grid_axis *axis, struct grid *g, const struct toml_value *t, struct err *e)
{
	const struct toml_value *keys = NULL, *values = NULL;
	const struct grid_keys *of = &grid_keys[KEYS_ZIP];
	if (grid_closed(t, of, e) || grid_array(&keys, t, of, "keys", e) || grid_array(&values, t, of, "values", e))
		return -1;
	if (toml_len(keys) == 0)
		return toml_err(e, keys, "keys is empty");
	axis->keys = arena_alloc(&g->arena, toml_len(keys) * sizeof *axis->keys);
	for (size_t i = 0; i < toml_len(keys); i++) {
		axis->n_keys = (int)i;
		if (axis_key(&axis->keys[i], g, toml_at(keys, i), e))
			return -1;
		axis->n_keys = (int)i + 1;
	}
	if (room_for(axis, g, values, (double)toml_len(values), e))
		return -1;
	for (size_t i = 0; i < toml_len(values); i++) {
		const struct toml_value *row = toml_at(values, i);
		if (row->type != TOML_ARRAY || toml_len(row) != (size_t)axis->n_keys)
			return toml_err(e, row, "each entry of values must be a list of %d, one per key", axis->n_keys);
		for (size_t j = 0; j < toml_len(row); j++)
			if (grid_setting(&axis->values[i * (size_t)axis->n_keys + j], g, axis->keys[j], toml_at(row, j), e))
				return -1;
	}
	return axis_labels(axis, g, t, of, e);
}

static int read_axes(struct grid *g, const struct toml_value *root, struct err *e)
{
	const struct toml_value *axes = NULL, *zips = NULL;
	int n_axes, n_zips;
	if (grid_tables(&axes, &n_axes, root, "axis", e) || grid_tables(&zips, &n_zips, root, "zip", e))
		return -1;
	g->axes = arena_alloc(&g->arena, (size_t)(n_axes + n_zips) * sizeof *g->axes);
	for (int i = 0; i < n_axes + n_zips; i++) {
		const struct toml_value *t = i < n_axes ? toml_at(axes, (size_t)i) : toml_at(zips, (size_t)(i - n_axes));
		struct grid_axis *axis = &g->axes[g->n_axes++];
		axis->at = grid_at(t);
		if (i < n_axes ? read_axis(axis, g, t, e) : read_zip(axis, g, t, e))
			return -1;
	}
	return 0;
}

/* ---- exclude and include ---------------------------------------------------------------------------------------- */

static int read_set(struct settings *out, struct grid *g, const struct toml_value *t, const char *key, struct err *e)
{
	const struct toml_value *set = NULL;
	int rc = toml_typed(&set, t, key, TOML_TABLE, e);
	if (rc < 0)
		return -1;
	if (rc || toml_len(set) == 0)
		return toml_err(e, rc ? t : set, "%s is %s; write %s = { \"loss.kind\" = \"l2\" }, say", key,
		                rc ? "missing here" : "empty", key);
	return grid_settings(out, g, set, key, e);
}

static int read_needs(struct grid_needs *out, struct grid *g, const struct toml_value *t, const struct grid_keys *keys,
                      struct err *e)
{
	int most = grid_key(keys, "needs")->most;
	const struct toml_value *array = NULL;
	if (grid_array(&array, t, keys, "needs", e) < 0)
		return -1;
	if (!array)
		return 0;
	out->v = arena_alloc(&g->arena, (size_t)most * sizeof *out->v);
	if (grid_strings(out->v, &out->n, most, array, e))
		return -1;
	for (int i = 0; i < out->n; i++) {
		struct err why = ERR_INIT;
		if (need_known(out->v[i], &why))
			return toml_err(e, toml_at(array, (size_t)i), "%s", why.msg);
	}
	return 0;
}

static int read_excludes(struct grid *g, const struct toml_value *root, struct err *e)
{
	const struct toml_value *list = NULL;
	if (grid_tables(&list, &g->n_excludes, root, "exclude", e))
		return -1;
	g->excludes = arena_alloc(&g->arena, (size_t)g->n_excludes * sizeof *g->excludes);
	for (int i = 0; i < g->n_excludes; i++) {
		const struct toml_value *t = toml_at(list, (size_t)i);
		g->excludes[i].at = grid_at(t);
		if (g->n_axes == 0)
			return toml_err(e, t, "an exclude filters the product of axes, and this grid has none");
		if (grid_closed(t, &grid_keys[KEYS_EXCLUDE], e) || read_set(&g->excludes[i].when, g, t, "when", e))
			return -1;
	}
	return 0;
}

static int read_label(const char **label, const struct toml_value *t, const struct grid_keys *keys,
                      const char *fallback, struct err *e)
{
	int rc = grid_string(label, t, keys, "label", e);
	if (rc < 0)
		return -1;
	if (rc == 1)
		*label = fallback;
	return grid_name_ok(*label, rc ? grid_at(t) : grid_at(toml_find(t, "label")->value), "the label", e);
}

static int read_includes(struct grid *g, const struct toml_value *root, struct err *e)
{
	const struct grid_keys *keys = &grid_keys[KEYS_INCLUDE];
	const struct toml_value *list = NULL;
	if (grid_tables(&list, &g->n_includes, root, "include", e))
		return -1;
	g->includes = arena_alloc(&g->arena, (size_t)g->n_includes * sizeof *g->includes);
	for (int i = 0; i < g->n_includes; i++) {
		const struct toml_value *t = toml_at(list, (size_t)i);
		struct grid_include *in = &g->includes[i];
		in->at = grid_at(t);
		if (grid_closed(t, keys, e) || read_label(&in->label, t, keys, NULL, e) || read_set(&in->set, g, t, "set", e) ||
		    read_needs(&in->needs, g, t, keys, e))
			return -1;
		for (int j = 0; j < i; j++)
			if (!strcmp(g->includes[j].label, in->label))
				return toml_err(e, toml_find(t, "label")->value, "the include at line %d already has the label \"%s\"",
				                g->includes[j].at.line, in->label);
	}
	return 0;
}

/* ---- variants and chains ---------------------------------------------------------------------------------------- */

const struct grid_variant *grid_variant(const struct grid *g, const char *name)
{
	for (int i = 0; i < g->n_variants; i++)
		if (!strcmp(g->variants[i].name, name))
			return &g->variants[i];
	return NULL;
}

const struct grid_chain *grid_chain(const struct grid *g, const char *name)
{
	for (int i = 0; i < g->n_chains; i++)
		if (!strcmp(g->chains[i].name, name))
			return &g->chains[i];
	return NULL;
}

const char *grid_chain_mode_name(enum chain_mode mode)
{
	static const char *const names[] = { "cumulative", "one-at-a-time", "full-minus-one", "factorial" };
	return names[mode];
}

/* [variants] of one file, added to or replacing what inherited files gave. */
int grid_read_variants(struct grid *g, const struct toml_value *root, struct err *e)
{
	const struct grid_keys *keys = &grid_keys[KEYS_VARIANT];
	const struct toml_value *table = NULL;
	if (toml_typed(&table, root, "variants", TOML_TABLE, e) < 0)
		return -1;
	if (!table)
		return 0;
	size_t most = (size_t)g->n_variants + toml_len(table);
	struct grid_variant *all = arena_alloc(&g->arena, most * sizeof *all);
	if (g->n_variants)
		memcpy(all, g->variants, (size_t)g->n_variants * sizeof *all);
	g->variants = all;
	for (size_t i = 0; i < toml_len(table); i++) {
		const struct toml_entry *en = toml_entry(table, i);
		if (grid_key(&grid_keys[KEYS_TOP], en->key) && (en->value->type != TOML_TABLE || !toml_find(en->value, "set")))
			return toml_key_err(e, en,
			                    "%s belongs to the top level, and a key written after a header belongs to that "
			                    "header; move it above [variants]",
			                    en->key);
		if (en->value->type != TOML_TABLE)
			return toml_key_err(e, en, "a variant must be a table: %s = { set = {..} }", en->key);
		if (strlen(en->key) != en->key_len || grid_name_ok(en->key, grid_at_key(en), "the name", e))
			return toml_key_err(e, en, "this is not a valid name for a variant");
		struct grid_variant v = { .name = en->key, .at = grid_at_key(en) }, *old = NULL;
		if (grid_closed(en->value, keys, e) || read_label(&v.label, en->value, keys, v.name, e) ||
		    read_set(&v.set, g, en->value, "set", e) || read_needs(&v.needs, g, en->value, keys, e))
			return -1;
		for (int j = 0; j < g->n_variants; j++)
			if (!strcmp(g->variants[j].name, v.name))
				old = &g->variants[j];
		*(old ? old : &g->variants[g->n_variants++]) = v;
	}
	return 0;
}

static int unknown_variant(struct grid *g, const struct toml_value *at, const char *name, struct err *e)
{
	SCOPED(free) const char **names = xcalloc((size_t)g->n_variants, sizeof *names);
	SCOPED(str) struct str near = { 0 };
	for (int i = 0; i < g->n_variants; i++)
		names[i] = g->variants[i].name;
	str_suggest(&near, name, names, (size_t)g->n_variants);
	return toml_err(e, at, "no variant '%s'%s", name, near.len ? str_text(&near) : "; declare it as [variants.NAME]");
}

static int read_chain(struct grid_chain *c, struct grid *g, const struct toml_value *t, struct err *e)
{
	const struct toml_value *steps = NULL;
	int mode = -1, n;
	const struct grid_keys *keys = &grid_keys[KEYS_CHAIN];
	if (grid_closed(t, keys, e) || grid_string(&c->name, t, keys, "name", e) ||
	    grid_name_ok(c->name, c->at, "the name", e) || grid_choice(&mode, t, keys, "mode", e) ||
	    grid_array(&steps, t, keys, "steps", e))
		return -1;
	if (mode < 0)
		return toml_err(e, t, "mode is missing here: cumulative, one-at-a-time, full-minus-one or factorial");
	c->mode = (enum chain_mode)mode;
	if (toml_len(steps) == 0)
		return toml_err(e, steps, "steps is empty: name at least one variant");
	SCOPED(free) const char **names = xcalloc(toml_len(steps), sizeof *names);
	if (grid_strings(names, &n, (int)toml_len(steps), steps, e))
		return -1;
	c->steps = arena_alloc(&g->arena, (size_t)n * sizeof *c->steps);
	for (int i = 0; i < n; i++) {
		const struct grid_variant *v = grid_variant(g, names[i]);
		if (!v)
			return unknown_variant(g, toml_at(steps, (size_t)i), names[i], e);
		for (int j = 0; j < i; j++)
			if (c->steps[j] == (int)(v - g->variants))
				return toml_err(e, toml_at(steps, (size_t)i), "'%s' is already a step of this chain", names[i]);
		c->steps[c->n_steps++] = (int)(v - g->variants);
	}
	return 0;
}

static int read_chains(struct grid *g, const struct toml_value *root, struct err *e)
{
	const struct toml_value *list = NULL;
	int n;
	if (grid_tables(&list, &n, root, "chain", e))
		return -1;
	g->chains = arena_alloc(&g->arena, (size_t)n * sizeof *g->chains);
	for (int i = 0; i < n; i++) {
		struct grid_chain *c = &g->chains[i];
		c->at = grid_at(toml_at(list, (size_t)i));
		if (read_chain(c, g, toml_at(list, (size_t)i), e))
			return -1;
		if (grid_chain(g, c->name))
			return toml_err(e, toml_find(toml_at(list, (size_t)i), "name")->value, "a chain of that name is at line %d",
			                grid_chain(g, c->name)->at.line);
		g->n_chains++;
	}
	return 0;
}

int grid_read_rows(struct grid *g, const struct toml_value *root, struct err *e)
{
	return read_axes(g, root, e) || read_excludes(g, root, e) || read_includes(g, root, e) || read_chains(g, root, e)
	           ? -1
	           : 0;
}
