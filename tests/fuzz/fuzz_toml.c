/* fuzz_toml.c - harness/toml*.c: any bytes as a document and as a lone value. The tree is walked, so that a wild
 * pointer in it is found; a key found by iteration must be found by name. */
#include "harness/text/toml.h"
#include "model/base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t walk(const struct toml_value *v)
{
	size_t sum = strlen(v->file) + v->src_len + (size_t)v->line + (size_t)v->col;
	if (v->type == TOML_STRING)
		sum += v->str.len + (size_t)v->str.data[v->str.len];
	if (v->type == TOML_ARRAY)
		for (size_t i = 0; i < toml_len(v); i++)
			sum += walk(toml_at(v, i));
	if (v->type == TOML_TABLE)
		for (size_t i = 0; i < toml_len(v); i++) {
			const struct toml_entry *en = toml_entry(v, i);
			if (strlen(en->key) == en->key_len)
				REQUIRE(toml_find(v, en->key) == en);
			sum += walk(en->value);
		}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err e = ERR_INIT;
	SCOPED(toml) struct toml *doc = NULL, *lone = NULL;
	if (!toml_parse(&doc, (const char *)data, n, "fuzz", &e))
		REQUIRE(walk(toml_root(doc)) > 0);
	SCOPED(free) char *text = xstrndup((const char *)data, n);
	if (!toml_parse_value(&lone, text, "fuzz", &e))
		REQUIRE(walk(toml_root(lone)) > 0);
	return 0;
}
