/* gate_values.c - see gate_values.h. */
#include "harness/judge/gate_values.h"

#include "model/base/mem.h"
#include "model/base/str.h"

#include <stdlib.h>
#include <string.h>

static int only_keys(const struct toml_value *t, const char *what, const char *const *known, size_t n, struct err *e)
{
	for (size_t i = 0; i < toml_len(t); i++) {
		const struct toml_entry *en = toml_entry(t, i);
		size_t k = 0;
		while (k < n && strcmp(known[k], en->key) != 0)
			k++;
		if (k < n)
			continue;
		SCOPED(str) struct str near = { 0 };
		str_suggest(&near, en->key, known, n);
		return toml_key_err(e, en, "unknown key %s in %s%s", en->key, what, str_text(&near));
	}
	return 0;
}

/* One of two words; absent keeps *out. */
static int word(bool *out, const struct toml_value *t, const char *key, const char *yes, const char *no, struct err *e)
{
	const char *s;
	int rc = toml_string(&s, t, key, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	*out = strcmp(s, yes) == 0;
	return *out || strcmp(s, no) == 0 ? 0
	                                  : toml_err(e, toml_get(t, key), "%s = \"%s\": \"%s\" or \"%s\"", key, s, no, yes);
}

static int read_margin(struct gate_rule *rule, const struct toml_value *t, struct err *e)
{
	const struct toml_value *m = toml_get(t, "margin");
	if (!m)
		return 0;
	if (m->type != TOML_TABLE) {
		rule->margin_relative = false;
		return toml_float(&rule->margin, t, "margin", e) < 0 ? -1 : 0;
	}
	static const char *const keys[] = { "relative", "absolute" };
	if (only_keys(m, "margin", keys, 2, e))
		return -1;
	if (toml_len(m) != 1)
		return toml_err(e, m, "margin = { relative = x } or { absolute = x }: exactly one");
	rule->margin_relative = toml_find(m, "relative") != NULL;
	return toml_float(&rule->margin, m, rule->margin_relative ? "relative" : "absolute", e) < 0 ? -1 : 0;
}

static int read_looks(struct gate_rule *rule, const struct toml_value *t, struct err *e)
{
	const struct toml_value *looks;
	int rc = toml_typed(&looks, t, "looks", TOML_ARRAY, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	size_t n = toml_len(looks);
	if (n > GATE_LOOKS_MAX)
		return toml_err(e, looks, "%zu looks: at most %d", n, GATE_LOOKS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct toml_value *v = toml_at(looks, i);
		if (v->type != TOML_INTEGER || v->i < 1 || v->i > GATE_SEEDS_MAX)
			return toml_err(e, v, "a look is a number of seeds, 1 to %d", GATE_SEEDS_MAX);
		rule->looks[i] = (int)v->i;
	}
	rule->n_looks = (int)n;
	return 0;
}

int gate_rule_from_toml(struct gate_rule *rule, const struct toml_value *t, struct err *e)
{
	bool superiority = rule->kind == GATE_SUPERIORITY;
	if (read_margin(rule, t, e) || read_looks(rule, t, e) || toml_float(&rule->alpha, t, "alpha", e) < 0 ||
	    word(&superiority, t, "test", "superiority", "non-inferiority", e) ||
	    word(&rule->higher_is_better, t, "better", "higher", "lower", e) ||
	    word(&rule->fail_on_inconclusive, t, "on_inconclusive", "fail", "warn", e))
		return -1;
	rule->kind = superiority ? GATE_SUPERIORITY : GATE_NON_INFERIORITY;
	return gate_rule_check(rule, e);
}

static int read_numbers(double **out, int *n, const struct toml_value *t, struct err *e)
{
	const struct toml_value *list;
	int rc = toml_typed(&list, t, "values", TOML_ARRAY, e);
	if (rc)
		return rc;
	if (toml_len(list) > GATE_SEEDS_MAX)
		return toml_err(e, list, "%zu values: at most %d", toml_len(list), GATE_SEEDS_MAX);
	*n = (int)toml_len(list);
	*out = xcalloc(toml_len(list) + 1, sizeof **out);
	for (size_t i = 0; i < toml_len(list); i++) {
		const struct toml_value *v = toml_at(list, i);
		if (v->type != TOML_FLOAT && v->type != TOML_INTEGER)
			return toml_err(e, v, "values are numbers, not %s", toml_type_name(v->type));
		(*out)[i] = v->type == TOML_FLOAT ? v->f : (double)v->i;
	}
	return 0;
}

static int read_seeds(int64_t **out, int n, const struct toml_value *t, struct err *e)
{
	const struct toml_value *list;
	int rc = toml_typed(&list, t, "seeds", TOML_ARRAY, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	if ((int64_t)toml_len(list) != n)
		return toml_err(e, list, "%zu seed%s for %d value%s: give one each", toml_len(list),
		                str_plural((long long)toml_len(list)), n, str_plural(n));
	*out = xcalloc(toml_len(list) + 1, sizeof **out);
	for (size_t i = 0; i < toml_len(list); i++) {
		const struct toml_value *v = toml_at(list, i);
		if (v->type != TOML_INTEGER)
			return toml_err(e, v, "seeds are integers, not %s", toml_type_name(v->type));
		(*out)[i] = v->i;
	}
	return 0;
}

static int read_side(struct gate_side *out, double **value, int64_t **seed, const struct toml_value *root,
                     const char *name, struct err *e)
{
	static const char *const keys[] = { "values", "seeds", "protocol", "numerics", "mean", "sd", "n", "sd_n" };
	const struct toml_value *t;
	int rc = toml_typed(&t, root, name, TOML_TABLE, e);
	if (rc)
		return rc < 0 ? -1 : toml_err(e, root, "[%s] is needed: values = [...]", name);
	int64_t n = 0;
	if (only_keys(t, name, keys, sizeof keys / sizeof *keys, e))
		return -1;
	rc = read_numbers(value, &out->n, t, e);
	if (rc < 0 || read_seeds(seed, out->n, t, e) || toml_string(&out->protocol, t, "protocol", e) < 0 ||
	    toml_string(&out->numerics, t, "numerics", e) < 0 || toml_float(&out->sd, t, "sd", e) < 0 ||
	    toml_integer(&n, t, rc ? "n" : "sd_n", e) < 0)
		return -1;
	if (n < 0 || n > 1000000)
		return toml_err(e, t, "n = %lld is not a number of seeds", (long long)n);
	out->sd_n = (int)n;
	if (!rc && toml_find(t, "mean"))
		return toml_err(e, t, "[%s] has both values and a mean: give one of the two", name);
	if (!rc && out->sd > 0 && out->sd_n < 2)
		return toml_err(e, t, "[%s] has a stored sd; sd_n = the number of seeds it was measured over, at least 2",
		                name);
	out->value = rc ? NULL : *value;
	out->seed = *seed;
	if (!rc)
		return 0;
	rc = toml_float(&out->mean, t, "mean", e);
	return rc < 0 ? -1 : rc ? toml_err(e, t, "[%s] needs values = [...], or mean, sd and n", name) : 0;
}

static int read_tree(struct gate_values *v, struct err *e)
{
	static const char *const tables[] = { "candidate", "baseline", "gate" };
	static const char *const keys[] = { "name",   "metric",          "test", "margin", "alpha", "paired", "looks",
		                                "better", "on_inconclusive", "arm",  "against" };
	const struct toml_value *root = toml_root(v->doc), *gate;
	v->rule = (struct gate_rule){ .name = "values",
		                          .metric = "",
		                          .arm = "",
		                          .against = "",
		                          .alpha = 0.05,
		                          .paired = true,
		                          .fail_on_inconclusive = true };
	if (only_keys(root, "a values file", tables, 3, e) ||
	    read_side(&v->candidate, &v->value[0], &v->seed[0], root, "candidate", e) ||
	    read_side(&v->baseline, &v->value[1], &v->seed[1], root, "baseline", e))
		return -1;
	int rc = toml_typed(&gate, root, "gate", TOML_TABLE, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (only_keys(gate, "gate", keys, sizeof keys / sizeof *keys, e) ||
	    toml_string(&v->rule.name, gate, "name", e) < 0 || toml_string(&v->rule.metric, gate, "metric", e) < 0 ||
	    toml_string(&v->rule.arm, gate, "arm", e) < 0 || toml_string(&v->rule.against, gate, "against", e) < 0 ||
	    toml_boolean(&v->rule.paired, gate, "paired", e) < 0)
		return -1;
	return gate_rule_from_toml(&v->rule, gate, e);
}

int gate_values_read(struct gate_values *out, const char *path, struct err *e)
{
	*out = (struct gate_values){ 0 };
	if (toml_read(&out->doc, path, e) || read_tree(out, e)) {
		gate_values_release(out);
		return -1;
	}
	return 0;
}

void gate_values_release(struct gate_values *v)
{
	for (int i = 0; i < 2; i++) {
		free(v->value[i]);
		free(v->seed[i]);
	}
	toml_free(v->doc);
	*v = (struct gate_values){ 0 };
}
