/* json_against.c - see json_against.h. */
#include "tests/common/json_against.h"

#include "model/base/mem.h"

#include <stdbool.h>
#include <string.h>

void json_found_release(struct json_found *f)
{
	str_release(&f->wrong);
	str_release(&f->keys);
}

static void complain(struct json_found *f, const char *path, const char *what)
{
	str_addf(&f->wrong, "    %s: %s\n", path, what);
	f->n_wrong++;
}

static const char *type_of(const json_t *v)
{
	return json_is_object(v)    ? "object"
	       : json_is_array(v)   ? "array"
	       : json_is_string(v)  ? "string"
	       : json_is_integer(v) ? "integer"
	       : json_is_real(v)    ? "number"
	       : json_is_boolean(v) ? "boolean"
	                            : "null";
}

static bool is_type(const json_t *v, const char *type)
{
	return strcmp(type_of(v), type) == 0 || (strcmp(type, "number") == 0 && json_is_integer(v));
}

static bool may_be(const json_t *type, const json_t *v)
{
	const json_t *one;
	size_t i;
	if (!json_is_array(type))
		return is_type(v, json_string_value(type));
	json_array_foreach(type, i, one) if (is_type(v, json_string_value(one))) return true;
	return false;
}

static void check_words(const json_t *schema)
{
	static const char *const known[] = { "type",  "properties",  "required", "additionalProperties",
		                                 "items", "description", "unit",     "const",
		                                 "title" };
	const char *word;
	json_t *unused;
	json_object_foreach((json_t *)(size_t)schema, word, unused)
	{
		bool is_known = false;
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			is_known |= strcmp(known[i], word) == 0;
		if (!is_known)
			BUG("json_against does not know '%s' of JSON Schema", word);
	}
}

static void check_value(struct json_found *f, const json_t *schema, const json_t *v, const char *path);

static void check_object(struct json_found *f, const json_t *schema, const json_t *v, const char *path)
{
	const json_t *properties = json_object_get(schema, "properties"), *rest, *name;
	const char *key;
	json_t *one;
	size_t i;
	rest = json_object_get(schema, "additionalProperties");
	json_array_foreach(json_object_get(schema, "required"), i, name)
	{
		SCOPED(free) char *where = xstrfmt("%s%s%s", path, *path ? "." : "", json_string_value(name));
		if (!json_object_get(v, json_string_value(name)))
			complain(f, where, "is not there");
	}
	json_object_foreach((json_t *)(size_t)v, key, one)
	{
		const json_t *of = json_object_get(properties, key);
		SCOPED(free) char *where = xstrfmt("%s%s%s", path, *path ? "." : "", of || !json_is_object(rest) ? key : "*");
		of = of ? of : json_is_object(rest) ? rest : NULL;
		if (!of) {
			complain(f, where, "is not documented");
			continue;
		}
		str_addf(&f->keys, "%s\n", where);
		check_value(f, of, one, where);
	}
}

static void check_value(struct json_found *f, const json_t *schema, const json_t *v, const char *path)
{
	const json_t *type = json_object_get(schema, "type"), *is = json_object_get(schema, "const"), *one;
	size_t i;
	check_words(schema);
	if ((type && !may_be(type, v)) || (is && !json_equal(is, v))) {
		SCOPED(free) char *what = xstrfmt("is documented otherwise than as %s", type_of(v));
		complain(f, path, what);
		return;
	}
	SCOPED(free) char *inside = xstrfmt("%s[]", path);
	if (json_is_object(v) && json_object_get(schema, "properties"))
		check_object(f, schema, v, path);
	json_array_foreach(v, i, one) if (json_object_get(schema, "items"))
		check_value(f, json_object_get(schema, "items"), one, inside);
}

size_t json_against(struct json_found *best, const json_t *schema, const json_t *v)
{
	const json_t *form;
	size_t i, which = 0;
	*best = (struct json_found){ .n_wrong = -1 };
	json_array_foreach(json_object_get(schema, "anyOf"), i, form)
	{
		struct json_found f = { 0 };
		check_value(&f, form, v, "");
		if (best->n_wrong >= 0 && f.n_wrong >= best->n_wrong) {
			json_found_release(&f);
			continue;
		}
		json_found_release(best);
		*best = f;
		which = i;
	}
	return which;
}
