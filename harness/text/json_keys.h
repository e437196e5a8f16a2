/* json_keys.h - the keys of a JSON document as a table, so that a description, a JSON Schema and a test follow from it.
 *
 *     static const struct json_key keys[] = {
 *             JSON_KEY("db", "string", "the database"),
 *             JSON_KEY("wall_s", "number", "how long it took", .unit = "s"),
 *             JSON_KEY("cells", "object[]", "every cell"),
 *             JSON_KEY("cells[].seed", "integer", "its training seed"),
 *             JSON_KEY("cells[].reason", "string", "why it cannot run", .absent = "where it can"),
 *             JSON_KEY("cells[].config", "object", "its settings"),
 *             JSON_KEY("cells[].config.*", "any", "the value of the setting of that name"),
 *             JSON_KEY("host", "object", "where it ran", .of = keys_host),
 *             { 0 } };
 *
 * A path leads from the document to the key; it passes through lists by [], and * stands for every key of a map. The
 * object that a path leads through has a row of its own, above. A type is any, boolean, integer, number, string or
 * object, with ? behind it where it may be null, and [] for a list of what stands before: "number?[]" is a list of
 * numbers and nulls. An integer is a number, too. A row { "", .of = more } stands for the rows of another table. */
#ifndef ABLATE_JSON_KEYS_H
#define ABLATE_JSON_KEYS_H

#include <jansson.h>

struct json_key {
	const char *path;          /* NULL ends a table */
	const char *type;          /* see above */
	const char *text;          /* what it means: lower case, no full stop */
	const char *unit;          /* "s", "bytes"; NULL: it has none */
	const char *absent;        /* when the key is not there; NULL: it is in every such object */
	const char *unseen;        /* what tests/e2e/json.sh lacks to see it; NULL: nothing */
	const struct json_key *of; /* the keys of the object, or of each in the list; NULL: none, or rows below this one */
};

#define JSON_KEY(where, what, meaning, ...) \
	{ \
		.path = where, .type = what, .text = meaning, __VA_ARGS__ \
	}

/* One of the documents that a command may print. */
struct json_form {
	const char *when;            /* "with --dry-run"; "" where there is no other form */
	const struct json_key *keys; /* NULL ends the forms */
	const char *unseen;          /* as of a key, of all in it */
};

#define JSON_FORM(said, table, ...) \
	{ \
		.when = said, .keys = table, __VA_ARGS__ \
	}

extern const struct json_key json_error[]; /* what a command prints instead when it fails */

/* Calls row for each key in order, those of shared tables among them, with the whole path. */
void json_keys_each(const struct json_key *keys, void *ctx,
                    void (*row)(void *ctx, const char *path, const struct json_key *key));
/* {"anyOf": [...]}: a JSON Schema (draft 2020-12) of the documents, json_error among them; in each "schema" is 1. A
 * key's unit is in "unit", which is no word of JSON Schema's. New reference. A row that does not follow the rules
 * above is BUG(). */
json_t *json_keys_schema(const struct json_form *forms);

#endif
