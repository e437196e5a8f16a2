/* json_keys.c - see json_keys.h. */
#include "harness/text/json_keys.h"

#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct json_key json_error[] = {
	JSON_KEY("error", "object", "what went wrong; stderr has the same as a line"),
	JSON_KEY("error.code", "integer", "the exit code"),
	JSON_KEY("error.message", "string", "what is wrong, where, and what helps"),
	{ 0 },
};

static void each_below(const char *prefix, const struct json_key *keys, void *ctx,
                       void (*row)(void *ctx, const char *path, const struct json_key *key))
{
	for (const struct json_key *k = keys; k->path; k++) {
		if (!*k->path) {
			each_below(prefix, k->of, ctx, row);
			continue;
		}
		SCOPED(free) char *path = xstrfmt("%s%s%s", prefix, *prefix ? "." : "", k->path);
		row(ctx, path, k);
		if (!k->of)
			continue;
		const char *lists = strchr(k->type, '[');
		SCOPED(free) char *inside = xstrfmt("%s%s", path, lists ? lists : "");
		each_below(inside, k->of, ctx, row);
	}
}

void json_keys_each(const struct json_key *keys, void *ctx,
                    void (*row)(void *ctx, const char *path, const struct json_key *key))
{
	each_below("", keys, ctx, row);
}

/* ---- as JSON Schema --------------------------------------------------------------------------------------------- */

static json_t *open_object(void)
{
	return json_pack("{s:s, s:{}, s:[], s:b}", "type", "object", "properties", "required", "additionalProperties", 0);
}

static json_t *schema_of_type(const char *path, const char *type)
{
	static const char *const known[] = { "boolean", "integer", "number", "string", "object" };
	size_t n = strcspn(type, "?[");
	json_t *node = strncmp(type, "any", n) == 0 && n == 3 ? json_object() : NULL;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i]) == n && strncmp(known[i], type, n) == 0)
			node = strcmp(known[i], "object") == 0 ? open_object() : json_pack("{s:s}", "type", known[i]);
	if (!node)
		BUG("key %s: no type '%s'", path, type);
	for (const char *at = type + n; *at;) {
		if (*at == '?') {
			json_t *either = json_pack("[O, s]", json_object_get(node, "type"), "null");
			(void)json_object_set_new(node, "type", either);
			at++;
		} else if (strncmp(at, "[]", 2) == 0) {
			node = json_pack("{s:s, s:o}", "type", "array", "items", node);
			at += 2;
		} else {
			BUG("key %s: no type '%s'", path, type);
		}
	}
	return node;
}

/* Into the lists that "[][]" stands for. */
static json_t *into_lists(json_t *node, const char *brackets, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		node = strncmp(brackets + i, "[]", 2) == 0 ? json_object_get(node, "items") : NULL;
	return node;
}

static void add_key(void *ctx, const char *path, const struct json_key *k)
{
	json_t *at = ctx;
	const char *name = path;
	for (const char *dot; (dot = strchr(name, '.')); name = dot + 1) {
		size_t n = (size_t)(dot - name), bare = strcspn(name, ".[");
		json_t *in = bare == 1 && *name == '*' ? json_object_get(at, "additionalProperties")
		                                       : json_object_getn(json_object_get(at, "properties"), name, bare);
		at = into_lists(in, name + bare, n - bare);
		if (!json_object_get(at, "properties"))
			BUG("key %s: the object that it is in has no row above", path);
	}
	json_t *node = schema_of_type(path, k->type);
	if (!k->text || !*k->text || json_object_get(json_object_get(at, "properties"), name))
		BUG("key %s: %s", path, k->text && *k->text ? "a second row" : "no text");
	SCOPED(free)
	char *text = xstrfmt("%s%s%s", k->text, k->absent ? "; absent: " : "", k->absent ? k->absent : "");
	(void)json_object_set_new(node, "description", json_string(text));
	if (k->unit)
		(void)json_object_set_new(node, "unit", json_string(k->unit));
	if (strcmp(name, "*") == 0) {
		(void)json_object_set_new(at, "additionalProperties", node);
		return;
	}
	(void)json_object_set_new(json_object_get(at, "properties"), name, node);
	if (!k->absent)
		(void)json_array_append_new(json_object_get(at, "required"), json_string(name));
}

static json_t *schema_of_form(const char *when, const struct json_key *keys)
{
	json_t *root = open_object();
	if (*when)
		(void)json_object_set_new(root, "title", json_string(when));
	(void)json_object_set_new(json_object_get(root, "properties"), "schema", json_pack("{s:i}", "const", 1));
	(void)json_array_append_new(json_object_get(root, "required"), json_string("schema"));
	json_keys_each(keys, root, add_key);
	return root;
}

json_t *json_keys_schema(const struct json_form *forms)
{
	json_t *all = json_array();
	for (; forms->keys; forms++)
		(void)json_array_append_new(all, schema_of_form(forms->when, forms->keys));
	(void)json_array_append_new(all, schema_of_form("when it fails", json_error));
	return json_pack("{s:o}", "anyOf", all);
}
