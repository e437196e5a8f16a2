/* config_json.c - a config as text: a knob's value, canonical JSON and its hash, and back. See config.h. */
#include "model/config/config_private.h"

#include "model/base/mem.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const void *cfield(const struct run_config *c, const struct knob *k)
{
	return (const char *)c + k->offset;
}

static void add_number(struct str *s, double x)
{
	char buf[32];
	str_add(s, str_double(buf, x));
}

static void add_string(struct str *s, const char *text, size_t n)
{
	json_t *v = json_stringn_nocheck(text, n);
	SCOPED(free) char *quoted = json_dumps(v, JSON_ENCODE_ANY);
	json_decref(v);
	REQUIRE(quoted);
	str_add(s, quoted);
}

/* The shortest text takes several tries to find, and the arms of a grid share most of their numbers. */
static void add_number_of(struct str *s, const struct knob *k, double x, struct config_memo *memo)
{
	if (!memo) {
		add_number(s, x);
		return;
	}
	int n;
	struct memo_number *last = &memo->numbers[k - config_knobs(&n)];
	if (!last->text[0] || memcmp(&last->x, &x, sizeof x) != 0) {
		last->x = x;
		(void)str_double(last->text, x);
	}
	str_add(s, last->text);
}

/* One knob's value as JSON, numbers as shortest round-trip (jansson would print 17 digits). */
static void add_value(struct str *s, const struct run_config *c, const struct knob *k, struct config_memo *memo)
{
	const void *p = cfield(c, k);
	switch (k->type) {
	case KNOB_BOOL: str_add(s, *(const bool *)p ? "true" : "false"); return;
	case KNOB_INT: add_number(s, *(const int *)p); return;
	case KNOB_DOUBLE: add_number_of(s, k, *(const double *)p, memo); return;
	case KNOB_EXPR: {
		const struct knob_expr *x = p;
		if (*x->text)
			add_string(s, x->text, strlen(x->text));
		else
			add_number_of(s, k, x->value, memo);
		return;
	}
	case KNOB_CHOICE: {
		const char *name = choice_at(k->choices, *(const int *)p);
		str_addc(s, '"');
		str_addn(s, name, strcspn(name, "|"));
		str_addc(s, '"');
		return;
	}
	case KNOB_NUMBER_OR_NAME: {
		const struct knob_number *x = p;
		if (x->named)
			str_addf(s, "\"%s\"", k->choices);
		else
			add_number_of(s, k, x->value, memo);
		return;
	}
	case KNOB_INTS: {
		const struct knob_list *list = p;
		str_addc(s, '[');
		for (int i = 0; i < list->n; i++)
			str_addf(s, "%s%d", i ? "," : "", list->v[i]);
		str_addc(s, ']');
		return;
	}
	case KNOB_STRING: add_string(s, p, strlen(p)); return;
	}
	BUG("%s: type %d", k->key, (int)k->type);
}

/* Does a later knob have its default, so that it is not written? */
static bool unsaid(const struct run_config *c, const struct knob *k)
{
	if (!k->later)
		return false;
	const void *p = cfield(c, k);
	switch (k->type) {
	case KNOB_BOOL: return *(const bool *)p == (strcmp(k->def, "true") == 0);
	case KNOB_INT: return *(const int *)p == strtol(k->def, NULL, 10);
	case KNOB_DOUBLE: return *(const double *)p == strtod(k->def, NULL);
	case KNOB_CHOICE: return *(const int *)p == 0; /* the first choice is the default */
	default: BUG("%s: a later knob of type %d", k->key, (int)k->type);
	}
}

char *config_json(const struct run_config *c)
{
	return config_json_with(c, NULL);
}

char *config_json_with(const struct run_config *c, struct config_memo *memo)
{
	int n;
	const struct knob *knobs = config_knobs(&n);
	struct str s = { 0 };
	for (int i = 0; i < n; i++) {
		if (knobs[i].placed || unsaid(c, &knobs[i]))
			continue;
		str_add(&s, s.len ? ",\"" : "{\"");
		str_add(&s, knobs[i].key);
		str_add(&s, "\":");
		add_value(&s, c, &knobs[i], memo);
	}
	str_addc(&s, '}');
	return str_detach(&s);
}

char *config_value_text(const struct run_config *c, const struct knob *k)
{
	struct str s = { 0 };
	add_value(&s, c, k, NULL);
	return str_detach(&s);
}

static int value_of_json(struct knob_value *out, const char *key, const json_t *j, struct err *e)
{
	switch (json_typeof(j)) {
	case JSON_TRUE:
	case JSON_FALSE: *out = (struct knob_value){ .type = VALUE_BOOL, .b = json_is_true(j) }; return 0;
	case JSON_INTEGER: *out = (struct knob_value){ .type = VALUE_INT, .i = json_integer_value(j) }; return 0;
	case JSON_REAL: *out = (struct knob_value){ .type = VALUE_DOUBLE, .d = json_real_value(j) }; return 0;
	case JSON_STRING: *out = (struct knob_value){ .type = VALUE_STRING, .s = json_string_value(j) }; return 0;
	case JSON_ARRAY:
		*out = (struct knob_value){ .type = VALUE_INTS };
		for (size_t i = 0; i < json_array_size(j); i++) {
			const json_t *item = json_array_get(j, i);
			if (!json_is_integer(item) || out->list.n == KNOB_LIST_MAX || llabs(json_integer_value(item)) > 1000000000)
				return err_code(e, EXIT_USAGE, "%s: not a list of at most %d integers", key, KNOB_LIST_MAX);
			out->list.v[out->list.n++] = (int)json_integer_value(item);
		}
		return 0;
	default: return err_code(e, EXIT_USAGE, "%s: not a value of a knob", key);
	}
}

int config_from_json(struct run_config *c, const char *text, struct err *e)
{
	json_error_t at;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &at);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_code(e, EXIT_USAGE, "config: not a JSON object: %s", at.text);
	}
	struct run_config read;
	config_defaults(&read);
	int rc = 0, n, missing = 0;
	const struct knob *knobs = config_knobs(&n);
	const char *key;
	json_t *j;
	json_object_foreach(root, key, j)
	{
		struct knob_value v;
		rc = value_of_json(&v, key, j, e);
		if (!rc)
			rc = config_set(&read, key, &v, e);
		if (rc)
			break;
	}
	for (int i = 0; i < n; i++)
		missing += !knobs[i].placed && !knobs[i].later && !json_object_get(root, knobs[i].key);
	if (!rc && missing)
		rc = err_code(e, EXIT_USAGE, "config: %zu of %d keys given", json_object_size(root), n);
	json_decref(root);
	if (rc || config_finish(&read, e))
		return -1;
	*c = read;
	return 0;
}

void config_hash(char hex[SHA256_HEX], const struct run_config *c)
{
	SCOPED(free) char *json = config_json(c);
	io_sha256(hex, json, strlen(json));
}

/* Is what a has of training in b? */
static bool covers(json_t *a, const json_t *b)
{
	const char *key;
	json_t *v;
	json_object_foreach(a, key, v)
	{
		const struct knob *k = config_find(key);
		bool sample = k && k->stage == STAGE_SAMPLE;
		if (!sample && !json_equal(v, json_object_get(b, key)))
			return false;
	}
	return true;
}

bool config_trains_alike(const char *a, const char *b)
{
	if (strcmp(a, b) == 0)
		return true;
	json_t *x = json_loads(a, 0, NULL), *y = json_loads(b, 0, NULL);
	bool alike = json_is_object(x) && json_is_object(y) && covers(x, y) && covers(y, x);
	json_decref(x);
	json_decref(y);
	return alike;
}
