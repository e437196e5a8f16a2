/* json_against.h - a document held against the JSON Schema that json_keys_schema (harness/text/json_keys.h) makes of a
 * table of keys. Of JSON Schema the few words are understood that are in one; another one is BUG(). */
#ifndef ABLATE_JSON_AGAINST_H
#define ABLATE_JSON_AGAINST_H

#include "model/base/str.h"

#include <jansson.h>

struct json_found {
	struct str wrong; /* a line for each fault */
	int n_wrong;
	struct str keys; /* the path of each key on a line, as the table has it */
};

/* Against each form in "anyOf": *best is of the one that fits, or of that with the fewest faults, whose number from 0
 * is returned. */
size_t json_against(struct json_found *best, const json_t *schema, const json_t *v);
void json_found_release(struct json_found *f);

#endif
