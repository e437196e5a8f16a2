/* baseline.c - see baseline.h. One table of keys serves the reader and the writer. */
#include "harness/judge/baseline.h"

#include "harness/text/escape.h"
#include "harness/text/toml.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *key;
	size_t at;
	bool required;
} texts[] = {
	{ "gate", offsetof(struct baseline, gate), true },
	{ "metric", offsetof(struct baseline, metric), true },
	{ "label", offsetof(struct baseline, label), false },
	{ "arm", offsetof(struct baseline, arm), false },
	{ "protocol", offsetof(struct baseline, protocol), true },
	{ "numerics", offsetof(struct baseline, numerics), true },
	{ "env", offsetof(struct baseline, env), false },
	{ "commit", offsetof(struct baseline, commit), false },
	{ "fingerprint", offsetof(struct baseline, fingerprint), false },
	{ "reason", offsetof(struct baseline, reason), false },
	{ "created", offsetof(struct baseline, created), false },
	{ "supersedes", offsetof(struct baseline, supersedes), false },
};
enum { N_TEXTS = sizeof texts / sizeof *texts };

static const char **slot(const struct baseline *b, size_t i)
{
	return (const char **)(void *)((char *)(void *)(uintptr_t)b + texts[i].at);
}

void baseline_release(struct baseline *b)
{
	arena_release(&b->arena);
	*b = (struct baseline){ 0 };
}

void scoped_baseline(struct baseline *b)
{
	baseline_release(b);
}

static int read_values(struct baseline_values *out, struct arena *a, const struct toml_value *t, struct err *e)
{
	const struct toml_value *seeds, *values, *hex;
	int failed = toml_typed(&seeds, t, "seeds", TOML_ARRAY, e);
	failed = failed ? failed : toml_typed(&values, t, "values", TOML_ARRAY, e);
	failed = failed ? failed : toml_typed(&hex, t, "hex", TOML_ARRAY, e);
	if (failed)
		return failed < 0 ? -1 : toml_err(e, t, "seeds, values and hex are needed");
	size_t n = toml_len(values);
	if (n < 1 || n > GATE_SEEDS_MAX || toml_len(seeds) != n || toml_len(hex) != n)
		return toml_err(
			e, values,
			"values, seeds and hex have %zu, %zu and %zu elements: the same number of each is needed, 1 to %d", n,
			toml_len(seeds), toml_len(hex), GATE_SEEDS_MAX);
	out->n = (int)n;
	out->seed = arena_alloc(a, n * sizeof *out->seed);
	out->value = arena_alloc(a, n * sizeof *out->value);
	for (size_t i = 0; i < n; i++) {
		const struct toml_value *s = toml_at(seeds, i), *v = toml_at(values, i), *h = toml_at(hex, i);
		if (s->type != TOML_INTEGER || (v->type != TOML_FLOAT && v->type != TOML_INTEGER) || h->type != TOML_STRING)
			return toml_err(e, s, "element %zu: seeds must be integers, values numbers, hex strings", i + 1);
		double decimal = v->type == TOML_FLOAT ? v->f : (double)v->i;
		char *end;
		double exact = strtod(h->str.data, &end);
		if (*end || end == h->str.data || !isfinite(exact) || exact != decimal)
			return toml_err(e, v, "value %zu and its hex %s do not agree: the file was edited; propose a new baseline",
			                i + 1, h->str.data);
		out->seed[i] = s->i;
		out->value[i] = exact;
	}
	return 0;
}

static int known_keys(const struct toml_value *root, struct err *e)
{
	static const char *const others[] = { "schema", "state", "seeds", "values", "hex", "first" };
	for (size_t k = 0; k < toml_len(root); k++) {
		const struct toml_entry *en = toml_entry(root, k);
		bool known = false;
		for (size_t i = 0; i < N_TEXTS; i++)
			known = known || strcmp(en->key, texts[i].key) == 0;
		for (size_t i = 0; i < sizeof others / sizeof *others; i++)
			known = known || strcmp(en->key, others[i]) == 0;
		if (!known)
			return toml_key_err(e, en, "unknown key %s in a baseline", en->key);
	}
	return 0;
}

