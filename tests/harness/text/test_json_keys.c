/* test_json_keys.c - keys as a table: the paths of shared tables, the JSON Schema, tables that break their rules. */
#include "harness/text/json_keys.h"
#include "harness/text/json_out.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

static const struct json_key place[] = {
	JSON_KEY("host", "string", "where"),
	JSON_KEY("load", "number?", "how busy", .unit = "1/s", .absent = "at night"),
	{ 0 },
};
static const struct json_key more[] = { JSON_KEY("last", "integer", "the end"), { 0 } };
static const struct json_key keys[] = {
	JSON_KEY("at", "object", "one place", .of = place),
	JSON_KEY("all", "object[]", "places", .of = place),
	JSON_KEY("map", "object", "by name"),
	JSON_KEY("map.*", "object", "one"),
	JSON_KEY("map.*.pairs", "string?[][]", "its pairs"),
	{ "", .of = more },
	{ 0 },
};

static void add_path(void *ctx, const char *path, const struct json_key *key)
{
	struct str *s = ctx;
	str_addf(s, "%s=%s ", path, key->text);
}

Test(json_keys, paths_lead_through_shared_tables)
{
	SCOPED(str) struct str s = { 0 };
	json_keys_each(keys, &s, add_path);
	cr_assert_str_eq(str_text(&s), "at=one place at.host=where at.load=how busy all=places all[].host=where "
	                               "all[].load=how busy map=by name map.*=one map.*.pairs=its pairs last=the end ");
}

Test(json_keys, schema_says_types_units_and_what_has_to_be_there)
{
	static const struct json_form forms[] = { JSON_FORM("always", keys), { 0 } };
	SCOPED(str) struct str s = { 0 };
	json_t *schema = json_keys_schema(forms);
	json_t *form = json_array_get(json_object_get(schema, "anyOf"), 0);
	cr_assert_eq(json_array_size(json_object_get(schema, "anyOf")), 2, "the form and the error");
	json_out(&s, form, 0);
	cr_assert_str_eq(
		str_text(&s),
		"{\"type\":\"object\",\"properties\":{\"schema\":{\"const\":1},"
		"\"at\":{\"type\":\"object\",\"properties\":{\"host\":{\"type\":\"string\",\"description\":\"where\"},"
		"\"load\":{\"type\":[\"number\",\"null\"],\"description\":\"how busy; absent: at night\",\"unit\":\"1/s\"}},"
		"\"required\":[\"host\"],\"additionalProperties\":false,\"description\":\"one place\"},"
		"\"all\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
		"\"host\":{\"type\":\"string\",\"description\":\"where\"},"
		"\"load\":{\"type\":[\"number\",\"null\"],\"description\":\"how busy; absent: at night\",\"unit\":\"1/s\"}},"
		"\"required\":[\"host\"],\"additionalProperties\":false},\"description\":\"places\"},"
		"\"map\":{\"type\":\"object\",\"properties\":{},\"required\":[],\"additionalProperties\":{\"type\":\"object\","
		"\"properties\":{\"pairs\":{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":[\"string\","
		"\"null\"]}},\"description\":\"its pairs\"}},\"required\":[\"pairs\"],\"additionalProperties\":false,"
		"\"description\":\"one\"},\"description\":\"by name\"},"
		"\"last\":{\"type\":\"integer\",\"description\":\"the end\"}},"
		"\"required\":[\"schema\",\"at\",\"all\",\"map\",\"last\"],\"additionalProperties\":false,\"title\":\"always\"}");
	json_decref(schema);
}

static void schema_of(const struct json_key *table)
{
	const struct json_form forms[] = { JSON_FORM("", table), { 0 } };
	json_decref(json_keys_schema(forms));
}

Test(json_keys, an_object_without_a_row_is_a_bug, .signal = SIGABRT)
{
	schema_of((const struct json_key[]){ JSON_KEY("a.b", "string", "b"), { 0 } });
}

Test(json_keys, a_second_row_is_a_bug, .signal = SIGABRT)
{
	schema_of((const struct json_key[]){ JSON_KEY("a", "string", "a"), JSON_KEY("a", "string", "a"), { 0 } });
}

Test(json_keys, an_unknown_type_is_a_bug, .signal = SIGABRT)
{
	schema_of((const struct json_key[]){ JSON_KEY("a", "text", "a"), { 0 } });
}