static int read_tree(struct baseline *b, const struct toml_value *root, struct err *e)
{
	int64_t schema = 0;
	const char *state = NULL;
	if (known_keys(root, e) || toml_integer(&schema, root, "schema", e) < 0)
		return -1;
	if (schema != 1)
		return toml_err(e, root, "schema = %lld: this version reads baselines of schema 1", (long long)schema);
	for (size_t i = 0; i < N_TEXTS; i++) {
		const char *s = "";
		int rc = toml_string(&s, root, texts[i].key, e);
		if (rc < 0)
			return -1;
		if (texts[i].required && !*s)
			return toml_err(e, root, "%s is needed in a baseline", texts[i].key);
		*slot(b, i) = arena_strdup(&b->arena, s);
	}
	int rc = toml_string(&state, root, "state", e);
	if (rc < 0)
		return -1;
	if (rc || (strcmp(state, "proposed") != 0 && strcmp(state, "accepted") != 0))
		return toml_err(e, root, "state must be \"proposed\" or \"accepted\"");
	b->accepted = strcmp(state, "accepted") == 0;
	if (read_values(&b->now, &b->arena, root, e))
		return -1;
	const struct toml_value *first;
	rc = toml_typed(&first, root, "first", TOML_TABLE, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	const char *commit = "";
	if (toml_string(&commit, first, "commit", e) < 0)
		return -1;
	b->first_commit = arena_strdup(&b->arena, commit);
	return read_values(&b->first, &b->arena, first, e);
}

int baseline_read(struct baseline *out, const char *path, struct err *e)
{
	SCOPED(toml) struct toml *doc = NULL;
	SCOPED(baseline) struct baseline b = { .first_commit = "" };
	if (toml_read(&doc, path, e) || read_tree(&b, toml_root(doc), e)) {
		if (e)
			e->code = EXIT_RECORD;
		return -1;
	}
	*out = b;
	b = (struct baseline){ 0 };
	return 0;
}

/* A TOML basic string: JSON's escapes are TOML's, too. */
static void add_text(struct str *out, const char *key, const char *value)
{
	str_addf(out, "%s = ", key);
	escape_json(out, value ? value : "");
	str_addc(out, '\n');
}

static void add_number(struct str *out, double x)
{
	char buf[32];
	str_double(buf, x);
	str_add(out, buf);
	if (!strpbrk(buf, ".e")) /* a TOML float has a point or an exponent */
		str_add(out, ".0");
}

static void add_values(struct str *out, const struct baseline_values *v)
{
	str_add(out, "seeds = [");
	for (int i = 0; i < v->n; i++)
		str_addf(out, "%s%lld", i ? ", " : "", (long long)v->seed[i]);
	str_add(out, "]\nvalues = [");
	for (int i = 0; i < v->n; i++) {
		str_add(out, i ? ", " : "");
		add_number(out, v->value[i]);
	}
	str_add(out, "]\nhex = [");
	for (int i = 0; i < v->n; i++)
		str_addf(out, "%s\"%a\"", i ? ", " : "", v->value[i]);
	str_add(out, "]\n");
}

void baseline_text(struct str *out, const struct baseline *b)
{
	str_add(
		out,
		"# A gate's baseline, written by `ablate baseline`; do not edit: decimal and hex must agree.\nschema = 1\n");
	for (size_t i = 0; i < N_TEXTS; i++) {
		const char *value = *slot(b, i);
		if (strcmp(texts[i].key, "fingerprint") == 0 && (!value || !*value))
			continue; /* older programs do not know the key */
		add_text(out, texts[i].key, value);
		if (strcmp(texts[i].key, "commit") == 0)
			add_text(out, "state", b->accepted ? "accepted" : "proposed");
	}
	add_values(out, &b->now);
	if (!b->first.n)
		return;
	str_add(out, "\n[first]\n");
	add_text(out, "commit", b->first_commit);
	add_values(out, &b->first);
}

struct gate_side baseline_side(const struct baseline *b, const struct baseline_values *v)
{
	return (struct gate_side){
		.value = v->value, .seed = v->seed, .n = v->n, .protocol = b->protocol, .numerics = b->numerics
	};
}

static void add_name(struct str *out, const char *name)
{
	for (; *name; name++)
		str_addc(out,
		         (*name >= '0' && *name <= '9') || ((*name | 32) >= 'a' && (*name | 32) <= 'z') || strchr("-_", *name)
		             ? *name
		             : '-');
}

char *baseline_path(const char *dir, const char *grid, const char *gate, bool proposed)
{
	struct str s = { 0 };
	str_addf(&s, "%s/", dir);
	add_name(&s, grid);
	str_addc(&s, '.');
	add_name(&s, gate);
	str_add(&s, proposed ? ".proposed.toml" : ".toml");
	return str_detach(&s);
}

static void copy_values(struct baseline_values *out, struct arena *a, const struct baseline_values *v)
{
	out->n = v->n;
	out->seed = arena_alloc(a, (size_t)v->n * sizeof *v->seed);
	out->value = arena_alloc(a, (size_t)v->n * sizeof *v->value);
	memcpy(out->seed, v->seed, (size_t)v->n * sizeof *v->seed);
	memcpy(out->value, v->value, (size_t)v->n * sizeof *v->value);
}

int baseline_accept(struct baseline *p, const struct baseline *old, const char *old_sha, const char *reason,
                    const char *created, struct err *e)
{
	if (p->accepted)
		return err_code(e, EXIT_RECORD, "gate %s: this baseline is already accepted", p->gate);
	if (!reason || !reason[strspn(reason, " \t\n")])
		return err_code(e, EXIT_USAGE, "gate %s: --reason TEXT is needed to accept a baseline: say why it may move",
		                p->gate);
	if (old && strcmp(old->metric, p->metric) != 0)
		return err_code(e, EXIT_RECORD, "gate %s: the proposal is for %s, the baseline it would replace for %s",
		                p->gate, p->metric, old->metric);
	p->accepted = true;
	p->reason = arena_strdup(&p->arena, reason);
	p->created = arena_strdup(&p->arena, created);
	p->supersedes = arena_strdup(&p->arena, old && old_sha ? old_sha : "");
	p->first = (struct baseline_values){ 0 };
	if (!old || strcmp(old->numerics, p->numerics) != 0 || strcmp(old->protocol, p->protocol) != 0)
		return 0; /* a new numerics version or protocol starts a new history */
	copy_values(&p->first, &p->arena, old->first.n ? &old->first : &old->now);
	p->first_commit = arena_strdup(&p->arena, old->first.n ? old->first_commit : old->commit);
	return 0;
}
